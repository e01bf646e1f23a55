// The rules over jobs and deaths, and a simulation that holds them against engines that die at random.
#include "models/job_table.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

namespace hearth::models {
namespace {

using link::EndReason;
using link::JobId;
using link::Token;

class SilentListener final : public JobListener {
  void on_tokens(const std::vector<link::SampledToken>&) override {}
  void on_end(const link::JobEnd&) override {}
};

void add(JobTable& table, JobId id, std::uint32_t tokens_max = 0) {
  link::Job job{.id = id, .prompt = {1, 2, 3}, .boundaries = {2}, .tokens_max = tokens_max};
  job.sampling.seed = id;
  table.add(std::move(job), std::make_shared<SilentListener>());
  table.check_invariants();
}
std::vector<JobId> admitted(JobTable& table) {
  std::vector<JobId> ids;
  for (const link::Job& job : table.admit()) ids.push_back(job.id);
  table.check_invariants();
  return ids;
}
void token(JobTable& table, JobId id, Token value = 9) {
  REQUIRE(table.delivered({.job = id, .tokens = {{value, "x"}}}) != nullptr);
  table.check_invariants();
}
std::vector<JobId> died(JobTable& table) {
  std::vector<JobId> ids;
  for (const EndedJob& ended : table.engine_died("signal 9")) ids.push_back(ended.end.job);
  table.check_invariants();
  return ids;
}
using Ids = std::vector<JobId>;

TEST_CASE("a job that only waited for its turn is not charged with the engine's death") {
  JobTable table(10);
  add(table, 1);
  for (int life = 0; life < 10; ++life) {
    CHECK(admitted(table) == Ids{1});
    CHECK(table.queued({.job = 1, .jobs_before = 3}) != nullptr);
    CHECK(died(table).empty());
  }
  CHECK(table.queued({.job = 1}) != nullptr);  // it is not aboard: the word of an engine that is gone
  for (int life = 0; life < 2; ++life) {
    CHECK(admitted(table) == Ids{1});
    CHECK(table.queued({.job = 1}) != nullptr);
    CHECK(table.started({.job = 1}) != nullptr);
    CHECK(died(table).empty());
  }
  CHECK(admitted(table) == Ids{1});
  CHECK(died(table) == Ids{1});  // read by the third and never heard of again
}

TEST_CASE("a paused job has no trial and holds nobody up; resumed it has its trial") {
  JobTable table(10);
  add(table, 1);
  CHECK(admitted(table) == Ids{1});
  CHECK(table.pause(1));
  CHECK_FALSE(table.pause(1));
  CHECK_FALSE(table.awaits_engine());
  CHECK(died(table).empty());
  CHECK(admitted(table) == Ids{1});
  CHECK(table.paused(1));
  CHECK(died(table).empty());
  add(table, 2);
  CHECK(admitted(table) == Ids{2});
  CHECK(table.awaits_engine());
  CHECK_FALSE(table.resume(1));  // it is not aboard: nothing to tell
  CHECK(admitted(table) == Ids{1});
  CHECK_FALSE(table.pause(1));  // on trial
  table.check_invariants();
  CHECK_FALSE(table.paused(1));
  token(table, 1);
  CHECK(table.paused(1));  // it has passed: now the engine is told
  CHECK_FALSE(table.pause(1));
  CHECK(table.resume(1));
  CHECK_FALSE(table.resume(1));
}

TEST_CASE("a job comes again as prompt and delivered tokens, with the same seed and boundaries") {
  JobTable table(10);
  add(table, 1);
  CHECK(admitted(table) == Ids{1});
  token(table, 1, 70);
  token(table, 1, 71);
  CHECK(died(table).empty());
  const std::vector<link::Job> again = table.admit();
  REQUIRE_EQ(again.size(), 1);
  CHECK(again[0].prompt == std::vector<Token>{1, 2, 3, 70, 71});
  CHECK_EQ(again[0].resumed_count, 2);
  CHECK(again[0].boundaries == std::vector<std::uint32_t>{2});
  CHECK(again[0].sampling.seed == 1);
}

TEST_CASE("a job is sent once to an engine, and again after a death in order of submission") {
  JobTable table(10);
  add(table, 1);
  add(table, 2);
  CHECK(admitted(table) == Ids{1, 2});
  CHECK(admitted(table).empty());
  add(table, 3);
  CHECK(admitted(table) == Ids{3});
  CHECK(died(table).empty());
  add(table, 4);
  CHECK(admitted(table) == Ids{1, 2, 3, 4});
}

TEST_CASE("only a job that was aboard is charged with the death") {
  JobTable table(10);
  add(table, 1);
  CHECK(admitted(table) == Ids{1});
  for (int death = 0; death < 2; ++death) {
    CHECK(died(table).empty());
    if (death == 0) CHECK(admitted(table) == Ids{1});
  }
  add(table, 2);  // waits behind the trial
  CHECK(admitted(table) == Ids{1});
  CHECK(died(table) == Ids{1});
  CHECK(admitted(table) == Ids{2});
}

TEST_CASE("suspects go aboard one at a time, and the rest follows when they have passed") {
  JobTable table(10);
  for (const JobId id : {1, 2, 3}) add(table, id);
  CHECK(admitted(table) == Ids{1, 2, 3});
  CHECK(died(table).empty());
  CHECK(admitted(table) == Ids{1, 2, 3});
  token(table, 2);
  CHECK(died(table).empty());  // 1 and 3 now have two deaths, 2 has one
  CHECK(admitted(table) == Ids{1});
  CHECK(admitted(table).empty());
  token(table, 1);
  CHECK(admitted(table) == Ids{3});
  CHECK(died(table) == Ids{3});
  CHECK(admitted(table) == Ids{1, 2});
}

TEST_CASE("the end or the cancel of a job on trial frees the way") {
  for (const bool by_cancel : {false, true}) {
    JobTable table(10);
    add(table, 1);
    add(table, 2);
    for (int death = 0; death < 2; ++death) {
      (void)table.admit();
      CHECK(died(table).empty());
    }
    CHECK(admitted(table) == Ids{1});
    if (by_cancel) {
      CHECK(table.cancel(1).tell_engine);
      CHECK_FALSE(table.cancel(1).tell_engine);  // once is enough
    }
    CHECK(table.ended({.job = 1, .reason = EndReason::EndOfTurn}));
    CHECK(admitted(table) == Ids{2});
  }
}

TEST_CASE("a cancelled job ends with the engine's death, a waiting one at once") {
  JobTable table(10);
  add(table, 1);
  CHECK(admitted(table) == Ids{1});
  token(table, 1);
  CHECK(table.cancel(1).tell_engine);
  add(table, 2);
  const auto step = table.cancel(2);
  CHECK_FALSE(step.tell_engine);
  REQUIRE(step.ended);
  CHECK(step.ended->end.reason == EndReason::Cancelled);
  const auto ended = table.engine_died("signal 9");
  REQUIRE_EQ(ended.size(), 1);
  CHECK(ended[0].end.reason == EndReason::Cancelled);
  CHECK_EQ(ended[0].end.sampled_tokens, 1);
  CHECK_EQ(table.size(), 0);
}

TEST_CASE("a job that had its last token ends as the engine would have ended it") {
  JobTable table(10);
  add(table, 1, 2);
  CHECK(admitted(table) == Ids{1});
  CHECK(table.started({.job = 1, .cached_tokens = 2}));
  token(table, 1);
  token(table, 1);
  const auto ended = table.engine_died("signal 9");
  REQUIRE_EQ(ended.size(), 1);
  CHECK(ended[0].end.reason == EndReason::TokensMax);
  CHECK_EQ(ended[0].end.prompt_tokens, 3);
  CHECK_EQ(ended[0].end.cached_tokens, 2);
  CHECK_EQ(ended[0].end.sampled_tokens, 2);
}

TEST_CASE("the cached count of the first start is the one that stays") {
  JobTable table(10);
  add(table, 1);
  (void)table.admit();
  CHECK(table.started({.job = 1, .cached_tokens = 2}));
  CHECK(died(table).empty());
  (void)table.admit();
  CHECK(table.started({.job = 1, .cached_tokens = 0}));
  const auto ended = table.ended({.job = 1, .reason = EndReason::EndOfTurn, .cached_tokens = 0});
  REQUIRE(ended);
  CHECK_EQ(ended->end.cached_tokens, 2);
}

TEST_CASE("events of jobs that ended find nobody") {
  JobTable table(10);
  CHECK(table.started({.job = 1}) == nullptr);
  CHECK(table.listener(1) == nullptr);
  CHECK(table.delivered({.job = 1, .tokens = {{1, "x"}}}) == nullptr);
  CHECK_FALSE(table.ended({.job = 1}));
  CHECK_FALSE(table.cancel(1).tell_engine);
}

// Some jobs kill the engine some time after they come aboard and never get a token; all others get one in every life
// that lasts long enough. Any may be paused at any moment, on trial too.
TEST_CASE("simulation: poisonous jobs die alone, whatever the order of events") {
  for (unsigned seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto roll = [&](unsigned sides) { return random() % sides; };
    JobTable table(1000);
    std::vector<JobId> aboard;
    std::vector<JobId> poisonous;
    JobId next_id = 1;
    std::size_t ended_count = 0;
    const auto is_poison = [&](JobId id) { return std::ranges::find(poisonous, id) != poisonous.end(); };
    for (int step = 0; step < 400; ++step) {
      if (step < 200 && roll(4) == 0) {
        if (roll(8) == 0) poisonous.push_back(next_id);
        add(table, next_id++);
      }
      if (next_id > 1 && roll(5) == 0) {
        const JobId id = 1 + roll(static_cast<unsigned>(next_id - 1));
        static_cast<void>(roll(2) == 0 ? table.pause(id) : table.resume(id));
        table.check_invariants();
      }
      for (const JobId id : admitted(table)) aboard.push_back(id);
      const bool deadly = std::ranges::any_of(aboard, is_poison);
      if (deadly && roll(3) == 0) {
        for (const JobId id : died(table)) {
          CHECK(is_poison(id));
          ++ended_count;
        }
        aboard.clear();
      } else if (!aboard.empty()) {
        const JobId id = aboard[roll(static_cast<unsigned>(aboard.size()))];
        if (is_poison(id)) continue;
        token(table, id);
        if (roll(6) != 0) continue;
        CHECK(table.ended({.job = id, .reason = EndReason::EndOfTurn}));
        std::erase(aboard, id);
        ++ended_count;
      }
    }
    for (JobId id = 1; id < next_id; ++id) static_cast<void>(table.resume(id));
    // Let what is left come to its end; it must, or a trial would block the way for ever.
    for (int step = 0; table.size() > 0; ++step) {
      REQUIRE(step < 10'000);
      for (const JobId id : admitted(table)) aboard.push_back(id);
      REQUIRE_FALSE(aboard.empty());
      if (std::ranges::any_of(aboard, is_poison)) {
        for (const JobId id : died(table)) {
          CHECK(is_poison(id));
          ++ended_count;
        }
        aboard.clear();
        continue;
      }
      token(table, aboard.back());
      CHECK(table.ended({.job = aboard.back(), .reason = EndReason::EndOfTurn}));
      aboard.pop_back();
      ++ended_count;
    }
    CHECK_EQ(ended_count, next_id - 1);
  }
}

}  // namespace
}  // namespace hearth::models
