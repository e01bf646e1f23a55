// The store over a disk in memory: what comes back, what is refused, what damage costs.
#include <doctest/doctest.h>

#include <format>

#include "base/test_log_lines.h"
#include "store/test_records.h"

namespace hearth::store {
namespace {
using namespace testing;
using Numbers = std::vector<std::uint64_t>;

TEST_CASE("what was written is there after a restart, with everything that was said of it") {
  auto disk = std::make_unique<FakeDisk>();
  const auto folder = disk->folder();
  {
    const auto store = open(std::move(disk));
    const auto places = store->write(records(1, 3));
    REQUIRE(places);
    CHECK(places->size() == 3);
    CHECK(**store->read(record(2).meta.key, (*places)[1]) == *record(2).bytes);
  }
  const auto store = open(again(folder));
  const auto entries = store->take_entries();
  REQUIRE(entries.size() == 3);
  CHECK(readable(*store, entries) == Numbers{1, 2, 3});
  const Meta& meta = entries[0].meta;
  CHECK(meta.key == record(1).meta.key);
  CHECK(meta.root == record(1).meta.root);
  CHECK(meta.parent == record(1).meta.parent);
  CHECK((meta.begin == 256 && meta.anchor_kind == 2 && meta.line_kind == 1 && meta.uses == 3 && meta.branches == 4));
  CHECK((meta.stored_unix_ms == 5 && meta.used_unix_ms == 6));
  CHECK(store->counts().index_rebuilt);
}

TEST_CASE("an index is believed where its files are as it says, and the files where they are not") {
  auto disk = std::make_unique<FakeDisk>();
  const auto folder = disk->folder();
  const auto store = open(std::move(disk));
  REQUIRE(store->write(records(1, 2)));
  auto first = open(again(folder));
  REQUIRE(store->save_index(first->take_entries()));
  {
    const auto next = open(again(folder));
    CHECK(readable(*next, next->take_entries()) == Numbers{1, 2});
    CHECK(!next->counts().index_rebuilt);
  }
  REQUIRE(store->write(records(10, 2)));  // after the index was written
  {
    const auto next = open(again(folder));
    CHECK(readable(*next, next->take_entries()) == Numbers{1, 2, 10, 11});
  }
}

TEST_CASE("an index that misses a file written just before it loses nothing") {
  auto disk = std::make_unique<FakeDisk>();
  const auto folder = disk->folder();
  const auto store = open(std::move(disk));
  REQUIRE(store->write(records(1, 2)));
  REQUIRE(store->save_index({}));  // whoever asked for it had not heard of the extent yet
  const auto next = open(again(folder));
  CHECK(readable(*next, next->take_entries()) == Numbers{1, 2});
}

TEST_CASE("what was dropped is gone, leaves a hole, and the last one takes the file along") {
  auto disk = std::make_unique<FakeDisk>();
  const auto folder = disk->folder();
  FakeDisk* raw = disk.get();
  const auto store = open(std::move(disk));
  const auto places = store->write(records(1, 3));
  const std::uint64_t before = store->counts().file_bytes;
  store->drop(std::span(*places).first(1));
  CHECK(store->counts().file_bytes < before);
  CHECK(store->read(record(1).meta.key, (*places)[0]).error().kind == ErrorKind::NotFound);
  {
    const auto next = open(again(folder));
    CHECK(readable(*next, next->take_entries()) == Numbers{2, 3});
    CHECK(next->counts().rejected == 0);
  }
  store->drop(std::span(*places).subspan(1));
  CHECK(raw->list()->size() == 1);  // the folder's secret
}

TEST_CASE("every flipped bit of a file costs what it touches, and never gives a wrong byte") {
  const Quiet quiet;
  FakeDisk disk;
  const auto places = open(std::make_unique<FakeDisk>(disk.folder(), 1))->write(records(1, 3, 60));
  REQUIRE(places);
  const std::string name = disk.list()->front().name;
  const std::size_t size = disk.bytes_of(name)->size();
  // Reserved bytes and the date say nothing; a record costs itself; the rest of the file all three.
  const auto expected_loss = [&](std::size_t at) -> std::size_t {
    if ((at >= 12 && at < 16) || (at >= 24 && at < 32)) return 0;
    return std::ranges::any_of(*places,
                               [&](const Place& place) {
                                 return at >= place.offset &&
                                        at < place.offset + kRecordHeaderBytes + place.stored_bytes;
                               })
               ? 1
               : 3;
  };
  for (std::size_t i = 0; i < size; ++i) {
    CAPTURE(i);
    auto broken = again(disk.folder());
    (*broken->bytes_of(name))[i] ^= static_cast<std::uint8_t>(1U << (i % 8));
    const auto store = open(std::move(broken));
    CHECK(3 - readable(*store, store->take_entries(), 60).size() == expected_loss(i));
  }
}

TEST_CASE("a file that is cut off anywhere is put aside, the others are used") {
  const Quiet quiet;
  FakeDisk disk;
  {
    const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 1));
    REQUIRE(store->write(records(1, 2, 60)));
    REQUIRE(store->write(records(5, 2, 60)));
  }
  const std::string name = extent_name(mix_u64(7, 0));
  for (std::size_t length = 0; length < disk.bytes_of(name)->size(); length += 7) {
    auto cut = again(disk.folder());
    cut->bytes_of(name)->resize(length);
    FakeDisk* raw = cut.get();
    const auto store = open(std::move(cut));
    CHECK(readable(*store, store->take_entries(), 60) == Numbers{5, 6});
    CHECK(raw->bytes_of(name) == nullptr);
    CHECK(raw->bytes_of(name + ".bad") != nullptr);
    CHECK(store->counts().rejected == 1);
  }
}

TEST_CASE("a broken or foreign index is made anew from the files") {
  const Quiet quiet;
  FakeDisk disk;
  {
    const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 1));
    REQUIRE(store->write(records(1, 2, 60)));
    auto reader = open(again(disk.folder()));
    REQUIRE(store->save_index(reader->take_entries()));
  }
  const Bytes whole = *disk.bytes_of("index.bin");
  for (std::size_t i = 0; i < whole.size(); ++i) {
    auto broken = again(disk.folder());
    if (i % 2 == 0)
      (*broken->bytes_of("index.bin"))[i] ^= 4;
    else
      broken->bytes_of("index.bin")->resize(i);
    const auto store = open(std::move(broken));
    CHECK(readable(*store, store->take_entries(), 60) == Numbers{1, 2});
  }
}

TEST_CASE("a file of another version or under another's name is put aside") {
  const Quiet quiet;
  FakeDisk disk;
  REQUIRE(open(std::make_unique<FakeDisk>(disk.folder(), 1))->write(records(1, 1, 60)));
  const std::string name = extent_name(mix_u64(7, 0));
  SUBCASE("version") { (*disk.bytes_of(name))[8] = 9; }
  SUBCASE("name") {
    disk.put(extent_name(3), *disk.bytes_of(name));
    CHECK(disk.remove(name));
  }
  const auto store = open(again(disk.folder()));
  CHECK(store->take_entries().empty());
  CHECK(store->counts().rejected == 1);
}

TEST_CASE("a full disk, a folder that cannot be written and a write that fails leave nothing behind") {
  const Quiet quiet;
  auto disk = std::make_unique<FakeDisk>(3);
  FakeDisk* raw = disk.get();
  const auto store = open(std::move(disk));
  REQUIRE(store->write(records(1, 1)));
  const std::size_t files = raw->list()->size();
  raw->set_faults({.capacity_bytes = 2000});
  CHECK(store->write(records(5, 5)).error().kind == ErrorKind::TooLarge);
  raw->set_faults({.write_error_one_in = 2});
  for (std::uint64_t i = 0; i < 40; ++i) static_cast<void>(store->write(records(20 + i, 2)));
  raw->set_faults({});
  CHECK(store->counts().write_errors > 10);
  raw->set_faults({.read_only = true});
  CHECK(!store->write(records(70, 1)));
  CHECK(raw->list()->size() >= files);
  auto next_disk = again(raw->folder());
  FakeDisk* next_raw = next_disk.get();
  const auto next = open(std::move(next_disk));
  for (const FileInfo& file : *next_raw->list()) CHECK(!file.name.ends_with(".tmp"));
  CHECK(readable(*next, next->take_entries()).front() == 1);
}

TEST_CASE("a second process reads what the first one writes, and touches nothing") {
  FakeDisk disk;
  const auto writer = open(std::make_unique<FakeDisk>(disk.folder(), 1));
  const auto places = writer->write(records(1, 2));
  const auto reader = open(std::make_unique<FakeDisk>(disk.folder(), 2), Access::ReadOnly);
  const auto entries = reader->take_entries();
  CHECK(readable(*reader, entries) == Numbers{1, 2});
  CHECK(reader->secret() == writer->secret());
  const std::size_t files = disk.list()->size();
  reader->drop(*places);
  CHECK(disk.list()->size() == files);
  // What the first one gives back is simply not there any more.
  writer->drop(std::span(*places).first(1));
  CHECK(readable(*reader, entries) == Numbers{2});
}

TEST_CASE("a sector that cannot be read and a read that stops short are errors, and a vanished file is not there") {
  const Quiet quiet;
  FakeDisk disk;
  const auto places = open(std::make_unique<FakeDisk>(disk.folder(), 1))->write(records(1, 1));
  const Key key = record(1).meta.key;
  auto faulty = std::make_unique<FakeDisk>(disk.folder(), 5);
  FakeDisk* raw = faulty.get();
  const auto store = open(std::move(faulty));
  raw->set_faults({.read_error_one_in = 1});
  CHECK(store->read(key, places->front()).error().kind == ErrorKind::Io);
  raw->set_faults({.read_short_one_in = 1});
  CHECK(store->read(key, places->front()).error().kind == ErrorKind::InvalidInput);
  raw->set_faults({.read_flip_one_in = 1});
  CHECK(store->read(key, places->front()).error().kind == ErrorKind::InvalidInput);
  raw->set_faults({});
  CHECK(store->read(key, places->front()));
  const auto other = open(std::make_unique<FakeDisk>(disk.folder(), 6));
  REQUIRE(disk.remove(extent_name(places->front().extent)));
  CHECK(other->read(key, places->front()).error().kind == ErrorKind::NotFound);
}

TEST_CASE("what the system refuses to read for now is there the next time: files, index and secret") {
  const Quiet quiet;
  FakeDisk disk;
  Digest secret{};
  {
    const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 1));
    secret = store->secret();
    REQUIRE(store->write(records(1, 2)));
    const auto reader = open(again(disk.folder()));
    REQUIRE(store->save_index(reader->take_entries()));
    REQUIRE(store->write(records(3, 2)));  // one file in the index, one not
  }
  const auto names = [&] {
    std::vector<std::string> all;
    for (const FileInfo& file : *disk.list()) all.push_back(file.name);
    return all;
  };
  const auto before = names();
  {
    const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 1, FakeFaults{.read_error_one_in = 1}));
    CHECK(store->take_entries().empty());
    CHECK(store->secret() != secret);
    CHECK(store->counts().file_bytes > 4 * 900 / 2);  // they take their room all the same
  }
  CHECK(names() == before);
  const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 1));
  CHECK(readable(*store, store->take_entries()) == Numbers{1, 2, 3, 4});
  CHECK(store->secret() == secret);
  CHECK(!store->counts().rejected);
}

TEST_CASE("a file that the system keeps back is told from one that is gone") {
  const Quiet quiet;
  FakeDisk disk;
  {
    const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 1));
    REQUIRE(store->write(records(1, 2)));
    const auto reader = open(again(disk.folder()));
    REQUIRE(store->save_index(reader->take_entries()));
    REQUIRE(store->write(records(3, 2)));
  }
  const std::string indexed = extent_name(mix_u64(7, 0)), newer = extent_name(mix_u64(7, 1));
  const auto open_with = [&](FakeFaults faults) {
    return open(std::make_unique<FakeDisk>(disk.folder(), 1, std::move(faults)));
  };
  for (const FakeFaults& faults :
       {FakeFaults{.unopenable = newer}, FakeFaults{.unknown = newer}, FakeFaults{.unknown = indexed},
        FakeFaults{.unlisted = indexed}, FakeFaults{.unopenable = indexed, .unlisted = indexed}}) {
    const bool keeps_newer = faults.unopenable == newer || faults.unknown == newer;
    const auto store = open_with(faults);
    CHECK(readable(*store, store->take_entries()) == (keeps_newer ? Numbers{1, 2} : Numbers{3, 4}));
    CHECK(store->counts().unread == 1);
  }
  // Where the index cannot be looked at the files say all of it.
  const auto without_index = open_with({.unknown = "index.bin"});
  CHECK(readable(*without_index, without_index->take_entries()) == Numbers{1, 2, 3, 4});
  CHECK(without_index->counts().unread == 0);
  REQUIRE(disk.bytes_of("index.bin") != nullptr);
  REQUIRE(disk.remove(indexed));
  const auto store = open_with({});
  CHECK(readable(*store, store->take_entries()) == Numbers{3, 4});
  CHECK(store->counts().unread == 0);
}

TEST_CASE("a secret that is damaged is made anew, with one line of log; what it kept apart stays apart") {
  FakeDisk disk;
  const Digest before = open(std::make_unique<FakeDisk>(disk.folder(), 1))->secret();
  REQUIRE(open(std::make_unique<FakeDisk>(disk.folder(), 1))->write(records(1, 2)));
  disk.bytes_of("secret")->resize(31);
  const hearth::testing::LogLines log;
  const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 1));
  REQUIRE(log.all().size() == 1);
  CHECK(log.all()[0].contains("the secret of fake cannot be used (it is too short)"));
  CHECK(store->secret() != before);
  CHECK(readable(*store, store->take_entries()) == Numbers{1, 2});
  CHECK(open(std::make_unique<FakeDisk>(disk.folder(), 1))->secret() == store->secret());
}

TEST_CASE("a secret that was removed under a process is there again after its next index") {
  FakeDisk disk;
  const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 1));
  REQUIRE(disk.remove("secret"));
  REQUIRE(store->save_index({}));
  CHECK(open(again(disk.folder()))->secret() == store->secret());
}

TEST_CASE("a secret that no listing shows, there being too many files, is used all the same") {
  FakeDisk disk;
  const Digest secret = open(std::make_unique<FakeDisk>(disk.folder(), 1))->secret();
  CHECK(open(std::make_unique<FakeDisk>(disk.folder(), 1, FakeFaults{.unlisted = "secret"}))->secret() == secret);
  CHECK(open(again(disk.folder()))->secret() == secret);
}

TEST_CASE("each damaged file costs one line of log") {
  FakeDisk disk;
  {
    const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 1));
    for (std::uint64_t i = 0; i < 3; ++i) REQUIRE(store->write(records(10 * i + 1, 1)));
    auto reader = open(again(disk.folder()));
    REQUIRE(store->save_index(reader->take_entries()));
  }
  (*disk.bytes_of("index.bin"))[60] ^= 1;
  disk.bytes_of(extent_name(mix_u64(7, 0)))->resize(200);
  (*disk.bytes_of(extent_name(mix_u64(7, 1))))[8] = 9;
  const auto said = [&] {
    const hearth::testing::LogLines log;
    const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 2));
    CHECK(readable(*store, store->take_entries()) == Numbers{21});
    std::vector<std::string> lines = log.all();
    std::ranges::sort(lines);
    return lines;
  };
  const std::string first = extent_name(mix_u64(7, 0)), second = extent_name(mix_u64(7, 1));
  std::vector<std::string> expected = {
      "W store: the index of fake cannot be used (its checksum is wrong); it is made anew from the files",
      std::format("W store: fake/{} cannot be used (its end is missing); it is now {}.bad; the rest is", first, first),
      std::format(
          "W store: fake/{} cannot be used (it has format version 9, this program reads 1); it is now {}.bad; the "
          "rest is",
          second, second)};
  std::ranges::sort(expected);
  CHECK(said() == expected);
  CHECK(said().empty());
}

TEST_CASE("of the files that were put aside only four stay, and they count") {
  const Quiet quiet;
  FakeDisk disk;
  {
    const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 1));
    for (std::uint64_t i = 0; i < 7; ++i) REQUIRE(store->write(records(10 * i + 1, 1)));
  }
  for (const FileInfo& file : *disk.list())
    if (file.name.ends_with(".kv")) (*disk.bytes_of(file.name))[0] ^= 1;
  const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 2));
  std::size_t bad = 0;
  std::uint64_t bytes = 0;
  for (const FileInfo& file : *disk.list()) {
    CHECK(!file.name.ends_with(".kv"));
    if (!file.name.ends_with(".bad")) continue;
    ++bad;
    bytes += file.bytes;
  }
  CHECK(bad == 4);
  CHECK(store->counts().file_bytes == bytes);
  CHECK(open(std::make_unique<FakeDisk>(disk.folder(), 3))->counts().file_bytes == bytes);
}

TEST_CASE("files that were put aside take a part of the budget at most, the oldest of them leaves first") {
  const Quiet quiet;
  FakeDisk disk;
  const auto open_with = [&](std::uint64_t bad_bytes_max) {
    auto store = Store::open(std::make_unique<FakeDisk>(disk.folder(), 2), {.bad_bytes_max = bad_bytes_max});
    REQUIRE(store);
    return (*store)->counts().file_bytes;
  };
  for (std::uint64_t id = 1; id <= 3; ++id) disk.put(extent_name(id), Bytes(1000, 1));
  CHECK(open_with(2500) == 2000);
  disk.put(extent_name(9) + ".bad", Bytes(1000, 1));
  CHECK(open_with(UINT64_MAX) == 3000);
  CHECK(open_with(1500) == 1000);
  CHECK(open_with(0) == 0);
}

TEST_CASE("a file that cannot be removed still takes its room, and is removed another time") {
  FakeDisk disk;
  auto faulty = std::make_unique<FakeDisk>(disk.folder(), 1);
  FakeDisk* raw = faulty.get();
  const auto store = open(std::move(faulty));
  const auto first = store->write(records(1, 1));
  const auto second = store->write(records(2, 1));
  const std::uint64_t before = store->counts().file_bytes;
  raw->set_faults({.write_error_one_in = 1});
  store->drop(*first);
  CHECK(store->counts().file_bytes == before);
  raw->set_faults({});
  store->drop(*second);
  CHECK(store->counts().file_bytes == 0);
  CHECK(disk.list()->size() == 1);  // the folder's secret
}

TEST_CASE("what cannot be read is left out when files are gathered, and said") {
  const Quiet quiet;
  FakeDisk disk;
  const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 1));
  std::vector<Entry> entries;
  for (std::uint64_t i = 1; i <= 3; ++i)
    entries.push_back({.meta = record(i).meta, .place = store->write(records(i, 1))->front()});
  (*disk.bytes_of(extent_name(entries[1].place.extent)))[kExtentHeaderBytes + kRecordHeaderBytes + 5] ^= 1;
  const auto gathered = store->gather(entries);
  REQUIRE(gathered);
  REQUIRE(gathered->unreadable.size() == 1);
  CHECK(gathered->unreadable[0].index == 1);
  CHECK(gathered->unreadable[0].why.kind == ErrorKind::InvalidInput);
  REQUIRE(gathered->places.size() == 2);
  CHECK(**store->read(entries[2].meta.key, gathered->places[1]) == *record(3).bytes);
  const std::size_t files = disk.list()->size();
  const auto nothing = store->gather(std::span(entries).subspan(1, 1));
  REQUIRE(nothing);
  CHECK(nothing->places.empty());
  CHECK(disk.list()->size() == files);
}

TEST_CASE("a record is not another one's: the name is part of what is checked") {
  FakeDisk disk;
  const auto store = open(std::make_unique<FakeDisk>(disk.folder(), 1));
  const auto places = store->write(records(1, 2));
  CHECK(!store->read(record(2).meta.key, (*places)[0]));
  CHECK(!store->read({.kind = RecordKind::Anchor, .name = name_of(1)}, (*places)[0]));
}

TEST_CASE("what is written in a day is counted over restarts, and a clock that jumps only begins another day") {
  std::uint64_t now_ms = 86'400'000ULL * 20'000;
  FakeDisk disk;
  const auto open_at = [&] {
    return std::move(*Store::open(std::make_unique<FakeDisk>(disk.folder(), 1), {.unix_ms = [&] { return now_ms; }}));
  };
  std::uint64_t first = 0;
  {
    const auto store = open_at();
    REQUIRE(store->write(records(1, 1)));
    REQUIRE(store->save_index({}));
    first = store->counts().written_today_bytes;
    CHECK(first > 900);
  }
  {
    const auto store = open_at();
    CHECK(store->counts().written_today_bytes > 900);
    CHECK(store->counts().written_bytes == 0);
    now_ms = 5;  // back to 1970
    CHECK(store->counts().written_today_bytes == 0);
    REQUIRE(store->write(records(2, 1)));
    now_ms = UINT64_MAX;
    REQUIRE(store->write(records(3, 1)));
    CHECK(readable(*store, open_at()->take_entries()) == Numbers{1, 2, 3});
  }
}

}  // namespace
}  // namespace hearth::store
