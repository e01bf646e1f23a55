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
  admission_->start();
}

void Ticket::ended(std::int64_t now_ms) {
  if (admission_ && started_ms_ >= 0) admission_->took(std::max<std::int64_t>(now_ms - started_ms_, 0));
  leave();
}

void Ticket::leave() {
  if (admission_) admission_->leave(started_ms_ >= 0);
  admission_ = nullptr;
  started_ms_ = -1;
}

Result<Ticket> Admission::enter(std::size_t jobs_max) {
  const std::lock_guard lock(mutex_);
  if (counts_.waiting + counts_.running >= jobs_max) {
    return fail(ErrorKind::Overloaded,
                std::format("{} requests already wait for this model; try again in a moment", counts_.waiting));
  }
  ++counts_.waiting;
  return Ticket(shared_from_this());
}

Ticket Admission::enter() {
  const std::lock_guard lock(mutex_);
  ++counts_.waiting;
  return Ticket(shared_from_this());
}

Admission::Counts Admission::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

std::int64_t Admission::retry_after_s(std::uint32_t parallel_jobs) const {
  const std::lock_guard lock(mutex_);
  if (run_ms_ < 0) return kUnknown_s;
  const double place_s = run_ms_ / 1000 / std::max<std::uint32_t>(parallel_jobs, 1);
  return std::clamp(static_cast<std::int64_t>(std::ceil(place_s)), std::int64_t{1}, kLongest_s);
}

void Admission::start() {
  const std::lock_guard lock(mutex_);
  CHECK(counts_.waiting > 0);
  --counts_.waiting;
  ++counts_.running;
}

void Admission::leave(bool was_started) {
  const std::lock_guard lock(mutex_);
  auto& count = was_started ? counts_.running : counts_.waiting;
  CHECK(count > 0);
  --count;
}

void Admission::took(std::int64_t run_ms) {
  const std::lock_guard lock(mutex_);
  run_ms_ = run_ms_ < 0 ? static_cast<double>(run_ms) : run_ms_ + kNewest * (static_cast<double>(run_ms) - run_ms_);
}

}  // namespace hearth::server
