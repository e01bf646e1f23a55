// How much RAM the prefix cache may use: a share of what the loaded model leaves free, and less when the machine's other
// programs need it. Pure.
#pragma once

#include <cstdint>
#include <optional>

namespace hearth::sched {

// What `auto` means: half of what is free once the model is loaded, at most this much. A block of a 30B model weighs
// some 25 MB: more than this holds days of work, and the walk over it at every eviction is not free.
inline constexpr std::uint64_t kCacheBytesMost = std::uint64_t{64} << 30;
[[nodiscard]] std::uint64_t cache_bytes_auto(std::optional<std::uint64_t> free_bytes);

// The budget now: `most`, unless less than a reserve would stay free. `used_bytes` is what the cache holds itself.
inline constexpr std::uint64_t kReserveBytes = std::uint64_t{1} << 30;
[[nodiscard]] std::uint64_t cache_budget(std::uint64_t most_bytes, std::uint64_t used_bytes, std::uint64_t free_bytes);

}  // namespace hearth::sched
