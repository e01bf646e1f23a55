// A scripted HTTP exchange for unit tests: posted tasks, by any thread, run when the test says so, timers when its clock has passed them,
// and everything sent is kept. The rest is of one thread.
#pragma once

#include <algorithm>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "http/http.h"

namespace hearth::server {

class FakeExchange final : public http::Exchange {
 public:
  FakeExchange(http::Request request, ManualClock& clock) : request_(std::move(request)), clock_(clock) {}

  [[nodiscard]] const http::Request& request() const override { return request_; }
  void drop_body() override { request_.body.clear(); }
  void respond(http::Response response) override {
    ++answer_count;
    status = response.status;
    headers = std::move(response.headers);
    sent = std::move(response.body);
    ended = true;
  }
  void begin_stream(int with_status, http::Headers with_headers) override {
    ++answer_count;
    status = with_status;
    headers = std::move(with_headers);
    streaming = true;
  }
  void write(std::string bytes) override {
    if (!gone) sent += bytes;
  }
  void finish() override { ended = true; }
  void abort() override { aborted = ended = true; }
  [[nodiscard]] std::size_t unsent_bytes() const override { return reads ? 0 : sent.size() - read_bytes; }
  [[nodiscard]] std::size_t unsent_bytes_of_all() const override { return unsent_bytes() + unsent_elsewhere; }
  void when_unsent_at_most(std::size_t bytes, std::function<void()> task) override {
    space_bytes_ = bytes;
    space_task_ = std::move(task);
  }
  void post(std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
  }
  void after_ms(std::int64_t delay_ms, std::function<void()> task) override {
    timers_.emplace_back(clock_.now_ms() + delay_ms, std::move(task));
  }
  void on_disconnect(std::function<void()> task) override { on_disconnect_ = std::move(task); }

  // Runs what was posted, and what that posts.
  void run() {
    while (const auto task = next_posted()) task();
    if (ended || gone) timers_.clear();
  }
  // The client stops reading, or reads on.
  void stop_reading() {
    reads = false;
    read_bytes = sent.size();
  }
  void read(std::size_t bytes) {
    read_bytes = std::min(read_bytes + bytes, sent.size());
    if (space_task_ && unsent_bytes() <= space_bytes_) std::exchange(space_task_, nullptr)();
    run();
  }
  // Time passes in steps small enough that each timer runs when it is due.
  void pass_ms(std::int64_t duration_ms) {
    constexpr std::int64_t kStep_ms = 100;
    for (std::int64_t passed = 0; passed < duration_ms; passed += kStep_ms) {
      clock_.advance_ms(std::min(kStep_ms, duration_ms - passed));
      run_due_timers();
      run();
    }
  }
  void disconnect() {
    gone = true;
    if (auto task = std::exchange(on_disconnect_, nullptr)) task();
    run();
  }
  [[nodiscard]] std::string header(const std::string& name) const {
    for (const auto& [key, value] : headers) {
      if (key == name) return value;
    }
    return "";
  }

  int status = 0;
  http::Headers headers;
  std::string sent;
  int answer_count = 0;  // begun, whole or as a stream: must end at 1
  bool reads = true;
  std::size_t read_bytes = 0;        // of `sent`, while !reads
  std::size_t unsent_elsewhere = 0;  // of the server's other exchanges
  bool streaming = false, ended = false, aborted = false, gone = false;

 private:
  std::function<void()> next_posted() {
    const std::lock_guard lock(mutex_);
    if (posted_.empty()) return nullptr;
    auto task = std::move(posted_.front());
    posted_.erase(posted_.begin());
    return task;
  }
  void run_due_timers() {
    for (std::size_t i = 0; i < timers_.size();) {
      if (timers_[i].first > clock_.now_ms()) {
        ++i;
        continue;
      }
      auto task = std::move(timers_[i].second);
      timers_.erase(timers_.begin() + static_cast<std::ptrdiff_t>(i));
      if (!ended && !gone) task();
    }
  }

  http::Request request_;
  ManualClock& clock_;
  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
  std::vector<std::pair<std::int64_t, std::function<void()>>> timers_;
  std::function<void()> on_disconnect_;
  std::function<void()> space_task_;
  std::size_t space_bytes_ = 0;
};

}  // namespace hearth::server
