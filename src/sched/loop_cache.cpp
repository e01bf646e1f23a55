// The cache's work between two batches, in slices. While streams run, what a slice takes is paid from a share of the time that
// they decode, so that moving conversations between the tiers never stops them; while none runs, a slice is short enough
// for a cancel to be heard soon.
#include <algorithm>

#include "sched/loop.h"

namespace hearth::sched {
namespace {

// Somebody waits for an import, nobody for a demotion; but idle cells make every step slower until they have left.
constexpr double kImportShare = 0.20;
constexpr double kDemoteShare = 0.08;
// Credit is not saved for longer than this: a long quiet time must not become a long pause.
constexpr double kCreditMax_us = 4000;
constexpr std::int64_t kSliceAlone_us = 20'000;

cache::AnchorKind kind_of_stop(const JobState& job, std::uint32_t position, std::uint32_t unit) {
  const auto is = [&](std::uint32_t boundary) { return boundary / unit * unit == position; };
  if (!job.boundaries.empty() && is(job.boundaries.front())) return cache::AnchorKind::Trunk;
  if (job.branch_point != 0 && is(job.branch_point)) return cache::AnchorKind::Branch;
  if (!job.boundaries.empty() && is(job.boundaries.back())) return cache::AnchorKind::Suffix;
  // Before the end of the instructions: a place where others may branch off.
  return !job.boundaries.empty() && position < job.boundaries.front() ? cache::AnchorKind::Branch
                                                                      : cache::AnchorKind::Turn;
}

}  // namespace

// A stream is a job whose prompt is complete: somebody sees its tokens come.
bool Loop::streams_run() const {
  return std::ranges::any_of(running_, [](const JobPointer& job) {
    return !job->importing && !job->ended && !job->paused && job->pending() == 1;
  });
}

void Loop::import_slices() {
  const bool beside_streams = streams_run();
  waits_ = false;
  for (const JobPointer& job : running_) {
    if (!job->importing) continue;
    if (beside_streams && import_credit_us_ <= 0) return;
    const std::int64_t began_us = clock_.now_us();
    const auto budget_us = beside_streams ? static_cast<std::int64_t>(import_credit_us_) : kSliceAlone_us;
    const cache::ImportStep step = cache_.import_step(*job->sequence, budget_us);
    if (step == cache::ImportStep::Ready) begin_computing(*job, cache_.length(*job->sequence));
    waits_ = waits_ || step == cache::ImportStep::Waits;
    import_credit_us_ -= static_cast<double>(clock_.now_us() - began_us);
    if (!beside_streams) import_credit_us_ = kCreditMax_us;
  }
}

// True: there is more to do at once, though no job runs.
bool Loop::demote_slice() {
  const bool beside_streams = streams_run();
  if (beside_streams && demote_credit_us_ <= 0) return false;
  const std::int64_t began_us = clock_.now_us();
  const auto budget_us = beside_streams ? static_cast<std::int64_t>(demote_credit_us_) : kSliceAlone_us;
  const bool demoted = cache_.demote_step(budget_us, !running_.empty());
  const bool saves = !demoted && cache_.save_step(budget_us, !running_.empty());
  if (beside_streams) demote_credit_us_ -= static_cast<double>(clock_.now_us() - began_us);
  return demoted || saves;  // each slice gets on or is refused, so it ends
}

void Loop::earn_credit(double time_us) {
  import_credit_us_ = std::min(import_credit_us_ + kImportShare * time_us, std::max(kCreditMax_us, time_us));
  demote_credit_us_ = std::min(demote_credit_us_ + kDemoteShare * time_us, kCreditMax_us);
}

void Loop::keep_anchor(const JobState& job) {
  if (!std::ranges::binary_search(job.stops, job.computed)) return;
  cache_.keep_anchor(*job.sequence, kind_of_stop(job, job.computed, std::max<std::uint32_t>(info_.prefill_unit, 1)));
}

}  // namespace hearth::sched
