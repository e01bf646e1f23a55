// The store's threads: what is asked comes back in its order, what nobody waits for any more is not read, "full" is an answer.
#include "store/async_store.h"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

#include "store/test_records.h"

namespace hearth::store {
namespace {
using namespace testing;

struct Bench {
  explicit Bench(Workers workers = Workers::Caller) : store(open(make()), workers) {}
  std::unique_ptr<FakeDisk> make() {
    auto made = std::make_unique<FakeDisk>();
    disk = made.get();
    return made;
  }
  std::vector<Place> written(std::uint64_t first, std::uint64_t count) {
    store.write(records(first, count));
    CHECK(store.wait_written(std::chrono::seconds(10)));
    const auto done = store.take_write();
    REQUIRE(done);
    REQUIRE(done->places);
    return *done->places;
  }

  FakeDisk* disk = nullptr;
  AsyncStore store;
};

TEST_CASE("batches are written and dropped in the order they were asked for, on threads of their own") {
  Bench bench(Workers::Threads);
  std::vector<std::uint64_t> numbers;
  for (std::uint64_t i = 0; i < 5; ++i) numbers.push_back(bench.store.write(records(10 * i, 2)));
  REQUIRE(bench.store.wait_written(std::chrono::seconds(10)));
  std::vector<Place> places;
  for (const std::uint64_t number : numbers) {
    const auto done = bench.store.take_write();
    REQUIRE(done);
    CHECK(done->batch == number);
    places.push_back(done->places->front());
  }
  CHECK(!bench.store.take_write());
  const std::uint64_t ticket = bench.store.read(record(40).meta.key, places.back());
  std::optional<ReadDone> read;
  for (int i = 0; i < 1000 && !(read = bench.store.take_read()); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  REQUIRE(read);
  CHECK(read->ticket == ticket);
  CHECK(**read->bytes == *record(40).bytes);
}

TEST_CASE("what is about to be given back is known before it is") {
  Bench bench;
  const std::vector<Place> places = bench.written(1, 2);
  bench.store.drop(places);
  CHECK(bench.store.dropping_bytes() == 2 * kRecordHeaderBytes + places[0].stored_bytes + places[1].stored_bytes);
  while (bench.store.work()) {
  }
  CHECK(bench.store.dropping_bytes() == 0);
  CHECK(bench.store.store().counts().extents == 0);
}

TEST_CASE("a read that nobody waits for any more is not done") {
  Bench bench;
  const std::vector<Place> places = bench.written(1, 2);
  const std::uint64_t first = bench.store.read(record(1).meta.key, places[0]);
  const std::uint64_t second = bench.store.read(record(2).meta.key, places[1]);
  CHECK(bench.store.cancel(first));
  CHECK(!bench.store.cancel(first));
  while (bench.store.work()) {
  }
  CHECK(bench.store.store().counts().records_read == 1);
  CHECK(!bench.store.cancel(second));  // too late: its outcome is there
  CHECK(bench.store.take_read()->ticket == second);
}

TEST_CASE("too many reads are refused at once, and hints are forgotten") {
  Bench bench;
  const std::vector<Place> places = bench.written(1, 1);
  std::size_t refused = 0;
  for (int i = 0; i < 10'000; ++i) {
    bench.store.read(record(1).meta.key, places[0]);
    if (const auto done = bench.store.take_read()) {
      CHECK(done->bytes.error().kind == ErrorKind::Overloaded);
      ++refused;
    }
  }
  CHECK(refused > 1000);
  for (int i = 0; i < 10'000; ++i) bench.store.will_need(places[0]);
  std::size_t done = 0;
  while (bench.store.work()) ++done;
  CHECK(done + refused == 10'000);
}

TEST_CASE("what was not begun when the store goes is not done, and nobody waits for it") {
  FakeDisk disk;
  {
    AsyncStore store(open(std::make_unique<FakeDisk>(disk.folder(), 1)), Workers::Caller);
    store.write(records(1, 1));
  }
  CHECK(open(again(disk.folder()))->take_entries().empty());
}

}  // namespace
}  // namespace hearth::store
