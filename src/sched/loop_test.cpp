// The loop on the fake engine: answers, ends, settings, batching, resuming. Reuse is loop_reuse_test.cpp.
#include "sched/test_loop.h"

namespace hearth::sched {
namespace {

using link::EndReason;

// Any distribution will do, as long as seeds matter.
link::Job random_job(link::JobId id, std::vector<Token> prompt, std::uint64_t seed, std::uint32_t tokens_max = 40) {
  link::Job job{.id = id, .prompt = std::move(prompt), .tokens_max = tokens_max};
  job.sampling.temperature = 1.0F;
  job.sampling.top_k = 0;
  job.sampling.top_p = 1.0F;
  job.sampling.min_p = 0.0F;
  job.sampling.seed = seed;
  for (const Token end : {engine::kFakeEndOfText, engine::kFakeTurnEnd})
    job.sampling.logit_bias.emplace_back(end, -std::numeric_limits<float>::infinity());
  return job;
}

engine::FakeOptions undecided_options() {
  auto options = fake_options();
  options.certainty = 1.0F;
  return options;
}

TEST_CASE("a job says what the model says, token by token, and ends once") {
  TestLoop test;
  const auto prompt = prompt_of(1, 50);
  const JobRecord& job = test.run_one(greedy_job(7, prompt, 30));
  CHECK(job.tokens == test.expected(prompt, 30));
  CHECK(job.started_count == 1);
  CHECK(job.end_count == 1);
  CHECK(job.end.prompt_tokens == 50);
  CHECK(job.end.cached_tokens == 0);
}

TEST_CASE("the end of a turn is counted as sampled and is not delivered") {
  auto options = fake_options();
  options.script.rules.push_back({.say = "Hello."});
  TestLoop test(std::move(options));
  const JobRecord& job =
      test.run_one(greedy_job(1, tokens_of("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"), 0));
  CHECK(job.text == "Hello.");
  CHECK(job.end.reason == EndReason::EndOfTurn);
  CHECK(job.end.sampled_tokens == 7);
}

TEST_CASE("a job's own stop token ends it") {
  auto options = fake_options();
  options.script.rules.push_back({.say = "one#two"});
  TestLoop test(std::move(options));
  auto job = greedy_job(1, tokens_of("<|im_start|>assistant\n"));
  job.stop_tokens = {'#'};
  const JobRecord& record = test.run_one(std::move(job));
  CHECK(record.text == "one");
  CHECK(record.end.reason == EndReason::StopToken);
  CHECK(record.end.sampled_tokens == 4);
}

TEST_CASE("tokens_max ends a job after exactly so many tokens") {
  auto options = fake_options();
  options.script.rules.push_back({.say = "0123456789"});
  TestLoop test(std::move(options));
  const JobRecord& record = test.run_one(greedy_job(1, tokens_of("<|im_start|>assistant\n"), 4));
  CHECK(record.text == "0123");
  CHECK(record.end.reason == EndReason::TokensMax);
  CHECK(record.end.sampled_tokens == 4);
}

TEST_CASE("a job without tokens_max goes on to the end of the context") {
  auto options = fake_options(MemoryKind::Attention, 100);
  options.script.rules.push_back({.say = "x", .repeat = 500});
  TestLoop test(std::move(options));
  const auto prompt = tokens_of("<|im_start|>assistant\n");
  const JobRecord& record = test.run_one(greedy_job(1, prompt, 0));
  CHECK(record.end.reason == EndReason::ContextFull);
  CHECK(record.end.sampled_tokens == 100 - prompt.size());
}

TEST_CASE("a prompt as long as the context is refused with both counts, in the words clients know") {
  TestLoop test(fake_options(MemoryKind::Attention, 64));
  const JobRecord& record = test.run_one(greedy_job(1, prompt_of(1, 64)));
  CHECK(record.end.reason == EndReason::Failed);
  CHECK(record.end.error_kind == static_cast<std::uint8_t>(ErrorKind::PromptTooLong));
  CHECK(record.end.message == "prompt is too long: 64 tokens > 63 maximum");
  CHECK(test.run_one(greedy_job(2, prompt_of(1, 63))).end.reason == EndReason::ContextFull);
}

TEST_CASE("an output that is not a number ends its job with an error, and nothing of it is reused") {
  auto options = fake_options();
  options.certainty = std::numeric_limits<float>::infinity();
  TestLoop test(options);
  for (const link::JobId id : {link::JobId{1}, link::JobId{2}}) {
    const JobRecord& record = test.run_one(greedy_job(id, prompt_of(1, 40)));
    CHECK(record.end_count == 1);
    CHECK(record.end.reason == EndReason::Failed);
    CHECK(record.end.error_kind == static_cast<std::uint8_t>(ErrorKind::Internal));
    CHECK(record.tokens.empty());
    CHECK(record.cached_tokens == 0);
  }
}

TEST_CASE("tokens outside the vocabulary and empty prompts are refused") {
  TestLoop test;
  for (const Token bad : {Token{-1}, static_cast<Token>(engine::kFakeVocabularyCount), Token{1 << 30}}) {
    const JobRecord& record = test.run_one(greedy_job(static_cast<link::JobId>(bad), {1, 2, bad}));
    CHECK(record.end.reason == EndReason::Failed);
    CHECK(record.end.error_kind == static_cast<std::uint8_t>(ErrorKind::InvalidInput));
  }
  CHECK(test.run_one(greedy_job(5, {})).end.error_kind == static_cast<std::uint8_t>(ErrorKind::InvalidInput));
  auto all_resumed = greedy_job(6, {1, 2});
  all_resumed.resumed_count = 2;
  CHECK(test.run_one(std::move(all_resumed)).end.error_kind == static_cast<std::uint8_t>(ErrorKind::InvalidInput));
  CHECK(test.counter("decode_calls") == 0);
}

TEST_CASE("boundaries that make no sense are ignored") {
  TestLoop test(fake_options(MemoryKind::Recurrent));
  auto job = greedy_job(1, prompt_of(1, 50));
  job.boundaries = {0, 30, 20, 30, 50, 4000000000U};
  CHECK(test.run_one(std::move(job)).tokens == test.expected(prompt_of(1, 50), 24));
}

TEST_CASE("a full queue is an answer") {
  TestLoop test(fake_options(), {.parallel_jobs = 1, .waiting_jobs_max = 3});
  for (link::JobId id = 1; id <= 6; ++id) test.submit(greedy_job(id, prompt_of(id, 20)));
  CHECK(test.jobs[5].end.error_kind == static_cast<std::uint8_t>(ErrorKind::Overloaded));
  CHECK(test.jobs[6].end.reason == EndReason::Failed);
  test.run();
  for (link::JobId id = 1; id <= 4; ++id) CHECK(test.jobs[id].tokens == test.expected(prompt_of(id, 20), 24));
}

TEST_CASE("no more jobs run at once than were allowed, and all of them run") {
  TestLoop test(fake_options(), {.parallel_jobs = 2});
  for (link::JobId id = 1; id <= 6; ++id) test.submit(greedy_job(id, prompt_of(id, 20)));
  CHECK(test.step());
  CHECK(test.counter("jobs_running") == 2);
  CHECK(test.counter("jobs_waiting") == 4);
  test.run();
  for (link::JobId id = 1; id <= 6; ++id) CHECK(test.jobs[id].end_count == 1);
}

TEST_CASE("more parallel jobs than sequences run as many as there are sequences") {
  TestLoop test(fake_options(MemoryKind::Attention, 4096, 2), {.parallel_jobs = 8});
  for (link::JobId id = 1; id <= 5; ++id) test.submit(greedy_job(id, prompt_of(id, 20)));
  test.run();
  for (link::JobId id = 1; id <= 5; ++id) CHECK(test.jobs[id].tokens == test.expected(prompt_of(id, 20), 24));
}

TEST_CASE("a batch of jobs gives each what it gets alone, token by token") {
  TestLoop together(undecided_options());
  for (link::JobId id = 1; id <= 4; ++id) together.submit(random_job(id, prompt_of(id, 30 * id), 100 + id));
  together.run();
  for (link::JobId id = 1; id <= 4; ++id) {
    TestLoop alone(undecided_options());
    CHECK(alone.run_one(random_job(id, prompt_of(id, 30 * id), 100 + id)).tokens == together.jobs[id].tokens);
  }
}

TEST_CASE("the same seed says the same and another seed something else") {
  TestLoop test(undecided_options());
  const auto first = test.run_one(random_job(1, prompt_of(1, 30), 5)).tokens;
  CHECK(first.size() == 40);
  CHECK(test.run_one(random_job(2, prompt_of(1, 30), 5)).tokens == first);
  CHECK(test.run_one(random_job(3, prompt_of(1, 30), 6)).tokens != first);
}

TEST_CASE("a job without a seed gets one of its own") {
  TestLoop test(undecided_options());
  auto one = random_job(1, prompt_of(1, 30), 0);
  auto two = random_job(2, prompt_of(1, 30), 0);
  one.sampling.seed.reset();
  two.sampling.seed.reset();
  const auto first = test.run_one(std::move(one)).tokens;
  CHECK(test.run_one(std::move(two)).tokens != first);
}

TEST_CASE("a job resumed after a crash at any token ends as if nothing had happened") {
  const auto prompt = prompt_of(1, 30);
  TestLoop undisturbed(undecided_options());
  const JobRecord whole = undisturbed.run_one(random_job(1, prompt, 9));
  for (std::size_t crash = 0; crash <= whole.tokens.size(); ++crash) {
    TestLoop fresh(undecided_options());
    const std::vector<Token> before(whole.tokens.begin(), whole.tokens.begin() + static_cast<std::ptrdiff_t>(crash));
    auto job = random_job(1, joined(prompt, before), 9);
    job.resumed_count = static_cast<std::uint32_t>(crash);
    const JobRecord& rest = fresh.run_one(std::move(job));
    CHECK(joined(before, rest.tokens) == whole.tokens);
    CHECK(rest.end.prompt_tokens == 30);
    CHECK(rest.end.sampled_tokens == whole.end.sampled_tokens);
    CHECK(rest.end.reason == whole.end.reason);
  }
}

TEST_CASE("a resumed job that had filled the context ends there and is not refused as too long") {
  TestLoop test(fake_options(MemoryKind::Attention, 64));
  auto job = greedy_job(1, prompt_of(1, 64), 0);
  job.resumed_count = 10;
  const JobRecord& record = test.run_one(std::move(job));
  CHECK(record.end.reason == EndReason::ContextFull);
  CHECK(record.end.sampled_tokens == 10);
}

TEST_CASE("the cached tokens of a resumed job are counted on its original prompt") {
  TestLoop test;
  const auto prompt = prompt_of(1, 30);
  const auto answer = test.run_one(greedy_job(1, prompt, 20)).tokens;
  auto job = greedy_job(2, joined(prompt, answer), 40);
  job.resumed_count = static_cast<std::uint32_t>(answer.size());
  const JobRecord& record = test.run_one(std::move(job));
  CHECK(record.cached_tokens == 30);
  CHECK(record.end.cached_tokens == 30);
}

TEST_CASE("a cancelled job ends as cancelled wherever it is: waiting, in prefill, decoding, ended, unknown") {
  auto options = fake_options();
  options.batch_tokens_max = 64;
  TestLoop test(std::move(options), {.parallel_jobs = 1, .ubatch_tokens = 64});
  test.submit(greedy_job(1, prompt_of(1, 1000), 0));
  test.submit(greedy_job(2, prompt_of(2, 20), 0));
  test.step();
  test.loop.cancel(2);
  CHECK(test.jobs[2].end.reason == EndReason::Cancelled);
  CHECK(test.jobs[2].started_count == 0);
  test.loop.cancel(1);
  CHECK(test.jobs[1].end.reason == EndReason::Cancelled);
  CHECK(test.jobs[1].tokens.empty());
  test.submit(greedy_job(3, tokens_of("<|im_start|>x"), 0));
  while (test.jobs[3].tokens.size() < 3) REQUIRE(test.step());
  test.loop.cancel(3);
  test.loop.cancel(3);
  test.loop.cancel(99);
  test.run();
  CHECK(test.jobs[3].end_count == 1);
  CHECK(test.jobs[3].end.sampled_tokens == 3);
  CHECK(test.counter("jobs_cancelled") == 3);
}

TEST_CASE("a failed batch fails its jobs and the loop lives on") {
  TestLoop test;
  test.submit(greedy_job(1, prompt_of(1, 20), 0));
  test.submit(greedy_job(2, prompt_of(2, 20), 0));
  REQUIRE(test.step());
  test.fake.fail_next_decode();
  test.step();
  for (const link::JobId id : {1, 2}) {
    CHECK(test.jobs[id].end.reason == EndReason::Failed);
    CHECK(test.jobs[id].end.error_kind == static_cast<std::uint8_t>(ErrorKind::Internal));
    CHECK(test.jobs[id].end_count == 1);
  }
  CHECK(test.fake.cells_used() == 0);
  CHECK(test.run_one(greedy_job(3, prompt_of(1, 20))).tokens == test.expected(prompt_of(1, 20), 24));
}

TEST_CASE("a job's setting goes before the model's and the model's before the built-in one") {
  auto options = undecided_options();
  TestLoop test(std::move(options));
  // The built-in temperature draws; the job's own takes the best.
  auto greedy = random_job(1, prompt_of(1, 30), 5, 30);
  greedy.sampling.temperature = 0.0F;
  const auto best = test.run_one(std::move(greedy)).tokens;
  auto again = random_job(2, prompt_of(1, 30), 6, 30);
  again.sampling.temperature = 0.0F;
  CHECK(test.run_one(std::move(again)).tokens == best);
  CHECK(test.run_one(random_job(3, prompt_of(1, 30), 6, 30)).tokens != best);
}

TEST_CASE("a banned token is never said") {
  auto options = fake_options();
  options.script.rules.push_back({.say = "abc"});
  TestLoop test(std::move(options));
  auto job = greedy_job(1, tokens_of("<|im_start|>assistant\n"), 3);
  for (const Token banned : {Token{'a'}, engine::kFakeEndOfText, engine::kFakeTurnEnd})
    job.sampling.logit_bias.emplace_back(banned, -std::numeric_limits<float>::infinity());
  const JobRecord& record = test.run_one(std::move(job));
  CHECK(!record.text.contains('a'));
  CHECK(record.tokens.size() == 3);
}

TEST_CASE("progress is told now and then while a long prompt is computed") {
  auto options = fake_options();
  options.batch_tokens_max = 16;
  TestLoop test(std::move(options), {.ubatch_tokens = 16});
  const JobRecord& record = test.run_one(greedy_job(1, prompt_of(1, 1600)));
  CHECK(record.progress.size() >= 3);
  CHECK(record.progress.size() <= 6);
  CHECK(std::ranges::is_sorted(record.progress));
  CHECK(record.progress.back() < 1600);
}

TEST_CASE("a stream gets a token from every batch while another prompt is computed") {
  auto options = fake_options();
  options.batch_tokens_max = 64;
  TestLoop test(std::move(options), {.ubatch_tokens = 16});
  test.submit(greedy_job(1, tokens_of("<|im_start|>y"), 0));
  test.step();
  test.submit(greedy_job(2, prompt_of(2, 1000), 5));
  while (test.jobs[2].tokens.empty() && test.jobs[1].end_count == 0) {
    const auto before = test.jobs[1].tokens.size() + test.jobs[1].end_count;
    REQUIRE(test.step());
    CHECK(test.jobs[1].tokens.size() + test.jobs[1].end_count == before + 1);
  }
}

TEST_CASE("a job submitted twice under one id is one job") {
  TestLoop test;
  test.submit(greedy_job(1, prompt_of(1, 20)));
  test.submit(greedy_job(1, prompt_of(2, 20)));
  test.run();
  CHECK(test.jobs[1].end_count == 1);
  CHECK(test.jobs[1].tokens == test.expected(prompt_of(1, 20), 24));
}

}  // namespace
}  // namespace hearth::sched
