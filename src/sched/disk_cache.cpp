// See disk_cache.h.
#include "sched/disk_cache.h"

#include <algorithm>
#include <format>
#include <utility>

#include "base/log.h"
#include "store/model_folder.h"
#include "store/posix_disk.h"

namespace hearth::sched {
namespace {

// Of the disk, whatever the budget: other programs need some of it.
constexpr std::uint64_t kFreeBytesMin = std::uint64_t{1} << 30;
constexpr std::uint64_t kBadPart = 8;  // of the budget, for files that were put aside
// The engine before this one may have been killed in a sync; who finds the folder locked only reads it as long as it lives.
constexpr std::chrono::milliseconds kLockPatience{2000};

// Another model's folder, which nobody has open.
void shrink(const std::string& path, std::uint64_t bytes) {
  auto disk = store::open_disk(path);
  if (!disk) return;
  if (auto store = store::Store::open(std::move(*disk), {.bad_bytes_max = bytes / kBadPart}))
    cache::DiskTier::shrink(std::move(*store), bytes);
}

}  // namespace

std::uint64_t disk_bytes_auto(std::uint64_t free_bytes, std::uint64_t held_bytes) {
  return std::min(kDiskBytesMost, (free_bytes + held_bytes) / 10);
}

std::unique_ptr<cache::DiskTier> open_disk_cache(const DiskCacheOptions& options, const engine::EngineInfo& info) {
  if (options.folder.empty() || options.bytes_max == 0 || info.content_digest.empty() ||
      info.state_form != engine::StateForm::Cells)
    return nullptr;
  const auto open = [&]() -> Result<std::unique_ptr<cache::DiskTier>> {
    TRY_ASSIGN(store::ModelFolder folder, store::open_model_folder(options.folder, info.content_digest.substr(0, 32)));
    TRY_ASSIGN(const std::uint64_t free_bytes, folder.disk->free_bytes());
    const std::uint64_t budget = options.bytes_max ? *options.bytes_max : disk_bytes_auto(free_bytes, folder.all_bytes);
    const std::uint64_t own = store::make_room_beside(folder.parent, folder.name, budget);
    const auto look_again = [parent = folder.parent, name = folder.name, budget] {
      return store::make_room_beside(parent, name, budget, shrink);
    };
    TRY_ASSIGN(auto store, store::Store::open(std::move(folder.disk), {.free_bytes_min = kFreeBytesMin,
                                                                       .bad_bytes_max = own / kBadPart,
                                                                       .lock_patience = kLockPatience}));
    return std::make_unique<cache::DiskTier>(
        std::move(store), cache::DiskTierOptions{.bytes_max = own,
                                                 .look_again = look_again,
                                                 .needs_snapshots = info.memory_kind != engine::MemoryKind::Attention});
  };
  auto tier = open();
  if (tier) return std::move(*tier);
  log_warning("sched", "nothing is kept on the disk: {}", tier.error().message);
  return nullptr;
}

}  // namespace hearth::sched
