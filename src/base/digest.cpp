// See digest.h.
#include "base/digest.h"

#include <blake3.h>

#include <bit>
#include <new>

#include "base/check.h"

namespace hearth {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are hashed as they lie in memory");

blake3_hasher* hasher_in(std::byte* state) { return std::launder(reinterpret_cast<blake3_hasher*>(state)); }
const blake3_hasher* hasher_in(const std::byte* state) {
  return std::launder(reinterpret_cast<const blake3_hasher*>(state));
}

}  // namespace

Digester::Digester(const char* context) {
  static_assert(sizeof(blake3_hasher) <= kStateBytes && alignof(blake3_hasher) <= 8);
  blake3_hasher_init_derive_key(new (state_.data()) blake3_hasher, context);
}

Digester::~Digester() = default;

Digester& Digester::add(std::span<const std::uint8_t> bytes) {
  blake3_hasher_update(hasher_in(state_.data()), bytes.data(), bytes.size());
  return *this;
}

Digester& Digester::add(std::string_view text) {
  blake3_hasher_update(hasher_in(state_.data()), text.data(), text.size());
  return *this;
}

Digester& Digester::add(std::uint64_t number) {
  blake3_hasher_update(hasher_in(state_.data()), &number, sizeof number);
  return *this;
}

Digest Digester::finish() const {
  Digest digest;
  blake3_hasher_finalize(hasher_in(state_.data()), digest.data(), digest.size());
  return digest;
}

std::string hex_of(const Digest& digest, std::size_t bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  CHECK(bytes <= digest.size());
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) {
    text.push_back(kDigits[digest[i] >> 4]);
    text.push_back(kDigits[digest[i] & 15]);
  }
  return text;
}

}  // namespace hearth
