// The identity of kept state: a chain of BLAKE3 hashes. The root holds everything that shapes KV beside the tokens, each
// block adds its tokens to its parent's hash, so two equal hashes name the same bytes on every machine and after every
// restart. Pure functions, any thread.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "base/digest.h"
#include "engine/engine.h"

namespace hearth::cache {

using engine::Token;

// Tokens of a full block. Chunks of 256 are also the batch shape of --exact, so that a block is what one chunk computed.
inline constexpr std::uint32_t kBlockTokens = 256;

using Hash = Digest;

// Where a chain begins. Different roots never share anything.
struct Root {
  Hash hash{};
  friend bool operator==(const Root&, const Root&) = default;
};

// Hashes are uniform: any eight bytes of one are a good hash-table key.
struct RootHasher {
  std::size_t operator()(const Root& root) const noexcept {
    std::uint64_t value = 0;
    std::memcpy(&value, root.hash.data(), sizeof value);
    return static_cast<std::size_t>(value);
  }
};

// One thing that shapes the KV: {"model", its content's hash}, {"type_k", "f16"}, {"flash_attention", "on"}, {"state_format", "1"},
// {"rope_scale", "1"}, ...
struct RootPart {
  std::string_view name, value;
};

// The order of the parts does not matter. REQUIRES: no name twice. The salt is the tenant's; equal for keys that share.
[[nodiscard]] Root make_root(std::span<const RootPart> parts, std::string_view tenant_salt);

// The hash of a block whose line before it hashes to `parent` (the root's hash for the first one).
[[nodiscard]] Hash block_hash(const Hash& parent, std::span<const Token> tokens);
// Of an anchor whose last block begins where `parent` ends, `tokens` further.
[[nodiscard]] Hash anchor_hash(const Hash& parent, std::span<const Token> tokens);

// Of bytes that left this process.
[[nodiscard]] Hash content_hash(std::span<const std::uint8_t> bytes);

}  // namespace hearth::cache
