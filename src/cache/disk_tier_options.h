// What a DiskTier is told, and what it counts. Plain data.
#pragma once

#include <cstdint>
#include <functional>

#include "store/async_store.h"

namespace hearth::cache {

struct DiskTierOptions {
  std::uint64_t bytes_max = 0;                // of all files in the folder
  std::function<std::uint64_t()> look_again;  // what bytes_max is now; on the writing thread, may wait; empty: it stays
  bool needs_snapshots = false;               // as RamTierOptions
  std::function<std::uint64_t()> unix_ms;     // what is said of records; empty: the system's clock
  std::function<std::uint64_t()> steady_ms;   // of intervals, which no change of the date stops; empty: the system's
  store::Workers workers = store::Workers::Threads;
};

struct DiskTotals {
  std::uint64_t hits = 0, tokens = 0, rejected = 0, write_failures = 0;
};

}  // namespace hearth::cache
