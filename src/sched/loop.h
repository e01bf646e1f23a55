// Loop: from jobs to tokens. One thread owns a Loop and its Engine; nothing here locks or waits.
//
//   step():  1 admit   waiting jobs get a sequence with the longest prefix that is known, in any tier
//            2 import  a slice of what comes back from RAM
//            3 plan    every stream's next token, then prefill up to the budget (plan.h)
//            4 decode  one pass of the engine; with no room, idle prefixes leave, then the youngest job waits
//            5 sample  a token for every job whose prompt is complete; what stops a job ends it
//            6 publish events go out as they happen
//            7 demote  a slice of what lies idle in the pool and costs the others time
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
#include "sched/job_state.h"
#include "sched/plan.h"

namespace hearth::sched {

struct LoopOptions {
  std::uint32_t parallel_jobs = 4;
  std::uint32_t waiting_jobs_max = 1024;  // more are refused as Overloaded
  std::uint32_t ubatch_tokens = 512;      // a prefill chunk's unit, and its bound while others decode
  cache::CacheLimits cache;               // when idle prefixes leave the engine's pool for RAM, and how much of it
  bool cache_bytes_given = false;         // by the operator; otherwise the service measures what is free
  std::int64_t step_target_ms = 250;      // prefill chunks grow to about so long: how late a cancel is heard
  // A prefix that another job computes right now is waited for when it saves at least so many tokens; less is computed
  // again, which costs about a step.
  std::uint32_t join_tokens_min = 256;
};

class Loop {
 public:
  using Publish = std::function<void(link::EngineMessage)>;

  Loop(engine::Engine& engine, const Clock& clock, LoopOptions options, Publish publish);

  void submit(link::Job job);
  void cancel(link::JobId id);
  // One round. False: there was nothing to do, and there will not be before the next submit().
  bool step();

  // How many leading tokens a job with this prompt would not have to compute.
  [[nodiscard]] std::uint32_t usable_tokens(std::span<const engine::Token> prompt, const std::string& salt = "") const;
  // How much RAM the cache may use from now on; what is over leaves it.
  void set_cache_budget(std::uint64_t bytes) { cache_.set_ram_budget(bytes); }
  [[nodiscard]] std::uint64_t cache_ram_bytes() const { return cache_.ram_bytes(); }
  [[nodiscard]] std::map<std::string, std::uint64_t> counters() const;
  [[nodiscard]] bool has_jobs() const { return !waiting_.empty() || !running_.empty(); }
  void check_invariants() const;

 private:
  using JobPointer = std::unique_ptr<JobState>;

  // admission (loop_admit.cpp)
  [[nodiscard]] Result<JobPointer> accept(link::Job&& job);
  [[nodiscard]] Result<void> shape_answer(JobState& state, const link::Job& job);
  void shape_with(JobState& job, engine::Token token);
  void admit();
  [[nodiscard]] bool waits_for_prefix(JobState& job);
  bool start(JobState& job);
  void begin_computing(JobState& job, std::uint32_t cached_tokens);
  void choose_stops(JobState& job) const;
  void add_stop(JobState& job, std::uint32_t position) const;
  [[nodiscard]] engine::SamplingSettings settings_for(const link::Sampling& sampling) const;

  // between two batches: slices of the cache's work (loop_cache.cpp)
  void import_slices();
  void demote_slice();
  void earn_credit(std::int64_t decode_us);
  [[nodiscard]] bool streams_run() const;
  void keep_anchor(const JobState& job);

  // one batch (loop.cpp)
  void build_batch();
  void after_decode(std::int64_t decode_us);
  void sample(JobState& job, std::span<const float> logits);
  [[nodiscard]] std::optional<engine::Token> draw(JobState& job, std::span<const float> logits);
  void tell_progress(JobState& job);
  void make_room();
  void fail_batch(const Error& error);
  void fail_job(JobState& job, const Error& error);
  [[nodiscard]] PlanLimits limits() const;

  void end(JobState& job, link::EndReason reason, std::uint32_t ending_tokens = 0);
  void publish_end(const JobState& job, link::JobEnd end);
  void remove_ended();

  engine::Engine& engine_;
  const Clock& clock_;
  const engine::EngineInfo info_;
  const LoopOptions options_;
  const Publish publish_;
  const std::shared_ptr<const engine::Tokenizer> tokenizer_;

  engine::Constraints constraints_;
  cache::PrefixCache cache_;
  std::deque<JobPointer> waiting_;  // in the order they will be admitted
  std::vector<JobPointer> running_;

  // Scratch of one step.
  std::vector<PlanJob> plan_jobs_;
  std::vector<PlannedRows> plan_;
  std::vector<engine::Row> rows_;
  std::vector<float> unbanned_;  // a row without the token that must not come

  std::uint64_t arrivals_ = 0;
  std::uint64_t turn_ = 0;
  double prefill_us_per_token_ = 0;  // moving average; 0 = not known yet
  // What the cache may take of the streams' time, earned by decoding (loop_cache.cpp); negative: a slice took more.
  double import_credit_us_ = 0, demote_credit_us_ = 0;
  std::uint32_t rows_max_;  // of a batch; lowered while a job that is alone finds no room for more

  struct Totals {
    std::uint64_t jobs_accepted = 0, jobs_refused = 0, jobs_ended = 0, jobs_failed = 0, jobs_cancelled = 0,
                  jobs_preempted = 0, jobs_joined = 0;
    std::uint64_t tokens_prefilled = 0, tokens_cached = 0, tokens_sampled = 0;
    std::uint64_t decode_calls = 0, decode_us = 0, sample_us = 0;
    std::uint64_t tokens_redrawn = 0, tokens_forced = 0, constraints_lost = 0;
  } totals_;
};

}  // namespace hearth::sched
