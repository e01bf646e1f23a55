// For the tests of this room: records whose bytes say whose they are, and reading them all back.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/test_log.h"
#include "store/fake_disk.h"
#include "store/store.h"

namespace hearth::store::testing {

inline Digest name_of(std::uint64_t number) { return Digester("test record").add(number).finish(); }

// `bytes` of them that follow from the number; a half of the records compress well.
inline Write record(std::uint64_t number, std::size_t bytes = 900) {
  Bytes content(bytes);
  for (std::size_t i = 0; i < bytes; ++i)
    content[i] = static_cast<std::uint8_t>(number % 2 == 0 ? number : mix_u64(number, i));
  Write write{
      .meta = {.key = {.kind = number % 3 == 0 ? RecordKind::Anchor : RecordKind::Block, .name = name_of(number)},
               .root = name_of(1'000'000),
               .parent = name_of(number + 1),
               .begin = static_cast<std::uint32_t>(number) * 256,
               .tokens = {1, 2, static_cast<std::int32_t>(number)},
               .anchor_kind = 2,
               .line_kind = 1,
               .uses = 3,
               .branches = 4,
               .stored_unix_ms = 5,
               .used_unix_ms = 6},
      .bytes = std::make_shared<const Bytes>(std::move(content))};
  return write;
}

inline std::vector<Write> records(std::uint64_t first, std::uint64_t count, std::size_t bytes = 900) {
  std::vector<Write> all;
  for (std::uint64_t i = 0; i < count; ++i) all.push_back(record(first + i, bytes));
  return all;
}

inline std::uint64_t number_of(const Entry& entry) { return static_cast<std::uint64_t>(entry.meta.tokens.at(2)); }

inline std::unique_ptr<Store> open(std::unique_ptr<Disk> disk, Access access = Access::ReadWrite) {
  auto store = Store::open(std::move(disk),
                           {.access = access, .unix_ms = [] { return std::uint64_t{86'400'000}; }, .id_seed = 7});
  REQUIRE(store);
  return std::move(*store);
}

// The same folder as the next process finds it, with nothing lost.
inline std::unique_ptr<FakeDisk> again(const std::shared_ptr<FakeDisk::Folder>& folder, std::uint64_t seed = 1) {
  return std::make_unique<FakeDisk>(FakeDisk::restarted(*folder, Crash::Process, seed), seed);
}

// Numbers of the records that read back as they were written; a wrong byte fails the test.
inline std::vector<std::uint64_t> readable(Store& store, const std::vector<Entry>& entries, std::size_t bytes = 900) {
  std::vector<std::uint64_t> numbers;
  for (const Entry& entry : entries) {
    const auto read = store.read(entry.meta.key, entry.place);
    if (!read) continue;
    const std::uint64_t number = number_of(entry);
    CHECK(**read == *record(number, bytes).bytes);
    numbers.push_back(number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

using hearth::testing::Quiet;

}  // namespace hearth::store::testing
