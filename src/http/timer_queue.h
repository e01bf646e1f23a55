// TimerQueue: tasks by due time; of equal times, the one added first runs first. I/O thread only. Pure: the caller owns
// the clock, so one operating-system timer serves every stream's pings and every connection's deadline.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace hearth::http {

class TimerQueue {
 public:
  struct Key;
  using Task = std::move_only_function<void(const Key&)>;
  struct Key {
    std::int64_t due_us = 0;
    std::uint64_t order = 0;
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  Key add(std::int64_t due_us, Task task) {
    const Key key{due_us, next_order_++};
    tasks_.emplace(key, std::move(task));
    return key;
  }
  // False when it has run or was removed. The task is destroyed here.
  bool remove(const Key& key) { return !tasks_.extract(key).empty(); }

  [[nodiscard]] std::optional<std::int64_t> next_due_us() const {
    if (tasks_.empty()) return std::nullopt;
    return tasks_.begin()->first.due_us;
  }
  // The next task that is due by then, taken out; nullopt when there is none.
  [[nodiscard]] std::optional<std::pair<Key, Task>> pop_due(std::int64_t now_us) {
    if (tasks_.empty() || tasks_.begin()->first.due_us > now_us) return std::nullopt;
    auto node = tasks_.extract(tasks_.begin());
    return std::pair(node.key(), std::move(node.mapped()));
  }
  [[nodiscard]] std::size_t size() const { return tasks_.size(); }
  void clear() { std::map<Key, Task>().swap(tasks_); }

 private:
  std::map<Key, Task> tasks_;
  std::uint64_t next_order_ = 0;
};

}  // namespace hearth::http
