// A stage for tests of message batches: requests are held until the test answers them.
#pragma once

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "base/test_folder.h"
#include "base/test_log.h"
#include "server/batches.h"

namespace hearth::server {

struct BatchFolder {
  const testing::TestFolder folder;
  const testing::Quiet quiet;
  const std::filesystem::path path = folder.path();
};

// Goes on by itself, and further when a test says so.
class PushedClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t now_us() const override { return SteadyClock().now_us() + pushed_us_.load(); }
  void advance_s(std::int64_t seconds) { pushed_us_ += seconds * 1'000'000; }

 private:
  std::atomic<std::int64_t> pushed_us_{0};
};

// Answers each request with its own text, when the test lets it.
struct Stage {
  explicit Stage(std::string folder, BatchLimits limits = {}, std::int64_t wall_s = 1'800'000'000)
      : now_s(wall_s),
        batches(
            std::move(folder),
            [this](std::shared_ptr<http::Exchange> exchange, const BatchOwner&) {
              if (throws_next.exchange(false)) throw std::runtime_error("an answer");
              std::unique_lock lock(mutex);
              exchange->on_disconnect([this] { ++gone; });
              held.push_back(std::move(exchange));
              changed.notify_all();
              answering.wait(lock, [this] { return !stuck; });
            },
            clock, [this] { return now_s.load(); }, limits) {
    batches.load();
    batches.start();
  }
  ~Stage() {
    batches.stop();
    held.clear();
  }
  // The wall clock first: it may be ahead for a moment, as after a sleep, and never behind.
  void pass_s(std::int64_t seconds) {
    now_s += seconds;
    clock.advance_s(seconds);
  }
  void set_stuck(bool is) {
    const std::lock_guard lock(mutex);
    stuck = is;
    answering.notify_all();
  }
  std::shared_ptr<http::Exchange> next() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return !held.empty(); });
    auto exchange = std::move(held.front());
    held.erase(held.begin());
    return exchange;
  }
  void answer(int status, const std::string& body) { next()->respond({.status = status, .headers = {}, .body = body}); }
  wire::BatchCard wait_for(const std::string& id, const std::function<bool(const wire::BatchCard&)>& holds) {
    while (true) {
      auto card = batches.find(owner, id);
      REQUIRE(card);
      if (holds(*card)) return *card;
      std::this_thread::yield();
    }
  }
  wire::BatchCard wait_end(const std::string& id) {
    return wait_for(id, [](const auto& card) { return card.status == wire::BatchStatus::Ended; });
  }

  PushedClock clock;
  std::atomic<std::int64_t> now_s;  // the wall clock
  std::atomic<int> gone = 0;
  std::atomic<bool> throws_next = false;
  BatchOwner owner{.owner = 7, .cache_salt = "key-7"};
  std::mutex mutex;
  std::condition_variable changed, answering;
  bool stuck = false;  // the answer to a request is long in its preparation
  std::vector<std::shared_ptr<http::Exchange>> held;
  Batches batches;
};

inline std::vector<wire::BatchRequest> requests(int count) {
  std::vector<wire::BatchRequest> list;
  for (int i = 0; i < count; ++i)
    list.push_back({.custom_id = "r" + std::to_string(i),
                    .params = R"({"max_tokens":)" + std::to_string(i + 1) + R"(,"stream":false})"});
  return list;
}

inline std::string text_of(BatchResults& results) {
  std::string text;
  while (!results.at_end()) {
    const auto piece = results.next(1000);
    REQUIRE(piece);
    CHECK(piece->size() <= 1000);
    text += *piece;
  }
  return text;
}

inline std::vector<Json> lines_of(const Result<std::unique_ptr<BatchResults>>& results) {
  REQUIRE(results);
  std::vector<Json> lines;
  std::istringstream stream(text_of(**results));
  for (std::string line; std::getline(stream, line);) lines.push_back(*Json::parse(line));
  return lines;
}

}  // namespace hearth::server
