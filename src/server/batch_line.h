// BatchLine: one thread that runs tasks in the order they are posted, and timers when they are due. Message batches have two:
// one prepares and hears their requests, one waits for the disk in callers' stead. What posts here may be any thread, the engines' link
// threads among them, so its mutex is held for moments only, never over a task or the disk.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace hearth::server {

class BatchLine {
 public:
  using Task = std::function<void()>;

  // `clock` outlives the line.
  explicit BatchLine(const Clock& clock) : clock_(clock) {}
  ~BatchLine() { stop(); }
  BatchLine(const BatchLine&) = delete;
  BatchLine& operator=(const BatchLine&) = delete;

  // `at_end` runs last, on the thread. Once.
  void start(Task at_end = {});
  // Dropped once the line is told to stop. What a task throws is logged.
  void post(Task task);
  void after_ms(std::int64_t delay_ms, Task task);

  // No further task begins; returns at once. Idempotent, as stop() is.
  void begin_stop();
  [[nodiscard]] bool stopping() const;
  // Waits for the task at work.
  void stop();

 private:
  void run(const Task& at_end);
  void drop_rest();
  [[nodiscard]] Task next_task();

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  std::multimap<std::int64_t, Task> timers_;  // due on clock_, in milliseconds
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace hearth::server
