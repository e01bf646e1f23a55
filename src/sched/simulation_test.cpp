// A seeded life of the loop: conversations that grow and branch, one-shot jobs, resumed jobs, cancels, failing batches,
// refused copies, too little room. After every step the invariants hold; in the end every job has ended exactly once, and
// every answer is the one that the model gives without any cache.
#include <set>

#include "base/log.h"
#include "sched/test_loop.h"

namespace hearth::sched {
namespace {

using link::EndReason;

struct Draws {
  std::uint64_t seed = 0;
  std::uint64_t count = 0;
  std::uint64_t below(std::uint64_t limit) { return mix_u64(seed, count++) % limit; }
  bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : draws_{.seed = seed},
        test_(options(draws_),
              {.parallel_jobs = static_cast<std::uint32_t>(1 + draws_.below(5)),
               .waiting_jobs_max = 12,
               .ubatch_tokens = static_cast<std::uint32_t>(8 + draws_.below(60)),
               .cache = {.ram_bytes_max = draws_.below(8) * 20'000, .idle_tokens_free = draws_.below(2) * 128},
               .join_tokens_min = 16}) {}

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      // Agents come in bursts.
      if (draws_.chance(12))
        for (auto count = 1 + draws_.below(4); count > 0; --count) arrive();
      if (draws_.chance(40) && !open_.empty()) {
        const link::JobId id = *std::next(open_.begin(), static_cast<std::ptrdiff_t>(draws_.below(open_.size())));
        cancelled_.insert(id);
        test_.loop.cancel(id);
      }
      if (draws_.chance(150)) test_.fake.fail_next_decode();
      if (draws_.chance(50)) test_.fake.refuse_state_changes(draws_.chance(2));
      test_.step();
      settle();
    }
    test_.run();
    settle();
    REQUIRE(open_.empty());
    for (const auto& [id, record] : test_.jobs) REQUIRE(record.end_count == 1);
    REQUIRE(test_.counter("jobs_running") == 0);
  }
  std::map<std::string, std::uint64_t> counters() const { return test_.loop.counters(); }

 private:
  static engine::FakeOptions options(Draws& draws) {
    static constexpr MemoryKind kKinds[] = {MemoryKind::Attention, MemoryKind::Recurrent, MemoryKind::Hybrid,
                                            MemoryKind::Window};
    auto options = fake_options(kKinds[draws.below(4)], 400, static_cast<std::uint32_t>(2 + draws.below(8)));
    options.cells = static_cast<std::uint32_t>(400 + draws.below(1200));
    options.batch_tokens_max = static_cast<std::uint32_t>(16 + draws.below(100));
    options.script.window_tokens = 20;
    return options;
  }

  void arrive() {
    const link::JobId id = ++last_id_;
    std::vector<Token> prompt;
    if (!conversations_.empty() && !draws_.chance(4)) {
      // Another turn of a conversation, or a branch off any point of it.
      prompt = conversations_[draws_.below(conversations_.size())];
      if (draws_.chance(3)) prompt.resize(1 + draws_.below(prompt.size()));
    }
    prompt = joined(prompt, prompt_of(draws_.below(6), 1 + draws_.below(120)));
    auto job = greedy_job(id, prompt, static_cast<std::uint32_t>(draws_.below(60)));
    for (int i = 0; i < 3; ++i) job.boundaries.push_back(static_cast<std::uint32_t>(draws_.below(prompt.size() + 2)));
    std::ranges::sort(job.boundaries);
    if (draws_.chance(8) && prompt.size() < 380) {
      const auto before = test_.expected(prompt, static_cast<std::uint32_t>(1 + draws_.below(8)));
      if (job.tokens_max == 0 || before.size() <= job.tokens_max) {
        job.resumed_count = static_cast<std::uint32_t>(before.size());
        job.prompt = joined(job.prompt, before);
      }
    }
    submitted_[id] = job;
    open_.insert(id);
    test_.submit(std::move(job));
  }

  // Judges what has ended since.
  void settle() {
    for (auto it = open_.begin(); it != open_.end();) {
      const JobRecord& record = test_.jobs[*it];
      if (record.end_count == 0) {
        ++it;
        continue;
      }
      judge(submitted_[*it], record);
      it = open_.erase(it);
    }
  }

  void judge(const link::Job& job, const JobRecord& record) {
    const auto context = test_.fake.info().context_tokens;
    const std::vector<Token> original(job.prompt.begin(), job.prompt.end() - job.resumed_count);
    if (original.size() >= context) {
      CHECK(record.end.error_kind == static_cast<std::uint8_t>(ErrorKind::PromptTooLong));
      return;
    }
    const std::uint32_t tokens_max = job.tokens_max == 0 ? context : job.tokens_max;
    auto expected = test_.expected(original, tokens_max);
    std::vector<Token> said(job.prompt.end() - job.resumed_count, job.prompt.end());
    said.insert(said.end(), record.tokens.begin(), record.tokens.end());
    const bool whole = record.end.reason != EndReason::Failed && record.end.reason != EndReason::Cancelled;
    // A job alone without room (a context of fewer cells than a prompt needs is possible here) ends early.
    if (!whole || record.end.reason == EndReason::ContextFull) {
      REQUIRE(said.size() <= expected.size());
      expected.resize(said.size());
    }
    REQUIRE(said == expected);
    CHECK(record.end.prompt_tokens == original.size());
    CHECK(record.end.cached_tokens <= original.size());
    CHECK((record.end.reason != EndReason::Cancelled || cancelled_.contains(job.id)));
    if (whole) {
      conversations_.push_back(joined(original, said));
      if (conversations_.size() > 12) conversations_.erase(conversations_.begin());
      if (conversations_.back().size() > 300) conversations_.pop_back();
    }
  }

  Draws draws_;
  TestLoop test_;
  link::JobId last_id_ = 0;
  std::map<link::JobId, link::Job> submitted_;
  std::set<link::JobId> open_, cancelled_;
  std::vector<std::vector<Token>> conversations_;
};

TEST_CASE("in any order of arrivals, branches, cancels and faults every job ends once with the right answer") {
  set_log_level(LogLevel::Off);
  std::map<std::string, std::uint64_t> seen;
  for (std::uint64_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    Simulation simulation(seed);
    simulation.run(2000);
    for (const auto& [name, count] : simulation.counters()) seen[name] += count;
  }
  set_log_level(LogLevel::Info);
  // A life in which something never happens proves nothing about it.
  for (const std::string name :
       {"jobs_ended", "jobs_refused", "jobs_failed", "jobs_cancelled", "jobs_preempted", "jobs_joined", "tokens_cached",
        "sequences_evicted", "sequence_forks", "sequences_demoted", "anchors_kept", "imports", "imports_failed"}) {
    CAPTURE(name);
    CAPTURE(seen[name]);
    CHECK(seen[name] > 20);
  }
}

}  // namespace
}  // namespace hearth::sched
