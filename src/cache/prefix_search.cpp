// Searching a prefix tree: among one node's sorted children and anchors, and along a line.
#include <algorithm>

#include "base/check.h"
#include "cache/prefix_tree.h"

namespace hearth::cache {
namespace {

std::span<const Token> at_most_a_block(std::span<const Token> tokens) {
  return tokens.first(std::min<std::size_t>(tokens.size(), kBlockTokens));
}

bool begins_with(std::span<const Token> line, std::span<const Token> prefix) {
  return prefix.size() <= line.size() && common_tokens(line, prefix) == prefix.size();
}

template <class Node>
auto first_not_before(const std::vector<Node*>& sorted, std::span<const Token> tokens) {
  return std::ranges::lower_bound(sorted, tokens, std::ranges::lexicographical_compare,
                                  [](const Node* node) { return std::span<const Token>(node->tokens); });
}

}  // namespace

std::uint32_t common_tokens(std::span<const Token> a, std::span<const Token> b) {
  return static_cast<std::uint32_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

BestChild best_child(const Block& node, std::span<const Token> rest) {
  rest = at_most_a_block(rest);
  BestChild best;
  const auto consider = [&](Block* child) {
    const std::uint32_t common = common_tokens(rest, child->tokens);
    if (common > best.common) best = {child, common};
  };
  const auto at = first_not_before(node.children, rest);
  if (at != node.children.end()) consider(*at);
  if (at != node.children.begin()) consider(*(at - 1));
  return best;
}

Anchor* longest_anchor(const Block& node, std::span<const Token> rest) {
  rest = at_most_a_block(rest);
  while (!rest.empty() && !node.anchors.empty()) {
    // The last anchor that is not after `rest`. When it does not begin `rest`, a shorter one can at most agree as far as it.
    auto at = first_not_before(node.anchors, rest);
    if (at != node.anchors.end() && std::ranges::equal((*at)->tokens, rest)) return *at;
    if (at == node.anchors.begin()) return nullptr;
    Anchor* before = *(at - 1);
    if (begins_with(rest, before->tokens)) return before;
    rest = rest.first(common_tokens(rest, before->tokens));
  }
  return nullptr;
}

std::uint32_t shared_with_siblings(const Block& child) {
  CHECK(child.parent != nullptr);
  const std::vector<Block*>& all = child.parent->children;
  const auto at = first_not_before(all, child.tokens);
  CHECK(at != all.end() && *at == &child);
  std::uint32_t shared = 0;
  if (at != all.begin()) shared = common_tokens(child.tokens, (*(at - 1))->tokens);
  if (at + 1 != all.end()) shared = std::max(shared, common_tokens(child.tokens, (*(at + 1))->tokens));
  return shared;
}

Walk PrefixTree::walk(const Root& root, std::span<const Token> line) const {
  const auto found = roots_.find(root);
  if (found == roots_.end()) return {};
  Walk walk{.node = found->second.get()};
  while (walk.covered < line.size()) {
    const BestChild best = best_child(*walk.node, line.subspan(walk.covered));
    walk.covered += best.common;
    walk.next = best.child;
    if (best.common < kBlockTokens) break;
    walk.node = best.child;
    walk.next = nullptr;
  }
  return walk;
}

Anchor* PrefixTree::anchor_at(const Root& root, std::span<const Token> line) const {
  if (line.empty()) return nullptr;
  const std::size_t begin = (line.size() - 1) / kBlockTokens * kBlockTokens;
  const Walk at = walk(root, line.first(begin));
  if (at.node == nullptr || at.node->end() != begin) return nullptr;
  Anchor* anchor = longest_anchor(*at.node, line.subspan(begin));
  return anchor != nullptr && anchor->position == line.size() ? anchor : nullptr;
}

}  // namespace hearth::cache
