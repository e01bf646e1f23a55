// See plan.h.
#include "sched/plan.h"

#include <algorithm>

#include "base/check.h"

namespace hearth::sched {

std::vector<PlannedRows> plan_batch(std::span<const PlanJob> jobs, const PlanLimits& limits, std::uint64_t turn) {
  std::vector<PlannedRows> plan;
  std::vector<std::size_t> prefills;
  std::uint32_t left = limits.batch_tokens;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i].pending == 0) continue;
    if (is_prefill(jobs[i])) {
      prefills.push_back(i);
    } else if (left > 0) {
      plan.push_back({.job_index = i, .count = 1});
      --left;
    }
  }
  if (prefills.empty()) return plan;

  const bool oldest_first = turn % kOldestTurn == kOldestTurn - 1;
  const auto before = [&](std::size_t a, std::size_t b) {
    if (jobs[a].last != jobs[b].last) return jobs[b].last;
    if (!oldest_first && jobs[a].pending != jobs[b].pending) return jobs[a].pending < jobs[b].pending;
    return jobs[a].arrival < jobs[b].arrival;
  };
  std::ranges::sort(prefills, before);
  std::uint32_t budget = std::min(left, plan.empty() ? limits.prefill_tokens : limits.prefill_tokens_beside);
  for (const std::size_t i : prefills) {
    if (budget == 0) break;
    std::uint32_t count = std::min(jobs[i].pending, budget);
    if (jobs[i].until_stop != 0) count = std::min(count, jobs[i].until_stop);
    if (jobs[i].chunk != 0) {
      if (jobs[i].chunk > budget) break;  // the next batch; a smaller one must not overtake it for ever
      count = jobs[i].chunk;
    }
    plan.push_back({.job_index = i, .count = count});
    budget -= count;
  }
  return plan;
}

}  // namespace hearth::sched
