// How smooth running streams stay while a long prompt is computed, and how long the prompt takes: the loop on a real engine, without a
// server around it.
//   pace_bench MODEL.gguf [TOKENS [STREAMS [THREADS [exact]]]]
// Prints what a row of prefill costs by the size of its chunk, the gaps of the streams' same tokens alone and beside a prompt of TOKENS
// (20,000), and the prompt's time beside them and alone. bench/run sets GOMP_SPINCOUNT as engines have it. Target: the p95 of the gaps beside it at most 1.5 times the one alone.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "engine/load_engine.h"
#include "sched/loop.h"

namespace {
using namespace hearth;

constexpr std::uint32_t kContextTokens = 65536;
constexpr std::size_t kTokensBefore = 400;  // of each stream, before the prompt comes

double quantile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[std::min(values.size() - 1, static_cast<std::size_t>(static_cast<double>(values.size()) * part))];
}

// Streams in a loop of their own, and when each of their tokens came.
class Streams {
 public:
  Streams(engine::Engine& engine, std::uint32_t count)
      : engine_(engine),
        loop_(engine, clock_, {.parallel_jobs = count + 1},
              [this](const link::EngineMessage& message) { hear(message); }) {
    run_to_end(submit(3000, 1));  // buffers are made, costs are learned
    for (std::uint32_t i = 0; i < count; ++i) streaming_.push_back(submit(200, 0));
    run_until(kTokensBefore);
  }
  ~Streams() {
    for (const link::JobId id : streaming_) loop_.cancel(id);
    for (engine::Sequence sequence = 0; sequence < static_cast<engine::Sequence>(engine_.info().sequences_max);
         ++sequence)
      engine_.clear(sequence);
  }
  Streams(const Streams&) = delete;
  Streams& operator=(const Streams&) = delete;

  void run_until(std::size_t tokens) {
    while (times_us_[streaming_.back()].size() < tokens) step();
  }
  // Seconds until the prompt is computed.
  double compute_prompt(std::uint32_t tokens) {
    const std::int64_t asked_us = clock_.now_us();
    run_to_end(submit(tokens, 1));
    return static_cast<double>(clock_.now_us() - asked_us) / 1e6;
  }
  void end_streams() {
    for (const link::JobId id : std::exchange(streaming_, {})) loop_.cancel(id);
  }
  [[nodiscard]] std::size_t token_count() { return times_us_[streaming_.back()].size(); }
  // Between the tokens of all streams, from their `begin`th to before their `end`th.
  [[nodiscard]] std::vector<double> gaps_ms(std::size_t begin, std::size_t end) {
    std::vector<double> gaps;
    for (const link::JobId id : streaming_) {
      const auto& times = times_us_[id];
      for (std::size_t i = begin + 1; i < std::min(end, times.size()); ++i)
        gaps.push_back(static_cast<double>(times[i] - times[i - 1]) / 1000);
    }
    return gaps;
  }

 private:
  link::JobId submit(std::uint32_t tokens, std::uint32_t tokens_max) {
    link::Job job{.id = ++last_id_, .tokens_max = tokens_max};
    for (std::uint32_t i = 0; i < tokens; ++i)
      job.prompt.push_back(static_cast<engine::Token>(mix_u64(last_id_, i) % engine_.info().vocabulary_count));
    job.sampling.temperature = 0.0F;
    job.sampling.seed = 1;
    loop_.submit(std::move(job));
    return last_id_;
  }
  void step() {
    if (!loop_.step()) std::exit((std::fprintf(stderr, "the streams ended\n"), 1));
  }
  void run_to_end(link::JobId id) {
    while (!ended_.contains(id)) loop_.step();
  }
  void hear(const link::EngineMessage& message) {
    if (const auto* event = std::get_if<link::TokenEvent>(&message)) times_us_[event->job].push_back(clock_.now_us());
    if (const auto* end = std::get_if<link::JobEnd>(&message)) ended_.insert(end->job);
  }

  engine::Engine& engine_;
  SteadyClock clock_;
  sched::Loop loop_;
  link::JobId last_id_ = 0;
  std::vector<link::JobId> streaming_;
  std::map<link::JobId, std::vector<std::int64_t>> times_us_;
  std::set<link::JobId> ended_;
};

void show(const char* what, const std::vector<double>& gaps) {
  std::printf("%-18s %6zu gaps: median %.2f ms, p90 %.2f, p95 %.2f, p99 %.2f, longest %.1f\n", what, gaps.size(),
              quantile(gaps, 0.5), quantile(gaps, 0.9), quantile(gaps, 0.95), quantile(gaps, 0.99), quantile(gaps, 1));
}

// The same tokens of the same streams, beside the prompt and alone: while it is computed they grow, and their steps with them.
void run(engine::Engine& engine, std::uint32_t tokens, std::uint32_t count) {
  std::vector<double> beside;
  std::size_t end = 0;
  double beside_s = 0, alone_s = 0;
  {
    Streams streams(engine, count);
    beside_s = streams.compute_prompt(tokens);
    end = streams.token_count();
    beside = streams.gaps_ms(kTokensBefore, end);
    streams.end_streams();
    alone_s = streams.compute_prompt(tokens);
  }
  Streams streams(engine, count);
  streams.run_until(end);
  const auto alone = streams.gaps_ms(kTokensBefore, end);
  show("alone", alone);
  show("beside the prompt", beside);
  std::printf("p95 beside / alone %.3f (target 1.5), median %.3f\n", quantile(beside, 0.95) / quantile(alone, 0.95),
              quantile(beside, 0.5) / quantile(alone, 0.5));
  std::printf("%u tokens of prompt took %.1f s, alone %.1f s (%.2f times)\n", tokens, beside_s, alone_s,
              beside_s / alone_s);
}

// What a row costs, by how many come together: the middle of three, behind 512 others.
void show_row_costs(engine::Engine& engine) {
  const SteadyClock clock;
  std::printf("a row of prefill, by the size of its chunk:");
  for (const std::uint32_t count : {1U, 8U, 16U, 32U, 64U, 128U, 256U, 512U}) {
    std::vector<double> us;
    for (int round = 0; round < 3; ++round) {
      engine.clear(0);
      std::vector<engine::Row> rows;
      for (const std::uint32_t chunk : {512U, count}) {
        const auto begin = static_cast<std::int32_t>(rows.size());
        rows.clear();
        for (std::uint32_t i = 0; i < chunk; ++i)
          rows.push_back(
              {.token = static_cast<engine::Token>(i + 1), .position = begin + static_cast<std::int32_t>(i)});
        rows.back().wants_logits = true;
        const std::int64_t began_us = clock.now_us();
        if (engine.decode(rows).value_or(engine::DecodeOutcome::NoRoom) != engine::DecodeOutcome::Done) return;
        if (begin > 0) us.push_back(static_cast<double>(clock.now_us() - began_us) / count);
      }
    }
    std::printf(" %u: %.0f us", count, quantile(us, 0.5));
  }
  engine.clear(0);
  std::printf("\n");
}

}  // namespace

int main(int argument_count, char** arguments) {
  const auto number = [&](int index, std::uint32_t otherwise) {
    return argument_count > index ? static_cast<std::uint32_t>(std::strtoul(arguments[index], nullptr, 10)) : otherwise;
  };
  if (argument_count < 2) {
    std::fprintf(stderr, "usage: pace_bench MODEL.gguf [TOKENS [STREAMS [THREADS [exact]]]]\n");
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  set_log_level(LogLevel::Warning);
  engine::EngineOptions options;
  options.model_path = arguments[1];
  options.context_tokens = kContextTokens;
  options.parallel_jobs = number(3, 1) + 1;
  options.threads = options.threads_batch = static_cast<std::int32_t>(number(4, 2));
  options.exact = argument_count > 5 && std::string_view(arguments[5]) == "exact";
  auto engine = engine::load_engine(options, [](float) {});
  if (!engine) {
    std::fprintf(stderr, "pace_bench: %s\n", engine.error().message.c_str());
    return 1;
  }
  if (!options.exact) show_row_costs(**engine);
  run(**engine, number(2, 20000), number(3, 1));
  return 0;
}
