// See batch_line.h.
#include "server/batch_line.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "base/log.h"

namespace hearth::server {
namespace {

constexpr std::int64_t kLook_ms = 1000;  // a clock of a test moves without telling

}  // namespace

void BatchLine::start(Task at_end) {
  thread_ = std::thread([this, at_end = std::move(at_end)] { run(at_end); });
}

void BatchLine::post(Task task) {
  const std::lock_guard lock(mutex_);
  // A refused task dies with the parameter, after the lock: its captures may post when they are destroyed.
  if (stopping_) return;
  tasks_.push_back(std::move(task));
  changed_.notify_all();
}

void BatchLine::after_ms(std::int64_t delay_ms, Task task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  timers_.emplace(clock_.now_ms() + delay_ms, std::move(task));
  changed_.notify_all();
}

void BatchLine::begin_stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

bool BatchLine::stopping() const {
  const std::lock_guard lock(mutex_);
  return stopping_;
}

void BatchLine::stop() {
  begin_stop();
  if (thread_.joinable()) thread_.join();
  drop_rest();  // of a line that never ran
}

void BatchLine::run(const Task& at_end) {
  while (Task task = next_task()) {
    try {
      task();
    } catch (const std::exception& error) {
      log_error("server", "a task of the batches threw: {}", error.what());
    }
  }
  if (at_end) at_end();
  drop_rest();
}

// They hold what waits for its end, and die without the mutex, as above.
void BatchLine::drop_rest() {
  std::deque<Task> tasks;
  std::multimap<std::int64_t, Task> timers;
  const std::lock_guard lock(mutex_);
  tasks.swap(tasks_);
  timers.swap(timers_);
}

// Waits for something to do; empty at the end. A timer that is due comes first, so that nothing is late for a long queue.
BatchLine::Task BatchLine::next_task() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const std::int64_t now_ms = clock_.now_ms();
    if (!timers_.empty() && timers_.begin()->first <= now_ms) {
      Task task = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      return task;
    }
    if (!tasks_.empty()) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      return task;
    }
    std::int64_t wait_ms = kLook_ms;
    if (!timers_.empty()) wait_ms = std::min(wait_ms, timers_.begin()->first - now_ms);
    changed_.wait_for(lock, std::chrono::milliseconds(wait_ms));
  }
  return nullptr;
}

}  // namespace hearth::server
