// Who runs and who waits: classes, owners, pauses, and what the waiting hear.
#include "sched/test_loop.h"

namespace hearth::sched {
namespace {

using link::EndReason;
using link::Priority;

link::Job job_of(link::JobId id, Priority priority, std::uint64_t owner = 0, std::uint32_t tokens_max = 12) {
  auto job = greedy_job(id, prompt_of(id, 40), tokens_max);
  job.priority = priority;
  job.owner = owner;
  return job;
}

// Without an end of its own: as long as it is let.
link::Job endless(link::JobId id, Priority priority = Priority::Interactive, std::uint64_t owner = 0) {
  auto job = job_of(id, priority, owner, 0);
  for (const Token end : {engine::kFakeEndOfText, engine::kFakeTurnEnd})
    job.sampling.logit_bias.emplace_back(end, -std::numeric_limits<float>::infinity());
  return job;
}

// A prompt whose answer has at least `count` tokens.
std::vector<Token> talkative(const TestLoop& test, std::uint32_t count) {
  std::uint64_t seed = 100;
  while (test.expected(prompt_of(seed, 40), count).size() < count) ++seed;
  return prompt_of(seed, 40);
}

template <class Done>
void run_until(TestLoop& test, Done done) {
  for (int i = 0; !done(); ++i) {
    REQUIRE(i < 100'000);
    test.step();
  }
}

// The order in which jobs start.
std::vector<link::JobId> starts(TestLoop& test) {
  std::vector<link::JobId> order;
  const auto look = [&] {
    for (const auto& [id, job] : test.jobs)
      if (job.started_count > 0 && !std::ranges::contains(order, id)) order.push_back(id);
  };
  for (int i = 0; test.step(); ++i) {
    REQUIRE(i < 100'000);
    look();
  }
  look();
  return order;
}

TEST_CASE("interactive jobs start before side jobs and those before batch work") {
  TestLoop test(fake_options(), {.parallel_jobs = 1});
  test.submit(job_of(1, Priority::Batch));
  test.submit(job_of(2, Priority::Side));
  test.submit(job_of(3, Priority::Interactive));
  CHECK(starts(test) == std::vector<link::JobId>{3, 2, 1});
}

TEST_CASE("owners take turns, however many jobs one of them has submitted before") {
  TestLoop* timed = nullptr;
  auto options = fake_options();
  options.on_pass = [&](std::span<const engine::Row> rows) { timed->clock.advance_ms(std::ssize(rows)); };
  TestLoop test(options, {.parallel_jobs = 1});
  timed = &test;
  for (link::JobId id = 1; id <= 4; ++id) test.submit(job_of(id, Priority::Interactive, 1));
  for (link::JobId id = 11; id <= 12; ++id) test.submit(job_of(id, Priority::Interactive, 2));
  const auto order = starts(test);
  CHECK(std::ranges::find(order, 11U) - order.begin() <= 1);
  CHECK(std::ranges::find(order, 12U) - order.begin() <= 3);
}

TEST_CASE("of equals the one of whose prompt most is known starts first") {
  TestLoop test(fake_options(), {.parallel_jobs = 1});
  test.run_one(greedy_job(1, prompt_of(1, 300)));
  test.submit(greedy_job(2, prompt_of(2, 300)));
  test.submit(greedy_job(3, joined(prompt_of(1, 300), prompt_of(9, 20))));
  CHECK(starts(test) == std::vector<link::JobId>{1, 3, 2});
}

TEST_CASE("batch work starts in bounded time, however many interactive jobs come") {
  TestLoop test(fake_options(), {.parallel_jobs = 1});
  test.submit(job_of(1, Priority::Interactive));
  test.submit(job_of(2, Priority::Batch));
  link::JobId next = 10;
  while (test.jobs[2].started_count == 0) {
    REQUIRE(test.clock.now_ms() < kBatchAgedMs + 10'000);
    if (test.counter("jobs_waiting") < 4) test.submit(job_of(++next, Priority::Interactive));
    test.step();
    if (test.jobs[2].started_count == 0) test.clock.advance_ms(200);
  }
  CHECK(test.clock.now_ms() >= kBatchAgedMs);
}

TEST_CASE("batch work gives its place to an interactive job and goes on where it was") {
  TestLoop test(fake_options(), {.parallel_jobs = 1});
  const auto prompt = talkative(test, 60);
  auto batch = greedy_job(1, prompt, 60);
  batch.priority = Priority::Batch;
  test.submit(std::move(batch));
  run_until(test, [&] { return test.jobs[1].tokens.size() == 5; });
  test.submit(job_of(2, Priority::Interactive));
  test.step();
  CHECK(test.jobs[2].started_count == 1);
  CHECK(test.counter("jobs_displaced") == 1);
  const auto prefilled = test.counter("tokens_prefilled");
  run_until(test, [&] { return test.jobs[2].end_count == 1; });
  CHECK(test.jobs[1].end_count == 0);
  test.run();
  CHECK(test.jobs[1].tokens == test.expected(prompt, 60));
  CHECK(test.counter("tokens_prefilled") - prefilled <= 40);  // nothing of it was computed again
  CHECK(test.jobs[1].started_count == 1);
}

TEST_CASE("batch work that has run for long is batch work still: its time on a place is no waiting") {
  TestLoop test(fake_options(), {.parallel_jobs = 1});
  test.submit(endless(1, Priority::Batch));
  test.step();
  test.clock.advance_ms(kBatchAgedMs + 1000);
  for (const link::JobId id : {2, 3}) {
    test.submit(job_of(id, Priority::Interactive));
    test.step();
    CHECK(test.jobs[id].started_count == 1);  // the second time too: it did not come back as something more urgent
    run_until(test, [&] { return test.jobs[id].end_count == 1; });
    test.step();
  }
  CHECK(test.counter("jobs_displaced") == 2);
  test.loop.cancel(1);
  test.run();
}

TEST_CASE("of running jobs without room batch work is set aside, however long it has run") {
  auto options = fake_options(MemoryKind::Attention, 300);
  options.cells = 160;
  TestLoop test(std::move(options), {.parallel_jobs = 2, .cache = {.ram_bytes_max = 0}});
  test.submit(endless(1, Priority::Batch));
  test.step();
  test.clock.advance_ms(kBatchAgedMs + 1000);
  test.submit(endless(2));  // the younger one
  run_until(test, [&] { return test.counter("jobs_preempted") == 1; });
  const std::size_t batch_tokens = test.jobs[1].tokens.size(), tokens = test.jobs[2].tokens.size();
  for (int i = 0; i < 5; ++i) test.step();
  CHECK(test.jobs[1].tokens.size() == batch_tokens);
  CHECK(test.jobs[2].tokens.size() > tokens);
  for (const link::JobId id : {1, 2}) test.loop.cancel(id);
  test.run();
}

TEST_CASE("batch work that waited long for its place keeps it") {
  TestLoop test(fake_options(), {.parallel_jobs = 1});
  test.submit(endless(1));
  test.step();
  test.submit(endless(2, Priority::Batch));
  test.step();
  test.clock.advance_ms(kBatchAgedMs);
  test.loop.cancel(1);
  test.step();
  REQUIRE(test.jobs[2].started_count == 1);
  test.submit(job_of(3, Priority::Interactive));
  test.step();
  CHECK(test.jobs[3].started_count == 0);
  test.loop.cancel(2);
  test.run();
}

TEST_CASE("batch work whose prefix an interactive job waits for does not come last") {
  TestLoop test(fake_options(), {.parallel_jobs = 4, .ubatch_tokens = 64});
  const auto shared = prompt_of(1, 600);
  auto batch = greedy_job(1, joined(shared, prompt_of(2, 40)), 12);
  batch.priority = Priority::Batch;
  test.submit(batch);
  test.step();
  test.submit(greedy_job(2, prompt_of(3, 1500), 12));
  test.submit(greedy_job(3, joined(shared, prompt_of(4, 40)), 12));
  run_until(test, [&] { return !test.jobs[3].tokens.empty(); });
  CHECK(test.jobs[2].tokens.empty());
}

TEST_CASE("an owner who has every place gives some to another after a while") {
  TestLoop test(fake_options(), {.parallel_jobs = 2});
  test.submit(endless(1, Priority::Interactive, 1));
  test.submit(endless(2, Priority::Interactive, 1));
  test.step();
  test.submit(endless(3, Priority::Interactive, 2));
  test.step();
  CHECK(test.jobs[3].started_count == 0);
  test.clock.advance_ms(kTurnMs);
  test.step();
  CHECK(test.jobs[3].started_count == 1);
  CHECK(test.counter("jobs_displaced") == 1);
  test.clock.advance_ms(kTurnMs);
  test.step();
  CHECK(test.counter("jobs_displaced") == 1);  // one each is even
  for (link::JobId id = 1; id <= 3; ++id) test.loop.cancel(id);
  test.run();
}

// ---- pauses -----------------------------------------------------------------------------------------------------------

TEST_CASE("a paused job says nothing until it is resumed, and then goes on with nothing computed again") {
  TestLoop test;
  test.submit(endless(1));
  run_until(test, [&] { return test.jobs[1].tokens.size() == 5; });
  test.loop.pause(1);
  test.loop.pause(1);
  CHECK_FALSE(test.step());  // nothing to do
  CHECK(test.jobs[1].tokens.size() == 5);
  CHECK(test.counter("jobs_paused") == 1);
  const auto prefilled = test.counter("tokens_prefilled");
  test.loop.resume(1);
  CHECK(test.step());
  CHECK(test.jobs[1].tokens.size() == 6);
  CHECK(test.counter("tokens_prefilled") == prefilled);
  test.loop.cancel(1);
  CHECK(test.jobs[1].end.reason == EndReason::Cancelled);
}

TEST_CASE("a paused job's place goes to who waits, and it comes back for its turn") {
  TestLoop test(fake_options(), {.parallel_jobs = 1});
  const auto prompt = talkative(test, 60);
  test.submit(greedy_job(1, prompt, 60));
  run_until(test, [&] { return test.jobs[1].tokens.size() == 5; });
  test.loop.pause(1);
  test.submit(job_of(2, Priority::Batch));
  run_until(test, [&] { return test.jobs[2].end_count == 1; });
  CHECK(test.jobs[1].tokens.size() == 5);
  CHECK_FALSE(test.step());
  test.loop.resume(1);
  test.run();
  CHECK(test.jobs[1].tokens == test.expected(prompt, 60));
}

TEST_CASE("who does not read for long gives his cells back while others run, and goes on where he was") {
  TestLoop test(fake_options(), {.parallel_jobs = 4});
  const auto prompt = talkative(test, 60);
  test.submit(greedy_job(1, prompt, 60));
  run_until(test, [&] { return test.jobs[1].tokens.size() == 5; });
  test.loop.pause(1);
  test.submit(endless(2));
  for (int i = 0; i < 400; ++i) test.step();  // 4 s
  CHECK(test.counter("jobs_waiting") == 0);
  for (int i = 0; i < 200; ++i) test.step();
  CHECK(test.counter("jobs_waiting") == 1);
  CHECK(test.jobs[1].tokens.size() == 5);
  test.loop.resume(1);
  run_until(test, [&] { return test.jobs[1].end_count == 1; });
  CHECK(test.jobs[1].tokens == test.expected(prompt, 60));
  CHECK(test.jobs[1].started_count == 1);
  test.loop.cancel(2);
}

TEST_CASE("a job may be paused while it waits, and while its prompt is computed") {
  auto options = fake_options();
  options.batch_tokens_max = 16;
  TestLoop test(std::move(options), {.parallel_jobs = 1, .ubatch_tokens = 16});
  test.submit(greedy_job(1, prompt_of(1, 200)));
  test.loop.pause(1);
  CHECK_FALSE(test.step());
  CHECK(test.jobs[1].started_count == 0);
  test.loop.resume(1);
  test.step();
  test.step();
  test.loop.pause(1);
  const auto prefilled = test.counter("tokens_prefilled");
  CHECK(prefilled < 200);
  CHECK_FALSE(test.step());
  CHECK(test.counter("tokens_prefilled") == prefilled);
  test.loop.resume(1);
  test.run();
  CHECK(test.jobs[1].tokens == test.expected(prompt_of(1, 200), 24));
}

TEST_CASE("nobody waits for the prefix of a paused job") {
  auto options = fake_options();
  options.batch_tokens_max = 64;
  TestLoop test(std::move(options), {.ubatch_tokens = 64});
  const auto common = prompt_of(1, 1000);
  test.submit(greedy_job(1, common));
  test.step();
  test.submit(greedy_job(2, joined(common, prompt_of(2, 20))));
  test.step();
  CHECK(test.counter("jobs_joined") == 1);
  test.loop.pause(1);
  run_until(test, [&] { return test.jobs[2].end_count == 1; });
  test.loop.resume(1);
  test.run();
  CHECK(test.jobs[1].tokens == test.expected(common, 24));
}

TEST_CASE("a crowd that waits for one prefix is asked a few at a time, and all of it shares") {
  auto options = fake_options();
  options.batch_tokens_max = 64;
  TestLoop test(std::move(options), {.parallel_jobs = 100, .ubatch_tokens = 64});
  const auto common = prompt_of(1, 1000);
  test.submit(greedy_job(1, common));
  test.step();
  for (link::JobId id = 2; id <= 41; ++id) test.submit(greedy_job(id, joined(common, prompt_of(id, 20))));
  for (const std::uint64_t asked : {16U, 32U, 40U}) {
    test.step();
    CHECK(test.counter("jobs_joined") == asked);
  }
  test.run();
  for (link::JobId id = 2; id <= 41; ++id) {
    CHECK(test.jobs[id].cached_tokens >= 1000);
    CHECK(test.jobs[id].tokens == test.expected(joined(common, prompt_of(id, 20)), 24));
  }
}

TEST_CASE("of running jobs without room the paused one is set aside") {
  auto options = fake_options(MemoryKind::Attention, 300);
  options.cells = 120;
  TestLoop test(std::move(options), {.parallel_jobs = 2, .cache = {.ram_bytes_max = 0}});
  test.submit(endless(1));
  test.step();
  test.loop.pause(1);
  test.submit(greedy_job(2, prompt_of(2, 100), 4));
  run_until(test, [&] { return test.jobs[2].end_count == 1; });
  CHECK(test.counter("jobs_preempted") == 1);
  CHECK(test.jobs[2].tokens == test.expected(prompt_of(2, 100), 4));
  test.loop.cancel(1);
  test.run();
}

// ---- cancels in every state -------------------------------------------------------------------------------------------

TEST_CASE("a cancel ends a job at once in every state, and what was computed stays") {
  auto options = fake_options();
  options.batch_tokens_max = 64;
  TestLoop test(std::move(options), {.parallel_jobs = 2, .ubatch_tokens = 64});
  const auto prompt = prompt_of(1, 1000);
  const auto cancelled = [&](link::JobId id) {
    test.loop.cancel(id);
    CHECK(test.jobs[id].end_count == 1);
    CHECK(test.jobs[id].end.reason == EndReason::Cancelled);
    test.loop.check_invariants();
  };
  SUBCASE("prefilling") {
    test.submit(greedy_job(1, prompt));
    for (int i = 0; i < 3; ++i) test.step();
    const auto computed = test.counter("tokens_prefilled");
    cancelled(1);
    CHECK(test.run_one(greedy_job(2, prompt)).cached_tokens == computed);
  }
  SUBCASE("waiting for another's prefix") {
    test.submit(greedy_job(1, prompt));
    test.step();
    test.submit(greedy_job(2, joined(prompt, prompt_of(2, 20))));
    test.step();
    REQUIRE(test.counter("jobs_joined") == 1);
    cancelled(2);
  }
  SUBCASE("computing what another waits for") {
    test.submit(greedy_job(1, prompt));
    test.step();
    test.submit(greedy_job(2, joined(prompt, prompt_of(2, 20))));
    test.step();
    cancelled(1);
    test.run();
    CHECK(test.jobs[2].cached_tokens > 0);
    CHECK(test.jobs[2].tokens == test.expected(joined(prompt, prompt_of(2, 20)), 24));
  }
  SUBCASE("importing, and paused in it") {
    test.run_one(greedy_job(1, prompt));
    auto stream = endless(2);
    stream.prompt = prompt_of(2, 1000);
    test.submit(std::move(stream));
    run_until(test, [&] { return test.jobs[2].tokens.size() == 3; });
    REQUIRE(test.counter("sequences_demoted") == 1);  // while the second prompt was computed
    for (const link::JobId id : {3, 4}) {
      test.submit(greedy_job(id, prompt));
      test.step();  // on this clock a stream earns an import no time: it goes on for ever
      REQUIRE(test.counter("jobs_running") == 2);
      REQUIRE(test.jobs[id].started_count == 0);
      if (id == 4) test.loop.pause(id);
      cancelled(id);
    }
    test.loop.cancel(2);
  }
  SUBCASE("paused, with its place") {
    test.submit(endless(1));
    run_until(test, [&] { return test.jobs[1].tokens.size() == 3; });
    test.loop.pause(1);
    cancelled(1);
    CHECK(test.loop.usable_tokens(prompt_of(1, 40)) >= 39);
  }
  SUBCASE("paused, without its place") {
    test.submit(endless(1));
    test.step();
    test.loop.pause(1);
    for (link::JobId id = 2; id <= 3; ++id) test.submit(job_of(id, Priority::Interactive));
    run_until(test, [&] { return test.jobs[2].end_count + test.jobs[3].end_count == 2; });
    cancelled(1);
  }
  SUBCASE("displaced") {
    for (link::JobId id = 1; id <= 2; ++id) test.submit(endless(id, Priority::Batch));
    test.step();
    test.submit(job_of(3, Priority::Interactive));
    test.step();
    REQUIRE(test.counter("jobs_displaced") == 1);
    cancelled(2);
    cancelled(1);
  }
  test.run();
}

// ---- what the waiting hear --------------------------------------------------------------------------------------------

TEST_CASE("who starts at once hears nothing of a queue; who waits hears its place and later how it moved") {
  TestLoop test(fake_options(), {.parallel_jobs = 1});
  test.run_one(job_of(1, Priority::Interactive));
  CHECK(test.jobs[1].queued.empty());
  test.submit(endless(2));
  test.step();
  test.submit(job_of(3, Priority::Interactive));
  test.submit(job_of(4, Priority::Batch));
  test.submit(job_of(5, Priority::Side));
  test.step();
  test.step();
  REQUIRE(test.jobs[3].queued.size() == 1);
  CHECK(test.jobs[3].queued[0].jobs_before == 0);
  CHECK(test.jobs[3].queued[0].wait_ms > 0);  // learned from the first job
  CHECK(test.jobs[5].queued[0].jobs_before == 1);
  CHECK(test.jobs[4].queued[0].jobs_before == 2);
  CHECK(test.jobs[4].queued[0].wait_ms > test.jobs[3].queued[0].wait_ms);
  test.loop.cancel(3);
  test.clock.advance_ms(6000);
  test.step();
  REQUIRE(test.jobs[4].queued.size() == 2);
  CHECK(test.jobs[4].queued[1].jobs_before == 1);
  test.loop.cancel(2);
  test.run();
}

TEST_CASE("who is refused for a full queue hears when to come again") {
  TestLoop test(fake_options(), {.parallel_jobs = 1, .waiting_jobs_max = 1});
  test.run_one(job_of(1, Priority::Interactive));
  for (link::JobId id = 2; id <= 4; ++id) test.submit(job_of(id, Priority::Interactive));
  CHECK(test.jobs[4].end.error_kind == static_cast<std::uint8_t>(ErrorKind::Overloaded));
  CHECK(test.jobs[4].end.retry_after_ms > 0);
  test.run();
}

}  // namespace
}  // namespace hearth::sched
