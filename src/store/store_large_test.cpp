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
  const auto store = open(std::make_unique<FakeDisk>());
  auto places = store->write(records(2, 1, kLargeBytes));
  REQUIRE(places);
  Place place = places->front();
  REQUIRE(place.codec == Codec::Zstd);
  place.raw_bytes = std::uint64_t{1} << 60;
  CHECK(!store->read(record(2).meta.key, place));
}

}  // namespace
}  // namespace hearth::store
