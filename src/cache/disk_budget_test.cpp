// What the SSD tier may take on the disk, and how it stays within: budgets, other models, small files, clocks.
#include <doctest/doctest.h>

#include "cache/test_disk.h"

namespace hearth::cache {
namespace {
using namespace testing;

TEST_CASE("the files stay within the budget, with holes and without") {
  for (const bool can_punch : {true, false}) {
    Stack stack(false, 1U << 20, 60'000);
    stack.disk->set_faults({.can_punch = can_punch});
    for (int i = 0; i < 60; ++i) {
      store(*stack.ram, stack.root, numbers(512, 1000 * i), stack.now_ms, LineKind::Conversation);
      stack.now_ms += 1000;
      stack.pass(3000);
      stack.save();
    }
    for (int i = 0; i < 40; ++i) {
      stack.pass(3000);
      stack.settle();
    }
    CHECK(stack.tier->store_counts().file_bytes <= 60'000);
    CHECK(stack.tier->index().counts().blocks > 0);
    stack.restart();
    CHECK(stack.tier->index().counts().blocks > 0);
  }
}

TEST_CASE("the files stay within the budget while there is always something on its way") {
  Stack stack(false, 1U << 20, 60'000);
  std::uint64_t most = 0;
  for (int i = 0; i < 120; ++i) {
    store(*stack.ram, stack.root, numbers(512, 1000 * i), stack.now_ms, LineKind::Conversation);
    stack.now_ms += 1000;
    stack.pass(3000);
    stack.tier->send();
    static_cast<void>(stack.saver->round(stack.now_ms, Haste::Usual));
    for (int k = 0; k < 30; ++k) stack.tier->tick();
    stack.tier->check_invariants();
    std::map<std::string, std::uint64_t> counters;
    stack.tier->add_counters(counters);
    REQUIRE(counters["disk_pending_bytes"] > 0);
    most = std::max(most, counters["disk_bytes"]);
  }
  // A batch comes before what leaves for it, and tables and index, here as large as the blocks, before they are made up for.
  CHECK(most <= 90'000);
  CHECK(stack.tier->index().counts().blocks > 0);
}

TEST_CASE("where other models hold more than before, files leave until the rest is within what is left") {
  Stack stack;
  for (int i = 0; i < 30; ++i) {
    store(*stack.ram, stack.root, numbers(512, 1000 * i), stack.now_ms, LineKind::Conversation);
    stack.save();
  }
  CHECK(stack.tier->store_counts().file_bytes > 120'000);
  stack.disk_max = 110'000;
  for (int i = 0; i < 4; ++i) {
    stack.pass(61'000);
    stack.settle();
  }
  CHECK(stack.tier->store_counts().file_bytes <= 110'000);
  CHECK(stack.tier->index().counts().blocks > 10);
}

TEST_CASE(
    "where others fill the disk what is worth least leaves, until the next batch fits; and comes to stay when they "
    "leave") {
  Stack stack(false, 1U << 20, 80'000);
  stack.free_min = 50'000;
  stack.restart();
  const auto keep = [&](Token first) {
    store(*stack.ram, stack.root, numbers(512, first), stack.now_ms, LineKind::Conversation);
    stack.now_ms += 1000;
    stack.pass(3000);
    stack.save();
    return stack.on_disk(numbers(512, first));
  };
  const auto minutes = [&](int count) {
    for (int i = 0; i < count; ++i) {
      stack.pass(61'000);
      stack.settle();
    }
  };
  for (int i = 0; i < 20; ++i) CHECK(keep(1000 * i) == 512);
  const std::size_t before = stack.tier->index().counts().blocks;
  stack.disk->set_faults({.capacity_bytes = stack.tier->store_counts().file_bytes + 48'000});
  CHECK(keep(100'000) == 0);
  CHECK(!stack.tier->takes());
  minutes(3);
  CHECK(stack.tier->takes());
  CHECK(keep(200'000) == 512);
  CHECK(keep(300'000) == 512);
  CHECK(*stack.disk->free_bytes() >= 50'000);
  const std::size_t meanwhile = stack.tier->index().counts().blocks;
  CHECK(meanwhile >= 4);  // what is new
  CHECK(meanwhile < before);
  stack.disk->set_faults({});
  minutes(2);
  for (int i = 0; i < 10; ++i) CHECK(keep(400'000 + 1000 * i) == 512);
  CHECK(stack.tier->index().counts().blocks >= meanwhile + 20);
}

TEST_CASE("a folder that nobody uses shrinks, and what is worth most of it is there afterwards") {
  for (const bool anchors : {false, true}) {
    CAPTURE(anchors);
    Stack stack(anchors);
    for (int i = 0; i < 30; ++i) {
      store(*stack.ram, stack.root, numbers(512, 1000 * i), stack.now_ms, LineKind::Conversation);
      if (anchors)
        REQUIRE(stack.ram->put_anchor(stack.root, numbers(512, 1000 * i), 512, snapshot_bytes(512), AnchorKind::Trunk,
                                      stack.now_ms));
      stack.pass(1000);
      stack.save();
    }
    stack.saver.reset();
    stack.tier.reset();
    const auto open_it = [&] {
      auto opened = store::Store::open(std::make_unique<FakeDisk>(stack.folder, 5), {.id_seed = 99});
      REQUIRE(opened);
      return *std::move(opened);
    };
    const std::uint64_t before = open_it()->counts().file_bytes;
    DiskTier::shrink(open_it(), before / 4 * 3);
    CHECK(open_it()->counts().file_bytes <= before / 4 * 3);
    stack.start();
    std::size_t known = 0;
    for (int i = 0; i < 30; ++i) known += stack.on_disk(numbers(512, 1000 * i)) > 0 ? 1 : 0;
    CHECK(known >= 6);
    stack.tier->check_invariants();
  }
}

TEST_CASE("many small files become one, and nothing is lost on the way") {
  Stack stack;
  Line line;
  for (int i = 0; i < 30; ++i) {
    line = joined(line, numbers(256, 1000 * i));
    store(*stack.ram, stack.root, line, stack.now_ms, LineKind::Conversation);
    stack.save();
  }
  CHECK(stack.tier->store_counts().extents == 30);
  stack.pass(61'000);
  stack.settle();
  CHECK(stack.tier->store_counts().extents == 1);
  CHECK(stack.read(line).size() == 30);
  stack.restart(store::Crash::Power);
  CHECK(stack.read(line).size() == 30);
}

TEST_CASE("small files do not become one beside the first prompt after a start, nor while the process ends") {
  Stack stack;
  for (int i = 0; i < 30; ++i) {
    store(*stack.ram, stack.root, numbers(256, 1000 * i), stack.now_ms, LineKind::Conversation);
    stack.save();
  }
  stack.restart();
  stack.settle();
  CHECK(stack.tier->store_counts().extents == 30);
  stack.pass(61'000);
  stack.tier->flush(std::chrono::milliseconds(1000));
  stack.tier->flush(std::chrono::milliseconds(1000));
  CHECK(stack.tier->store_counts().extents == 30);
}

TEST_CASE(
    "one record that cannot be read does not keep small files from becoming one, nor are they written again and "
    "again") {
  Stack stack;
  SUBCASE("with holes") {}
  SUBCASE("without") { stack.can_punch = false; }
  stack.disk->set_faults({.can_punch = stack.can_punch});
  Line line;
  for (int i = 0; i < 30; ++i) {
    line = joined(line, numbers(256, 1000 * i));
    store(*stack.ram, stack.root, line, stack.now_ms, LineKind::Conversation);
    stack.save();
  }
  store::Bytes& last = *stack.disk->bytes_of(store::extent_name(mix_u64(1, 29)));
  last[32 + 48 + 7] ^= 1;
  for (int i = 0; i < 5; ++i) {
    stack.pass(61'000);
    stack.settle();
  }
  CHECK(stack.tier->store_counts().extents == 1);
  CHECK(stack.tier->store_counts().records_written == 30 + 29);
  CHECK(stack.on_disk(line) == 29 * 256);
  CHECK(stack.read(line).size() == 29);
}

TEST_CASE("a date that was set back stops neither the budget, nor the index, nor the end of a pause") {
  Stack stack(false, 1U << 20, 60'000);
  stack.settle();
  stack.unix_ms = 10;  // from now on the date stands, and the latest that was seen lies ahead
  store(*stack.ram, stack.root, numbers(512), 1, LineKind::Conversation);
  stack.disk->set_faults({.write_error_one_in = 1});
  stack.save();
  CHECK(!stack.tier->takes());
  stack.steady_ms += 61'000;
  CHECK(stack.tier->takes());
  stack.disk->set_faults({});
  for (int i = 0; i < 60; ++i) {
    store(*stack.ram, stack.root, numbers(512, 1000 * i), stack.now_ms, LineKind::Conversation);
    stack.steady_ms += 3000;
    stack.save();
  }
  for (int i = 0; i < 100; ++i) {
    stack.steady_ms += 3000;
    stack.settle();
  }
  CHECK(stack.tier->store_counts().file_bytes <= 60'000);
  CHECK(stack.disk->bytes_of("index.bin") != nullptr);
}

TEST_CASE("an index that could not be written leaves nothing behind, and is written when the disk takes it again") {
  Stack stack;
  store(*stack.ram, stack.root, numbers(512), stack.now_ms, LineKind::Conversation);
  stack.save();
  for (const std::uint64_t bytes : {std::uint64_t{4000}, std::uint64_t{4700}}) {
    stack.disk->set_faults({.capacity_bytes = bytes});
    stack.pass(6 * 60'000);
    stack.settle();
    CHECK(stack.disk->bytes_of("index.bin") == nullptr);
    CHECK(stack.disk->bytes_of("index.tmp") == nullptr);
  }
  CHECK(stack.tier->store_counts().write_errors >= 2);
  stack.disk->set_faults({});
  stack.pass(31'000);
  stack.settle();
  CHECK(stack.disk->bytes_of("index.bin") != nullptr);
}

}  // namespace
}  // namespace hearth::cache
