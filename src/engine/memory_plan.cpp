// See memory_plan.h.
#include "engine/memory_plan.h"

#include <algorithm>
#include <cstddef>
#include <format>
#include <limits>

#include "base/check.h"

namespace hearth::engine {
namespace {

constexpr std::uint32_t kSequencesMax = 255;      // the library's own limit is 256, and one is the engine's scratch
constexpr std::uint32_t kIdleSequencesFree = 28;  // idle prefixes on plain attention: more agents than one person runs
constexpr std::uint64_t kMiB = 1ULL << 20U;
constexpr std::uint64_t kReserveBytesMin = 256 * kMiB;
constexpr std::uint64_t kReserveShare = 32;  // of what is free

// The line through (x0, y0) and (x1, y1), rounded up; sizes never shrink as the context grows.
double slope(std::uint64_t y0, std::uint64_t y1, std::uint32_t x0, std::uint32_t x1) {
  return y1 <= y0 ? 0 : static_cast<double>(y1 - y0) / static_cast<double>(x1 - x0);
}

std::string pool_line(const PoolUse& pool, std::uint64_t state_bytes) {
  const std::uint64_t state = std::min(state_bytes, pool.context_bytes);
  std::string line = std::format("{}: {} weights + {} KV cache", pool.name, format_bytes(pool.weights_bytes),
                                 format_bytes(pool.context_bytes - state));
  if (state > 0) line += std::format(" + {} sequence state", format_bytes(state));
  line += std::format(" + {} compute buffers = {}, free are {}", format_bytes(pool.compute_bytes),
                      format_bytes(pool.need_bytes()), format_bytes(pool.free_bytes));
  return line;
}

}  // namespace

std::uint64_t reserve_bytes(const PoolUse& pool) {
  // A small container still gets to use most of what it has.
  return std::min(std::max(kReserveBytesMin, pool.free_bytes / kReserveShare), pool.free_bytes / 4);
}

bool fits(const Measure& measure) {
  return std::ranges::all_of(measure, [](const PoolUse& pool) {
    return pool.need_bytes() == 0 || pool.need_bytes() + reserve_bytes(pool) <= pool.free_bytes;
  });
}

Measure extrapolate(const Measure& small, std::uint32_t small_tokens, const Measure& large, std::uint32_t large_tokens,
                    std::uint32_t tokens) {
  CHECK(small.size() == large.size() && small_tokens < large_tokens);
  Measure measure = small;
  for (std::size_t i = 0; i < measure.size(); ++i) {
    const auto along = [&](std::uint64_t PoolUse::* bytes) {
      const double at_zero = static_cast<double>(small[i].*bytes) -
                             slope(small[i].*bytes, large[i].*bytes, small_tokens, large_tokens) * small_tokens;
      const double here = at_zero + slope(small[i].*bytes, large[i].*bytes, small_tokens, large_tokens) * tokens;
      return static_cast<std::uint64_t>(std::max(here, 0.0));
    };
    measure[i].context_bytes = along(&PoolUse::context_bytes);
    measure[i].compute_bytes = along(&PoolUse::compute_bytes);
  }
  return measure;
}

std::uint32_t largest_context(const Measure& small, std::uint32_t small_tokens, const Measure& large,
                              std::uint32_t large_tokens, std::uint32_t tokens_max) {
  CHECK(small.size() == large.size() && small_tokens < large_tokens);
  std::uint64_t tokens = tokens_max;
  for (std::size_t i = 0; i < small.size(); ++i) {
    const std::uint64_t budget = small[i].free_bytes - std::min(small[i].free_bytes, reserve_bytes(small[i]));
    const double per_token = slope(small[i].context_bytes, large[i].context_bytes, small_tokens, large_tokens) +
                             slope(small[i].compute_bytes, large[i].compute_bytes, small_tokens, large_tokens);
    const double fixed = static_cast<double>(small[i].need_bytes()) - per_token * small_tokens;
    if (small[i].need_bytes() == 0 && per_token == 0) continue;
    if (fixed > static_cast<double>(budget)) return 0;
    if (per_token == 0) continue;
    const double here = (static_cast<double>(budget) - fixed) / per_token;
    if (here < static_cast<double>(tokens)) tokens = static_cast<std::uint64_t>(here);
  }
  tokens = tokens / kContextStep * kContextStep;
  return tokens < std::min(kContextTokensMin, tokens_max) ? 0 : static_cast<std::uint32_t>(tokens);
}

std::uint32_t start_context(const SizeLine& line, std::uint32_t tokens_max) {
  constexpr std::uint64_t kRamShare = 4;
  if (line.small_tokens == line.large_tokens || tokens_max <= kStartTokens) return tokens_max;
  std::uint64_t tokens = tokens_max;
  for (std::size_t i = 0; i < line.small.size(); ++i) {
    const PoolUse& pool = line.small[i];
    if (pool.name != kRamPool) continue;
    const double per_token =
        slope(pool.context_bytes, line.large[i].context_bytes, line.small_tokens, line.large_tokens) +
        slope(pool.compute_bytes, line.large[i].compute_bytes, line.small_tokens, line.large_tokens);
    if (per_token == 0) continue;
    const std::uint64_t beside = pool.free_bytes - std::min(pool.free_bytes, pool.weights_bytes);
    const double share = static_cast<double>(beside / kRamShare) / per_token;
    if (share < static_cast<double>(tokens)) tokens = static_cast<std::uint64_t>(share);
  }
  tokens = tokens / kContextStep * kContextStep;
  return std::clamp(static_cast<std::uint32_t>(tokens), std::min(kStartTokens, tokens_max), tokens_max);
}

std::uint64_t held_bytes(const SizeLine& line, std::uint32_t tokens) {
  if (line.small_tokens == line.large_tokens) return 0;
  std::uint64_t bytes = 0;
  for (const PoolUse& pool : extrapolate(line.small, line.small_tokens, line.large, line.large_tokens, tokens))
    if (pool.name == kRamPool) bytes += pool.context_bytes;
  return bytes;
}

std::optional<std::uint64_t> room_to_grow(const SizeLine& line, const Measure& now, std::uint32_t held_tokens,
                                          std::uint32_t tokens, std::uint64_t outside_bytes) {
  CHECK(now.size() == line.small.size() && held_tokens < tokens);
  if (line.small_tokens == line.large_tokens) return std::nullopt;
  const auto sized = [&](std::uint32_t count) {
    return extrapolate(line.small, line.small_tokens, line.large, line.large_tokens, count);
  };
  const Measure held = sized(held_tokens);
  const Measure wanted = sized(tokens);
  std::uint64_t beside = std::numeric_limits<std::uint64_t>::max();
  for (std::size_t i = 0; i < now.size(); ++i) {
    const bool is_ram = now[i].name == kRamPool;
    const std::uint64_t freed = held[i].context_bytes + held[i].compute_bytes;
    // The sizes lie a little above the line; what is promised must hold.
    const std::uint64_t needed = wanted[i].context_bytes + wanted[i].compute_bytes;
    const std::uint64_t taken = now[i].weights_bytes + reserve_bytes(now[i]);
    const std::uint64_t there = now[i].free_bytes + (is_ram ? outside_bytes : 0);
    if (needed == 0) continue;
    if (there + freed < needed + needed / 64 + taken) return std::nullopt;
    if (!is_ram) continue;
    beside = std::min(there - std::min(there, taken), there + freed - needed - needed / 64 - taken);
  }
  return beside;
}

std::uint32_t choose_sequences(std::uint32_t parallel_jobs, std::uint64_t bytes_per_sequence,
                               std::uint64_t free_bytes) {
  const std::uint32_t least = parallel_jobs + 1;
  if (bytes_per_sequence == 0) return std::min(kSequencesMax, parallel_jobs + kIdleSequencesFree);
  const std::uint64_t idle = std::min<std::uint64_t>(parallel_jobs + 2, free_bytes / 8 / bytes_per_sequence);
  return std::clamp(static_cast<std::uint32_t>(parallel_jobs + idle), least, kSequencesMax);
}

Error no_memory(const Measure& measure, const Shortage& shortage) {
  std::string message =
      std::format("{} does not fit into memory with a context of {} tokens", shortage.model, shortage.context_tokens);
  for (const PoolUse& pool : measure)
    if (pool.need_bytes() > 0) message += std::format("; {}", pool_line(pool, shortage.state_bytes));
  message +=
      " (weights mapped from the file count in full: if they do not stay in memory, every token reads them from disk "
      "again).";
  if (shortage.context_fits > 0) {
    message += std::format(" Use --ctx {} (the largest that fits)", shortage.context_fits);
    if (!shortage.kv_is_quantized) message += ", or --cache-type-k q8_0 --cache-type-v q8_0 for half the KV cache";
  } else {
    message += " Use a smaller model or a smaller quantisation of it";
    if (!shortage.kv_is_quantized) message += ", try --cache-type-k q8_0 --cache-type-v q8_0";
  }
  message += ", lower --parallel, or end other programs; --no-memory-check loads it anyway.";
  return {ErrorKind::NoMemory, std::move(message)};
}

std::string format_bytes(std::uint64_t bytes) {
  const double mib = static_cast<double>(bytes) / static_cast<double>(kMiB);
  if (mib >= 1024) return std::format("{:.1f} GiB", mib / 1024);
  if (mib >= 10) return std::format("{:.0f} MiB", mib);
  return std::format("{:.1f} MiB", mib);
}

}  // namespace hearth::engine
