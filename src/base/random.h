// Unpredictable bytes and ids from the operating system. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearth {

// prefix + `length` characters of [0-9A-Za-z], 5.95 bits each: 24 of them never repeat, over restarts too.
[[nodiscard]] std::string random_id(std::string_view prefix, std::size_t length = 24);
[[nodiscard]] std::uint64_t random_u64();

// A counter-based generator step (splitmix64 finaliser): the same (seed, counter) gives the same value on
// every machine, so a resumed job draws exactly the numbers it would have drawn.
[[nodiscard]] constexpr std::uint64_t mix_u64(std::uint64_t seed, std::uint64_t counter) {
  std::uint64_t z = seed + (counter + 1) * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace hearth
