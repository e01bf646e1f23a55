// See admission.h.
#include "server/admission.h"

#include <algorithm>
#include <cmath>
#include <format>

#include "base/check.h"

namespace hearth::server {
namespace {

constexpr double kNewest = 0.2;  // of the moving average: the last five jobs or so decide
// Without experience, and as bounds of what is told: a client that is told more than a minute gives up instead.
constexpr std::int64_t kUnknown_s = 3;
constexpr std::int64_t kLongest_s = 60;

}  // namespace

void Ticket::started(std::int64_t now_ms) {
  if (!admission_ || started_ms_ >= 0) return;
  started_ms_ = now_ms;
  admission_->start(kind_);
}

void Ticket::ended(std::int64_t now_ms) {
  if (admission_ && started_ms_ >= 0 && kind_ == JobKind::Request)
    admission_->took(std::max<std::int64_t>(now_ms - started_ms_, 0));
  leave();
}

void Ticket::leave() {
  if (admission_) admission_->leave(kind_, started_ms_ >= 0);
  admission_ = nullptr;
  started_ms_ = -1;
}

Result<Ticket> Admission::enter(std::size_t jobs_max) {
  const std::lock_guard lock(mutex_);
  if (requests_.waiting + requests_.running >= jobs_max) {
    return fail(ErrorKind::Overloaded,
                std::format("{} requests already wait for this model; try again in a moment", requests_.waiting));
  }
  ++requests_.waiting;
  return Ticket(shared_from_this(), JobKind::Request);
}

Ticket Admission::enter_batch() {
  const std::lock_guard lock(mutex_);
  ++batch_.waiting;
  return Ticket(shared_from_this(), JobKind::Batch);
}

Admission::Counts Admission::counts() const {
  const std::lock_guard lock(mutex_);
  return {.waiting = requests_.waiting + batch_.waiting, .running = requests_.running + batch_.running};
}

std::int64_t Admission::retry_after_s(std::uint32_t parallel_jobs) const {
  const std::lock_guard lock(mutex_);
  if (run_ms_ < 0) return kUnknown_s;
  const double place_s = run_ms_ / 1000 / std::max<std::uint32_t>(parallel_jobs, 1);
  return std::clamp(static_cast<std::int64_t>(std::ceil(place_s)), std::int64_t{1}, kLongest_s);
}

void Admission::start(JobKind kind) {
  const std::lock_guard lock(mutex_);
  Counts& counts = counts_of_locked(kind);
  CHECK(counts.waiting > 0);
  --counts.waiting;
  ++counts.running;
}

void Admission::leave(JobKind kind, bool was_started) {
  const std::lock_guard lock(mutex_);
  auto& count = was_started ? counts_of_locked(kind).running : counts_of_locked(kind).waiting;
  CHECK(count > 0);
  --count;
}

void Admission::took(std::int64_t run_ms) {
  const std::lock_guard lock(mutex_);
  run_ms_ = run_ms_ < 0 ? static_cast<double>(run_ms) : run_ms_ + kNewest * (static_cast<double>(run_ms) - run_ms_);
}

}  // namespace hearth::server
