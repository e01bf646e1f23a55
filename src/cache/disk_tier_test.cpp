// The SSD tier beside a RAM tier, over a disk in memory: processes end and begin again, and everything that can go wrong does.
#include <doctest/doctest.h>

#include "base/log.h"
#include "cache/prefix_tree.h"
#include "cache/saver.h"
#include "cache/test_lines.h"
#include "store/fake_disk.h"

namespace hearth::cache {
namespace {
using namespace testing;
using store::FakeDisk;

// A RAM tier with a disk below it, and the process around them, which can end and begin again.
struct Stack {
  explicit Stack(bool anchors = false, std::uint64_t ram_bytes = 1U << 20, std::uint64_t disk_bytes = 1U << 20)
      : needs_snapshots(anchors), ram_max(ram_bytes), disk_max(disk_bytes) {
    set_log_level(LogLevel::Off);
    start();
  }
  ~Stack() { set_log_level(LogLevel::Info); }

  void start() {
    auto made = std::make_unique<FakeDisk>(folder, 3);
    disk = made.get();
    auto opened = store::Store::open(std::move(made), {.unix_ms = [this] { return unix_ms; }, .id_seed = ++starts});
    REQUIRE(opened);
    tier = std::make_unique<DiskTier>(std::move(*opened), DiskTierOptions{.bytes_max = disk_max,
                                                                          .look_again = [this] { return disk_max; },
                                                                          .needs_snapshots = needs_snapshots,
                                                                          .unix_ms = [this] { return unix_ms; },
                                                                          .steady_ms = [this] { return steady_ms; },
                                                                          .workers = store::Workers::Caller});
    ram = std::make_unique<RamTier>(RamTierOptions{.bytes_max = ram_max,
                                                   .needs_snapshots = needs_snapshots,
                                                   .leaving =
                                                       [this](Block& block) {
                                                         if (saver) saver->leaving(block, now_ms);
                                                       },
                                                   .anchor_leaving =
                                                       [this](Anchor& anchor) {
                                                         if (saver) saver->leaving(anchor, now_ms);
                                                       }});
    saver = std::make_unique<Saver>(*ram, *tier, needs_snapshots);
  }
  void restart(store::Crash crash = store::Crash::Process) {
    saver.reset();
    ram.reset();
    tier.reset();
    folder = FakeDisk::restarted(*folder, crash, 11);
    start();
  }
  void pass(std::uint64_t milliseconds) {
    unix_ms += milliseconds;
    steady_ms += milliseconds;
  }
  // Everything that is asked of the disk is done.
  void settle() {
    tier->send();
    for (int i = 0; i < 1000; ++i) tier->tick();
    tier->check_invariants();
    ram->check_invariants();
  }
  void save(Haste haste = Haste::Last) {
    static_cast<void>(saver->round(now_ms, haste));
    settle();
  }
  std::uint32_t on_disk(const Line& line) const {
    return tier->find(root, line, static_cast<std::uint32_t>(line.size())).tokens;
  }
  // What a prompt's blocks read back as; empty where one cannot be read.
  std::vector<std::vector<std::uint8_t>> read(const Line& line) {
    const Match match = tier->find(root, line, static_cast<std::uint32_t>(line.size()));
    tier->pin(match);
    std::vector<std::vector<std::uint8_t>> all;
    for (const BlockId id : match.blocks) {
      const Ticket ticket = tier->fetch(id);
      std::optional<DiskTier::Outcome> outcome;
      for (int i = 0; i < 100 && !(outcome = tier->arrived(ticket)); ++i) tier->tick();
      REQUIRE(outcome);
      if (*outcome)
        all.push_back(***outcome);
      else
        static_cast<void>(tier->reject(id, outcome->error()));
    }
    tier->unpin(match);
    return all;
  }

  const Root root = root_named("m");
  const bool needs_snapshots;
  bool can_punch = true;
  const std::uint64_t ram_max;
  std::uint64_t disk_max;
  std::uint64_t unix_ms = 1'000'000, steady_ms = 500'000, now_ms = 10'000, starts = 0;
  std::shared_ptr<FakeDisk::Folder> folder = FakeDisk().folder();
  FakeDisk* disk = nullptr;
  std::unique_ptr<DiskTier> tier;
  std::unique_ptr<RamTier> ram;
  std::unique_ptr<Saver> saver;
};

TEST_CASE("what RAM held is on the disk after a restart, block by block, to the token") {
  Stack stack;
  const Line line = numbers(700);
  store(*stack.ram, stack.root, line, 1);
  stack.save();
  stack.restart();
  CHECK(stack.on_disk(line) == 700);
  CHECK(stack.on_disk(joined(numbers(300), numbers(50, 9000))) == 300);
  const auto blocks = stack.read(line);
  REQUIRE(blocks.size() == 3);
  CHECK(blocks[1] == block_bytes(line, {256, 512}));
  CHECK(blocks[2] == block_bytes(line, {512, 700}));
}

TEST_CASE("a block is in no moment in no tier: what leaves RAM unwritten can be read at once") {
  Stack stack;
  const Line line = numbers(256 * 4);
  store(*stack.ram, stack.root, line, 1, LineKind::Conversation);
  stack.ram->set_budget(0, 2);
  CHECK(stack.ram->counts().blocks == 0);
  CHECK(stack.on_disk(line) == 256 * 4);
  const Match match = stack.tier->find(stack.root, line, 256 * 4);
  for (const BlockId id : match.blocks) CHECK(stack.tier->arrived(stack.tier->fetch(id)));  // nothing was written yet
  stack.settle();
  CHECK(stack.read(line).size() == 4);
  stack.restart();
  CHECK(stack.read(line).size() == 4);
}

TEST_CASE("an anchor takes along what covers it, and comes back with it") {
  Stack stack(true);
  const Line line = numbers(600);
  store(*stack.ram, stack.root, line, 1);
  REQUIRE(stack.ram->put_anchor(stack.root, line, 520, snapshot_bytes(520), AnchorKind::Trunk, 1));
  stack.save(Haste::Usual);
  stack.restart();
  const Match match = stack.tier->find(stack.root, line, 600);
  CHECK(match.tokens == 520);
  REQUIRE(match.anchor);
  const Ticket ticket = stack.tier->fetch(*match.anchor);
  stack.tier->tick();
  CHECK(***stack.tier->arrived(ticket) == snapshot_bytes(520));
}

TEST_CASE("an anchor that has to leave RAM before it was to be written is written") {
  Stack stack(true);
  const Line line = numbers(600);
  store(*stack.ram, stack.root, line, stack.now_ms);
  REQUIRE(stack.ram->put_anchor(stack.root, line, 600, snapshot_bytes(600), AnchorKind::Suffix, stack.now_ms));
  stack.save(Haste::Usual);
  CHECK(stack.on_disk(line) == 0);
  Match blocks = stack.ram->find(stack.root, line, 600);
  blocks.anchor.reset();
  stack.ram->pin(blocks);  // so that it is the anchor that goes
  stack.ram->set_budget(stack.ram->counts().bytes() - 1, stack.now_ms);
  stack.ram->unpin(blocks);
  CHECK(stack.ram->counts().anchors == 0);
  CHECK(stack.ram->counts().blocks == 3);
  stack.settle();
  stack.restart(store::Crash::Power);
  CHECK(stack.on_disk(line) == 600);
}

TEST_CASE("blocks without an anchor are not written where a state cannot be cut") {
  Stack stack(true);
  store(*stack.ram, stack.root, numbers(600), 1);
  stack.save();
  CHECK(stack.tier->index().counts().blocks == 0);
}

TEST_CASE("a first turn is given a moment, a conversation is written at once, a one-shot never") {
  Stack stack;
  store(*stack.ram, stack.root, numbers(512), stack.now_ms);
  store(*stack.ram, stack.root, numbers(512, 5000), stack.now_ms, LineKind::Conversation);
  store(*stack.ram, stack.root, numbers(512, 9000), stack.now_ms, LineKind::OneShot);
  stack.save(Haste::Usual);
  CHECK(stack.on_disk(numbers(512)) == 0);
  CHECK(stack.on_disk(numbers(512, 5000)) == 512);
  stack.now_ms += 3'000;
  stack.save(Haste::Usual);
  CHECK(stack.on_disk(numbers(512)) == 512);
  stack.save(Haste::Last);
  CHECK(stack.on_disk(numbers(512, 9000)) == 0);
}

TEST_CASE("nothing is written twice, also when it came back from the disk in between") {
  Stack stack;
  const Line line = numbers(512);
  store(*stack.ram, stack.root, line, 1, LineKind::Conversation);
  stack.save();
  const std::uint64_t written = stack.tier->store_counts().records_written;
  stack.ram->touch(stack.ram->find(stack.root, line, 512), 2);
  stack.save();
  CHECK(stack.tier->store_counts().records_written == written);
  stack.restart();
  store(*stack.ram, stack.root, line, 1, LineKind::Conversation);
  stack.save();
  CHECK(stack.tier->store_counts().records_written == 0);
}

TEST_CASE("damage costs the block and what hangs on it, and the rest is used") {
  Stack stack;
  const Line line = numbers(256 * 4);
  store(*stack.ram, stack.root, line, 1, LineKind::Conversation);
  stack.save();
  for (const auto& file : *stack.disk->list())
    if (file.name.ends_with(".kv")) (*stack.disk->bytes_of(file.name))[32 + 48 + 1100 * 2] ^= 1;  // in the third record
  stack.restart();
  CHECK(stack.on_disk(line) == 256 * 4);
  CHECK(stack.read(line).size() < 4);
  stack.settle();
  const std::uint32_t left = stack.on_disk(line);
  CHECK(left < 256 * 4);
  CHECK(left % 256 == 0);
  CHECK(stack.read(line).size() == left / 256);
}

TEST_CASE("a disk that refuses is left alone for a minute; nothing it did not take is promised") {
  Stack stack;
  const Line line = numbers(512);
  store(*stack.ram, stack.root, line, 1, LineKind::Conversation);
  stack.disk->set_faults({.capacity_bytes = 500});
  stack.save();
  CHECK(stack.on_disk(line) == 0);
  CHECK(!stack.tier->takes());
  stack.disk->set_faults({});
  stack.pass(61'000);
  CHECK(stack.tier->takes());
  stack.ram->touch(stack.ram->find(stack.root, line, 512), 2);
  stack.save();
  CHECK(stack.on_disk(line) == 512);
}

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

// A conversation on the disk up to 600, with its state there, that goes on to 700.
struct Growing {
  Growing() {
    store(*stack.ram, stack.root, shorter, stack.now_ms, LineKind::Conversation);
    REQUIRE(stack.ram->put_anchor(stack.root, shorter, 600, snapshot_bytes(600), AnchorKind::Trunk, stack.now_ms));
    stack.save();
    store(*stack.ram, stack.root, longer, stack.now_ms, LineKind::Conversation);
    REQUIRE(stack.ram->put_anchor(stack.root, longer, 700, snapshot_bytes(700), AnchorKind::Trunk, stack.now_ms));
  }
  Stack stack{true};
  const Line longer = numbers(700);
  const Line shorter = numbers(600);
};

TEST_CASE("an index that is written while a longer block is on its way still has the tail and its anchor") {
  Growing test;
  Stack& stack = test.stack;
  static_cast<void>(stack.saver->round(stack.now_ms, Haste::Last));
  stack.pass(6 * 60'000);
  for (int i = 0; i < 20; ++i) stack.tier->tick();
  REQUIRE(stack.disk->bytes_of("index.bin") != nullptr);
  CHECK(stack.on_disk(test.longer) == 700);
  stack.restart(store::Crash::Power);
  CHECK(stack.on_disk(test.longer) == 600);
  CHECK(stack.read(test.shorter).size() == 3);
}

TEST_CASE("a write that fails leaves the tail that it would have replaced, and is tried again") {
  Growing test;
  Stack& stack = test.stack;
  SUBCASE("at once") { stack.disk->set_faults({.write_error_one_in = 1}); }
  SUBCASE("while the one before is on its way, too") {
    static_cast<void>(stack.saver->round(stack.now_ms, Haste::Last));
    store(*stack.ram, stack.root, numbers(760), stack.now_ms, LineKind::Conversation);
    REQUIRE(stack.ram->put_anchor(stack.root, numbers(760), 760, snapshot_bytes(760), AnchorKind::Trunk, 1));
    stack.disk->set_faults({.write_error_one_in = 1});
  }
  stack.save();
  CHECK(stack.on_disk(test.longer) == 600);
  CHECK(stack.read(test.shorter).size() == 3);
  stack.disk->set_faults({});
  stack.pass(61'000);
  stack.save();
  CHECK(stack.on_disk(test.longer) == 700);
  CHECK(stack.read(test.longer).size() == 3);
  stack.restart(store::Crash::Power);
  CHECK(stack.on_disk(test.longer) == 700);
  CHECK(stack.tier->index().counts().blocks == 3);
}

TEST_CASE("what was cleared is gone after a crash, whatever was on its way; what was not cleared stays") {
  Stack stack;
  const Root other = root_named("other");
  const Line line = numbers(700);
  store(*stack.ram, stack.root, line, 1, LineKind::Conversation);
  store(*stack.ram, other, line, 1, LineKind::Conversation);
  stack.save();
  stack.pass(6 * 60'000);
  stack.settle();  // the index is written
  store(*stack.ram, stack.root, numbers(512, 5000), 1, LineKind::Conversation);
  store(*stack.ram, other, numbers(512, 5000), 1, LineKind::Conversation);
  static_cast<void>(stack.saver->round(stack.now_ms, Haste::Last));
  SUBCASE("not sent") {}
  SUBCASE("at the writing thread") { stack.tier->send(); }
  stack.ram->drop(stack.root, {});
  stack.tier->clear(&stack.root);
  stack.tier->check_invariants();
  for (int i = 0; i < 20; ++i) stack.tier->tick();
  stack.restart(store::Crash::Power);
  CHECK(stack.on_disk(line) == 0);
  CHECK(stack.on_disk(numbers(512, 5000)) == 0);
  CHECK(stack.tier->find(other, line, 700).tokens == 700);
  CHECK(!stack.tier->store_counts().index_rebuilt);
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

TEST_CASE("a block that could not be read is there the next time; one that never can is forgotten") {
  Stack stack;
  const Line line = numbers(512);
  store(*stack.ram, stack.root, line, 1, LineKind::Conversation);
  stack.save();
  stack.restart();
  stack.disk->set_faults({.read_error_one_in = 1});
  CHECK(stack.read(line).empty());
  CHECK(stack.on_disk(line) == 512);
  stack.disk->set_faults({});
  CHECK(stack.read(line).size() == 2);
  stack.disk->set_faults({.read_error_one_in = 1});
  for (int i = 0; i < 3; ++i) CHECK(stack.read(line).empty());
  CHECK(stack.on_disk(line) == 0);
}

TEST_CASE("an entry that does not fit the tree is not believed") {
  Stack stack;
  const Line line = numbers(512);
  store(*stack.ram, stack.root, line, 1, LineKind::Conversation);
  stack.save();
  stack.tier.reset();
  stack.saver.reset();
  auto opened = *store::Store::open(std::make_unique<FakeDisk>(stack.folder, 3), {});
  std::vector<store::Entry> entries = opened->take_entries();
  for (store::Entry& entry : entries) entry.meta.tokens[3] += 1;  // other tokens under the same name
  REQUIRE(opened->save_index(entries));
  opened.reset();
  stack.restart();
  CHECK(stack.tier->index().counts().blocks == 0);
}

// A line whose blocks left the disk after the index was written, and were written again before a crash: both the index and the
// new file's table speak of each.
TEST_CASE(
    "a block that left and was written again is found where it is, though an old index names the place that it left") {
  Stack stack;
  const Line line = numbers(256 * 40);
  store(*stack.ram, stack.root, line, 1, LineKind::Conversation);
  stack.save();
  stack.restart();
  stack.saver.reset();
  stack.tier.reset();
  {
    auto opened = *store::Store::open(std::make_unique<FakeDisk>(stack.folder, 3), {.id_seed = 77});
    const std::vector<store::Entry> entries = opened->take_entries();
    REQUIRE(entries.size() == 40);
    REQUIRE(opened->save_index(entries));
    std::vector<store::Write> again;
    std::vector<store::Place> left;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i == 20) continue;  // so that their file stays
      auto bytes = opened->read(entries[i].meta.key, entries[i].place);
      REQUIRE(bytes);
      again.push_back({.meta = entries[i].meta, .bytes = std::make_shared<const store::Bytes>(*std::move(bytes))});
      left.push_back(entries[i].place);
    }
    opened->drop(left);
    REQUIRE(opened->write(again));
  }
  stack.restart();
  CHECK(stack.on_disk(line) == 256 * 40);
  CHECK(stack.read(line).size() == 40);
  CHECK(stack.on_disk(line) == 256 * 40);
  CHECK(stack.tier->store_counts().extents == 2);
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

TEST_CASE("clocks that jump change no answer") {
  Stack stack;
  const Line line = numbers(512);
  stack.unix_ms = 5'000'000'000'000;  // a hundred years on
  store(*stack.ram, stack.root, line, 1, LineKind::Conversation);
  stack.save();
  stack.unix_ms = 3;
  stack.restart();
  CHECK(stack.read(line).size() == 2);
  stack.unix_ms = UINT64_MAX / 2;
  stack.restart();
  CHECK(stack.read(line).size() == 2);
}

}  // namespace
}  // namespace hearth::cache
