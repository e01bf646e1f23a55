// A prefix tree checks itself: links, order, coverage, hashes' parents and every number in the books.
#include <algorithm>

#include "base/check.h"
#include "cache/prefix_tree.h"

namespace hearth::cache {
namespace {

template <class Node>
void check_sorted(const std::vector<Node*>& nodes, const Block* parent) {
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    CHECK(nodes[i]->parent == parent);
    if (i > 0) CHECK(std::ranges::lexicographical_compare(nodes[i - 1]->tokens, nodes[i]->tokens));
  }
}

// What must hold between a node, its children and its anchors.
void check_node(const Block& node) {
  CHECK(node.is_root_node() || node.children.empty() || node.tokens.size() == kBlockTokens);
  CHECK(node.children.empty() ? node.anchors.empty() : true);
  check_sorted(node.children, &node);
  check_sorted(node.anchors, &node);
  std::uint64_t anchors_below = node.anchors.size();
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const Block& child = *node.children[i];
    CHECK(child.begin == node.end());
    CHECK(child.root == node.root);
    CHECK(child.hash == block_hash(node.hash, child.tokens));
    anchors_below += child.anchors_below;
    if (i > 0) CHECK(common_tokens(node.children[i - 1]->tokens, child.tokens) < node.children[i - 1]->tokens.size());
  }
  CHECK(node.anchors_below == anchors_below);
  CHECK(node.branches >= node.children.size());
  for (const Anchor* anchor : node.anchors) {
    CHECK(anchor->position == node.end() + anchor->tokens.size());
    CHECK(best_child(node, anchor->tokens).common == anchor->tokens.size());
  }
}

}  // namespace

void PrefixTree::check_invariants() const {
  Counts sum;
  sum.gone_blocks = counts_.gone_blocks;
  sum.gone_anchors = counts_.gone_anchors;
  sum.gone_bytes = counts_.gone_bytes;
  std::uint64_t linked_blocks = 0, linked_anchors = 0, children = 0, hung = 0;
  for (const auto& [root, node] : roots_) {
    ++sum.roots;
    CHECK(node->root == root && node->hash == root.hash && node->parent == nullptr && !node->children.empty());
    check_node(*node);
    children += node->children.size();
    hung += node->anchors.size();
  }
  for (const auto& block : blocks_) {
    if (block == nullptr) continue;
    CHECK(!block->tokens.empty() && block->tokens.size() <= kBlockTokens && block->begin % kBlockTokens == 0);
    CHECK(block->parent != nullptr || (block->pins > 0 && block->children.empty()));
    ++sum.blocks;
    if (block->tokens.size() < kBlockTokens) ++sum.tail_blocks;
    sum.block_bytes += block->bytes.size();
    sum.tree_bytes += tree_bytes(*block);
    if (block->pins > 0) ++sum.pinned_blocks, sum.pinned_bytes += block->bytes.size();
    if (block->parent == nullptr) continue;
    ++linked_blocks;
    check_node(*block);
    children += block->children.size();
    hung += block->anchors.size();
  }
  for (const auto& anchor : anchors_) {
    if (anchor == nullptr) continue;
    CHECK(anchor->parent != nullptr || anchor->pins > 0);
    ++sum.anchors;
    sum.snapshot_bytes += anchor->snapshot.size();
    sum.logits_bytes += anchor->logits.size() * sizeof(float);
    sum.tree_bytes += tree_bytes(*anchor);
    if (anchor->pins > 0) ++sum.pinned_anchors, sum.pinned_bytes += anchor->bytes();
    if (anchor->parent != nullptr) ++linked_anchors;
  }
  CHECK(children == linked_blocks);  // with each child naming its parent: one tree, nothing lost, nothing twice
  CHECK(hung == linked_anchors);
  CHECK(sum == counts_);
}

}  // namespace hearth::cache
