// Compression where it pays: a part of the bytes is tried first, because most KV does not get smaller. The one door to zstd.
// Pure, any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/result.h"
#include "store/record.h"

namespace hearth::store {

// The bytes, smaller by enough to be worth the time of getting them back; nothing when they are better kept as they are.
[[nodiscard]] std::optional<Bytes> compress(std::span<const std::uint8_t> raw);
// At a level of zstd's, whatever it gains: for measuring.
[[nodiscard]] Bytes compress_at(std::span<const std::uint8_t> raw, int level);
// What the stored bytes say of themselves: that they become so many.
[[nodiscard]] bool decompresses_to(std::span<const std::uint8_t> stored, std::uint64_t raw_bytes);
// Fills `raw`, all of it, or InvalidInput.
[[nodiscard]] Result<void> decompress(std::span<const std::uint8_t> stored, std::span<std::uint8_t> raw);

}  // namespace hearth::store
