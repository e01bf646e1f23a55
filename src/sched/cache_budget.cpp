// See cache_budget.h.
#include "sched/cache_budget.h"

#include <algorithm>

namespace hearth::sched {

std::uint64_t cache_bytes_auto(std::optional<std::uint64_t> free_bytes) {
  // A machine that does not say what is free: what a small laptop can spare.
  constexpr std::uint64_t kUnknown = std::uint64_t{1} << 30;
  return free_bytes ? std::min(kCacheBytesMost, *free_bytes / 2) : kUnknown;
}

std::uint64_t cache_budget(std::uint64_t most_bytes, std::uint64_t used_bytes, std::uint64_t free_bytes) {
  const std::uint64_t reachable = used_bytes + free_bytes;
  return std::min(most_bytes, reachable > kReserveBytes ? reachable - kReserveBytes : 0);
}

}  // namespace hearth::sched
