// The SSD tier beside a RAM tier, over a disk in memory: processes end and begin again, and everything that can go wrong does.
#include <doctest/doctest.h>

#include "base/test_log_lines.h"
#include "cache/test_disk.h"

namespace hearth::cache {
namespace {
using namespace testing;

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

TEST_CASE("a folder that is removed under the process is begun anew, and nothing of before passes for kept") {
  Stack stack;
  const Line before = numbers(512);
  const Line after = numbers(512, 5000);
  store(*stack.ram, stack.root, before, 1, LineKind::Conversation);
  stack.save();
  stack.disk->remove_folder();
  store(*stack.ram, stack.root, after, 2, LineKind::Conversation);
  stack.save();
  CHECK(stack.on_disk(before) == 0);
  CHECK(stack.on_disk(after) == 512);
  CHECK(stack.read(after).size() == 2);
  stack.save();  // what RAM still has of before
  CHECK(stack.on_disk(before) == 512);
  stack.restart();
  CHECK(stack.on_disk(before) == 512);
  CHECK(stack.read(before).size() == 2);
  CHECK(stack.on_disk(after) == 512);
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

TEST_CASE("what is used again and again while the disk refuses, or before it is due, is remembered once") {
  Stack stack(true);
  const Line line = numbers(600);
  store(*stack.ram, stack.root, line, stack.now_ms);
  REQUIRE(stack.ram->put_anchor(stack.root, line, 600, snapshot_bytes(600), AnchorKind::Turn, stack.now_ms));
  const auto use = [&] { stack.ram->touch(stack.ram->find(stack.root, line, 600), stack.now_ms); };
  for (int i = 0; i < 5; ++i) {
    use();
    stack.save(Haste::Usual);  // the state at a turn's end waits for some seconds; this looks for doubles, too
  }
  for (int i = 0; i < 1000; ++i) use();
  CHECK(stack.ram->take_fresh().size() == 4);
  use();
  CHECK(stack.ram->take_fresh().size() == 4);
  // What comes and goes meanwhile does not stay in the list either.
  for (int i = 0; i < 5000; ++i) {
    store(*stack.ram, stack.root, numbers(256, 10'000 + 1000 * i), stack.now_ms);
    stack.ram->drop(stack.root, numbers(256, 10'000 + 1000 * i));
  }
  stack.ram->check_invariants();
  CHECK(stack.ram->take_fresh().empty());
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
      again.push_back({.meta = entries[i].meta, .bytes = *std::move(bytes)});
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

// A conversation's beginning in one file, how it went on twice in two others, and beside it another one.
struct Trunk {
  Trunk() {
    keep({&trunk});
    keep({&turn, &apart});
    keep({&other});
  }
  void keep(const std::vector<const Line*>& lines) {
    for (const Line* line : lines) store(*stack.ram, stack.root, *line, 1, LineKind::Conversation);
    stack.save();
  }
  void restart_with(store::FakeFaults faults) {
    stack.faults = std::move(faults);
    stack.restart();
    stack.settle();
  }
  // Tokens of each that are found.
  [[nodiscard]] std::vector<std::uint32_t> known() const {
    return {stack.on_disk(trunk), stack.on_disk(turn), stack.on_disk(apart), stack.on_disk(other)};
  }
  Stack stack;
  const Line trunk = numbers(512), apart = numbers(512, 20'000);
  const Line turn = joined(trunk, numbers(600, 5000)), other = joined(trunk, numbers(300, 9000));
  const std::string file = store::extent_name(mix_u64(1, 0));  // of the trunk
};
using Known = std::vector<std::uint32_t>;

TEST_CASE("a file that cannot be read once is missing for one process, and costs nothing of what hangs on it") {
  Trunk test;
  Stack& stack = test.stack;
  store::FakeFaults faults;
  SUBCASE("because it cannot be opened") { faults.unopenable = test.file; }
  SUBCASE("because the system does not say how large it is") { faults.unknown = test.file; }
  SUBCASE("because the listing leaves it out, while the index speaks of it") {
    stack.pass(6 * 60'000);
    stack.settle();
    faults.unlisted = test.file;
  }
  test.restart_with(faults);
  CHECK(test.known() == Known{0, 0, 512, 0});
  CHECK(stack.tier->store_counts().unread == 1);
  // That process writes, and an index, too.
  const Line more = joined(test.apart, numbers(256, 30'000));
  store(*stack.ram, stack.root, more, 1, LineKind::Conversation);
  stack.save();
  stack.pass(6 * 60'000);
  stack.settle();
  REQUIRE(stack.disk->bytes_of("index.bin") != nullptr);
  test.restart_with({});
  CHECK(test.known() == Known{512, 1112, 512, 812});
  CHECK(stack.on_disk(more) == 768);
  CHECK(stack.read(test.turn).size() == 5);
  CHECK(stack.read(test.other).size() == 4);
  test.restart_with({});
  CHECK(test.known() == Known{512, 1112, 512, 812});
}

TEST_CASE("what hangs on a file that cannot be read leaves first when room is short, and with what is cleared") {
  Trunk test;
  Stack& stack = test.stack;
  SUBCASE("room is short") {
    stack.disk_max = stack.tier->store_counts().file_bytes - 1000;
    test.restart_with({.unopenable = test.file});
    CHECK(stack.tier->store_counts().file_bytes <= stack.disk_max);
    CHECK(test.known() == Known{0, 0, 512, 0});
    test.restart_with({});
    CHECK(stack.on_disk(test.turn) >= 512);
    CHECK(stack.on_disk(test.turn) < 1112);
    CHECK(stack.on_disk(test.other) >= 768);
  }
  SUBCASE("all is cleared") {
    test.restart_with({.unopenable = test.file});
    stack.tier->clear(nullptr);
    stack.settle();
    test.restart_with({});
    CHECK(test.known() == Known{512, 512, 0, 512});
  }
  SUBCASE("another's is cleared") {
    test.restart_with({.unopenable = test.file});
    const Root another = root_named("another");
    stack.tier->clear(&another);
    stack.settle();
    test.restart_with({});
    CHECK(test.known() == Known{512, 1112, 512, 812});
  }
}

TEST_CASE("a disk that is full for hours costs a line of log for what it takes no more and one for the index") {
  Stack stack;
  const Line line = numbers(512);
  store(*stack.ram, stack.root, line, 1, LineKind::Conversation);
  stack.save();
  const hearth::testing::LogLines log;
  const auto hour = [&](Token first) {
    for (Token i = 0; i < 60; ++i) {
      store(*stack.ram, stack.root, numbers(300, first + 1000 * i), 1, LineKind::Conversation);
      stack.pass(60'000);
      stack.save();
    }
  };
  stack.disk->set_faults({.capacity_bytes = 1});
  hour(100'000);
  CHECK(stack.read(line).size() == 2);
  REQUIRE(log.all().size() == 2);
  CHECK(log.all()[0] ==
        "W cache: the cache in fake takes nothing now (fake disk: no space left); it is tried again every "
        "minute");
  CHECK(log.all()[1] ==
        "W store: the index was not written (fake disk: no space left); the files say the same, and it is "
        "tried again");
  stack.disk->set_faults({});
  hour(200'000);
  CHECK(log.all().size() == 2);
  CHECK(stack.on_disk(numbers(300, 200'000)) == 300);
  stack.disk->set_faults({.capacity_bytes = 1});
  hour(300'000);
  CHECK(log.all().size() == 4);
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
