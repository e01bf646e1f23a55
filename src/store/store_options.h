// What a Store is told, and what it counts. Plain data.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace hearth::store {

enum class Access { ReadWrite, ReadOnly };

struct StoreOptions {
  Access access = Access::ReadWrite;
  std::function<std::uint64_t()> unix_ms;    // empty: the system's clock
  std::uint64_t id_seed = 0;                 // of extents' names; 0 = unpredictable
  std::uint64_t free_bytes_min = 0;          // on the disk; where less would stay free nothing is written
  std::uint64_t bad_bytes_max = UINT64_MAX;  // of files that were put aside: more of them are removed
  // How long another process that writes here is waited for: one that was killed may still be in a sync.
  std::chrono::milliseconds lock_patience{0};
};

struct StoreCounts {
  std::uint64_t extents = 0;
  std::uint64_t file_bytes = 0;  // of extents, index and what was put aside, without holes
  std::uint64_t written_bytes = 0, read_bytes = 0, records_written = 0, records_read = 0;  // by this process
  std::uint64_t written_today_bytes = 0;  // to this folder, by all processes since midnight UTC
  std::uint64_t rejected = 0;             // records and files that were not what they should be
  std::uint64_t unread = 0;               // of these, refused by the system when the store was opened, and still there
  std::uint64_t write_errors = 0;
  bool read_only = false;
  bool index_rebuilt = false;
  bool makes_holes = true;  // false: only whole files give room back here
};

}  // namespace hearth::store
