// A prefix tree's nodes: adding, removing, pinning, and the books that every one of these keeps exact.
#include "cache/prefix_tree.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace hearth::cache {
namespace {

template <class Node>
auto place_of(std::vector<Node*>& sorted, std::span<const Token> tokens) {
  return std::ranges::lower_bound(sorted, tokens, std::ranges::lexicographical_compare,
                                  [](const Node* node) { return std::span<const Token>(node->tokens); });
}

template <class Node>
void erase_from(std::vector<Node*>& sorted, const Node& node) {
  const auto at = place_of(sorted, node.tokens);
  CHECK(at != sorted.end() && *at == &node);
  sorted.erase(at);
}

// A vector that was grown is cut to its size: what is kept is what the books say.
template <class T>
void fit(std::vector<T>& values) {
  if (values.capacity() > values.size() + values.size() / 8) values.shrink_to_fit();
}

template <class Id>
std::uint32_t place(Id id) {
  return static_cast<std::uint32_t>(static_cast<std::uint64_t>(id));
}

template <class Id>
Id make_id(std::uint32_t generation, std::size_t place) {
  return static_cast<Id>((static_cast<std::uint64_t>(generation) << 32) | place);
}

template <class Node>
Node& place_new(std::vector<std::unique_ptr<Node>>& nodes, std::vector<std::uint32_t>& free, std::uint32_t generation) {
  if (free.empty()) {
    CHECK(nodes.size() < UINT32_MAX);
    free.push_back(static_cast<std::uint32_t>(nodes.size()));
    nodes.emplace_back();
  }
  const std::uint32_t at = free.back();
  free.pop_back();
  nodes[at] = std::make_unique<Node>();
  nodes[at]->id = make_id<decltype(Node::id)>(generation, at);
  return *nodes[at];
}

std::size_t index(Gone reason) { return static_cast<std::size_t>(reason); }

}  // namespace

std::uint64_t tree_bytes(const Block& block) {
  return sizeof(Block) + sizeof(Block*) + block.tokens.size() * sizeof(Token);
}
std::uint64_t tree_bytes(const Anchor& anchor) {
  return sizeof(Anchor) + sizeof(Anchor*) + anchor.tokens.size() * sizeof(Token);
}

Block& PrefixTree::block(BlockId id) const {
  CHECK(is_live(id));
  return *blocks_[place(id)];
}
Anchor& PrefixTree::anchor(AnchorId id) const {
  CHECK(is_live(id));
  return *anchors_[place(id)];
}
bool PrefixTree::is_live(BlockId id) const {
  return place(id) < blocks_.size() && blocks_[place(id)] != nullptr && blocks_[place(id)]->id == id;
}
bool PrefixTree::is_live(AnchorId id) const {
  return place(id) < anchors_.size() && anchors_[place(id)] != nullptr && anchors_[place(id)]->id == id;
}

Block* PrefixTree::find_root(const Root& root) const {
  const auto found = roots_.find(root);
  return found == roots_.end() ? nullptr : found->second.get();
}

Block& PrefixTree::make_root(const Root& root) {
  std::unique_ptr<Block>& node = roots_[root];
  if (node == nullptr) {
    node = std::make_unique<Block>();
    node->root = root;
    node->hash = root.hash;
    ++counts_.roots;
  }
  return *node;
}

void PrefixTree::remove_root_if_empty(const Root& root) {
  const auto found = roots_.find(root);
  if (found == roots_.end() || !found->second->children.empty()) return;
  CHECK(found->second->anchors.empty());
  roots_.erase(found);
  --counts_.roots;
}

Block& PrefixTree::add_block(Block& parent, std::span<const Token> tokens, Payload&& bytes) {
  return add_block(parent, std::vector(tokens.begin(), tokens.end()), block_hash(parent.hash, tokens),
                   std::move(bytes));
}

Block& PrefixTree::add_block(Block& parent, std::vector<Token>&& tokens, const Hash& hash, Payload&& bytes) {
  CHECK(parent.is_root_node() || parent.tokens.size() == kBlockTokens);
  CHECK(!tokens.empty() && tokens.size() <= kBlockTokens);
  const BestChild relative = best_child(parent, tokens);
  CHECK(relative.common < tokens.size());
  Block& made = place_new(blocks_, free_blocks_, ++generation_);
  made.root = parent.root;
  made.parent = &parent;
  made.begin = parent.end();
  made.tokens = std::move(tokens);
  made.hash = hash;
  made.bytes = std::move(bytes);
  ++counts_.blocks;
  if (made.tokens.size() < kBlockTokens) ++counts_.tail_blocks;
  counts_.block_bytes += made.bytes.size();
  counts_.tree_bytes += tree_bytes(made);

  Block* tail =
      relative.child != nullptr && relative.common == relative.child->tokens.size() ? relative.child : nullptr;
  parent.children.insert(place_of(parent.children, made.tokens), &made);
  if (tail != nullptr) {
    made.uses = tail->uses;
    made.had_anchor = tail->had_anchor;
    made.line = tail->line;
    made.begins_line = tail->begins_line;
    remove(*tail, Gone::Replaced);
  } else {
    ++parent.branches;
    made.begins_line = parent.is_root_node() || parent.branches > 1;
    for (Anchor* anchor : parent.anchors)
      if (anchor->tokens.size() < kBlockTokens && common_tokens(anchor->tokens, made.tokens) == anchor->tokens.size()) {
        ++anchor->branches;
      }
  }
  return made;
}

Anchor& PrefixTree::add_anchor(Block& parent, std::span<const Token> tokens, Payload&& snapshot) {
  CHECK(!tokens.empty() && tokens.size() <= kBlockTokens);
  CHECK(best_child(parent, tokens).common == tokens.size());
  Anchor& made = place_new(anchors_, free_anchors_, ++generation_);
  made.parent = &parent;
  made.position = parent.end() + static_cast<std::uint32_t>(tokens.size());
  made.tokens.assign(tokens.begin(), tokens.end());
  made.snapshot = std::move(snapshot);
  const auto at = place_of(parent.anchors, tokens);
  CHECK(at == parent.anchors.end() || !std::ranges::equal((*at)->tokens, tokens));
  parent.anchors.insert(at, &made);
  ++counts_.anchors;
  counts_.snapshot_bytes += made.snapshot.size();
  counts_.tree_bytes += tree_bytes(made);
  for (Block* node = &parent; node != nullptr; node = node->parent) {
    ++node->anchors_below;
    node->had_anchor = true;
  }
  for (auto child = place_of(parent.children, tokens); child != parent.children.end(); ++child) {
    if (common_tokens((*child)->tokens, tokens) != tokens.size()) break;
    (*child)->had_anchor = true;
    if (tokens.size() < kBlockTokens) ++made.branches;
  }
  return made;
}

void PrefixTree::set_logits(Anchor& anchor, std::vector<float>&& logits) {
  const std::uint64_t before = anchor.bytes();
  counts_.logits_bytes += logits.size() * sizeof(float);
  counts_.logits_bytes -= anchor.logits.size() * sizeof(float);
  anchor.logits = std::move(logits);
  fit(anchor.logits);
  if (anchor.pins > 0) counts_.pinned_bytes += anchor.bytes() - before;
}

void PrefixTree::move_bytes(Block& block, Payload&& bytes) {
  counts_.block_bytes += bytes.size() - block.bytes.size();
  if (block.pins > 0) counts_.pinned_bytes += bytes.size() - block.bytes.size();
  block.bytes = std::move(bytes);
}

void PrefixTree::move_bytes(Anchor& anchor, Payload&& snapshot) {
  counts_.snapshot_bytes += snapshot.size() - anchor.snapshot.size();
  if (anchor.pins > 0) counts_.pinned_bytes += snapshot.size() - anchor.snapshot.size();
  anchor.snapshot = std::move(snapshot);
}

void PrefixTree::remove(Block& block, Gone reason) {
  CHECK(block.parent != nullptr && block.children.empty() && block.anchors.empty());
  Block& parent = *block.parent;
  if (reason != Gone::Replaced) {
    const GoneEvent what{
        .root = block.root, .parent = parent.hash, .begin = block.begin, .end = block.end(), .reason = reason};
    gone_.add(what, block.tokens);
  }
  const std::uint32_t shared = shared_with_siblings(block);
  erase_from(parent.children, block);
  block.parent = nullptr;
  ++counts_.gone_blocks[index(reason)];
  counts_.gone_bytes[index(reason)] += block.bytes.size();
  std::vector<Anchor*> uncovered;
  for (Anchor* anchor : parent.anchors)
    if (anchor->tokens.size() > shared && anchor->tokens.size() <= block.tokens.size() &&
        common_tokens(anchor->tokens, block.tokens) == anchor->tokens.size()) {
      uncovered.push_back(anchor);
    }
  for (Anchor* anchor : uncovered) remove(*anchor, reason == Gone::Dropped ? reason : Gone::Uncovered);
  const Root root = block.root;
  if (block.pins == 0) free_block(block);
  if (parent.is_root_node()) remove_root_if_empty(root);
}

Block& PrefixTree::put_back(Block& longer, std::span<const Token> tokens, Payload&& bytes) {
  CHECK(longer.parent != nullptr && longer.children.empty());
  CHECK(!tokens.empty() && tokens.size() < longer.tokens.size());
  CHECK(common_tokens(tokens, longer.tokens) == tokens.size() && shared_with_siblings(longer) < tokens.size());
  Block& parent = *longer.parent;
  Block& made = place_new(blocks_, free_blocks_, ++generation_);
  made.root = longer.root;
  made.parent = &parent;
  made.begin = longer.begin;
  made.tokens.assign(tokens.begin(), tokens.end());
  made.hash = block_hash(parent.hash, tokens);
  made.bytes = std::move(bytes);
  made.line = longer.line;
  made.uses = longer.uses;
  made.begins_line = longer.begins_line;
  made.had_anchor = longer.had_anchor;
  ++counts_.blocks;
  ++counts_.tail_blocks;
  counts_.block_bytes += made.bytes.size();
  counts_.tree_bytes += tree_bytes(made);
  parent.children.insert(place_of(parent.children, tokens), &made);
  remove(longer, Gone::Dropped);  // what the tail covers stays
  return made;
}

void PrefixTree::remove(Anchor& anchor, Gone reason) {
  CHECK(anchor.parent != nullptr);
  const Block& at = *anchor.parent;
  gone_.add({.root = at.root,
             .parent = at.hash,
             .is_anchor = true,
             .begin = at.end(),
             .end = anchor.position,
             .reason = reason},
            anchor.tokens);
  erase_from(anchor.parent->anchors, anchor);
  for (Block* node = anchor.parent; node != nullptr; node = node->parent) --node->anchors_below;
  anchor.parent = nullptr;
  ++counts_.gone_anchors[index(reason)];
  counts_.gone_bytes[index(reason)] += anchor.bytes();
  if (anchor.pins == 0) free_anchor(anchor);
}

void PrefixTree::remove_below(Block& node, Gone reason) {
  Block* at = &node;
  while (true) {
    while (!at->children.empty()) at = at->children.back();
    if (at == &node) return;
    Block* parent = at->parent;
    const bool last_of_root = parent->is_root_node() && parent->children.size() == 1;
    remove(*at, reason);
    if (last_of_root) return;  // the root's node went with it
    at = parent;
  }
}

void PrefixTree::pin(Block& block) {
  if (block.pins++ > 0) return;
  ++counts_.pinned_blocks;
  counts_.pinned_bytes += block.bytes.size();
}

void PrefixTree::pin(Anchor& anchor) {
  if (anchor.pins++ > 0) return;
  ++counts_.pinned_anchors;
  counts_.pinned_bytes += anchor.bytes();
}

void PrefixTree::unpin(Block& block) {
  CHECK(block.pins > 0);
  if (--block.pins > 0) return;
  --counts_.pinned_blocks;
  counts_.pinned_bytes -= block.bytes.size();
  if (block.parent == nullptr) free_block(block);
}

void PrefixTree::unpin(Anchor& anchor) {
  CHECK(anchor.pins > 0);
  if (--anchor.pins > 0) return;
  --counts_.pinned_anchors;
  counts_.pinned_bytes -= anchor.bytes();
  if (anchor.parent == nullptr) free_anchor(anchor);
}

void PrefixTree::free_block(Block& block) {
  --counts_.blocks;
  if (block.tokens.size() < kBlockTokens) --counts_.tail_blocks;
  counts_.block_bytes -= block.bytes.size();
  counts_.tree_bytes -= tree_bytes(block);
  if (block.bytes.place()) freed_.push_back(*block.bytes.place());
  const std::uint32_t at = place(block.id);
  blocks_[at].reset();
  free_blocks_.push_back(at);
}

void PrefixTree::free_anchor(Anchor& anchor) {
  --counts_.anchors;
  counts_.snapshot_bytes -= anchor.snapshot.size();
  counts_.logits_bytes -= anchor.logits.size() * sizeof(float);
  counts_.tree_bytes -= tree_bytes(anchor);
  if (anchor.snapshot.place()) freed_.push_back(*anchor.snapshot.place());
  const std::uint32_t at = place(anchor.id);
  anchors_[at].reset();
  free_anchors_.push_back(at);
}

}  // namespace hearth::cache
