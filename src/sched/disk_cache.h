// Opens the folder in which a model's prefixes outlive the process. Whatever is wrong with it is said once, and the model serves
// without.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "cache/disk_tier.h"
#include "engine/engine.h"

namespace hearth::sched {

struct DiskCacheOptions {
  std::string folder;                      // of all models; empty: nothing is kept
  std::optional<std::uint64_t> bytes_max;  // nothing = auto; 0 = nothing is kept
};

// What `auto` means: a tenth of what is free, with what the cache holds already counted as free, at most this much.
inline constexpr std::uint64_t kDiskBytesMost = std::uint64_t{20} << 30;
[[nodiscard]] std::uint64_t disk_bytes_auto(std::uint64_t free_bytes, std::uint64_t held_bytes);

// nullptr: none is wanted, or none can be had.
[[nodiscard]] std::unique_ptr<cache::DiskTier> open_disk_cache(const DiskCacheOptions& options,
                                                               const engine::EngineInfo& info);

}  // namespace hearth::sched
