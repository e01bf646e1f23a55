// For the tests of this room: lines of tokens, bytes that say whose they are, and a walk that stores a whole line.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "cache/ram_tier.h"

namespace hearth::cache::testing {

using Line = std::vector<Token>;

inline Root root_named(std::string_view name) {
  const RootPart part{"model", name};
  return make_root({&part, 1}, "");
}

inline Line numbers(std::size_t count, Token first = 0) {
  Line line(count);
  std::iota(line.begin(), line.end(), first);
  return line;
}

// Letters, as the fake engine's vocabulary has them.
inline Line letters(std::uint64_t seed, std::size_t count) {
  Line line(count);
  for (std::size_t i = 0; i < count; ++i) line[i] = static_cast<Token>('A' + mix_u64(seed, i) % 26);
  return line;
}

inline Line joined(Line a, const Line& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// A pretended export: four bytes a token, and the hash of all that the cells depend on, which makes a mix-up visible.
inline std::vector<std::uint8_t> block_bytes(std::span<const Token> line, Range range) {
  const auto* first = reinterpret_cast<const std::uint8_t*>(line.data() + range.begin);
  std::vector<std::uint8_t> bytes(first, first + (range.end - range.begin) * sizeof(Token));
  const Hash before = block_hash({}, line.first(range.begin));
  bytes.insert(bytes.end(), before.begin(), before.end());
  return bytes;
}

inline std::vector<std::uint8_t> snapshot_bytes(std::uint32_t value) {
  return {static_cast<std::uint8_t>(value), static_cast<std::uint8_t>(value >> 8), 3, 4};
}

inline std::vector<std::uint8_t> bytes_of(const RamTier& tier, BlockId id) {
  const std::span<const std::uint8_t> bytes = tier.bytes(id);
  return {bytes.begin(), bytes.end()};
}

// As a caller does it; returns how many blocks were put.
inline int store(RamTier& tier, const Root& root, std::span<const Token> line, std::uint64_t now_ms,
                 LineKind kind = LineKind::Unknown) {
  int put = 0;
  std::uint32_t from = 0;
  while (const std::optional<Range> range = tier.next_missing(root, line, from)) {
    tier.put_block(root, line, *range, block_bytes(line, *range), kind, now_ms);
    from = range->end;
    ++put;
  }
  return put;
}

}  // namespace hearth::cache::testing
