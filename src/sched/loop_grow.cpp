// The context grows while jobs run: all lines leave the pool for RAM, the engine makes a larger one, and the jobs go on as any
// job that begins with what lies in RAM. What RAM has no room for meanwhile is computed again: later, never another token.
#include <algorithm>
#include <format>
#include <limits>

#include "base/check.h"
#include "base/log.h"
#include "engine/free_memory.h"
#include "sched/growth.h"
#include "sched/loop.h"

namespace hearth::sched {
namespace {

// Running jobs that are short of cells ask at every step; memory is not looked at so often, nor complained of.
constexpr std::int64_t kAskAgain_ms = 5000;

}  // namespace

Growth Loop::grow(std::uint32_t needed_tokens) {
  for (const std::uint32_t tokens : growth_targets(info_.context_tokens, needed_tokens, info_.context_limit_tokens)) {
    const auto room_bytes = engine_.room_beside(tokens, cache_.ram_bytes());
    if (room_bytes) return move_to_pool_of(tokens, *room_bytes);
  }
  ++totals_.growths_refused;
  if (needed_tokens <= info_.context_limit_tokens)
    log_warning("sched", "memory is too short for a context of {} tokens now; it stays at {}", needed_tokens,
                info_.context_tokens);
  return Growth::Refused;
}

// Whether the running jobs need more cells than there are, not only other ones (a window's are few, and come free).
Growth Loop::grow_for_running() {
  std::uint64_t wanted = rows_.size();
  std::uint32_t longest = 0;
  for (const JobPointer& job : running_) {
    wanted += job->computed;
    longest = std::max(longest, job->token_count());
  }
  if (wanted <= info_.context_tokens || info_.context_limit_tokens <= info_.context_tokens) return Growth::Refused;
  const std::int64_t now_ms = clock_.now_ms();
  if (now_ms < growth_.again_ms) return Growth::Refused;
  const std::uint32_t eighth_more =
      std::min(info_.context_limit_tokens, info_.context_tokens + info_.context_tokens / 8);
  const Growth growth = grow(std::max(longest + 1, eighth_more));
  if (growth != Growth::Grown) growth_.again_ms = now_ms + kAskAgain_ms;
  return growth;
}

Growth Loop::move_to_pool_of(std::uint32_t tokens, std::uint64_t room_bytes) {
  remove_ended();
  const std::uint32_t before = info_.context_tokens;
  const std::int64_t began_us = clock_.now_us();
  for (const JobPointer& job : running_) {
    cache_.release(*job->sequence);
    job->sequence.reset();
  }
  // States in transit may take more of RAM than states that rest there, or less: the new pool comes first.
  cache_.set_transit_budget(room_bytes);
  cache_.vacate();
  engine::give_back_free_memory();
  const auto made = engine_.rebuild(tokens);
  info_ = engine_.info();
  // One after the other: what they share comes back once. Who needs the disk waits for it beside the others, as any import.
  for (const JobPointer& job : running_) {
    CHECK(start(*job));
    auto step = cache::ImportStep::More;
    while (job->importing && step != cache::ImportStep::Waits) {
      step = cache_.import_step(*job->sequence, std::numeric_limits<std::int64_t>::max());
      if (step == cache::ImportStep::Ready) begin_computing(*job, cache_.length(*job->sequence));
    }
  }
  remove_ended();
  cache_.set_ram_budget(growth_.ram_budget_bytes);
  if (!made) {
    log_warning("sched", "the context stays at {} tokens: {}", info_.context_tokens, made.error().message);
    ++totals_.growths_refused;
    return Growth::Moved;
  }
  ++totals_.contexts_grown;
  totals_.growth_us += static_cast<std::uint64_t>(clock_.now_us() - began_us);
  log_info("sched", "the context grew from {} to {} tokens in {} ms; {} running answers moved with it", before,
           info_.context_tokens, (clock_.now_us() - began_us) / 1000, running_.size());
  publish_(
      link::ContextChanged{.context_tokens = info_.context_limit_tokens, .live_context_tokens = info_.context_tokens});
  return Growth::Grown;
}

// A waiting job that is longer than the pool makes it grow, or ends.
bool Loop::ended_for_length(JobState& job) {
  const bool fits = job.token_count() < info_.context_tokens || info_.context_limit_tokens == info_.context_tokens;
  if (fits || grow(job.token_count() + 1) == Growth::Grown) return false;
  if (job.sampled() > 0)
    end(job, link::EndReason::ContextFull);
  else
    fail_job(job, {ErrorKind::PromptTooLong, std::format("prompt is too long: {} tokens > {} maximum",
                                                         job.prompt_tokens, info_.context_tokens - 1)});
  std::erase_if(waiting_, [&](const JobPointer& one) { return one.get() == &job; });
  return true;
}

void Loop::set_cache_budget(std::uint64_t bytes) {
  growth_.ram_budget_bytes = bytes;
  cache_.set_ram_budget(bytes);
}

}  // namespace hearth::sched
