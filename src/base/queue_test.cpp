// BoundedQueue: order, "full" as an answer, and what closing means to those who wait.
#include "base/queue.h"

#include <doctest/doctest.h>

#include <memory>
#include <thread>
#include <vector>

namespace hearth {
namespace {
// Long enough never to end a test that works, short enough to end one that does not.
constexpr std::chrono::milliseconds kPatience{60'000};
}  // namespace

TEST_CASE("values come out in the order they went in") {
  BoundedQueue<int> queue(3);
  for (int i = 1; i <= 3; ++i) REQUIRE(queue.try_push(int(i)));
  for (int i = 1; i <= 3; ++i) CHECK_EQ(queue.try_pop(), i);
  CHECK_EQ(queue.try_pop(), std::nullopt);
}

TEST_CASE("a full queue says so and leaves the value with its owner") {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  REQUIRE(queue.try_push(std::make_unique<int>(1)));
  auto second = std::make_unique<int>(2);
  CHECK_FALSE(queue.try_push(std::move(second)));
  // NOLINTBEGIN(bugprone-use-after-move): that it was not moved is the point
  REQUIRE(second != nullptr);
  CHECK_EQ(*second, 2);
  // NOLINTEND(bugprone-use-after-move)
  REQUIRE(queue.try_pop());
  CHECK(queue.try_push(std::move(second)));
}

TEST_CASE("a queue of no capacity is always full") {
  BoundedQueue<int> queue(0);
  CHECK_FALSE(queue.try_push(1));
}

TEST_CASE("a closed queue takes nothing more but gives what it has") {
  BoundedQueue<int> queue(4);
  REQUIRE(queue.try_push(1));
  queue.close();
  CHECK(queue.closed());
  CHECK_FALSE(queue.try_push(2));
  CHECK_EQ(queue.pop_for(kPatience), 1);
  CHECK_EQ(queue.pop_for(kPatience), std::nullopt);
}

TEST_CASE("waiting for nothing ends with nothing") {
  BoundedQueue<int> queue(1);
  CHECK_EQ(queue.pop_for(std::chrono::milliseconds(0)), std::nullopt);
}

TEST_CASE("a waiting reader gets a value that comes later") {
  BoundedQueue<int> queue(1);
  std::optional<int> got;
  std::jthread reader([&] { got = queue.pop_for(kPatience); });
  REQUIRE(queue.try_push(7));
  reader.join();
  CHECK_EQ(got, 7);
}

TEST_CASE("closing wakes every waiter") {
  BoundedQueue<int> queue(1);
  std::vector<std::jthread> readers;
  std::atomic<int> empty_handed{0};
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      if (!queue.pop_for(kPatience)) ++empty_handed;
    });
  }
  queue.close();
  readers.clear();
  CHECK_EQ(empty_handed, 4);
}

TEST_CASE("between many writers and readers every value arrives exactly once and the bound holds") {
  constexpr int kWriters = 4;
  constexpr int kEach = 2'000;
  BoundedQueue<int> queue(8);
  std::vector<std::atomic<int>> seen(static_cast<std::size_t>(kWriters) * kEach);
  std::atomic<bool> over_bound{false};
  {
    std::vector<std::jthread> readers;
    for (int r = 0; r < 3; ++r) {
      readers.emplace_back([&] {
        while (const std::optional<int> value = queue.pop_for(kPatience)) {
          ++seen[static_cast<std::size_t>(*value)];
          if (queue.size() > 8) over_bound = true;
        }
      });
    }
    std::vector<std::jthread> writers;
    for (int w = 0; w < kWriters; ++w) {
      writers.emplace_back([&, w] {
        for (int i = 0; i < kEach; ++i) {
          while (!queue.try_push(w * kEach + i)) std::this_thread::yield();
        }
      });
    }
    writers.clear();
    queue.close();
  }
  CHECK_FALSE(over_bound);
  int once = 0;
  for (const auto& count : seen) once += count == 1 ? 1 : 0;
  CHECK_EQ(once, kWriters * kEach);
}

}  // namespace hearth
