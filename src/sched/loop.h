// Loop: from jobs to tokens. One thread owns a Loop and its Engine; nothing here locks or waits.
//
//   step():  1 admit   waiting jobs get a sequence with the longest prefix that is known, in any tier, in turns (turns.h)
//            2 import  a slice of what comes back from RAM
//            3 plan    every stream's next token, then prefill (plan.h) as the streams' pace allows (pace.h)
//            4 decode  one pass of the engine; with no room, idle prefixes leave, then a job waits
//            5 sample  a token for every job whose prompt is complete; what stops a job ends it
//            6 publish events go out as they happen
//            7 demote  a slice of what lies idle in the pool and costs the others time, or of what goes on to the disk
//
// Every submitted job ends with exactly one JobEnd. A job that is resumed after a crash continues exactly: its n-th
// token is drawn with the n-th random number, whichever process draws it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cache/prefix_cache.h"
#include "engine/engine.h"
#include "link/messages.h"
#include "sched/growth.h"
#include "sched/histogram.h"
#include "sched/job_state.h"
#include "sched/loop_options.h"
#include "sched/pace.h"
#include "sched/plan.h"
#include "sched/turns.h"

namespace hearth::sched {

class Loop {
 public:
  using Publish = std::function<void(link::EngineMessage)>;

  Loop(engine::Engine& engine, const Clock& clock, LoopOptions options, Publish publish,
       std::unique_ptr<cache::DiskTier> disk = nullptr);

  void submit(link::Job job);
  void cancel(link::JobId id);
  // No more of the job is computed before resume(). Its state stays known; its place goes to who needs it.
  void pause(link::JobId id);
  void resume(link::JobId id);
  // One round. False: there was nothing to do, and there will not be before the next submit() or resume().
  bool step();
  [[nodiscard]] bool waits() const { return waits_; }           // the last round did nothing but wait for the disk
  [[nodiscard]] cache::PrefixCache& cache() { return cache_; }  // between two steps
  // How many leading tokens a job with this prompt would not have to compute.
  [[nodiscard]] std::uint32_t usable_tokens(std::span<const engine::Token> prompt, const std::string& salt = "") const;
  // How much RAM the cache may use from now on; what is over leaves it.
  void set_cache_budget(std::uint64_t bytes);
  [[nodiscard]] std::map<std::string, std::uint64_t> counters() const;
  [[nodiscard]] bool has_jobs() const { return !waiting_.empty() || !running_.empty(); }
  void check_invariants() const;

 private:
  using JobPointer = std::unique_ptr<JobState>;

  // whose turn it is (loop_turns.cpp; what grows is loop_grow.cpp's)
  void admit();
  [[nodiscard]] std::vector<WaitingJob> candidates(std::int64_t now_ms) const;
  [[nodiscard]] JobState& choose(std::span<const link::JobId> equals, std::int64_t now_ms);
  [[nodiscard]] std::optional<link::JobId> who_gives_place(const WaitingJob& next, std::int64_t now_ms) const;
  [[nodiscard]] bool waits_for_room(const JobState& job) const;
  void set_aside(JobState& job), set_aside_paused();
  void make_room();
  void tell_queue();
  [[nodiscard]] std::uint32_t expected_wait_ms(std::size_t jobs_before) const;
  void learn_run(const JobState& job);
  [[nodiscard]] JobState* find(link::JobId id);
  [[nodiscard]] bool has_work() const;
  [[nodiscard]] bool ended_for_length(JobState& job);
  Growth grow(std::uint32_t needed_tokens), grow_for_running();
  Growth move_to_pool_of(std::uint32_t tokens, std::uint64_t room_bytes);

  // admission (loop_admit.cpp)
  [[nodiscard]] Result<JobPointer> accept(link::Job&& job);
  [[nodiscard]] Result<void> shape_answer(JobState& state, const link::Job& job);
  void shape_with(JobState& job, engine::Token token);
  [[nodiscard]] bool still_joined(const JobState& job) const;
  [[nodiscard]] bool waits_for_prefix(JobState& job);
  bool start(JobState& job);
  void begin_computing(JobState& job, std::uint32_t cached_tokens);
  [[nodiscard]] std::optional<link::Explanation> explanation_of(const JobState& job) const;
  void choose_stops(JobState& job) const;
  void add_stop(JobState& job, std::uint32_t position) const;
  [[nodiscard]] engine::SamplingSettings settings_for(const link::Sampling& sampling) const;

  // between two batches: slices of the cache's work (loop_cache.cpp)
  void import_slices();
  [[nodiscard]] bool demote_slice();
  void earn_credit(double time_us);
  [[nodiscard]] bool streams_run() const;
  void keep_anchor(const JobState& job);

  // one batch (loop.cpp)
  [[nodiscard]] bool comes_last(const JobState& job, std::int64_t now_ms) const;
  void build_batch();
  void after_decode(std::int64_t decode_us);
  void account(std::int64_t decode_us);
  void sample(JobState& job, std::span<const float> logits);
  [[nodiscard]] std::optional<engine::Token> draw(JobState& job, std::span<const float> logits);
  void tell_progress(JobState& job);
  void fail_batch(const Error& error);
  void fail_job(JobState& job, const Error& error);
  [[nodiscard]] PlanLimits limits();

  void end(JobState& job, link::EndReason reason, std::uint32_t ending_tokens = 0);
  void publish_end(const JobState& job, link::JobEnd end);
  void remove_ended();

  engine::Engine& engine_;
  const Clock& clock_;
  engine::EngineInfo info_;  // changes only when the context grows
  const LoopOptions options_;
  const Publish publish_;
  const std::shared_ptr<const engine::Tokenizer> tokenizer_;
  engine::Constraints constraints_;
  cache::PrefixCache cache_;
  std::deque<JobPointer> waiting_;  // in no order: turns.h knows whose turn it is
  std::vector<JobPointer> running_;

  // Scratch of one step.
  std::vector<PlanJob> plan_jobs_;
  std::vector<PlannedRows> plan_;
  std::vector<engine::Row> rows_;
  std::vector<float> unbanned_;                    // a row without the token that must not come
  std::uint64_t arrivals_ = 0, prefill_turn_ = 0;  // numbers of jobs, and of batches with prefill
  StepCosts costs_;
  PaceState pace_;
  OwnerAccounts accounts_;
  double run_ms_average_ = 0;  // of a job, from its place to its end; 0 = none has ended yet
  bool prefill_held_ = false, queue_grew_ = false, waits_ = false;
  std::int64_t queue_told_ms_ = 0;
  // What the cache may take of the streams' time, earned by decoding (loop_cache.cpp); negative: a slice took more.
  double import_credit_us_ = 0, demote_credit_us_ = 0;
  GrowthState growth_;
  std::uint32_t rows_max_;  // of a batch; lowered while a job that is alone finds no room for more
  LoopTotals totals_;
  Histogram queue_ms_, stream_gap_us_;
};

}  // namespace hearth::sched
