// Randomness from the operating system, one device per thread.
#include "base/random.h"

#include <array>
#include <random>

namespace hearth {

std::uint64_t random_u64() {
  thread_local std::random_device device;  // libstdc++ and libc++ read the kernel's generator
  return (static_cast<std::uint64_t>(device()) << 32) | device();
}

std::string random_id(std::string_view prefix, std::size_t length) {
  constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  std::string id(prefix);
  id.reserve(prefix.size() + length);
  // Rejection of 62 and 63 keeps the letters equally likely.
  while (id.size() < prefix.size() + length) {
    std::uint64_t bits = random_u64();
    for (int i = 0; i < 10 && id.size() < prefix.size() + length; ++i, bits >>= 6) {
      const std::uint64_t letter = bits & 63;
      if (letter < kAlphabet.size()) id.push_back(kAlphabet[letter]);
    }
  }
  return id;
}

}  // namespace hearth
