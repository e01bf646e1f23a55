// See compression.h.
#include "store/compression.h"

#include <zstd.h>

#include <algorithm>

namespace hearth::store {
namespace {

// Level 1: the higher ones save a percent of KV and are several times slower (bench/store_bench).
constexpr int kLevel = 1;
// A disk reads raw bytes faster than one thread decompresses: less saving than this only makes the way back longer.
constexpr double kWorthwhile = 0.85;
constexpr std::size_t kSampleBytes = 64 * 1024;
constexpr std::size_t kBytesMin = 4096;

std::optional<Bytes> worthwhile(std::span<const std::uint8_t> raw) {
  Bytes out = compress_at(raw, kLevel);
  if (out.empty() || static_cast<double>(out.size()) > kWorthwhile * static_cast<double>(raw.size()))
    return std::nullopt;
  return out;
}

}  // namespace

Bytes compress_at(std::span<const std::uint8_t> raw, int level) {
  Bytes out(ZSTD_compressBound(raw.size()));
  const std::size_t size = ZSTD_compress(out.data(), out.size(), raw.data(), raw.size(), level);
  out.resize(ZSTD_isError(size) != 0 ? 0 : size);
  return out;
}

std::optional<Bytes> compress(std::span<const std::uint8_t> raw) {
  if (raw.size() < kBytesMin) return std::nullopt;
  const std::size_t sample = std::min(raw.size(), kSampleBytes);
  if (sample < raw.size() && !worthwhile(raw.subspan((raw.size() - sample) / 2, sample))) return std::nullopt;
  return worthwhile(raw);
}

bool decompresses_to(std::span<const std::uint8_t> stored, std::uint64_t raw_bytes) {
  return ZSTD_getFrameContentSize(stored.data(), stored.size()) == raw_bytes;
}

Result<void> decompress(std::span<const std::uint8_t> stored, std::span<std::uint8_t> raw) {
  if (ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size()) != raw.size())
    return fail(ErrorKind::InvalidInput, "the record does not decompress");
  return {};
}

}  // namespace hearth::store
