// The loop on the real library, with a tiny generated model of each kind of memory: what is reused, forked, kept at a
// boundary or computed in company gives the same greedy tokens as computing everything alone.
#include <doctest/doctest.h>

#include <map>

#include "base/random.h"
#include "engine/load_engine.h"
#include "sched/loop.h"
#include "tiny_models.h"

namespace hearth::sched {
namespace {

using engine::Token;
using tiny_models::Kind;

constexpr Kind kKinds[] = {Kind::Attention, Kind::Hybrid, Kind::Moe, Kind::Window};

std::vector<Token> prompt_of(std::uint64_t seed, std::size_t count) {
  std::vector<Token> tokens(count);
  for (std::size_t i = 0; i < count; ++i) tokens[i] = static_cast<Token>(mix_u64(seed, i) % 2000);
  return tokens;
}

std::vector<Token> joined(std::vector<Token> a, const std::vector<Token>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct Record {
  std::vector<Token> tokens;
  std::uint32_t cached_tokens = 0;
  link::JobEnd end;
};

// Another batch shape changes the last bits of the logits, and a mixture of experts of random weights then soon picks
// other experts. Its answers are compared where the shapes are the same (a cancelled prefill), else only their presence.
bool same_answer(Kind kind, const std::vector<Token>& a, const std::vector<Token>& b) {
  return kind == Kind::Moe ? !a.empty() && !b.empty() : a == b;
}

// One engine for all cases of a kind; forget() makes the loop and the engine as new.
class LlamaLoop {
 public:
  explicit LlamaLoop(Kind kind) {
    const auto path = tiny_models::path(kind);
    REQUIRE(path);
    engine::EngineOptions options;
    options.model_path = *path;
    options.context_tokens = 4096;
    options.parallel_jobs = 3;
    options.batch_tokens = 512;
    options.ubatch_tokens = 256;
    options.threads = 1;  // threads that spin for each other are slow on a busy machine
    auto loaded = engine::load_engine(options, nullptr);
    if (!loaded) FAIL(loaded.error().message);
    engine_ = std::move(*loaded);
    forget();
  }
  void forget() {
    for (std::uint32_t i = 0; i < engine_->info().sequences_max; ++i) engine_->clear(static_cast<engine::Sequence>(i));
    loop = std::make_unique<Loop>(*engine_, clock_, LoopOptions{.parallel_jobs = 3, .ubatch_tokens = 256},
                                  [this](const link::EngineMessage& message) { hear(message); });
  }
  void submit(link::JobId id, std::vector<Token> prompt, std::vector<std::uint32_t> boundaries = {}) {
    link::Job job{.id = id, .prompt = std::move(prompt), .boundaries = std::move(boundaries), .tokens_max = 24};
    job.sampling.temperature = 0.0F;
    job.sampling.seed = 1;
    records[id] = {};
    loop->submit(std::move(job));
  }
  void run() {
    while (loop->step()) loop->check_invariants();
  }
  const Record& run_one(link::JobId id, std::vector<Token> prompt, std::vector<std::uint32_t> boundaries = {}) {
    submit(id, std::move(prompt), std::move(boundaries));
    run();
    return records[id];
  }
  // Computed alone, from nothing.
  std::vector<Token> cold(const std::vector<Token>& prompt) {
    forget();
    auto tokens = run_one(1000, prompt).tokens;
    forget();
    return tokens;
  }

  std::map<link::JobId, Record> records;
  std::unique_ptr<Loop> loop;

 private:
  void hear(const link::EngineMessage& message) {
    if (const auto* started = std::get_if<link::JobStarted>(&message))
      records[started->job].cached_tokens = started->cached_tokens;
    if (const auto* event = std::get_if<link::TokenEvent>(&message))
      for (const auto& sampled : event->tokens) records[event->job].tokens.push_back(sampled.token);
    if (const auto* end = std::get_if<link::JobEnd>(&message)) records[end->job].end = *end;
  }

  SteadyClock clock_;
  std::unique_ptr<engine::Engine> engine_;
};

TEST_CASE("on the real library a conversation that goes on says what it says from nothing") {
  for (const Kind kind : kKinds) {
    CAPTURE(tiny_models::kind_name(kind));
    LlamaLoop test(kind);
    const auto first = prompt_of(1, 400);
    const auto answer = test.run_one(1, first).tokens;
    REQUIRE(!answer.empty());
    const auto second = joined(joined(first, answer), prompt_of(2, 150));
    const auto expected = test.cold(second);
    test.run_one(1, first);
    const Record& record = test.run_one(2, second);
    CHECK(record.cached_tokens >= 400);
    CHECK(same_answer(kind, record.tokens, expected));
    CHECK(record.end.reason != link::EndReason::Failed);
  }
}

TEST_CASE("on the real library a conversation that rested in RAM says what it says from nothing") {
  for (const Kind kind : kKinds) {
    CAPTURE(tiny_models::kind_name(kind));
    LlamaLoop test(kind);
    const auto next = joined(prompt_of(1, 400), prompt_of(3, 300));
    const auto expected = test.cold(next);
    test.run_one(1, prompt_of(1, 400), {300, 400});
    test.submit(2, prompt_of(2, 700));  // long enough for the first one to leave the pool beside it
    test.submit(3, prompt_of(4, 700));
    test.run();
    CHECK(test.loop->counters().at("sequences_demoted") >= 1);
    const auto& record = test.run_one(4, next);
    CHECK(record.cached_tokens >= (kind == Kind::Attention || kind == Kind::Moe ? 400U : 300U));
    CHECK(test.loop->counters().at("imports") >= 1);
    CHECK(same_answer(kind, record.tokens, expected));
  }
}

TEST_CASE("on the real library branches of one prompt say what they say from nothing") {
  for (const Kind kind : kKinds) {
    CAPTURE(tiny_models::kind_name(kind));
    LlamaLoop test(kind);
    const auto shared = prompt_of(1, 512);
    std::vector<std::vector<Token>> expected;
    for (std::uint64_t i = 0; i < 3; ++i) expected.push_back(test.cold(joined(shared, prompt_of(10 + i, 100))));
    for (std::uint64_t i = 0; i < 3; ++i) {
      const Record& record = test.run_one(i, joined(shared, prompt_of(10 + i, 100)), {512, 600});
      CHECK(record.cached_tokens == (i == 0 ? 0 : 512));
      CHECK(same_answer(kind, record.tokens, expected[i]));
    }
    // And the first one again, in the state it left behind.
    CHECK(same_answer(kind, test.run_one(9, joined(shared, prompt_of(10, 100)), {512, 600}).tokens, expected[0]));
  }
}

TEST_CASE("on the real library jobs in one batch say what each says alone") {
  for (const Kind kind : kKinds) {
    CAPTURE(tiny_models::kind_name(kind));
    LlamaLoop test(kind);
    std::vector<std::vector<Token>> expected;
    for (std::uint64_t i = 0; i < 3; ++i) expected.push_back(test.cold(prompt_of(20 + i, 200 + 100 * i)));
    for (std::uint64_t i = 0; i < 3; ++i) test.submit(i, prompt_of(20 + i, 200 + 100 * i));
    test.run();
    for (std::uint64_t i = 0; i < 3; ++i) CHECK(same_answer(kind, test.records[i].tokens, expected[i]));
  }
}

TEST_CASE("on the real library a cancelled prefill is gone on with") {
  for (const Kind kind : kKinds) {
    CAPTURE(tiny_models::kind_name(kind));
    LlamaLoop test(kind);
    const auto prompt = prompt_of(3, 1500);
    const auto expected = test.cold(prompt);
    test.submit(1, prompt);
    test.loop->step();
    test.loop->step();
    test.loop->cancel(1);
    const Record& record = test.run_one(2, prompt);
    CHECK(record.cached_tokens >= 512);
    CHECK(record.tokens == expected);
  }
}

TEST_CASE("on the real library conversations beyond the context make room for each other") {
  for (const Kind kind : kKinds) {
    CAPTURE(tiny_models::kind_name(kind));
    LlamaLoop test(kind);
    for (std::uint64_t i = 0; i < 4; ++i) {
      test.run_one(i, prompt_of(30 + i, 1500), {1000});
      CHECK(test.records[i].end.reason != link::EndReason::Failed);
      CHECK(test.records[i].end.reason != link::EndReason::ContextFull);
    }
    // Three that do not fit together.
    for (std::uint64_t i = 10; i < 13; ++i) test.submit(i, prompt_of(30 + i, 1800));
    test.run();
    for (std::uint64_t i = 10; i < 13; ++i) CHECK(test.records[i].end.reason != link::EndReason::Failed);
  }
}

}  // namespace
}  // namespace hearth::sched
