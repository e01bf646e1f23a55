// A range of code points as the byte sequences UTF-8 writes them with. Pure.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace hearth::grammar {

using ByteRanges = std::vector<std::pair<std::uint8_t, std::uint8_t>>;  // one range for each byte of the sequence

// REQUIRES: no surrogate in [low, high], high at most 0x10FFFF. Nothing when high < low.
[[nodiscard]] std::vector<ByteRanges> utf8_ranges(std::uint32_t low, std::uint32_t high);

}  // namespace hearth::grammar
