// Admission: how many jobs of one model wait and run, and whether one more may wait. The engine orders them; this only
// bounds their number before anything was said to the client, so that "full" can still be a status (529), and tells how
// long things take. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "base/result.h"

namespace hearth::server {

class Admission;

// Whose count a job is in.
enum class JobKind : std::uint8_t { Request, Batch };

// A job's place, until it lets go of it. I/O thread of its job, but the letting go: any.
class Ticket {
 public:
  Ticket() = default;
  Ticket(Ticket&& other) noexcept { *this = std::move(other); }
  Ticket& operator=(Ticket&& other) noexcept {
    leave();
    admission_ = std::exchange(other.admission_, nullptr);
    kind_ = other.kind_;
    started_ms_ = std::exchange(other.started_ms_, -1);
    return *this;
  }
  ~Ticket() { leave(); }
  // The engine has taken it from its queue.
  void started(std::int64_t now_ms);
  // It is about to end, at that time: how long it took counts for the estimates.
  void ended(std::int64_t now_ms);

 private:
  friend class Admission;
  Ticket(std::shared_ptr<Admission> admission, JobKind kind) : admission_(std::move(admission)), kind_(kind) {}
  void leave();

  std::shared_ptr<Admission> admission_;
  JobKind kind_ = JobKind::Request;
  std::int64_t started_ms_ = -1;
};

class Admission : public std::enable_shared_from_this<Admission> {
 public:
  struct Counts {
    std::size_t waiting = 0;
    std::size_t running = 0;
  };
  // Overloaded when there are so many already, waiting and running: of an engine that was restarted nobody knows at once
  // which is which.
  [[nodiscard]] Result<Ticket> enter(std::size_t jobs_max);
  // A job of a batch, of which there are never many (batches.h): it takes no request's place, and how long it runs says nothing
  // about them: it gives way to all others.
  [[nodiscard]] Ticket enter_batch();
  [[nodiscard]] Counts counts() const;  // of all
  // When one of those that wait will have left the queue, as far as is known; at least 1 s, at most a minute.
  [[nodiscard]] std::int64_t retry_after_s(std::uint32_t parallel_jobs) const;

 private:
  friend class Ticket;
  void start(JobKind kind);
  void leave(JobKind kind, bool was_started);
  [[nodiscard]] Counts& counts_of_locked(JobKind kind) { return kind == JobKind::Batch ? batch_ : requests_; }
  void took(std::int64_t run_ms);

  mutable std::mutex mutex_;
  Counts requests_, batch_;  // guarded by mutex_
  double run_ms_ = -1;       // guarded by mutex_: how long a job runs, a moving average; < 0: none has ended yet
};

}  // namespace hearth::server
