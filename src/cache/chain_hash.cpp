// BLAKE3 over a root's parts and a block's tokens. Integers go in as little endian, texts with their length, so that no two
// inputs have the same bytes.
#include "cache/chain_hash.h"

#include <algorithm>
#include <vector>

#include "base/check.h"

namespace hearth::cache {
namespace {

// Uses of one hash function are kept apart by their contexts.
constexpr const char* kRootContext = "hearth cache root 1";
constexpr const char* kBlockContext = "hearth cache block 1";
constexpr const char* kAnchorContext = "hearth cache anchor 1";
constexpr const char* kContentContext = "hearth cache content 1";

void add_text(Digester& digester, std::string_view text) { digester.add(std::uint64_t{text.size()}).add(text); }

Hash chained(const char* context, const Hash& parent, std::span<const Token> tokens) {
  return Digester(context)
      .add(std::span<const std::uint8_t>(parent))
      .add({reinterpret_cast<const std::uint8_t*>(tokens.data()), tokens.size_bytes()})
      .finish();
}

}  // namespace

Root make_root(std::span<const RootPart> parts, std::string_view tenant_salt) {
  std::vector<RootPart> sorted(parts.begin(), parts.end());
  std::ranges::sort(sorted, {}, &RootPart::name);
  CHECK(std::ranges::adjacent_find(sorted, {}, &RootPart::name) == sorted.end());
  Digester digester(kRootContext);
  digester.add(std::uint64_t{sorted.size()});
  for (const RootPart& part : sorted) {
    add_text(digester, part.name);
    add_text(digester, part.value);
  }
  add_text(digester, tenant_salt);
  return {digester.finish()};
}

Hash block_hash(const Hash& parent, std::span<const Token> tokens) { return chained(kBlockContext, parent, tokens); }
Hash anchor_hash(const Hash& parent, std::span<const Token> tokens) { return chained(kAnchorContext, parent, tokens); }

Hash content_hash(std::span<const std::uint8_t> bytes) { return Digester(kContentContext).add(bytes).finish(); }

}  // namespace hearth::cache
