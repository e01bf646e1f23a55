// Idle prefixes in RAM: what leaves the pool comes back exactly, within its budget.
#include "sched/parked.h"

#include "sched/test_loop.h"

namespace hearth::sched {
namespace {

Parked::Entry entry_of(std::uint64_t seed, std::size_t tokens, std::size_t state_bytes, std::uint64_t last_used = 0) {
  return {.tokens = prompt_of(seed, tokens), .state = std::vector<std::uint8_t>(state_bytes), .last_used = last_used};
}

}  // namespace

TEST_CASE("the longest common parked prefix is found") {
  Parked parked(1 << 20);
  CHECK(!parked.best(prompt_of(1, 10)));
  CHECK(parked.add(entry_of(1, 40, 10)));
  CHECK(parked.add(entry_of(2, 90, 10)));
  const auto match = parked.best(joined(prompt_of(2, 60), prompt_of(9, 60)));
  REQUIRE(match);
  CHECK(match->common == 60);
  CHECK(parked.covers(prompt_of(1, 40)));
  CHECK(!parked.covers(prompt_of(1, 41)));
}

TEST_CASE("parked states stay within their budget, the oldest go first, and a longer one replaces its beginning") {
  Parked parked(1000);
  CHECK(!parked.add(entry_of(1, 10, 1000)));
  CHECK(parked.add(entry_of(1, 10, 300, 5)));
  CHECK(parked.add(entry_of(2, 10, 300, 3)));
  CHECK(parked.add(entry_of(3, 10, 300, 4)));
  parked.check_invariants();
  CHECK(parked.count() == 2);
  CHECK(!parked.covers(prompt_of(2, 10)));
  CHECK(parked.add(entry_of(1, 20, 300, 6)));
  parked.check_invariants();
  CHECK(parked.count() == 2);
  CHECK(parked.covers(prompt_of(1, 20)));
}

TEST_CASE("idle conversations leave the pool for RAM and come back exactly") {
  TestLoop test(fake_options(MemoryKind::Attention, 1000));
  for (link::JobId id = 1; id <= 4; ++id) test.run_one(greedy_job(id, prompt_of(id, 300), 4));
  CHECK(test.counter("sequences_parked") == 3);
  for (link::JobId id = 1; id <= 4; ++id) CHECK(test.loop.usable_tokens(prompt_of(id, 300)) == 299);
  const auto next = joined(prompt_of(1, 300), prompt_of(77, 50));
  const JobRecord& record = test.run_one(greedy_job(5, next));
  CHECK(record.cached_tokens >= 300);
  CHECK(record.tokens == test.expected(next, 24));
  CHECK(test.counter("unparked_total") == 1);
}

TEST_CASE("a parked conversation that is only begun alike stays parked, and its own next turn finds all of it") {
  TestLoop test(fake_options(MemoryKind::Attention, 4000));
  const auto whole = joined(prompt_of(1, 400), prompt_of(2, 400));
  test.run_one(greedy_job(1, whole, 4));
  test.run_one(greedy_job(2, prompt_of(3, 400), 4));
  const auto branch = joined(prompt_of(1, 400), prompt_of(4, 100));
  const JobRecord& record = test.run_one(greedy_job(3, branch));
  CHECK(record.cached_tokens == 400);
  CHECK(record.tokens == test.expected(branch, 24));
  CHECK(test.loop.usable_tokens(joined(whole, prompt_of(5, 10))) >= 800);
  const auto turn = joined(whole, prompt_of(6, 30));
  CHECK(test.run_one(greedy_job(4, turn)).tokens == test.expected(turn, 24));
}

TEST_CASE("a long parked conversation is not brought back for the few tokens that all prompts share") {
  TestLoop test(fake_options(MemoryKind::Attention, 4000));
  const auto head = prompt_of(9, 5);
  test.run_one(greedy_job(1, joined(head, prompt_of(1, 500)), 4));
  test.run_one(greedy_job(2, prompt_of(2, 400), 4));
  const auto stranger = joined(head, prompt_of(3, 100));
  CHECK(test.run_one(greedy_job(3, stranger)).tokens == test.expected(stranger, 24));
  CHECK(test.counter("unparked_total") == 0);
}

TEST_CASE("a state that is refused when it comes back is computed again") {
  TestLoop test(fake_options(MemoryKind::Attention, 2000));
  for (link::JobId id = 1; id <= 3; ++id) test.run_one(greedy_job(id, prompt_of(id, 400), 4));
  test.fake.refuse_state_changes(true);
  const JobRecord& record = test.run_one(greedy_job(4, joined(prompt_of(1, 400), prompt_of(9, 20))));
  CHECK(record.cached_tokens == 0);
  CHECK(record.tokens == test.expected(joined(prompt_of(1, 400), prompt_of(9, 20)), 24));
}

}  // namespace hearth::sched
