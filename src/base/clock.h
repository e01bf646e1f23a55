// Clock: the seam between the program and time, so that tests and simulations own it.
// Steady milliseconds and microseconds, never wall-clock; thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace hearth {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual std::int64_t now_us() const = 0;
  [[nodiscard]] std::int64_t now_ms() const { return now_us() / 1000; }
};

class SteadyClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const override {
    return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }
};

// The wall's clock, for dates that are written down; intervals are a Clock's. Milliseconds of Unix time, 0 before 1970.
[[nodiscard]] inline std::uint64_t unix_now_ms() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  const std::int64_t milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
  return milliseconds < 0 ? 0 : static_cast<std::uint64_t>(milliseconds);
}

// Stands still until a test advances it.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const override { return now_us_.load(); }
  void advance_ms(std::int64_t milliseconds) { now_us_ += milliseconds * 1000; }

 private:
  std::atomic<std::int64_t> now_us_{0};
};

}  // namespace hearth
