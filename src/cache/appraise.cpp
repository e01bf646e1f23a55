// Appraising blocks and anchors.
#include "cache/appraise.h"

#include <algorithm>

#include "base/check.h"

namespace hearth::cache {
namespace {

// A block without any anchor yet may be on its way to one: the prefill that stored it still runs.
constexpr std::uint64_t kAnchorAwaitedMs = 60'000;

std::uint64_t age(std::uint64_t now_ms, std::uint64_t then_ms) { return now_ms > then_ms ? now_ms - then_ms : 0; }

Reuse reuse_of(const Block& block, const Appraiser& appraiser) {
  return {.line = block.line,
          .uses = block.uses,
          .branches = block.branches,
          .age_ms = age(appraiser.now_ms, block.used_ms),
          .return_rate = appraiser.return_rate};
}

Reuse reuse_of(const Anchor& anchor, const Appraiser& appraiser) {
  std::uint32_t branches = anchor.branches;
  if (anchor.tokens.size() == kBlockTokens) branches = best_child(*anchor.parent, anchor.tokens).child->branches;
  return {.line = anchor.line,
          .anchor = true,
          .kind = anchor.kind,
          .uses = anchor.uses,
          .branches = branches,
          .superseded = superseding(anchor) != nullptr,
          .age_ms = age(appraiser.now_ms, anchor.used_ms),
          .return_rate = appraiser.return_rate};
}

// The anchors that only this leaf covers, in order of position.
std::vector<const Anchor*> dependents(const Block& leaf) {
  std::vector<const Anchor*> found;
  if (leaf.parent->anchors.empty()) return found;
  const std::uint32_t shared = shared_with_siblings(leaf);
  std::span<const Token> rest = leaf.tokens;
  while (const Anchor* anchor = longest_anchor(*leaf.parent, rest)) {
    if (anchor->tokens.size() <= shared) break;
    found.push_back(anchor);
    rest = rest.first(anchor->tokens.size() - 1);
  }
  std::ranges::reverse(found);
  return found;
}

// The bytes of the leaf's ancestors that nothing but the leaf keeps in use: no other child, no anchor within.
std::uint64_t lonely_ancestor_bytes(const Block& leaf) {
  std::uint64_t bytes = 0;
  for (const Block* node = leaf.parent; !node->is_root_node() && node->children.size() == 1; node = node->parent) {
    if (longest_anchor(*node->parent, node->tokens) != nullptr) break;
    bytes += node->bytes.size() + tree_bytes(*node);
  }
  return bytes;
}

}  // namespace

std::uint32_t anchor_position_before(const Block& node, std::span<const Token> tokens) {
  if (const Anchor* anchor = longest_anchor(node, tokens.first(tokens.size() - 1))) return anchor->position;
  for (const Block* at = &node; at->parent != nullptr; at = at->parent)
    if (const Anchor* anchor = longest_anchor(*at->parent, at->tokens)) return anchor->position;
  return 0;
}

const Anchor* superseding(const Anchor& anchor) {
  const Block* node = anchor.parent;
  std::uint32_t from =
      static_cast<std::uint32_t>(anchor.tokens.size());  // only what is longer counts at the first node
  std::span<const Token> line = anchor.tokens;
  while (true) {
    // The children that go on from here lie side by side; what the first and the last share, all share.
    const Block* first = nullptr;
    std::uint32_t shared = 0;
    for (const Block* child : node->children) {
      if (common_tokens(child->tokens, line) != line.size()) {
        if (first != nullptr) break;
        continue;
      }
      shared = first == nullptr ? static_cast<std::uint32_t>(child->tokens.size())
                                : std::min(shared, common_tokens(first->tokens, child->tokens));
      if (first == nullptr) first = child;
    }
    if (first == nullptr) return nullptr;
    const Anchor* later = longest_anchor(*node, std::span<const Token>(first->tokens).first(shared));
    if (later != nullptr && later->tokens.size() > from) return later;
    if (shared < kBlockTokens) return nullptr;
    node = first;
    from = 0;
    line = {};
  }
}

std::vector<Anchor*> anchors_of_line(Anchor& newest) {
  std::vector<Anchor*> found;
  const Block* node = newest.parent;
  std::span<const Token> rest = newest.tokens;
  while (true) {
    while (Anchor* anchor = longest_anchor(*node, rest)) {
      found.push_back(anchor);
      rest = rest.first(anchor->tokens.size() - 1);
    }
    if (node->parent == nullptr) return found;
    rest = node->tokens;
    node = node->parent;
  }
}

double Appraiser::operator()(const Block& leaf) const {
  CHECK(leaf.parent != nullptr);
  std::vector<Gain> gains;
  Candidate candidate{.bytes = leaf.bytes.size() + tree_bytes(leaf), .used_ms = leaf.used_ms};
  const std::vector<const Anchor*> anchors = dependents(leaf);
  const bool awaited = !leaf.had_anchor && age(now_ms, leaf.stored_ms) < kAnchorAwaitedMs;
  if (!needs_snapshots || (anchors.empty() && awaited)) {
    gains.push_back({prefill_us(cost, leaf.begin, leaf.end()), reuse_of(leaf, *this)});
  }
  for (const Anchor* anchor : anchors) {
    // Without needs_snapshots an anchor's logits save the decode of one token.
    const std::uint32_t before =
        needs_snapshots ? anchor_position_before(*anchor->parent, anchor->tokens) : anchor->position - 1;
    gains.push_back({prefill_us(cost, before, anchor->position), reuse_of(*anchor, *this)});
    candidate.bytes += anchor->bytes() + tree_bytes(*anchor);
    candidate.used_ms = std::max(candidate.used_ms, anchor->used_ms);
  }
  if (needs_snapshots && !anchors.empty()) candidate.bytes += lonely_ancestor_bytes(leaf);
  candidate.gains = gains;
  return worth(candidate);
}

double Appraiser::operator()(const Anchor& anchor) const {
  CHECK(anchor.parent != nullptr);
  const std::uint32_t before =
      needs_snapshots ? anchor_position_before(*anchor.parent, anchor.tokens) : anchor.position - 1;
  const Gain gain{prefill_us(cost, before, anchor.position), reuse_of(anchor, *this)};
  return worth({.gains = {&gain, 1}, .bytes = anchor.bytes() + tree_bytes(anchor), .used_ms = anchor.used_ms});
}

}  // namespace hearth::cache
