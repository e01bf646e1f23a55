// What the loop computes again and what not: prefixes, forks, copies, eviction, lack of room. On the fake engine, whose
// answers are wrong as soon as a sequence holds anything but the right tokens.
#include "sched/test_loop.h"

namespace hearth::sched {
namespace {

using link::EndReason;

TEST_CASE("the next turn of a conversation computes only what is new, for every kind of memory") {
  for (const auto kind : {MemoryKind::Attention, MemoryKind::Recurrent, MemoryKind::Hybrid, MemoryKind::Window}) {
    CAPTURE(static_cast<int>(kind));
    TestLoop test(fake_options(kind));
    const auto prompt = prompt_of(1, 200);
    const auto answer = test.run_one(greedy_job(1, prompt, 20)).tokens;
    const auto next = joined(joined(prompt, answer), prompt_of(2, 30));
    const JobRecord& record = test.run_one(greedy_job(2, next, 20));
    // The last token of an answer that tokens_max cut was never computed.
    CHECK(record.cached_tokens >= prompt.size() + answer.size() - 1);
    CHECK(record.end.cached_tokens == record.cached_tokens);
    CHECK(record.tokens == test.expected(next, 20));
    CHECK(test.counter("sequence_forks") == 0);
  }
}

TEST_CASE("the same prompt again needs no pass for its first token where state can be cut") {
  TestLoop test;
  const auto prompt = prompt_of(1, 200);
  test.run_one(greedy_job(1, prompt));
  const auto calls = test.counter("decode_calls");
  const JobRecord& record = test.run_one(greedy_job(2, prompt, 1));
  CHECK(record.cached_tokens == 200);
  CHECK(record.tokens == test.expected(prompt, 1));
  CHECK(test.counter("decode_calls") == calls);
  // And one that goes on, another seed's too, says what it says from nothing.
  CHECK(test.run_one(greedy_job(3, prompt)).tokens == test.expected(prompt, 24));
  // With others in between it comes back from RAM whole.
  for (link::JobId id = 4; id <= 6; ++id) test.run_one(greedy_job(id, prompt_of(id, 600)));
  CHECK(test.run_one(greedy_job(7, prompt)).cached_tokens == 200);
  CHECK(test.jobs[7].tokens == test.expected(prompt, 24));
}

TEST_CASE("two conversations that share their beginning share its cells") {
  TestLoop test;
  const auto shared = prompt_of(1, 1000);
  test.run_one(greedy_job(1, joined(shared, prompt_of(2, 50))));
  const auto used = test.fake.cells_used();
  const auto other = joined(shared, prompt_of(3, 50));
  const JobRecord& record = test.run_one(greedy_job(2, other));
  CHECK(record.cached_tokens == 1000);
  CHECK(record.tokens == test.expected(other, 24));
  CHECK(test.fake.cells_used() < used + 100);
  // And the first one was not harmed.
  const JobRecord& again = test.run_one(greedy_job(3, joined(shared, prompt_of(2, 50))));
  CHECK(again.cached_tokens == 1050);
}

TEST_CASE("state that cannot be cut is kept at the boundaries and branched from there") {
  for (const auto kind : {MemoryKind::Recurrent, MemoryKind::Hybrid, MemoryKind::Window}) {
    CAPTURE(static_cast<int>(kind));
    TestLoop test(fake_options(kind));
    const auto system = prompt_of(1, 300);
    auto first = greedy_job(1, joined(system, prompt_of(2, 100)));
    first.boundaries = {300, 390};
    test.run_one(std::move(first));
    CHECK(test.counter("anchors_kept") >= 2);

    const auto other = joined(system, prompt_of(3, 100));
    auto second = greedy_job(2, other);
    second.boundaries = {300, 390};
    const JobRecord& record = test.run_one(std::move(second));
    CHECK(record.cached_tokens == 300);
    CHECK(record.tokens == test.expected(other, 24));
    // The copy of the system prompt stays for the third one.
    const auto third = joined(system, prompt_of(4, 100));
    CHECK(test.run_one(greedy_job(3, third)).cached_tokens == 300);
    CHECK(test.jobs[3].tokens == test.expected(third, 24));
  }
}

TEST_CASE("a turn whose answer came back differently begins again at the start of that answer") {
  TestLoop test(fake_options(MemoryKind::Recurrent));
  const auto prompt = prompt_of(1, 200);
  auto first = greedy_job(1, prompt);
  first.boundaries = {100, 190};
  test.run_one(std::move(first));
  const auto next = joined(std::vector(prompt.begin(), prompt.begin() + 190), prompt_of(9, 60));
  const JobRecord& record = test.run_one(greedy_job(2, next));
  CHECK(record.cached_tokens == 190);
  CHECK(record.tokens == test.expected(next, 24));
}

TEST_CASE("without boundaries the second branch keeps the state where it branched, for the third") {
  TestLoop test(fake_options(MemoryKind::Recurrent));
  const auto shared = prompt_of(1, 300);
  test.run_one(greedy_job(1, joined(shared, prompt_of(2, 100))));
  CHECK(test.run_one(greedy_job(2, joined(shared, prompt_of(3, 100)))).cached_tokens == 0);
  const auto third = joined(shared, prompt_of(4, 100));
  CHECK(test.run_one(greedy_job(3, third)).cached_tokens == 300);
  CHECK(test.jobs[3].tokens == test.expected(third, 24));
}

TEST_CASE("the same place is kept once") {
  TestLoop test(fake_options(MemoryKind::Recurrent));
  for (link::JobId id = 1; id <= 5; ++id) {
    auto job = greedy_job(id, prompt_of(1, 200));
    job.boundaries = {100};
    test.run_one(std::move(job));
    // The second job finds that prompts also branch before their last token.
    CHECK(test.counter("anchors_kept") == (id == 1 ? 1 : 2));
  }
  CHECK(test.jobs[5].cached_tokens == 199);
}

TEST_CASE("a window is cut while what lies before the cut is still there") {
  auto options = fake_options(MemoryKind::Window);
  options.script.window_tokens = 40;
  TestLoop test(std::move(options));
  const auto prompt = prompt_of(1, 200);
  test.run_one(greedy_job(1, prompt, 10));
  const auto near = joined(std::vector(prompt.begin(), prompt.begin() + 180), prompt_of(2, 20));
  CHECK(test.run_one(greedy_job(2, near, 10)).cached_tokens == 180);
  CHECK(test.jobs[2].tokens == test.expected(near, 10));
  const auto far = joined(std::vector(prompt.begin(), prompt.begin() + 100), prompt_of(3, 20));
  CHECK(test.run_one(greedy_job(3, far, 10)).cached_tokens == 0);
  CHECK(test.jobs[3].tokens == test.expected(far, 10));
}

TEST_CASE("state that refuses to be copied is computed again and the answer is the same") {
  TestLoop test;
  const auto shared = prompt_of(1, 300);
  test.run_one(greedy_job(1, joined(shared, prompt_of(2, 10))));
  test.fake.refuse_state_changes(true);
  const auto other = joined(shared, prompt_of(3, 10));
  const JobRecord& record = test.run_one(greedy_job(2, other));
  CHECK(record.cached_tokens == 0);
  CHECK(record.tokens == test.expected(other, 24));
}

TEST_CASE("a cancelled prefill is not lost") {
  auto options = fake_options();
  options.batch_tokens_max = 64;
  TestLoop test(std::move(options), {.ubatch_tokens = 64});
  const auto prompt = prompt_of(1, 1000);
  test.submit(greedy_job(1, prompt));
  for (int i = 0; i < 5; ++i) REQUIRE(test.step());
  test.loop.cancel(1);
  const JobRecord& record = test.run_one(greedy_job(2, prompt));
  CHECK(record.cached_tokens == 320);
  CHECK(record.tokens == test.expected(prompt, 24));
}

TEST_CASE("of many conversations the ones used last are kept") {
  TestLoop test(fake_options(MemoryKind::Attention, 4096, 4), {.cache = {.ram_bytes_max = 0}});
  for (link::JobId id = 1; id <= 6; ++id) test.run_one(greedy_job(id, prompt_of(id, 50), 4));
  for (link::JobId id : {3, 4, 5, 6}) CHECK(test.loop.usable_tokens(prompt_of(id, 50)) == 50);
  for (link::JobId id : {1, 2}) CHECK(test.loop.usable_tokens(prompt_of(id, 50)) == 0);
  CHECK(test.counter("sequences_evicted") == 2);
}

TEST_CASE("idle conversations make room for a running one, the oldest first") {
  TestLoop test(fake_options(MemoryKind::Attention, 1000), {.cache = {.ram_bytes_max = 0}});
  for (link::JobId id = 1; id <= 3; ++id) test.run_one(greedy_job(id, prompt_of(id, 300), 4));
  const JobRecord& record = test.run_one(greedy_job(4, prompt_of(4, 300), 24));
  CHECK(record.tokens == test.expected(prompt_of(4, 300), 24));
  CHECK(test.loop.usable_tokens(prompt_of(1, 300)) == 0);
  CHECK(test.loop.usable_tokens(prompt_of(3, 300)) == 300);
}

TEST_CASE("with no room for two, the younger job waits and both end with their whole answers") {
  for (const auto kind : {MemoryKind::Attention, MemoryKind::Recurrent}) {
    TestLoop test(fake_options(kind, 600));
    auto options = greedy_job(1, prompt_of(1, 280), 150);
    options.sampling.logit_bias = {{engine::kFakeTurnEnd, -100.0F}};
    auto other = greedy_job(2, prompt_of(2, 280), 150);
    other.sampling.logit_bias = options.sampling.logit_bias;
    TestLoop alone(fake_options(kind, 600));
    const auto expected_one = alone.run_one(options).tokens;
    const auto expected_two = alone.run_one(other).tokens;
    test.submit(std::move(options));
    test.submit(std::move(other));
    test.run();
    CHECK(test.counter("jobs_preempted") >= 1);
    CHECK(test.jobs[1].tokens == expected_one);
    CHECK(test.jobs[2].tokens == expected_two);
    CHECK(test.jobs[1].tokens.size() == 150);
    CHECK(test.jobs[2].started_count == 1);
    CHECK(test.jobs[2].end_count == 1);
  }
}

TEST_CASE("nobody overtakes a job that gave its room away") {
  TestLoop test(fake_options(MemoryKind::Attention, 600), {.parallel_jobs = 2});
  for (const link::JobId id : {1, 2, 3}) {
    auto job = greedy_job(id, prompt_of(id, id == 3 ? 20 : 280), 150);
    job.sampling.logit_bias = {{engine::kFakeTurnEnd, -100.0F}};
    test.submit(std::move(job));
  }
  while (test.jobs[1].end_count == 0) {
    REQUIRE(test.step());
    CHECK((test.jobs[3].started_count == 0 || test.jobs[1].end_count == 1));
  }
  CHECK(test.counter("jobs_preempted") == 1);
  test.run();
  for (const link::JobId id : {1, 2, 3}) CHECK(test.jobs[id].tokens.size() == 150);
}

TEST_CASE("a preempted job whose twin has ended goes on where its own first token was not drawn yet") {
  TestLoop test(fake_options(MemoryKind::Attention, 700), {.parallel_jobs = 3, .ubatch_tokens = 64});
  auto first = greedy_job(1, prompt_of(1, 300), 200);
  auto twin = greedy_job(2, prompt_of(1, 300), 200);
  auto other = greedy_job(3, prompt_of(2, 280), 250);
  for (auto* job : {&first, &twin, &other}) job->sampling.logit_bias = {{engine::kFakeTurnEnd, -100.0F}};
  for (auto* job : {&first, &twin, &other}) test.submit(std::move(*job));
  test.run();
  CHECK(test.counter("jobs_preempted") >= 1);
  for (const link::JobId id : {1, 2}) CHECK(test.jobs[id].tokens.size() == 200);
  CHECK(test.jobs[1].tokens == test.jobs[2].tokens);
  CHECK(test.jobs[3].tokens.size() == 250);
}

TEST_CASE("a preempted job can be cancelled") {
  TestLoop test(fake_options(MemoryKind::Attention, 600));
  for (const link::JobId id : {1, 2}) {
    auto job = greedy_job(id, prompt_of(id, 280), 0);
    job.sampling.logit_bias = {{engine::kFakeTurnEnd, -100.0F}};
    test.submit(std::move(job));
  }
  while (test.counter("jobs_preempted") == 0) REQUIRE(test.step());
  test.loop.cancel(2);
  CHECK(test.jobs[2].end.reason == EndReason::Cancelled);
  test.run();
  CHECK(test.jobs[1].end.reason == EndReason::ContextFull);
}

TEST_CASE("a job that alone finds no room ends with a full context") {
  auto options = fake_options(MemoryKind::Attention, 600);
  options.cells = 100;
  TestLoop test(std::move(options));
  CHECK(test.run_one(greedy_job(1, prompt_of(1, 300))).end.reason == EndReason::ContextFull);
  CHECK(test.run_one(greedy_job(2, prompt_of(2, 50))).tokens == test.expected(prompt_of(2, 50), 24));
}

TEST_CASE("agents that begin with the same instructions at once compute them once") {
  for (const auto kind : {MemoryKind::Attention, MemoryKind::Hybrid}) {
    CAPTURE(static_cast<int>(kind));
    auto options = fake_options(kind, 8192, 12);
    options.batch_tokens_max = 128;
    TestLoop test(std::move(options), {.parallel_jobs = 4, .ubatch_tokens = 128});
    const auto system = prompt_of(1, 1000);
    for (link::JobId id = 1; id <= 4; ++id) {
      auto job = greedy_job(id, joined(system, prompt_of(10 + id, 40)));
      job.boundaries = {1000};
      test.submit(std::move(job));
    }
    test.run();
    CHECK(test.counter("jobs_joined") == 3);
    CHECK(test.counter("tokens_prefilled") <= 1000 + 4 * 41);
    for (link::JobId id = 1; id <= 4; ++id) {
      CHECK(test.jobs[id].cached_tokens == (id == 1 ? 0U : 1000U));
      CHECK(test.jobs[id].tokens == test.expected(joined(system, prompt_of(10 + id, 40)), 24));
    }
  }
}

TEST_CASE("agents that part beyond the marked boundaries share up to where they part, on any memory") {
  for (const auto kind : {MemoryKind::Attention, MemoryKind::Recurrent, MemoryKind::Hybrid, MemoryKind::Window}) {
    CAPTURE(static_cast<int>(kind));
    auto options = fake_options(kind, 8192, 12);
    options.batch_tokens_max = 128;
    TestLoop test(std::move(options), {.parallel_jobs = 4, .ubatch_tokens = 128});
    const auto shared = prompt_of(1, 1400);
    for (link::JobId id = 1; id <= 3; ++id) {
      auto job = greedy_job(id, joined(shared, prompt_of(10 + id, 40)));
      job.boundaries = {1000};
      test.submit(std::move(job));
    }
    test.run();
    CHECK(test.counter("tokens_prefilled") <= 1400 + 3 * 41);
    for (link::JobId id = 1; id <= 3; ++id) {
      CHECK(test.jobs[id].cached_tokens == (id == 1 ? 0U : 1400U));
      CHECK(test.jobs[id].tokens == test.expected(joined(shared, prompt_of(10 + id, 40)), 24));
    }
  }
}

TEST_CASE("a job that waits for another's prefix goes on by itself when that one is cancelled") {
  auto options = fake_options();
  options.batch_tokens_max = 64;
  TestLoop test(std::move(options), {.ubatch_tokens = 64});
  const auto system = prompt_of(1, 1000);
  test.submit(greedy_job(1, joined(system, prompt_of(2, 40))));
  test.submit(greedy_job(2, joined(system, prompt_of(3, 40))));
  for (int i = 0; i < 4; ++i) REQUIRE(test.step());
  CHECK(test.jobs[2].started_count == 0);
  test.loop.cancel(1);
  test.run();
  CHECK(test.jobs[2].cached_tokens == 256);
  CHECK(test.jobs[2].tokens == test.expected(joined(system, prompt_of(3, 40)), 24));
}

TEST_CASE("a job branches off a running one") {
  TestLoop test;
  const auto shared = prompt_of(1, 300);
  auto first = greedy_job(1, shared, 200);
  first.sampling.logit_bias = {{engine::kFakeTurnEnd, -100.0F}};
  test.submit(std::move(first));
  for (int i = 0; i < 10; ++i) REQUIRE(test.step());
  const auto other = joined(shared, prompt_of(2, 20));
  test.submit(greedy_job(2, other));
  test.run();
  CHECK(test.jobs[2].cached_tokens == 300);
  CHECK(test.jobs[2].tokens == test.expected(other, 24));
  CHECK(test.jobs[1].tokens.size() == 200);
}

}  // namespace
}  // namespace hearth::sched
