// The exact mode's promise, on the real library: an answer depends on its own prompt alone. Whatever was computed before,
// whoever runs beside it, whatever was cancelled and wherever its beginning came from, it is the answer of a server that never
// heard another prompt, token by token; on every kind of memory, with f16 and q8_0 KV, with two threads.
#include <doctest/doctest.h>

#include <map>

#include "base/random.h"
#include "engine/load_engine.h"
#include "sched/loop.h"
#include "tiny_models.h"

namespace hearth::sched {
namespace {

using engine::KvType;
using engine::Token;
using tiny_models::Kind;

constexpr std::uint32_t kParallel = 3;
constexpr std::uint32_t kAnswerTokens = 20;

std::vector<Token> tokens_of(std::uint64_t seed, std::size_t count) {
  std::vector<Token> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<Token>(mix_u64(seed, i) % 2000);
  return tokens;
}

std::unique_ptr<engine::Engine> load(Kind kind, KvType type, std::uint32_t parallel = kParallel) {
  const auto path = tiny_models::path(kind);
  REQUIRE(path);
  engine::EngineOptions options;
  options.model_path = *path;
  options.context_tokens = 2048;
  options.parallel_jobs = parallel;
  options.threads = 2;
  options.kv_type_k = options.kv_type_v = type;
  options.exact = true;
  auto loaded = engine::load_engine(options, nullptr);
  if (!loaded) FAIL(loaded.error().message);
  return std::move(*loaded);
}

struct Prompt {
  std::vector<Token> tokens;
  std::vector<std::uint32_t> boundaries;
};

// Two agents' turns: a trunk of instructions, three turns of one conversation, and two branches.
std::vector<Prompt> prompts() {
  const auto grown = [](const Prompt& from, std::uint64_t seed, std::size_t count) {
    Prompt next = from;
    const auto more = tokens_of(seed, count);
    next.tokens.insert(next.tokens.end(), more.begin(), more.end());
    next.boundaries.push_back(static_cast<std::uint32_t>(next.tokens.size() - 5));
    return next;
  };
  const Prompt trunk{.tokens = tokens_of(1, 530), .boundaries = {530}};
  const Prompt first = grown(trunk, 2, 90);
  const Prompt second = grown(first, 3, 200);
  return {first, second, grown(second, 4, 61), grown(trunk, 5, 40), grown(trunk, 6, 300), grown(first, 7, 33)};
}

class ExactLoop {
 public:
  explicit ExactLoop(engine::Engine& engine, std::uint32_t parallel = kParallel)
      : engine_(engine), parallel_(parallel) {
    forget();
  }
  void forget() {
    for (std::uint32_t i = 0; i < engine_.info().sequences_max; ++i) engine_.clear(static_cast<engine::Sequence>(i));
    loop = std::make_unique<Loop>(engine_, clock_, LoopOptions{.parallel_jobs = parallel_, .ubatch_tokens = 256},
                                  [this](const link::EngineMessage& message) { hear(message); });
  }
  void submit(link::JobId id, const Prompt& prompt, link::Priority priority = link::Priority::Interactive,
              std::uint64_t owner = 0) {
    link::Job job{.id = id, .prompt = prompt.tokens, .boundaries = prompt.boundaries, .tokens_max = kAnswerTokens};
    job.priority = priority;
    job.owner = owner;
    job.sampling.temperature = 1.0F;  // near ties show in a draw sooner than in a maximum
    job.sampling.seed = 7;
    loop->submit(std::move(job));
  }
  bool step() {
    const bool more = loop->step();
    loop->check_invariants();
    return more;
  }
  void run() {
    while (step()) {
    }
  }
  std::unique_ptr<Loop> loop;
  std::map<link::JobId, std::vector<Token>> answers;
  std::map<link::JobId, link::JobEnd> ends;

 private:
  void hear(const link::EngineMessage& message) {
    if (const auto* event = std::get_if<link::TokenEvent>(&message)) {
      for (const auto& sampled : event->tokens) answers[event->job].push_back(sampled.token);
    } else if (const auto* end = std::get_if<link::JobEnd>(&message)) {
      ends[end->job] = *end;
    }
  }
  engine::Engine& engine_;
  const std::uint32_t parallel_;
  SteadyClock clock_;
};

TEST_CASE("in exact mode an answer depends on its prompt alone") {
  for (const Kind kind : {Kind::Attention, Kind::Hybrid, Kind::Moe, Kind::Window}) {
    for (const KvType type : {KvType::F16, KvType::Q8_0}) {
      CAPTURE(tiny_models::kind_name(kind));
      CAPTURE(engine::kv_type_name(type));
      const auto engine = load(kind, type);
      REQUIRE(engine->info().exact);
      ExactLoop test(*engine);
      const auto all = prompts();
      std::vector<std::vector<Token>> cold;
      for (const Prompt& prompt : all) {
        test.forget();
        test.submit(1, prompt);
        test.run();
        cold.push_back(std::exchange(test.answers[1], {}));
        REQUIRE(!cold.back().empty());
      }
      test.forget();
      std::uint64_t draw = 0;
      const auto below = [&](std::uint64_t limit) { return mix_u64(static_cast<std::uint64_t>(kind), draw++) % limit; };
      std::map<link::JobId, std::size_t> prompt_of_job;
      for (link::JobId id = 1; id <= 20; ++id) {
        prompt_of_job[id] = below(all.size());
        test.submit(id, all[prompt_of_job[id]]);
        for (auto steps = below(25); steps > 0; --steps) test.step();
        if (below(6) == 0) test.loop->cancel(1 + below(id));
      }
      test.run();
      std::uint64_t cached = 0;
      for (const auto& [id, index] : prompt_of_job) {
        CAPTURE(id);
        CAPTURE(index);
        auto expected = cold[index];
        if (test.ends[id].reason == link::EndReason::Cancelled) expected.resize(test.answers[id].size());
        CHECK(test.answers[id] == expected);
        cached += test.ends[id].cached_tokens;
      }
      CHECK(cached > 3000);
      CHECK(test.loop->counters().at("imports") > 0);
    }
  }
}

// Agents' conversations of two turns on shared instructions; each turn holds what was answered before.
class Agents {
 public:
  explicit Agents(ExactLoop& test) : test_(test) {
    test_.forget();
    test_.answers.clear();
    test_.ends.clear();
  }

  // All of them at once, each turn as soon as the last one is answered. Disturbed: jobs are paused for a while, and the work of
  // some is batch work.
  void live(std::uint64_t first, std::uint64_t last, bool disturbed) {
    for (std::uint64_t agent = first; agent <= last; ++agent) ask(agent, disturbed);
    for (std::uint64_t round = 0; !open_.empty(); ++round) {
      REQUIRE(round < 100'000);
      const link::JobId any =
          std::next(open_.begin(), static_cast<std::ptrdiff_t>(mix_u64(last, round) % open_.size()))->first;
      if (disturbed && round % 5 == 0) test_.loop->pause(any);
      if (!test_.step() || round % 10 == 9)
        for (const auto& [id, agent] : open_) test_.loop->resume(id);
      for (const auto& [id, agent] : std::map(open_))
        if (test_.ends.contains(id)) answered(id, agent, disturbed);
    }
  }
  std::map<std::uint64_t, std::vector<Token>> said;

 private:
  void ask(std::uint64_t agent, bool disturbed) {
    Prompt& prompt = prompts_[agent];
    if (prompt.tokens.empty()) prompt = {.tokens = tokens_of(1, 300), .boundaries = {300}};
    const auto asked = tokens_of(100 * agent + prompt.boundaries.size(), 40 + 30 * agent);
    prompt.tokens.insert(prompt.tokens.end(), asked.begin(), asked.end());
    prompt.boundaries.push_back(static_cast<std::uint32_t>(prompt.tokens.size() - 5));
    open_[++last_id_] = agent;
    test_.submit(last_id_, prompt, disturbed && agent % 3 == 0 ? link::Priority::Batch : link::Priority::Interactive,
                 agent % 2);
  }
  void answered(link::JobId id, std::uint64_t agent, bool disturbed) {
    open_.erase(id);
    const auto& answer = test_.answers[id];
    said[agent].insert(said[agent].end(), answer.begin(), answer.end());
    auto& tokens = prompts_[agent].tokens;
    tokens.insert(tokens.end(), answer.begin(), answer.end());
    if (prompts_[agent].boundaries.size() <= kTurns) ask(agent, disturbed);
  }

  static constexpr std::size_t kTurns = 2;
  ExactLoop& test_;
  std::map<std::uint64_t, Prompt> prompts_;
  std::map<link::JobId, std::uint64_t> open_;  // whose job it is
  link::JobId last_id_ = 0;
};

TEST_CASE("in exact mode 1, 2, 4 and 8 agents at once are told what each is told alone") {
  for (const Kind kind : {Kind::Attention, Kind::Hybrid}) {
    CAPTURE(tiny_models::kind_name(kind));
    constexpr std::uint32_t kPlaces = 4;  // 8 agents share them
    const auto engine = load(kind, KvType::F16, kPlaces);
    ExactLoop test(*engine, kPlaces);
    std::map<std::uint64_t, std::vector<Token>> alone;
    for (std::uint64_t agent = 1; agent <= 8; ++agent) {
      Agents one(test);
      one.live(agent, agent, /*disturbed=*/false);
      alone[agent] = one.said[agent];
      REQUIRE_FALSE(alone[agent].empty());  // how many depends on the processor: random weights may end a turn at once
    }
    for (const std::uint64_t count : {1, 2, 4, 8}) {
      CAPTURE(count);
      Agents together(test);
      together.live(1, count, /*disturbed=*/true);
      for (std::uint64_t agent = 1; agent <= count; ++agent) CHECK(together.said[agent] == alone[agent]);
    }
  }
}

}  // namespace
}  // namespace hearth::sched
