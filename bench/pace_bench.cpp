// How smooth running streams stay while a long prompt is computed, and how long the prompt takes: the loop on a real engine, without a
// server around it.
//   pace_bench MODEL.gguf [TOKENS [STREAMS [THREADS [exact]]]]
// Prints what a row of prefill costs by the size of its chunk, the gaps of the streams before and beside a prompt of TOKENS
// (20,000), and the prompt's time beside them and alone. bench/run sets GOMP_SPINCOUNT as engines have it. Target: the p95 of the gaps beside it at most 1.5 times the one before.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <string_view>
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

class PaceBench {
 public:
  PaceBench(engine::Engine& engine, std::uint32_t streams)
      : engine_(engine),
        streams_(streams),
        loop_(engine, clock_, {.parallel_jobs = streams + 1},
              [this](const link::EngineMessage& message) { hear(message); }) {}

  void run(std::uint32_t tokens) {
    run_to_end(submit(3000, 1));  // buffers are made, costs are learned
    for (std::uint32_t i = 0; i < streams_; ++i) streaming_.push_back(submit(200, 0));
    while (times_us_[streaming_.back()].size() < kTokensBefore) step();
    const std::int64_t asked_us = clock_.now_us();
    run_to_end(submit(tokens, 1));
    const std::int64_t told_us = clock_.now_us();
    for (const link::JobId id : streaming_) loop_.cancel(id);
    const std::int64_t alone_us = clock_.now_us();
    run_to_end(submit(tokens, 1));

    const auto before = gaps_ms(0, asked_us);
    const auto beside = gaps_ms(asked_us, told_us);
    show("before", before);
    show("beside the prompt", beside);
    const double beside_s = static_cast<double>(told_us - asked_us) / 1e6;
    const double alone_s = static_cast<double>(clock_.now_us() - alone_us) / 1e6;
    // In a unified pool a step also pays for the cells that the prompt fills: its own median tells that part.
    std::printf("p95 beside / before %.3f (target 1.5), beside / its own median %.3f\n",
                quantile(beside, 0.95) / quantile(before, 0.95), quantile(beside, 0.95) / quantile(beside, 0.5));
    std::printf("%u tokens of prompt took %.1f s, alone %.1f s (%.2f times)\n", tokens, beside_s, alone_s,
                beside_s / alone_s);
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
    if (const auto* end = std::get_if<link::JobEnd>(&message)) ended_[end->job] = *end;
  }
  // Of all streams, between two tokens that both came in [from, to). The first ones still see the prompts.
  std::vector<double> gaps_ms(std::int64_t from_us, std::int64_t to_us) {
    std::vector<double> gaps;
    for (const link::JobId id : streaming_) {
      const auto& times = times_us_[id];
      for (std::size_t i = 50; i < times.size(); ++i)
        if (times[i - 1] >= from_us && times[i] < to_us)
          gaps.push_back(static_cast<double>(times[i] - times[i - 1]) / 1000);
    }
    return gaps;
  }
  static void show(const char* what, const std::vector<double>& gaps) {
    std::printf("%-18s %6zu gaps: median %.2f ms, p90 %.2f, p95 %.2f, p99 %.2f, longest %.1f\n", what, gaps.size(),
                quantile(gaps, 0.5), quantile(gaps, 0.9), quantile(gaps, 0.95), quantile(gaps, 0.99),
                quantile(gaps, 1));
  }

  engine::Engine& engine_;
  const std::uint32_t streams_;
  SteadyClock clock_;
  sched::Loop loop_;
  link::JobId last_id_ = 0;
  std::vector<link::JobId> streaming_;
  std::map<link::JobId, std::vector<std::int64_t>> times_us_;
  std::map<link::JobId, link::JobEnd> ended_;
};

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
  PaceBench(**engine, number(3, 1)).run(number(2, 20000));
  return 0;
}
