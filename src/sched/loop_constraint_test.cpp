// Jobs under a grammar and with a budget for their thoughts, over the fake engine: what comes out follows the grammar, a
// resumed job goes on as it would have, and what cannot be held ends the job or the constraint, not the engine.
#include <doctest/doctest.h>

#include <string>

#include "sched/test_loop.h"

using namespace hearth;
using namespace hearth::sched;

namespace {

const std::string kList = "root ::= \"[\" (item (\",\" item)*)? \"]\"\nitem ::= [0-9]{1,3}\n";

link::Job grammar_job(link::JobId id, const std::string& grammar, std::uint32_t tokens_max = 24) {
  link::Job job = greedy_job(id, prompt_of(id, 20), tokens_max);
  job.grammar = grammar;
  return job;
}

link::Thought thought_of(std::uint32_t tokens_max, bool opened = true) {
  return {.tokens_max = tokens_max,
          .opened = opened,
          .open_text = "<think>",
          .close_text = "</think>",
          .closing = "\n</think>\n\n"};
}

}  // namespace

TEST_CASE("a job under a grammar samples only what the grammar allows, and its neighbours what they would have") {
  TestLoop with;
  for (link::JobId id = 1; id <= 3; ++id) with.submit(grammar_job(id, "root ::= [x-z]{5} \"!\"\n"));
  with.submit(greedy_job(9, prompt_of(9, 20)));
  with.run();
  for (link::JobId id = 1; id <= 3; ++id) {
    const std::string& text = with.jobs[id].text;
    CHECK(text.size() == 6);
    CHECK(text.ends_with('!'));
    CHECK(text.find_first_not_of("xyz!") == std::string::npos);
    CHECK(with.jobs[id].end.reason == link::EndReason::EndOfTurn);
  }
  TestLoop without;
  without.submit(greedy_job(9, prompt_of(9, 20)));
  without.run();
  CHECK(with.jobs[9].tokens == without.jobs[9].tokens);
  CHECK(with.loop.counters()["grammars_compiled"] == 1);
  CHECK(with.loop.counters()["grammars_reused"] == 2);
}

TEST_CASE("a resumed job under a grammar and a budget draws exactly what it would have drawn") {
  link::Job job =
      grammar_job(1, "root ::= @until{\"</think>\" !end} [ \\n]* [a-z]{4} kList\nkList ::= [0-9]{1,9} \".\"\n", 40);
  job.thought = thought_of(6);
  job.sampling.temperature = 1.0F;
  job.sampling.seed = 7;
  TestLoop whole;
  whole.submit(job);
  whole.run();
  const JobRecord& expected = whole.jobs[1];
  REQUIRE(expected.tokens.size() > 10);
  CHECK(expected.text.contains("\n</think>\n\n"));
  CHECK(expected.text.ends_with('.'));
  for (std::size_t cut = 1; cut < expected.tokens.size(); ++cut) {
    CAPTURE(cut);
    link::Job resumed = job;
    resumed.prompt.insert(resumed.prompt.end(), expected.tokens.begin(),
                          expected.tokens.begin() + static_cast<long>(cut));
    resumed.resumed_count = static_cast<std::uint32_t>(cut);
    TestLoop again;
    again.submit(resumed);
    again.run();
    std::vector<Token> tokens(expected.tokens.begin(), expected.tokens.begin() + static_cast<long>(cut));
    CHECK(joined(tokens, again.jobs[1].tokens) == expected.tokens);
  }
}

TEST_CASE("a thought over its budget is closed in the model's place, and counted as sampled") {
  TestLoop test;
  link::Job job = greedy_job(1, prompt_of(3, 20), 40);
  job.thought = thought_of(5);
  test.submit(job);
  test.run();
  const JobRecord& record = test.jobs[1];
  const std::vector<Token> closing = tokens_of("\n</think>\n\n");
  REQUIRE(record.tokens.size() > 5 + closing.size());
  CHECK(std::equal(closing.begin(), closing.end(), record.tokens.begin() + 5));
  CHECK(record.end.sampled_tokens >= record.tokens.size());
  CHECK(test.loop.counters()["tokens_forced"] == closing.size());
  // Not opened: nothing is closed.
  TestLoop other;
  job.thought = thought_of(5, false);
  other.submit(job);
  other.run();
  CHECK(other.loop.counters()["tokens_forced"] == 0);
}

TEST_CASE("a grammar that cannot be used refuses its job, one that the vocabulary cannot write fails it") {
  TestLoop test;
  test.submit(grammar_job(1, "root ::= ("));
  test.submit(grammar_job(2, "root ::= @\"<|im_start|>\" \"a\"\n"));
  test.submit(grammar_job(3, kList));
  test.run();
  CHECK(test.jobs[1].end.reason == link::EndReason::Failed);
  CHECK(test.jobs[1].end.message.contains("grammar"));
  CHECK(test.jobs[2].tokens.front() == engine::kFakeTurnStart);
  CHECK(test.jobs[3].end_count == 1);
}

TEST_CASE("what was sampled before a crash and does not follow the grammar loosens it") {
  TestLoop test;
  link::Job job = grammar_job(1, kList);
  job.prompt.push_back('x');
  job.resumed_count = 1;
  test.submit(job);
  test.run();
  CHECK(test.jobs[1].end.reason != link::EndReason::Failed);
  CHECK(test.loop.counters()["constraints_lost"] == 1);
}
