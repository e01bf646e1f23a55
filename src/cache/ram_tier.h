// The RAM tier of the prefix cache: which stretches of KV are kept as bytes, for which lines of tokens, and what goes when
// room is short. A pure structure: it never calls the engine, takes no lock and has no clock (callers pass milliseconds of
// any clock that does not run backwards). One thread owns a RamTier.
//
// A line of tokens is kept as blocks of attention KV, shared by all lines that begin alike, and as anchors: the state that
// cannot be cut (recurrent, sliding windows) as it was at exactly one position, with the logits there if kept.
//
//     root ── [0,256) ── [256,512) ─┬─ [512,768) ── [768,800)        a tail: fewer than 256 tokens, has no child
//                                   │      anchor at 600             covered by every child that agrees up to 600
//                                   └─ [512,768)' ── ...             another line that leaves the first one within [512,768)
//
// A block is found through its parents and worthless without them: eviction goes from the leaves up. An anchor is worthless
// without a block that covers it and goes with the last one. Each node has a hash that identifies its content (chain_hash.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "cache/chain_hash.h"
#include "cache/payload.h"
#include "cache/tier_types.h"
#include "cache/worth.h"

namespace hearth::cache {

struct Block;
struct Anchor;
struct Appraiser;
class PrefixTree;

struct RamTierOptions {
  std::uint64_t bytes_max = 0;
  bool needs_snapshots = false;  // the model's state cannot be cut: a match ends at an anchor
  PrefillCost cost;
  WorthFunction worth = cache::worth;
  // For a tier below: called with what is about to leave because room is short; both or neither.
  std::function<void(Block&)> leaving;
  std::function<void(Anchor&)> anchor_leaving;
};

class RamTier {
 public:
  explicit RamTier(const RamTierOptions& options);
  ~RamTier();
  RamTier(const RamTier&) = delete;
  RamTier& operator=(const RamTier&) = delete;

  // ---- finding
  // The longest restorable prefix of `prompt` with at most `tokens_max` tokens, exact to the token also within blocks. To
  // be able to decode, ask with prompt.size() and take a full hit only when its anchor has logits; else ask with one less.
  [[nodiscard]] Match find(const Root& root, std::span<const Token> prompt, std::uint32_t tokens_max) const;
  [[nodiscard]] std::span<const std::uint8_t> bytes(BlockId id) const;
  [[nodiscard]] Range range(BlockId id) const;
  [[nodiscard]] const Hash& hash(BlockId id) const;
  [[nodiscard]] std::span<const std::uint8_t> snapshot(AnchorId id) const;
  [[nodiscard]] AnchorKind kind(AnchorId id) const;
  [[nodiscard]] std::span<const float> logits(AnchorId id) const;  // empty when not kept

  // ---- storing: walk a line and store what is missing, then its anchors
  // The first block of the line that is not kept. None: all are kept, or not even [0, from) is (a block before was refused or
  // evicted, and what lies beyond it cannot be kept either). Storing a line: from 0, then each time from the end of the last.
  [[nodiscard]] std::optional<Range> next_missing(const Root& root, std::span<const Token> line,
                                                  std::uint32_t from) const;
  // True when the block is kept now (also when it was before). False: its parents are missing, or it was not worth its room.
  // REQUIRES: begin a multiple of kBlockTokens, begin < end <= begin + kBlockTokens, end <= line.size(), bytes not empty.
  bool put_block(const Root& root, std::span<const Token> line, Range range, Payload&& bytes, LineKind kind,
                 std::uint64_t now_ms);
  [[nodiscard]] bool has_anchor(const Root& root, std::span<const Token> line, std::uint32_t position) const;
  // False when no blocks cover [0, position) or it was not worth its room. One that is there already keeps its snapshot, and
  // takes logits it lacked. REQUIRES: 0 < position <= line.size(); a snapshot when needs_snapshots, otherwise logits.
  bool put_anchor(const Root& root, std::span<const Token> line, std::uint32_t position, Payload&& snapshot,
                  AnchorKind kind, std::uint64_t now_ms, std::vector<float>&& logits = {});

  // ---- using
  void pin(const Match& match);    // nothing of it is freed until unpin; what is dropped meanwhile is just not found
  void unpin(const Match& match);  // REQUIRES: pinned before
  void touch(const Match& match, std::uint64_t now_ms);  // was used: feeds recency and reuse counts

  // ---- room
  void set_budget(std::uint64_t bytes_max, std::uint64_t now_ms);  // evicts down to it, pinned excepted
  void set_cost(const PrefillCost& cost) { options_.cost = cost; }
  // Forgets every block and anchor whose line begins with `prefix`, from the block that holds its last token on.
  void drop(const Root& root, std::span<const Token> prefix);
  void clear();

  // ---- looking
  [[nodiscard]] Counts counts() const;
  [[nodiscard]] std::uint64_t budget_bytes() const { return options_.bytes_max; }
  // Every block, best worth first, parents before their children: what to write to a slower tier first.
  [[nodiscard]] std::vector<BlockId> blocks_by_worth(std::uint64_t now_ms) const;
  void check_invariants() const;  // CHECKs everything, O(all); for tests and idle moments

  // ---- for the tier below, whose index is a tier too (disk_tier.h)
  [[nodiscard]] PrefixTree& tree() { return *tree_; }
  [[nodiscard]] const PrefixTree& tree() const { return *tree_; }
  // As put_block() and put_anchor() where the parent is known. Nothing: it was not worth its room, and the parent may be
  // gone. REQUIRES: what PrefixTree::add_block() and add_anchor() require.
  std::optional<BlockId> put_under(Block& parent, std::span<const Token> tokens, Payload&& bytes, LineKind kind,
                                   std::uint64_t now_ms);
  std::optional<AnchorId> put_anchor_under(Block& parent, std::span<const Token> tokens, Payload&& snapshot,
                                           AnchorKind kind, std::uint64_t now_ms);
  void settle(std::uint64_t now_ms);  // after the tree was filled or changed by others: candidates and budget
  [[nodiscard]] Appraiser appraiser(std::uint64_t now_ms) const;
  // What was put or used since the last call and is still there, each once.
  [[nodiscard]] std::vector<NodeId> take_fresh();

 private:
  // A candidate for eviction as it stood when it was appraised; stale once its node has a newer stamp or is gone.
  struct Entry {
    double worth = 0;
    std::uint64_t stamp = 0;
    NodeId id;
  };

  Anchor& add_anchor(Block& parent, std::span<const Token> tokens, Payload&& snapshot, AnchorKind kind);
  std::optional<AnchorId> keep(Anchor& anchor, std::uint64_t now_ms);
  template <class Node>
  void mark_fresh(Node& node);
  template <class Node>
  void push_candidate(Node& node, std::uint64_t now_ms);
  void rebuild_candidates(std::uint64_t now_ms);
  void evict(std::uint64_t now_ms);
  bool evict_worst();
  bool evict_if_current(BlockId id, const Entry& entry);
  bool evict_if_current(AnchorId id, const Entry& entry);
  template <class Node>
  bool puts_back(Node& node);
  void thin_line(Anchor& newest, std::uint64_t now_ms);
  void check_fresh() const;

  RamTierOptions options_;
  std::unique_ptr<PrefixTree> tree_;
  std::vector<Entry> candidates_;                     // a heap, the worst first
  static constexpr std::size_t kFreshGoneMax = 1024;  // of what has left, in the list of what is fresh
  std::vector<NodeId> fresh_;                         // only with a tier below
  std::uint64_t candidates_built_ms_ = 0;
  Experience experience_;
  std::uint64_t stamp_ = 0;
  std::uint64_t now_ms_ = 0;  // the latest time heard of
};

}  // namespace hearth::cache
