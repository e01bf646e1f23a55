// The prefix cache's seeded life on the real library: tiny models of each kind of memory, KV as f16 and q8_0. Every answer is
// compared with a second engine that knows nothing: it is given the prompt and the answer at once, and each token of the answer
// must be what it would have chosen. $HEARTH_SIM_STEPS makes it longer.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/log.h"
#include "engine/load_engine.h"
#include "sched/cache_simulation.h"
#include "tiny_models.h"

namespace hearth::sched {
namespace {

using engine::KvType;
using tiny_models::Kind;

constexpr std::uint32_t kContextTokens = 2048;  // of the pool: a few prompts fill it
constexpr std::uint32_t kChunkTokens = 256;

std::unique_ptr<engine::Engine> load(Kind kind, KvType kv, std::uint32_t parallel_jobs) {
  const auto path = tiny_models::path(kind);
  REQUIRE(path);
  engine::EngineOptions options;
  options.model_path = *path;
  options.context_tokens = kContextTokens;
  options.parallel_jobs = parallel_jobs;
  options.batch_tokens = 512;
  options.ubatch_tokens = kChunkTokens;
  options.threads = 1;  // threads that spin for each other are slow on a busy machine
  options.kv_type_k = kv;
  options.kv_type_v = kv;
  auto loaded = engine::load_engine(options, nullptr);
  if (!loaded) FAIL(loaded.error().message);
  return std::move(*loaded);
}

// The answer was computed row by row, among others' rows; here it comes in one batch. Other shapes of a batch round
// differently, so the token said may be one whose logit is smaller by this part of the spread of all logits (seen in long
// lives: 0.001). State of another prefix gives another order of all of them. Experts of random weights are chosen by tiny
// differences: a sum that rounds differently then goes through other weights.
float tolerance(Kind kind) { return kind == Kind::Moe ? 0.05F : 0.01F; }

class LlamaWorld final : public LifeWorld {
 public:
  LlamaWorld(Kind kind, KvType kv)
      : engine_(load(kind, kv, 3)),
        cold_(load(kind, kv, 1)),
        tolerance_(tolerance(kind)),
        loop_(*engine_, clock_, {.parallel_jobs = 3, .ubatch_tokens = kChunkTokens},
              [this](const link::EngineMessage& message) { hear(message); }) {}

  Loop& loop() override { return loop_; }
  void submit(link::Job job) override { loop_.submit(std::move(job)); }
  bool step() override {
    clock_.advance_ms(10);
    const bool more = loop_.step();
    loop_.check_invariants();
    return more;
  }
  const JobRecord& record(link::JobId id) override { return records_[id]; }
  void mischief(LifeDraws&) override {}
  void judge(const link::Job& job, const std::vector<Token>& said, bool /*whole*/) override {
    for (const float deficit : deficits(joined(job.prompt, said), said.size())) {
      worst = std::max(worst, deficit);
      differing += deficit > 0;
      ++tokens;
      REQUIRE(deficit <= tolerance_);
    }
  }

  float worst = 0;
  std::uint64_t tokens = 0, differing = 0;

 private:
  // For each of the last `count` tokens of a line: how far its logit is below the largest, as a part of their spread.
  std::vector<float> deficits(const std::vector<Token>& line, std::size_t count) {
    std::vector<float> result;
    if (count == 0) return result;
    cold_->clear(0);
    const std::size_t rows_end = line.size() - 1;  // the last token's own logits say nothing about it
    for (std::size_t begin = 0; begin < rows_end; begin += kChunkTokens) {
      std::vector<engine::Row> rows;
      for (std::size_t i = begin; i < std::min(rows_end, begin + kChunkTokens); ++i)
        rows.push_back({.token = line[i],
                        .position = static_cast<std::int32_t>(i),
                        .sequence = 0,
                        .wants_logits = i + 1 + count >= line.size()});
      REQUIRE(cold_->decode(rows).value_or(engine::DecodeOutcome::NoRoom) == engine::DecodeOutcome::Done);
      for (std::size_t i = 0; i < rows.size(); ++i)
        if (rows[i].wants_logits) result.push_back(deficit(cold_->logits(i), line[begin + i + 1]));
    }
    return result;
  }
  static float deficit(std::span<const float> logits, Token said) {
    const auto [least, most] = std::ranges::minmax(logits);
    return (most - logits[static_cast<std::size_t>(said)]) / (most - least);
  }

  void hear(const link::EngineMessage& message) {
    if (const auto* event = std::get_if<link::TokenEvent>(&message))
      for (const auto& sampled : event->tokens) records_[event->job].tokens.push_back(sampled.token);
    if (const auto* end = std::get_if<link::JobEnd>(&message)) {
      ++records_[end->job].end_count;
      records_[end->job].end = *end;
    }
  }

  ManualClock clock_;
  std::unique_ptr<engine::Engine> engine_, cold_;
  const float tolerance_;
  std::map<link::JobId, JobRecord> records_;
  Loop loop_;
};

TEST_CASE("on the real library the cache never changes an answer, for any kind of memory and of KV") {
  static constexpr Kind kKinds[] = {Kind::Attention, Kind::Hybrid, Kind::Moe, Kind::Window};
  // The long form takes as many steps with each pair as the fake engine's life takes with all in a fiftieth of its time.
  const std::uint64_t steps = simulation_steps(120, 50);
  for (const Kind kind : kKinds) {
    for (const KvType kv : {KvType::F16, KvType::Q8_0}) {
      for (const std::uint64_t seed : {1, 2}) {
        CAPTURE(seed);
        CAPTURE(tiny_models::kind_name(kind));
        CAPTURE(engine::kv_type_name(kv));
        set_log_level(LogLevel::Off);
        LlamaWorld world(kind, kv);
        AgentLife agents(seed, {.context_tokens = kContextTokens,
                                .token_first = 100,
                                .token_count = 1500,
                                .trunk_tokens_max = 600,
                                .turn_tokens_max = 200,
                                .answer_tokens_max = 16,
                                .tenants = 2,
                                .budget_bytes_max = std::uint64_t{4} << 20U,
                                .arrival_one_in = 10});
        agents.live(world, steps);
        set_log_level(LogLevel::Info);
        const auto counters = world.loop().counters();
        std::printf(
            "cache simulation: %s %s seed %llu: %llu jobs, %llu tokens cached, %llu answered, %llu not the largest, "
            "at most %.4f of the spread below it\n",
            std::string(tiny_models::kind_name(kind)).c_str(), std::string(engine::kv_type_name(kv)).c_str(),
            static_cast<unsigned long long>(seed), static_cast<unsigned long long>(agents.jobs()),
            static_cast<unsigned long long>(counters.at("tokens_cached")),
            static_cast<unsigned long long>(world.tokens), static_cast<unsigned long long>(world.differing),
            static_cast<double>(world.worst));
        CHECK(counters.at("tokens_cached") > 0);
        CHECK(world.tokens > 0);
      }
    }
  }
}

}  // namespace
}  // namespace hearth::sched
