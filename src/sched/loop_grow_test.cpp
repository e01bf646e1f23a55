// A context that grows while jobs run, on the fake engine of every kind of memory: the answers are those of a server that
// began with the larger one; where memory is short, what fits goes on and the rest is told honestly.
#include <doctest/doctest.h>

#include "sched/growth.h"
#include "sched/test_loop.h"

namespace hearth::sched {
namespace {

using engine::StateForm;

constexpr MemoryKind kKinds[] = {MemoryKind::Attention, MemoryKind::Recurrent, MemoryKind::Hybrid, MemoryKind::Window};

engine::FakeOptions growing(MemoryKind kind, std::uint32_t from = 512, std::uint32_t to = 4096) {
  engine::FakeOptions options = fake_options(kind, from);
  options.script.context_limit_tokens = to;
  return options;
}

TEST_CASE(
    "growth aims at twice the context, or what is needed and a quarter, and settles for little more than is needed") {
  using Targets = std::vector<std::uint32_t>;
  CHECK(growth_targets(32768, 32769, 131072) == Targets{65536, 35072});
  CHECK(growth_targets(32768, 100000, 131072) == Targets{125184, 106496});
  CHECK(growth_targets(32768, 120000, 131072) == Targets{131072, 127744});
  CHECK(growth_targets(32768, 131072, 131072) == Targets{131072});
  CHECK(growth_targets(32768, 131073, 131072).empty());
  CHECK(growth_targets(32768, 100, 32768).empty());
  CHECK(growth_targets(512, 1, 1U << 31).front() == 1024);
}

TEST_CASE("a prompt longer than the context makes it grow, and is answered as in a large one") {
  for (const MemoryKind kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    TestLoop test(growing(kind));
    const auto prompt = prompt_of(1, 1500);
    const JobRecord& record = test.run_one(greedy_job(1, prompt));
    CHECK(record.end.reason != link::EndReason::Failed);
    CHECK(record.tokens == test.expected(prompt, 24));
    CHECK(test.counter("contexts_grown") == 1);
    CHECK(test.counter("context_tokens") == 2048);
    CHECK(test.fake.info().context_tokens == 2048);
  }
}

TEST_CASE("an answer that outgrows the context goes on in a larger one, computing nothing again but its last token") {
  for (const MemoryKind kind : {MemoryKind::Attention, MemoryKind::Hybrid, MemoryKind::Window}) {
    CAPTURE(static_cast<int>(kind));
    TestLoop test(growing(kind));
    const auto prompt = prompt_of(2, 500);
    const JobRecord& record = test.run_one(greedy_job(1, prompt, 30));
    CHECK(record.tokens == test.expected(prompt, 30));
    CHECK(record.started_count == 1);
    if (test.counter("contexts_grown") > 0) CHECK(test.counter("tokens_prefilled") <= prompt.size());
  }
}

TEST_CASE("running answers pause for a long prompt and say what they would have said") {
  for (const MemoryKind kind : kKinds) {
    for (const bool state_moves : {true, false}) {
      CAPTURE(static_cast<int>(kind));
      CAPTURE(state_moves);
      engine::FakeOptions options = growing(kind);
      if (!state_moves) options.state_form = StateForm::None;
      TestLoop test(options);
      const auto trunk = prompt_of(3, 120);
      const auto first = joined(trunk, prompt_of(4, 60));
      const auto second = joined(trunk, prompt_of(5, 40));
      const auto third = prompt_of(6, 900);
      test.submit(greedy_job(1, first, 40));
      test.submit(greedy_job(2, second, 40));
      for (int i = 0; i < 4; ++i) test.step();
      test.submit(greedy_job(3, third, 40));
      test.run();
      CHECK(test.jobs[1].tokens == test.expected(first, 40));
      CHECK(test.jobs[2].tokens == test.expected(second, 40));
      CHECK(test.jobs[3].tokens == test.expected(third, 40));
      for (link::JobId id = 1; id <= 3; ++id) CHECK(test.jobs[id].started_count == 1);
      CHECK(test.counter("contexts_grown") >= 1);
      CHECK(test.counter("jobs_preempted") == 0);
    }
  }
}

TEST_CASE("jobs that are short of cells together get a larger pool before one of them must wait") {
  TestLoop test(growing(MemoryKind::Attention, 512, 2048));
  for (link::JobId id = 1; id <= 4; ++id) test.submit(greedy_job(id, prompt_of(10 + id, 200)));
  test.run();
  for (link::JobId id = 1; id <= 4; ++id) CHECK(test.jobs[id].tokens == test.expected(prompt_of(10 + id, 200), 24));
  CHECK(test.counter("contexts_grown") >= 1);
  CHECK(test.counter("jobs_preempted") == 0);
}

TEST_CASE("where memory is short a long prompt is refused with the words clients know, and the others go on") {
  TestLoop test(growing(MemoryKind::Attention));
  test.fake.set_room(std::nullopt);
  test.submit(greedy_job(1, prompt_of(20, 300)));
  test.step();
  test.submit(greedy_job(2, prompt_of(21, 900)));
  test.submit(greedy_job(3, prompt_of(22, 100)));
  test.run();
  CHECK(test.jobs[2].end.reason == link::EndReason::Failed);
  CHECK(test.jobs[2].end.error_kind == static_cast<std::uint8_t>(ErrorKind::PromptTooLong));
  CHECK(test.jobs[2].end.message == "prompt is too long: 900 tokens > 511 maximum");
  CHECK(test.jobs[1].tokens == test.expected(prompt_of(20, 300), 24));
  CHECK(test.jobs[3].tokens == test.expected(prompt_of(22, 100), 24));
  CHECK(test.counter("contexts_grown") == 0);
  test.fake.set_room(std::uint64_t{1} << 30);
  const auto answer = test.run_one(greedy_job(4, prompt_of(21, 900))).tokens;
  CHECK(answer == test.expected(prompt_of(21, 900), 24));
}

TEST_CASE("an answer that cannot grow the context ends as one that filled it") {
  TestLoop test(growing(MemoryKind::Attention));
  test.fake.set_room(std::nullopt);
  const auto prompt = prompt_of(23, 505);
  const JobRecord& record = test.run_one(greedy_job(1, prompt, 0));
  const auto expected = test.expected(prompt, 1000);
  if (expected.size() > 8) CHECK(record.end.reason == link::EndReason::ContextFull);
  CHECK(record.tokens.size() <= 8);
}

TEST_CASE("a context that libllama cannot make leaves the old one, and what ran in it goes on") {
  for (const MemoryKind kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    TestLoop test(growing(kind));
    test.fake.fail_next_rebuild();
    test.submit(greedy_job(1, prompt_of(24, 300)));
    for (int i = 0; i < 3; ++i) test.step();
    test.submit(greedy_job(2, prompt_of(25, 900)));
    test.run();
    CHECK(test.jobs[1].tokens == test.expected(prompt_of(24, 300), 24));
    CHECK(test.jobs[2].end.error_kind == static_cast<std::uint8_t>(ErrorKind::PromptTooLong));
    CHECK(test.counter("context_tokens") == 512);
  }
}

TEST_CASE("RAM that takes little of what moves costs computing, not answers") {
  for (const MemoryKind kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    TestLoop test(growing(kind));
    test.fake.set_room(3000);
    test.submit(greedy_job(1, prompt_of(26, 300), 40));
    for (int i = 0; i < 4; ++i) test.step();
    test.submit(greedy_job(2, prompt_of(27, 900), 40));
    test.run();
    CHECK(test.jobs[1].tokens == test.expected(prompt_of(26, 300), 40));
    CHECK(test.jobs[2].tokens == test.expected(prompt_of(27, 900), 40));
  }
}

TEST_CASE("after a move RAM keeps no more than it may, and a budget of nothing is nothing again") {
  TestLoop test(growing(MemoryKind::Attention), {.cache = {.ram_bytes_max = 0}});
  test.submit(greedy_job(1, prompt_of(28, 300), 40));
  for (int i = 0; i < 4; ++i) test.step();
  const auto prefilled = test.counter("tokens_prefilled");
  test.submit(greedy_job(2, prompt_of(29, 900), 40));
  test.run();
  CHECK(test.counter("contexts_grown") == 1);
  CHECK(test.counter("tokens_prefilled") <= prefilled + 900 + 1);
  CHECK(test.counter("ram_bytes") == 0);
  CHECK(test.jobs[1].tokens == test.expected(prompt_of(28, 300), 40));
}

TEST_CASE("pinned lines stay pinned when the context grows, where there is room for them meanwhile") {
  TestLoop test(growing(MemoryKind::Attention), {.cache = {.ram_bytes_max = 1U << 20}});
  test.run_one(greedy_job(1, prompt_of(40, 400), 1));
  cache::PrefixCache& cache = test.loop.cache();
  const std::string salt;
  const cache::KnownLine line = *cache.known_line(&salt, "");
  cache.bring_to_ram(line);
  const auto bytes = cache.desk().pin(line);
  REQUIRE(bytes);
  bool stays = true;
  SUBCASE("room for little more than they") { test.fake.set_room(*bytes + *bytes / 2); }
  SUBCASE("no room") {
    test.fake.set_room(*bytes / 2);
    stays = false;
  }
  test.run_one(greedy_job(2, prompt_of(41, 900)));
  CHECK(test.counter("contexts_grown") == 1);
  CHECK(cache.desk().is_pinned(line.id) == stays);
}

TEST_CASE("an exact engine grows and computes the answer's tokens in the shape they had") {
  for (const MemoryKind kind : {MemoryKind::Attention, MemoryKind::Hybrid}) {
    CAPTURE(static_cast<int>(kind));
    engine::FakeOptions options = growing(kind, 1024);
    options.exact = true;
    options.cells = 16384;  // lanes have cells of their own
    TestLoop alone([&] {
      engine::FakeOptions large = options;
      large.script.context_tokens = 4096;
      return large;
    }());
    const auto first = prompt_of(30, 700);
    const auto expected = alone.run_one(greedy_job(1, first, 40)).tokens;
    TestLoop test(options);
    test.submit(greedy_job(1, first, 40));
    for (int i = 0; i < 8; ++i) test.step();
    test.submit(greedy_job(2, prompt_of(31, 1500), 10));
    test.run();
    CHECK(test.jobs[1].tokens == expected);
    CHECK(test.counter("contexts_grown") == 1);
  }
}

}  // namespace
}  // namespace hearth::sched
