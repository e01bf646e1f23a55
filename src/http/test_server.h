// For tests only: a server with its words for errors, and a way to wait for what happens on its threads.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "http/http.h"
#include "http/test_client.h"

namespace hearth::http {

// Counts things that happen on other threads, and waits for them.
class Counter {
 public:
  void add() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  [[nodiscard]] bool reaches(int wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(kWaitSeconds), [&] { return count_ >= wanted; });
  }
  [[nodiscard]] int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

inline Response test_error(int status, std::string_view message) {
  return {status, {{"content-type", "text/plain"}}, std::string(message)};
}

inline std::unique_ptr<Server> start_server(Server::Handler handler, Limits limits = {},
                                            std::function<bool(const Request&)> takes_body = {}) {
  auto server = Server::start(
      {.host = "127.0.0.1", .port = 0, .workers = 2, .limits = limits, .takes_body = std::move(takes_body)},
      std::move(handler), test_error);
  REQUIRE_MESSAGE(server.has_value(), (server ? "" : server.error().message));
  return std::move(*server);
}

// Answers with the request's own body, or its method and path when it has none.
inline void echo(const std::shared_ptr<Exchange>& exchange) {
  const Request& request = exchange->request();
  exchange->respond({200, {}, request.body.empty() ? request.method + " " + request.path : request.body});
}

}  // namespace hearth::http
