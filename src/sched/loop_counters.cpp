// What a Loop tells about itself, and what must hold between two rounds.
#include <algorithm>

#include "base/check.h"
#include "sched/loop.h"

namespace hearth::sched {

std::uint32_t Loop::usable_tokens(std::span<const engine::Token> prompt, const std::string& salt) const {
  return cache_.usable_tokens(salt, prompt);
}

std::map<std::string, std::uint64_t> Loop::counters() const {
  const auto waiting = [&](link::Priority priority) {
    return static_cast<std::uint64_t>(
        std::ranges::count(waiting_, priority, [](const JobPointer& job) { return job->priority; }));
  };
  const auto paused = [](const JobPointer& job) { return job->paused; };
  std::map<std::string, std::uint64_t> all = cache_.counters();
  all.insert({
      {"jobs_accepted", totals_.jobs_accepted},
      {"jobs_refused", totals_.jobs_refused},
      {"jobs_ended", totals_.jobs_ended},
      {"jobs_failed", totals_.jobs_failed},
      {"jobs_cancelled", totals_.jobs_cancelled},
      {"jobs_preempted", totals_.jobs_preempted},
      {"jobs_displaced", totals_.jobs_displaced},
      {"jobs_joined", totals_.jobs_joined},
      {"jobs_running", running_.size()},
      {"jobs_waiting", waiting_.size()},
      {"jobs_waiting_interactive", waiting(link::Priority::Interactive)},
      {"jobs_waiting_side", waiting(link::Priority::Side)},
      {"jobs_waiting_batch", waiting(link::Priority::Batch)},
      {"jobs_waiting_max", options_.waiting_jobs_max},
      {"jobs_paused",
       static_cast<std::uint64_t>(std::ranges::count_if(running_, paused) + std::ranges::count_if(waiting_, paused))},
      {"pauses", totals_.pauses},
      {"owners", accounts_.open_count()},
      {"expected_wait_ms", expected_wait_ms(waiting_.size())},
      {"tokens_prefilled", totals_.tokens_prefilled},
      {"tokens_cached", totals_.tokens_cached},
      {"tokens_from_ram", totals_.tokens_from_ram},
      {"tokens_from_disk", totals_.tokens_from_disk},
      {"tokens_sampled", totals_.tokens_sampled},
      {"decode_calls", totals_.decode_calls},
      {"decode_us", totals_.decode_us},
      {"sample_us", totals_.sample_us},
      {"chunks_beside", totals_.chunks_beside},
      {"chunks_held", totals_.chunks_held},
      {"streams_step_us", static_cast<std::uint64_t>(costs_.streams_us())},
      {"prefill_1000_tokens_us",
       static_cast<std::uint64_t>(1000 * costs_.prefill_us(options_.ubatch_tokens) / options_.ubatch_tokens)},
      {"context_tokens", info_.context_tokens},
      {"contexts_grown", totals_.contexts_grown},
      {"growths_refused", totals_.growths_refused},
      {"growth_us", totals_.growth_us},
      {"tokens_redrawn", totals_.tokens_redrawn},
      {"tokens_forced", totals_.tokens_forced},
      {"grammars_compiled", constraints_.counts().compiled},
      {"grammars_reused", constraints_.counts().reused},
      {"grammars_bytes", constraints_.counts().bytes},
      {"constraints_lost", totals_.constraints_lost},
  });
  queue_ms_.put("queue_ms", all);
  stream_gap_us_.put("stream_gap_us", all);
  return all;
}

void Loop::check_invariants() const {
  cache_.check_invariants();
  accounts_.check_invariants();
  CHECK(running_.size() <= options_.parallel_jobs);
  CHECK(waiting_.size() + running_.size() <= options_.waiting_jobs_max + options_.parallel_jobs);
  CHECK(cache_.running_count() == running_.size());
  for (const JobPointer& job : running_) {
    CHECK(job->sequence && !job->ended && (job->started || job->importing));
    CHECK(job->pending() >= 1);
    CHECK(job->computed == cache_.length(*job->sequence));
    CHECK(job->token_count() < info_.context_limit_tokens);
  }
  for (const JobPointer& job : waiting_) CHECK(!job->sequence && !job->ended && job->computed == 0);
}

}  // namespace hearth::sched
