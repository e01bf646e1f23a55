// The tree behind the RAM tier: nodes, links, pins and the books, without any opinion on what should be kept.
// Children of a node and the anchors hung at it lie sorted by their tokens, so that the longest common prefix with a line is
// a binary search: the best is always a neighbour of where the line itself would be.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cache/chain_hash.h"
#include "cache/gone_log.h"
#include "cache/payload.h"
#include "cache/ram_tier.h"

namespace hearth::cache {

struct Block {
  BlockId id{};
  Root root;                // of the tree it is in
  Block* parent = nullptr;  // nullptr: a root's node, or detached (dropped while pinned)
  std::uint32_t begin = 0;  // the parent's end; a root's node is [0, 0)
  std::vector<Token> tokens;
  Hash hash{};
  Payload bytes;
  std::vector<Block*> children;     // sorted; none is a prefix of another; only full blocks and roots have any
  std::vector<Anchor*> anchors;     // sorted; at positions in (end, end + kBlockTokens], each covered by a child
  std::uint32_t anchors_below = 0;  // hung here and at all descendants
  std::uint32_t branches = 0;       // children ever kept
  std::uint32_t uses = 0;
  std::uint32_t pins = 0;
  std::uint64_t stored_ms = 0, used_ms = 0;
  std::uint64_t stamp = 0;  // of its newest entry among the candidates for eviction
  LineKind line = LineKind::Unknown;
  bool begins_line = false;  // the first of its own line, where it left another one or a root
  bool had_anchor = false;   // an anchor in or beyond it was kept once
  bool is_fresh = false;     // take_fresh() will give it
  BlockId twin{};            // the same block in the slower tier, while it is live there

  [[nodiscard]] std::uint32_t end() const { return begin + static_cast<std::uint32_t>(tokens.size()); }
  [[nodiscard]] bool is_root_node() const { return tokens.empty(); }
};

struct Anchor {
  AnchorId id{};
  Block* parent = nullptr;  // where its last block begins; nullptr: detached
  std::uint32_t position = 0;
  std::vector<Token> tokens;  // from the parent's end to the position, 1..kBlockTokens
  Payload snapshot;
  std::vector<float> logits;
  AnchorKind kind = AnchorKind::Turn;
  LineKind line = LineKind::Unknown;
  std::uint32_t branches = 0;  // blocks ever kept that continue it
  std::uint32_t uses = 0;
  std::uint32_t pins = 0;
  std::uint64_t used_ms = 0;
  std::uint64_t stamp = 0;
  bool is_fresh = false;
  AnchorId twin{};

  [[nodiscard]] std::uint64_t bytes() const { return snapshot.size() + logits.size() * sizeof(float); }
};

// How far a tree knows a line: `node` is the deepest full block on it (or the root's node), `next` the child that agrees
// longest with what follows, up to `covered`; nullptr when none agrees at all.
struct Walk {
  Block* node = nullptr;  // nullptr: no such root
  Block* next = nullptr;
  std::uint32_t covered = 0;
};

class PrefixTree {
 public:
  [[nodiscard]] Walk walk(const Root& root, std::span<const Token> line) const;
  // The anchor at exactly the line's end; nullptr when there is none.
  [[nodiscard]] Anchor* anchor_at(const Root& root, std::span<const Token> line) const;

  [[nodiscard]] Block& block(BlockId id) const;     // REQUIRES: a live id
  [[nodiscard]] Anchor& anchor(AnchorId id) const;  // REQUIRES: a live id
  [[nodiscard]] bool is_live(BlockId id) const;
  [[nodiscard]] bool is_live(AnchorId id) const;

  [[nodiscard]] Block* find_root(const Root& root) const;  // nullptr when nothing is kept there
  Block& make_root(const Root& root);
  // REQUIRES: the parent is full or a root's node, and no child covers `tokens`. A tail that `tokens` continues is replaced.
  Block& add_block(Block& parent, std::span<const Token> tokens, Payload&& bytes);
  Block& add_block(Block& parent, std::vector<Token>&& tokens, const Hash& hash,
                   Payload&& bytes);  // block_hash() of them
  // REQUIRES: a child of the parent covers `tokens`, and there is no such anchor.
  Anchor& add_anchor(Block& parent, std::span<const Token> tokens, Payload&& snapshot);
  void set_logits(Anchor& anchor, std::vector<float>&& logits);
  // The same bytes, elsewhere.
  void move_bytes(Block& block, Payload&& bytes);
  void move_bytes(Anchor& anchor, Payload&& snapshot);
  // Places on the disk of what was freed since the last call.
  [[nodiscard]] std::vector<store::Place> take_freed() { return std::exchange(freed_, {}); }
  // Out of the tree, and freed unless pinned. Anchors that no other block covers go too; so does a root left empty.
  void remove(Block& block, Gone reason);  // REQUIRES: no children
  void remove(Anchor& anchor, Gone reason);
  void remove_below(Block& node, Gone reason);  // all descendants, not the node
  // A tail takes the place of the longer block that replaced it, which is dropped with the anchors that only it covers.
  // REQUIRES: `tokens` are less than `longer` begins with; it has no children; no other child of its parent covers them.
  Block& put_back(Block& longer, std::span<const Token> tokens, Payload&& bytes);
  void remove_root_if_empty(const Root& root);
  void pin(Block& block);
  void pin(Anchor& anchor);
  void unpin(Block& block);
  void unpin(Anchor& anchor);

  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] GoneLog& gone() { return gone_; }  // of remove()
  [[nodiscard]] const GoneLog& gone() const { return gone_; }
  [[nodiscard]] const std::unordered_map<Root, std::unique_ptr<Block>, RootHasher>& roots() const { return roots_; }
  [[nodiscard]] std::span<const std::unique_ptr<Block>> blocks() const { return blocks_; }     // with empty places
  [[nodiscard]] std::span<const std::unique_ptr<Anchor>> anchors() const { return anchors_; }  // with empty places
  void check_invariants() const;

 private:
  void free_block(Block& block);
  void free_anchor(Anchor& anchor);

  std::unordered_map<Root, std::unique_ptr<Block>, RootHasher> roots_;
  std::vector<std::unique_ptr<Block>> blocks_;  // the low half of an id is the place, the high half tells reuses apart
  std::vector<std::unique_ptr<Anchor>> anchors_;
  std::vector<std::uint32_t> free_blocks_, free_anchors_;
  std::vector<store::Place> freed_;
  std::uint32_t generation_ = 0;
  Counts counts_;
  GoneLog gone_;
};

// ---- searching among the children and anchors of one node
struct BestChild {
  Block* child = nullptr;
  std::uint32_t common = 0;  // tokens that agree
};
[[nodiscard]] std::uint32_t common_tokens(std::span<const Token> a, std::span<const Token> b);
[[nodiscard]] BestChild best_child(const Block& node, std::span<const Token> rest);
// The longest anchor hung at `node` whose tokens begin `rest`; nullptr when none does.
[[nodiscard]] Anchor* longest_anchor(const Block& node, std::span<const Token> rest);
// How many tokens of `child` its most similar sibling has too.
[[nodiscard]] std::uint32_t shared_with_siblings(const Block& child);
[[nodiscard]] std::uint64_t tree_bytes(const Block& block);
[[nodiscard]] std::uint64_t tree_bytes(const Anchor& anchor);

}  // namespace hearth::cache
