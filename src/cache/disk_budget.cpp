// What the SSD tier may take on the disk, and who leaves when that is less than it has.
#include <algorithm>
#include <utility>

#include "cache/disk_tier.h"

namespace hearth::cache {
namespace {

constexpr std::uint64_t kBudgetEveryMs = 2'000;
constexpr std::uint64_t kLookEveryMs = 60'000;  // at what the other models hold
// The tokens of what is on the disk lie in memory: models of a few MB would fill it before the disk.
constexpr std::uint64_t kTreeBytesMax = std::uint64_t{256} << 20;
// On a disk that others fill room is made for what is written next: a batch, or small files that become one, which are no more than
// this part of a budget that is small.
constexpr std::uint64_t kSpareBytes = std::uint64_t{128} << 20;
constexpr std::uint64_t kSparePart = 2;
// Of the budget, for tables, the index and holes that are not whole pages.
constexpr std::uint64_t kTablesPart = 32;

}  // namespace

void DiskTier::look_again() {
  if (!options_.look_again || read_only() || steady_ms() - looked_ms_ < kLookEveryMs) return;
  looked_ms_ = steady_ms();
  store_.later([this] {
    const std::uint64_t own = options_.look_again();
    // Else a disk that is nearly full would keep what nobody asks for any more and take nothing new.
    bytes_max_ = std::min(own, store_.store().bytes_that_fit(std::min(kSpareBytes, own / kSparePart)));
  });
}

// Room comes back when holes are made, or where there are none when whole files go: until then more leaves than would have to.
void DiskTier::hold_budget() {
  if (steady_ms() - budget_held_ms_ < kBudgetEveryMs || store_.store().read_only()) return;
  budget_held_ms_ = steady_ms();
  const Counts held = index_.counts();
  const std::uint64_t bytes_max = bytes_max_;
  std::uint64_t budget = bytes_max - bytes_max / kTablesPart;
  const auto files_now = [&] {
    const std::uint64_t bytes = store_.store().counts().file_bytes;
    return bytes - std::min(bytes, store_.dropping_bytes());
  };
  std::uint64_t files = files_now();
  is_over_ = files > bytes_max;
  // First what is of no use in this process.
  if (std::vector<store::Place> orphans = orphans_.leave(files - std::min(files, bytes_max)); !orphans.empty()) {
    index_is_old_ = true;
    store_.drop(std::move(orphans));
    files = files_now();
  }
  if (files > bytes_max) budget = std::min(budget, held.bytes() - std::min(held.bytes(), files - bytes_max));
  if (held.tree_bytes > kTreeBytesMax) budget = std::min(budget, held.bytes() - held.bytes() / 16);
  index_.set_budget(budget, now_ms());
}

}  // namespace hearth::cache
