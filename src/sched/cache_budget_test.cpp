// The cache's share of the machine's memory.
#include "sched/cache_budget.h"

#include <doctest/doctest.h>

namespace hearth::sched {
namespace {

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

TEST_CASE("the cache takes half of what a loaded model leaves free, within reason") {
  CHECK(cache_bytes_auto(10 * kGiB) == 5 * kGiB);
  CHECK(cache_bytes_auto(0) == 0);
  CHECK(cache_bytes_auto(1000 * kGiB) == kCacheBytesMost);
  CHECK(cache_bytes_auto(std::nullopt) == kGiB);
}

TEST_CASE("the budget shrinks when other programs take the memory, and grows back when they give it") {
  CHECK(cache_budget(8 * kGiB, 3 * kGiB, 20 * kGiB) == 8 * kGiB);
  // Half a GiB is free: half a GiB of the three must go.
  CHECK(cache_budget(8 * kGiB, 3 * kGiB, kGiB / 2) == 5 * kGiB / 2);
  CHECK(cache_budget(8 * kGiB, kGiB / 4, kGiB / 4) == 0);
  CHECK(cache_budget(8 * kGiB, 5 * kGiB / 2, 2 * kGiB) == 7 * kGiB / 2);
}

}  // namespace
}  // namespace hearth::sched
