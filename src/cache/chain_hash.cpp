// BLAKE3 over a root's parts and a block's tokens. Integers go in as little endian, texts with their length, so that no two
// inputs have the same bytes.
#include "cache/chain_hash.h"

#include <blake3.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "base/check.h"

namespace hearth::cache {
namespace {

static_assert(std::endian::native == std::endian::little, "tokens are hashed as they lie in memory");

// Two uses of one hash function are kept apart by their contexts.
constexpr const char* kRootContext = "hearth cache root 1";
constexpr const char* kBlockContext = "hearth cache block 1";
constexpr const char* kContentContext = "hearth cache content 1";

void add_text(blake3_hasher& hasher, std::string_view text) {
  const std::uint64_t length = text.size();
  blake3_hasher_update(&hasher, &length, sizeof length);
  blake3_hasher_update(&hasher, text.data(), text.size());
}

Hash finish(const blake3_hasher& hasher) {
  Hash hash;
  blake3_hasher_finalize(&hasher, hash.data(), hash.size());
  return hash;
}

}  // namespace

Root make_root(std::span<const RootPart> parts, std::string_view tenant_salt) {
  std::vector<RootPart> sorted(parts.begin(), parts.end());
  std::ranges::sort(sorted, {}, &RootPart::name);
  CHECK(std::ranges::adjacent_find(sorted, {}, &RootPart::name) == sorted.end());
  blake3_hasher hasher;
  blake3_hasher_init_derive_key(&hasher, kRootContext);
  const std::uint64_t count = sorted.size();
  blake3_hasher_update(&hasher, &count, sizeof count);
  for (const RootPart& part : sorted) {
    add_text(hasher, part.name);
    add_text(hasher, part.value);
  }
  add_text(hasher, tenant_salt);
  return {finish(hasher)};
}

Hash block_hash(const Hash& parent, std::span<const Token> tokens) {
  blake3_hasher hasher;
  blake3_hasher_init_derive_key(&hasher, kBlockContext);
  blake3_hasher_update(&hasher, parent.data(), parent.size());
  blake3_hasher_update(&hasher, tokens.data(), tokens.size_bytes());
  return finish(hasher);
}

Hash content_hash(std::span<const std::uint8_t> bytes) {
  blake3_hasher hasher;
  blake3_hasher_init_derive_key(&hasher, kContentContext);
  blake3_hasher_update(&hasher, bytes.data(), bytes.size());
  return finish(hasher);
}

}  // namespace hearth::cache
