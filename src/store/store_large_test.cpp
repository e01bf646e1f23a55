// Records of several megabytes: read in pieces, each hashed as it comes.
#include <doctest/doctest.h>

#include "store/test_records.h"

namespace hearth::store {
namespace {
using namespace testing;

constexpr std::size_t kLargeBytes = (std::size_t{2} << 20) + 77;

TEST_CASE("records larger than a piece of reading come back as they were, packed or not") {
  auto disk = std::make_unique<FakeDisk>();
  const auto folder = disk->folder();
  const auto store = open(std::move(disk));
  const auto places = store->write(records(1, 4, kLargeBytes));
  REQUIRE(places);
  CHECK((*places)[0].codec != (*places)[1].codec);  // one of each
  for (int round = 0; round < 2; ++round)           // the second in memory that the first was read into
    CHECK(readable(*store, open(again(folder))->take_entries(), kLargeBytes) == std::vector<std::uint64_t>{1, 2, 3, 4});
}

TEST_CASE("a flipped bit in any piece of a large record is found") {
  auto disk = std::make_unique<FakeDisk>();
  const auto folder = disk->folder();
  const auto store = open(std::move(disk));
  const auto places = store->write(records(1, 1, kLargeBytes));
  REQUIRE(places);
  const Place& place = places->front();
  Bytes& file = *FakeDisk(folder, 1).bytes_of(extent_name(place.extent));
  for (const std::size_t at : {std::size_t{0}, (std::size_t{1} << 20) - 1, std::size_t{1} << 20, kLargeBytes - 1}) {
    std::uint8_t& byte = file[place.offset + kRecordHeaderBytes + at];
    byte ^= 1;
    CHECK(store->read(record(1).meta.key, place).error().kind == ErrorKind::InvalidInput);
    byte ^= 1;
    CHECK(store->read(record(1).meta.key, place));
  }
}

TEST_CASE("a packed record that claims to be larger than it becomes is refused before memory is taken for it") {
  auto disk = std::make_unique<FakeDisk>();
  const auto folder = disk->folder();
  const auto store = open(std::move(disk));
  auto places = store->write(records(2, 1, kLargeBytes));
  REQUIRE(places);
  Place place = places->front();
  REQUIRE(place.codec == Codec::Zstd);
  place.raw_bytes = std::uint64_t{1} << 60;
  // Whoever wrote the file made its checksum right, too.
  Bytes& file = *FakeDisk(folder, 1).bytes_of(extent_name(place.extent));
  const auto at = file.begin() + static_cast<std::ptrdiff_t>(place.offset);
  const auto stored = std::span(file).subspan(place.offset + kRecordHeaderBytes, place.stored_bytes);
  place.digest = record_digest(record(2).meta.key, place, stored);
  std::ranges::copy(record_header(place), at);
  const auto read = store->read(record(2).meta.key, place);
  REQUIRE(!read);
  CHECK(read.error().kind == ErrorKind::InvalidInput);
}

TEST_CASE("large records on a disk that stops short, flips bits or refuses are errors or right") {
  auto disk = std::make_unique<FakeDisk>();
  FakeDisk& faulty = *disk;
  const auto store = open(std::move(disk));
  const auto places = store->write(records(1, 2, kLargeBytes));
  REQUIRE(places);
  faulty.set_faults({.read_error_one_in = 9, .read_flip_one_in = 9, .read_short_one_in = 9});
  std::size_t right = 0;
  for (int i = 0; i < 60; ++i) {
    const auto number = static_cast<std::uint64_t>(i % 2);
    const auto read = store->read(record(1 + number).meta.key, (*places)[number]);
    if (!read) continue;
    ++right;
    CHECK(**read == *record(1 + number, kLargeBytes).bytes);
  }
  CHECK((right > 0 && right < 60));
}

}  // namespace
}  // namespace hearth::store
