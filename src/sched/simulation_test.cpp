// A seeded life of the loop in simulated time: conversations that grow and branch, one-shot jobs, side and batch work of several
// owners, slow readers, cancels, failing batches, refused copies, too little room, budgets that change, engines that die. After
// every step the invariants hold; every job ends exactly once, gets its tokens in order and none while it is paused, starts
// within a bounded time, and every answer is the one that the model gives alone. $HEARTH_SIM_JOBS makes it longer.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "base/log.h"
#include "sched/test_loop.h"

namespace hearth::sched {
namespace {

using link::EndReason;
using link::Priority;

constexpr std::uint32_t kContextTokens = 400;
constexpr int kStepsOfOneLife = 2000;
// What simulated passes take.
constexpr std::int64_t kPass_us = 5000, kStreamRow_us = 2000, kPrefillRow_us = 300;
// A slow reader's buffer, as the front keeps it.
constexpr std::uint32_t kBufferHigh = 8, kBufferLow = 2;
// Longer than a job's service times the queue's length; ageing comes on top.
constexpr std::int64_t kWaitMax_ms = 120'000;

struct Draws {
  std::uint64_t seed = 0;
  std::uint64_t count = 0;
  std::uint64_t below(std::uint64_t limit) { return mix_u64(seed, count++) % limit; }
  bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
};

// A job and its client's end of it, over all engines that worked on it.
struct Client {
  link::Job job;             // as it was first submitted
  std::vector<Token> heard;  // since; resumed tokens of the job itself are not among them
  std::uint32_t end_count = 0;
  link::JobEnd end;
  bool started = false, started_here = false;  // ever; by the engine that lives now
  std::int64_t submitted_ms = 0;
  std::uint64_t reads_one_in = 1;  // rounds until it reads a token
  std::uint32_t buffered = 0;
  bool paused = false, was_paused = false, cancelled = false;
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : draws_{.seed = seed}, engine_options_(draw_engine()), options_(draw_options()) {
    arrival_one_in_ = 4 + draws_.below(30);
    seen_["overloaded"] = 0;
    begin_engine();
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      if (draws_.chance(arrival_one_in_))  // agents come in bursts
        for (auto count = 1 + draws_.below(4); count > 0; --count) arrive();
      misfortune();
      step();
    }
    for (int i = 0; !open_.empty(); ++i) {
      REQUIRE(i < 100'000);
      step();
    }
    for (const auto& [id, client] : clients_) REQUIRE(client.end_count == 1);
    REQUIRE(!loop_->has_jobs());
    count_up();
  }
  const std::map<std::string, std::uint64_t>& seen() const { return seen_; }
  std::size_t jobs() const { return clients_.size() - seen_.at("overloaded"); }  // that were accepted

 private:
  engine::FakeOptions draw_engine() {
    static constexpr MemoryKind kKinds[] = {MemoryKind::Attention, MemoryKind::Recurrent, MemoryKind::Hybrid,
                                            MemoryKind::Window};
    auto options =
        fake_options(kKinds[draws_.below(4)], kContextTokens, static_cast<std::uint32_t>(2 + draws_.below(8)));
    options.cells = static_cast<std::uint32_t>(kContextTokens + draws_.below(4) * 250);
    options.batch_tokens_max = static_cast<std::uint32_t>(16 + draws_.below(100));
    options.script.window_tokens = 20;
    options.on_pass = [this](std::span<const engine::Row> rows) {
      const auto wanted = static_cast<std::int64_t>(std::ranges::count(rows, true, &engine::Row::wants_logits));
      clock_.advance_ms((kPass_us + wanted * kStreamRow_us + (std::ssize(rows) - wanted) * kPrefillRow_us) / 1000);
    };
    return options;
  }
  LoopOptions draw_options() {
    return {.parallel_jobs = static_cast<std::uint32_t>(1 + draws_.below(5)),
            .waiting_jobs_max = 12,
            .ubatch_tokens = static_cast<std::uint32_t>(8 + draws_.below(60)),
            .cache = {.ram_bytes_max = draws_.below(8) * 20'000, .idle_tokens_free = draws_.below(2) * 128},
            .join_tokens_min = 16};
  }

  void begin_engine() {
    engine_ = std::make_unique<engine::FakeEngine>(engine_options_);
    loop_ = std::make_unique<Loop>(*engine_, clock_, options_,
                                   [this](const link::EngineMessage& message) { hear(message); });
  }

  // The engine dies: the next one gets each open job with the tokens that were delivered, as the front does it.
  void crash() {
    settle();  // who has left is not handed over
    count_up();
    loop_.reset();
    begin_engine();
    ++seen_["crashes"];
    for (const link::JobId id : std::vector(open_.begin(), open_.end())) {
      Client& client = clients_[id];
      client.started_here = false;
      link::Job job = client.job;
      job.prompt = joined(job.prompt, client.heard);
      job.resumed_count += static_cast<std::uint32_t>(client.heard.size());
      if (!client.heard.empty()) ++seen_["resumed"];
      loop_->submit(std::move(job));
      if (client.end_count > 0) REQUIRE(client.end.reason != EndReason::Failed);  // accepted once is accepted
      if (client.paused) loop_->pause(id);
    }
    settle();
  }

  void misfortune() {
    if (draws_.chance(40) && !open_.empty()) {
      const link::JobId id = *std::next(open_.begin(), static_cast<std::ptrdiff_t>(draws_.below(open_.size())));
      Client& client = clients_[id];
      client.cancelled = true;
      ++seen_[client.paused ? "cancelled_paused" : client.started ? "cancelled_running" : "cancelled_waiting"];
      loop_->cancel(id);
      REQUIRE(client.end_count == 1);  // at once, in every state
      settle();
    }
    if (draws_.chance(150)) engine_->fail_next_decode();
    if (draws_.chance(50)) engine_->refuse_state_changes(draws_.chance(2));
    if (draws_.chance(100)) {
      const std::uint64_t budget = draws_.below(6) * 10'000;
      loop_->set_cache_budget(budget);
      REQUIRE(loop_->cache().ram_bytes() <= budget);
    }
    if (draws_.chance(400)) crash();
  }

  void step() {
    clock_.advance_ms(1);
    loop_->step();
    loop_->check_invariants();
    settle();
    for (const link::JobId id : open_) read(id);
  }

  // What the client's connection takes, and what the front says when it takes too little.
  void read(link::JobId id) {
    Client& client = clients_[id];
    if (client.buffered > 0 && draws_.chance(client.reads_one_in)) --client.buffered;
    if (!client.paused && client.buffered >= kBufferHigh) {
      client.paused = client.was_paused = true;
      loop_->pause(id);
    } else if (client.paused && client.buffered <= kBufferLow) {
      client.paused = false;
      loop_->resume(id);
    }
  }

  void arrive() {
    std::vector<Token> prompt;
    if (!conversations_.empty() && !draws_.chance(4)) {
      // Another turn of a conversation, or a branch off any point of it.
      prompt = conversations_[draws_.below(conversations_.size())];
      if (draws_.chance(3)) prompt.resize(1 + draws_.below(prompt.size()));
    }
    prompt = joined(prompt, prompt_of(draws_.below(6), 1 + draws_.below(120)));
    auto job = greedy_job(++last_id_, prompt, static_cast<std::uint32_t>(draws_.below(60)));
    for (int i = 0; i < 3; ++i) job.boundaries.push_back(static_cast<std::uint32_t>(draws_.below(prompt.size() + 2)));
    std::ranges::sort(job.boundaries);
    job.owner = draws_.below(3);
    job.priority = draws_.chance(4) ? Priority::Batch : draws_.chance(4) ? Priority::Side : Priority::Interactive;
    if (job.priority == Priority::Side) job.tokens_max = 5;
    Client client{.job = job, .submitted_ms = clock_.now_ms()};
    if (draws_.chance(5)) client.reads_one_in = 2 + draws_.below(200);
    clients_[job.id] = std::move(client);
    open_.insert(job.id);
    loop_->submit(std::move(job));
    settle();
  }

  void hear(const link::EngineMessage& message) {
    if (const auto* queued = std::get_if<link::JobQueued>(&message)) {
      Client& client = clients_[queued->job];
      REQUIRE(client.end_count == 0);
      REQUIRE(queued->jobs_before < options_.waiting_jobs_max + options_.parallel_jobs);
      ++seen_["queued"];
    } else if (const auto* started = std::get_if<link::JobStarted>(&message)) {
      on_started(clients_[started->job]);
    } else if (const auto* event = std::get_if<link::TokenEvent>(&message)) {
      Client& client = clients_[event->job];
      REQUIRE(client.started_here);
      REQUIRE(client.end_count == 0);
      REQUIRE(!client.paused);
      for (const auto& sampled : event->tokens) client.heard.push_back(sampled.token);
      client.buffered += static_cast<std::uint32_t>(event->tokens.size());
    } else if (const auto* end = std::get_if<link::JobEnd>(&message)) {
      Client& client = clients_[end->job];
      ++client.end_count;
      client.end = *end;
      if (end->error_kind == static_cast<std::uint8_t>(ErrorKind::Overloaded)) ++seen_["overloaded"];
      REQUIRE((end->retry_after_ms == 0 || end->error_kind == static_cast<std::uint8_t>(ErrorKind::Overloaded)));
    }
  }

  void on_started(Client& client) {
    REQUIRE(!client.started_here);
    client.started_here = true;
    if (std::exchange(client.started, true) || client.was_paused) return;
    const std::int64_t waited_ms = clock_.now_ms() - client.submitted_ms;
    const std::int64_t ages_ms = client.job.priority == Priority::Batch  ? kBatchAgedMs
                                 : client.job.priority == Priority::Side ? kSideAgedMs
                                                                         : 0;
    REQUIRE(waited_ms <= kWaitMax_ms + ages_ms);
    auto& longest = seen_[std::string("longest_wait_ms_") + std::to_string(static_cast<int>(client.job.priority))];
    longest = std::max(longest, static_cast<std::uint64_t>(waited_ms));
  }

  // Judges what has ended since.
  void settle() {
    std::erase_if(open_, [&](link::JobId id) {
      const Client& client = clients_[id];
      if (client.end_count > 0) judge(client);
      return client.end_count > 0;
    });
  }

  // What a greedy job with this prompt must say, computed without any loop or cache.
  std::vector<Token> alone(std::vector<Token> prompt, std::uint32_t tokens_max) const {
    std::vector<Token> answer;
    while (answer.size() < tokens_max && prompt.size() < kContextTokens) {
      const auto next = engine_->expected_next(prompt);
      if (!next) break;
      answer.push_back(*next);
      prompt.push_back(*next);
    }
    return answer;
  }

  void judge(const Client& client) {
    REQUIRE(client.end_count == 1);
    const link::Job& job = client.job;
    if (job.prompt.size() >= kContextTokens) {
      REQUIRE(client.end.error_kind == static_cast<std::uint8_t>(ErrorKind::PromptTooLong));
      return;
    }
    auto expected = alone(job.prompt, job.tokens_max == 0 ? kContextTokens : job.tokens_max);
    const bool whole = client.end.reason != EndReason::Failed && client.end.reason != EndReason::Cancelled;
    // A job alone without room (a context of fewer cells than a prompt needs is possible here) ends early.
    if (!whole || client.end.reason == EndReason::ContextFull) {
      REQUIRE(client.heard.size() <= expected.size());
      expected.resize(client.heard.size());
    }
    REQUIRE(client.heard == expected);
    REQUIRE(client.end.prompt_tokens == job.prompt.size());
    REQUIRE(client.end.cached_tokens <= job.prompt.size());
    REQUIRE((client.end.reason != EndReason::Cancelled || client.cancelled));
    if (!whole) return;
    conversations_.push_back(joined(job.prompt, client.heard));
    if (conversations_.size() > 12) conversations_.erase(conversations_.begin());
    if (conversations_.back().size() > 300) conversations_.pop_back();
  }

  // An engine's counters, before it goes.
  void count_up() {
    for (const auto& [name, count] : loop_->counters()) seen_[name] += count;
  }

  Draws draws_;
  ManualClock clock_;
  engine::FakeOptions engine_options_;
  LoopOptions options_;
  std::uint64_t arrival_one_in_ = 0;
  std::unique_ptr<engine::FakeEngine> engine_;
  std::unique_ptr<Loop> loop_;
  link::JobId last_id_ = 0;
  std::map<link::JobId, Client> clients_;
  std::set<link::JobId> open_;
  std::vector<std::vector<Token>> conversations_;
  std::map<std::string, std::uint64_t> seen_;
};

TEST_CASE(
    "in any order of arrivals, branches, pauses, cancels, crashes and faults every job ends once with the right "
    "answer") {
  set_log_level(LogLevel::Off);
  const char* wanted = std::getenv("HEARTH_SIM_JOBS");
  const char* only = std::getenv("HEARTH_SIM_SEED");
  const std::size_t jobs_min = wanted == nullptr ? 0 : std::strtoull(wanted, nullptr, 10);
  const std::uint64_t first = only == nullptr ? 1 : std::strtoull(only, nullptr, 10);
  std::map<std::string, std::uint64_t> seen;
  std::size_t jobs = 0;
  for (std::uint64_t seed = first; only != nullptr ? seed == first : (seed <= 16 || jobs < jobs_min); ++seed) {
    CAPTURE(seed);
    // Also on the output: a failed invariant of the loop ends the process.
    std::printf("scheduler simulation: seed %llu (HEARTH_SIM_SEED repeats it)\n",
                static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    Simulation simulation(seed);
    simulation.run(kStepsOfOneLife);
    jobs += simulation.jobs();
    for (const auto& [name, count] : simulation.seen())
      seen[name] = name.starts_with("longest") ? std::max(seen[name], count) : seen[name] + count;
  }
  set_log_level(LogLevel::Info);
  std::printf("scheduler simulation: %zu jobs\n", jobs);
  for (const auto& [name, count] : seen)
    std::printf("  %-24s %llu\n", name.c_str(), static_cast<unsigned long long>(count));
  // A life in which something never happens proves nothing about it.
  if (only != nullptr) return;
  for (const std::string name : {"jobs_ended",
                                 "jobs_refused",
                                 "jobs_failed",
                                 "jobs_cancelled",
                                 "jobs_preempted",
                                 "jobs_joined",
                                 "jobs_displaced",
                                 "tokens_cached",
                                 "sequences_evicted",
                                 "sequence_forks",
                                 "sequences_demoted",
                                 "anchors_kept",
                                 "imports",
                                 "imports_failed",
                                 "pauses",
                                 "queued",
                                 "crashes",
                                 "resumed",
                                 "cancelled_waiting",
                                 "cancelled_running",
                                 "cancelled_paused",
                                 "chunks_held",
                                 "overloaded"}) {
    CAPTURE(name);
    CAPTURE(seen[name]);
    CHECK(seen[name] > 20);
  }
}

}  // namespace
}  // namespace hearth::sched
