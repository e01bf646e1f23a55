// Recorder: a JobListener for tests that keeps what a stream would see and lets the test wait for it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/engine_process.h"

namespace hearth::models {

class Recorder final : public JobListener {
 public:
  void on_started(const link::JobStarted& event) override {
    const std::lock_guard lock(mutex_);
    in_order_ = in_order_ && !end_;
    if (!first_cached_) first_cached_ = event.cached_tokens;
    changed_.notify_all();
  }
  void on_progress(const link::JobProgress&) override {
    const std::lock_guard lock(mutex_);
    in_order_ = in_order_ && !end_ && first_cached_;
  }
  void on_tokens(const std::vector<link::SampledToken>& tokens) override {
    std::function<void()> act;
    {
      const std::lock_guard lock(mutex_);
      in_order_ = in_order_ && !end_ && first_cached_;
      for (const auto& token : tokens) text_ += token.piece;
      count_ += tokens.size();
      if (count_ >= act_at_) act = std::exchange(act_, nullptr);
      changed_.notify_all();
    }
    if (act) act();
  }
  void on_end(const link::JobEnd& end) override {
    const std::lock_guard lock(mutex_);
    in_order_ = in_order_ && !end_;
    end_ = end;
    changed_.notify_all();
  }

  // `act` runs on the link thread with the token that makes `count`.
  void at_token(std::size_t count, std::function<void()> act) {
    act_at_ = count;
    act_ = std::move(act);
  }
  link::JobEnd wait_end() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return end_.has_value(); });
    return *end_;
  }
  void wait_started() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return first_cached_.has_value(); });
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }
  bool in_order() const {
    const std::lock_guard lock(mutex_);
    return in_order_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  std::size_t count_ = 0;
  std::size_t act_at_ = SIZE_MAX;
  std::function<void()> act_;
  std::optional<std::uint32_t> first_cached_;
  std::optional<link::JobEnd> end_;
  bool in_order_ = true;
};

}  // namespace hearth::models
