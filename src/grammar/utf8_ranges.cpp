// See utf8_ranges.h. A range is cut where the length of its sequences changes, then where a leading byte's continuation
// bytes are not whole, until every byte of the sequence has one range of its own.
#include "grammar/utf8_ranges.h"

#include <algorithm>
#include <array>

namespace hearth::grammar {
namespace {

std::vector<std::uint8_t> encode(std::uint32_t c) {
  const auto tail = [&](unsigned shift) { return static_cast<std::uint8_t>(0x80U | ((c >> shift) & 0x3FU)); };
  if (c < 0x80) return {static_cast<std::uint8_t>(c)};
  if (c < 0x800) return {static_cast<std::uint8_t>(0xC0U | (c >> 6)), tail(0)};
  if (c < 0x10000) return {static_cast<std::uint8_t>(0xE0U | (c >> 12)), tail(6), tail(0)};
  return {static_cast<std::uint8_t>(0xF0U | (c >> 18)), tail(12), tail(6), tail(0)};
}

void cut(std::uint32_t low, std::uint32_t high, std::vector<ByteRanges>& out) {
  for (const std::uint32_t border : {0x7FU, 0x7FFU, 0xFFFFU}) {
    if (low > border || high <= border) continue;
    cut(low, border, out);
    return cut(border + 1, high, out);
  }
  for (unsigned bytes = 1; low >= 0x80 && bytes < 4; ++bytes) {
    const std::uint32_t mask = (1U << (6 * bytes)) - 1;
    if ((low & ~mask) == (high & ~mask)) continue;
    if ((low & mask) != 0) {
      cut(low, low | mask, out);
      return cut((low | mask) + 1, high, out);
    }
    if ((high & mask) != mask) {
      cut(low, (high & ~mask) - 1, out);
      return cut(high & ~mask, high, out);
    }
  }
  const auto first = encode(low);
  const auto last = encode(high);
  ByteRanges sequence;
  for (std::size_t i = 0; i < first.size(); ++i) sequence.emplace_back(first[i], last[i]);
  out.push_back(std::move(sequence));
}

}  // namespace

std::vector<ByteRanges> utf8_ranges(std::uint32_t low, std::uint32_t high) {
  std::vector<ByteRanges> out;
  if (low <= high) cut(low, high, out);
  return out;
}

}  // namespace hearth::grammar
