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

// A job's place, until it lets go of it. I/O thread of its job, but the letting go: any.
class Ticket {
 public:
  Ticket() = default;
  Ticket(Ticket&& other) noexcept { *this = std::move(other); }
  Ticket& operator=(Ticket&& other) noexcept {
    leave();
    admission_ = std::exchange(other.admission_, nullptr);
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
  explicit Ticket(std::shared_ptr<Admission> admission) : admission_(std::move(admission)) {}
  void leave();

  std::shared_ptr<Admission> admission_;
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
  // Without a limit, for jobs that somebody else bounds.
  [[nodiscard]] Ticket enter();
  [[nodiscard]] Counts counts() const;
  // When one of those that wait will have left the queue, as far as is known; at least 1 s, at most a minute.
  [[nodiscard]] std::int64_t retry_after_s(std::uint32_t parallel_jobs) const;

 private:
  friend class Ticket;
  void start();
  void leave(bool was_started);
  void took(std::int64_t run_ms);

  mutable std::mutex mutex_;
  Counts counts_;       // guarded by mutex_
  double run_ms_ = -1;  // guarded by mutex_: how long a job runs, a moving average; < 0: none has ended yet
};

}  // namespace hearth::server
