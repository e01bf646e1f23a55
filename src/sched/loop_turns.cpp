// Who runs and who waits: places given and taken, room made, and what the waiting are told. The rules are turns.h's.
#include <algorithm>
#include <limits>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "sched/loop.h"

namespace hearth::sched {
namespace {

// How long a waiting job's known prefix is believed: looking it up again every round would cost more than it tells.
constexpr std::int64_t kKnownForMs = 1000;
constexpr std::int64_t kQueueToldEveryMs = 5000;
constexpr std::int64_t kPausedHold_ms = 5000;  // a reader that is only slow is back sooner
// Each that is tried is looked up in the cache and compared with those that run. When a thousand wait for one prefix, the streams
// that run must not stand still until all have been asked; the rest is tried after the next step.
constexpr int kTriesPerStep = 16;
// One long answer must not make everybody's wait look long.
constexpr double kRunWeight = 0.2;

}  // namespace

JobState* Loop::find(link::JobId id) {
  const auto in = [&](auto& jobs) -> JobState* {
    const auto job = std::ranges::find(jobs, id, [](const JobPointer& one) { return one->id; });
    return job == jobs.end() ? nullptr : job->get();
  };
  JobState* job = in(running_);
  return job != nullptr ? job : in(waiting_);
}

// Something can happen without a word from the front.
bool Loop::has_work() const {
  const auto goes_on = [](const JobPointer& job) { return !job->paused; };
  return std::ranges::any_of(running_, goes_on) || std::ranges::any_of(waiting_, goes_on);
}

void Loop::pause(link::JobId id) {
  JobState* job = find(id);
  if (job == nullptr || job->paused) return;
  job->paused = true;
  job->paused_since_ms = clock_.now_ms();
  job->token_us = 0;
  ++totals_.pauses;
  if (job->importing) set_aside(*job);  // what comes back from RAM is held there until it has
}

void Loop::resume(link::JobId id) {
  if (JobState* job = find(id)) job->paused = false;
}

std::vector<WaitingJob> Loop::candidates(std::int64_t now_ms) const {
  std::vector<WaitingJob> ready;
  for (const JobPointer& job : waiting_) {
    if (job->paused || still_joined(*job)) continue;
    ready.push_back({.id = job->id,
                     .urgency = urgency(job->priority, job->waited_ms(now_ms)),
                     .owner = job->owner,
                     .arrival = job->arrival,
                     .waiting_ms = now_ms - job->waiting_since_ms,
                     .lost_room = job->preempted_at_end_count.has_value()});
  }
  return ready;
}

// Of equals the one of whose prompt most is known; of those the oldest.
JobState& Loop::choose(std::span<const link::JobId> equals, std::int64_t now_ms) {
  JobState* best = find(equals.front());
  if (equals.size() == 1) return *best;
  for (const link::JobId id : equals) {
    JobState& job = *find(id);
    if (job.known_at_ms < 0 || now_ms - job.known_at_ms >= kKnownForMs) {
      job.known_tokens = cache_.usable_tokens(job.cache_salt, job.tokens);
      job.known_at_ms = now_ms;
    }
    if (job.known_tokens > best->known_tokens) best = &job;
  }
  return *best;
}

std::optional<link::JobId> Loop::who_gives_place(const WaitingJob& next, std::int64_t now_ms) const {
  std::vector<RunningJob> running;
  for (const JobPointer& job : running_)
    running.push_back({.id = job->id,
                       .urgency = urgency(job->priority, job->waited_ms(now_ms)),
                       .owner = job->owner,
                       .arrival = job->arrival,
                       .running_ms = now_ms - job->placed_ms,
                       .paused = job->paused,
                       .paused_ms = now_ms - job->paused_since_ms});
  // An exact engine computes an answer again token by token when it comes back: turns would cost more than they give.
  return gives_place(running, next, accounts_.open_count(), !info_.exact);
}

// Its room was taken; nobody overtakes it before another has ended, or it would starve. With all others paused there is room:
// they give theirs.
bool Loop::waits_for_room(const JobState& job) const {
  return job.preempted_at_end_count == totals_.jobs_ended &&
         std::ranges::any_of(running_, [](const JobPointer& other) { return !other->paused; });
}

void Loop::admit() {
  const std::int64_t now_ms = clock_.now_ms();
  const bool full = running_.size() >= options_.parallel_jobs;
  const bool can_give = accounts_.open_count() > 1 || std::ranges::any_of(running_, [](const JobPointer& job) {
                          return job->paused || job->priority == link::Priority::Batch;
                        });
  if (waiting_.empty() || (full && !can_give)) return;
  std::vector<WaitingJob> ready = candidates(now_ms);
  for (int tries = 0; tries < kTriesPerStep && !ready.empty(); ++tries) {
    JobState& job = choose(next_turn(ready, accounts_), now_ms);
    if (waits_for_room(job)) return;
    const auto next = std::ranges::find(ready, job.id, &WaitingJob::id);
    std::optional<link::JobId> gone;
    if (running_.size() >= options_.parallel_jobs) {
      gone = who_gives_place(*next, now_ms);
      if (!gone) return;
    }
    ready.erase(next);
    if (waits_for_prefix(job) || ended_for_length(job)) continue;
    if (JobState* giving = gone ? find(*gone) : nullptr) {  // the context grew meanwhile: it may have ended
      set_aside(*giving);
      ++totals_.jobs_displaced;
    }
    job.placed_ms = now_ms;   // before it starts: it may end at once
    if (!start(job)) return;  // every sequence runs
    job.preempted_at_end_count.reset();
    const auto place = std::ranges::find(waiting_, &job, &JobPointer::get);
    running_.push_back(std::move(*place));
    waiting_.erase(place);
  }
}

// A running job waits again. What it has computed becomes an idle line, which goes to RAM as others do, and comes back.
void Loop::set_aside(JobState& job) {
  const std::int64_t now_ms = clock_.now_ms();
  cache_.release(*job.sequence);
  job.sequence.reset();
  job.importing = false;
  job.computed = 0;
  job.token_us = 0;
  job.known_at_ms = -1;
  job.ran_ms += now_ms - job.placed_ms;
  job.waiting_since_ms = now_ms;
  const auto place = std::ranges::find(running_, &job, &JobPointer::get);
  CHECK(place != running_.end());
  waiting_.push_back(std::move(*place));
  running_.erase(place);
}

// Who does not read for long keeps its words, but not its cells: every step of the others would pay for them. An exact engine computes an
// answer again token by token when it comes back: there it stays.
void Loop::set_aside_paused() {
  if (info_.exact || !streams_run()) return;
  const std::int64_t since_ms = clock_.now_ms() - kPausedHold_ms;
  const auto long_paused = std::ranges::find_if(
      running_, [&](const JobPointer& job) { return job->paused && !job->ended && job->paused_since_ms <= since_ms; });
  if (long_paused != running_.end()) set_aside(**long_paused);
}

// The batch found no cells. Idle prefixes go first, the oldest before the others; then the pool grows, if it may; then a job
// waits again, with what it has sampled: one whose reader is slow, batch work, or else the youngest. A job that is alone tries smaller batches; when there is
// no room for one row it has used up the context.
void Loop::make_room() {
  if (info_.exact) {
    // Its lanes share nothing: who has filled his own ends, and nobody else's room would help him.
    const auto full = std::ranges::find_if(running_, [this](const JobPointer& job) {
      return job->computed + std::max<std::uint32_t>(job->chunk(info_.prefill_unit), 1) > info_.context_tokens;
    });
    if (full != running_.end()) {
      if (grow_for_running() == Growth::Refused) end(**full, link::EndReason::ContextFull);
      return;
    }
  }
  if (cache_.make_room() || grow_for_running() != Growth::Refused) return;
  if (running_.size() == 1) {
    const bool divisible = rows_.size() > 1 && info_.prefill_unit == 0;
    if (!divisible) return end(*running_.front(), link::EndReason::ContextFull);
    rows_max_ = static_cast<std::uint32_t>(rows_.size() / 2);
    return;
  }
  const auto last = std::ranges::max_element(running_, {}, [now_ms = clock_.now_ms()](const JobPointer& job) {
    const bool batch = urgency(job->priority, job->waited_ms(now_ms)) == link::Priority::Batch;
    return std::tuple(job->paused, batch, job->arrival);
  });
  JobState& job = **last;
  job.preempted_at_end_count = totals_.jobs_ended;
  ++totals_.jobs_preempted;
  set_aside(job);
}

// Learned from the jobs that ended. Says nothing before one has.
std::uint32_t Loop::expected_wait_ms(std::size_t jobs_before) const {
  const double wait_ms = run_ms_average_ * static_cast<double>(jobs_before + 1) / options_.parallel_jobs;
  return static_cast<std::uint32_t>(std::min(wait_ms, static_cast<double>(std::numeric_limits<std::uint32_t>::max())));
}

void Loop::learn_run(const JobState& job) {
  if (!job.sequence) return;
  const auto run_ms = static_cast<double>(job.ran_ms + clock_.now_ms() - job.placed_ms);
  run_ms_average_ = run_ms_average_ == 0 ? run_ms : run_ms_average_ + kRunWeight * (run_ms - run_ms_average_);
}

// Who could not start at once hears how many are before it, and again when that has changed.
void Loop::tell_queue() {
  const std::int64_t now_ms = clock_.now_ms();
  const bool again = now_ms - queue_told_ms_ >= kQueueToldEveryMs;
  if (!queue_grew_ && !again) return;
  queue_grew_ = false;
  if (again) queue_told_ms_ = now_ms;
  std::vector<JobState*> order;
  for (const JobPointer& job : waiting_)
    if (!job->paused) order.push_back(job.get());
  std::ranges::sort(order, {}, [&](const JobState* job) {
    return std::tuple(urgency(job->priority, job->waited_ms(now_ms)), job->arrival);
  });
  for (std::uint32_t before = 0; before < order.size(); ++before) {
    JobState& job = *order[before];
    // One that was set aside is told again and again: its client would take silence for a hang.
    if (job.started ? !again : job.jobs_before_told && (!again || *job.jobs_before_told == before)) continue;
    job.jobs_before_told = before;
    publish_(link::JobQueued{.job = job.id, .jobs_before = before, .wait_ms = expected_wait_ms(before)});
  }
}

}  // namespace hearth::sched
