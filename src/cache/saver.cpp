// See saver.h.
#include "cache/saver.h"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.h"
#include "cache/appraise.h"

namespace hearth::cache {
namespace {

// A title or a check is over and never asked again by then.
constexpr std::uint64_t kFirstTurnMs = 2'000;
// In a run of tool calls the next turn begins before; then the state of this one is only in the way.
constexpr std::uint64_t kTurnEndMs = 5'000;

std::uint64_t age(std::uint64_t now_ms, std::uint64_t then_ms) { return now_ms > then_ms ? now_ms - then_ms : 0; }

}  // namespace

Due due(const Block& block, bool needs_snapshots, std::uint64_t now_ms, Haste haste) {
  // Without the anchors that need it a block is worth nothing, and they take it along.
  if (needs_snapshots || block.parent == nullptr || block.line == LineKind::OneShot) return Due::Never;
  if (haste == Haste::Last || block.line == LineKind::Conversation || block.uses > 0 || block.branches > 1)
    return Due::Now;
  // A tail is replaced by the block that it becomes.
  const bool is_tail = block.tokens.size() < kBlockTokens;
  return !is_tail && age(now_ms, block.stored_ms) >= kFirstTurnMs ? Due::Now : Due::Later;
}

Due due(const Anchor& anchor, std::uint64_t now_ms, Haste haste) {
  if (anchor.parent == nullptr || anchor.line == LineKind::OneShot || anchor.snapshot.empty()) return Due::Never;
  if (anchor.kind == AnchorKind::Trunk || anchor.kind == AnchorKind::Branch) return Due::Now;
  // The end of a reply takes nothing from the state before it: a client may give the reply back in other words.
  if (const Anchor* later = superseding(anchor);
      later != nullptr && !(anchor.kind == AnchorKind::Suffix && later->kind == AnchorKind::ReplyEnd))
    return Due::Never;
  return haste == Haste::Last || age(now_ms, anchor.used_ms) >= kTurnEndMs ? Due::Now : Due::Later;
}

std::vector<Saver::Chosen> Saver::choose(std::uint64_t now_ms, Haste haste) {
  look_after_taken();
  const std::vector<NodeId> fresh = ram_.take_fresh();
  waiting_.insert(waiting_.end(), fresh.begin(), fresh.end());
  const PrefixTree& tree = ram_.tree();
  if (std::exchange(begun_anew_, disk_.begun_anew()) != disk_.begun_anew()) {
    for (const auto& block : tree.blocks())
      if (block != nullptr) waiting_.emplace_back(block->id);
    for (const auto& anchor : tree.anchors())
      if (anchor != nullptr) waiting_.emplace_back(anchor->id);
  }
  // What is used while it waits comes again each time.
  std::ranges::sort(waiting_);
  waiting_.erase(std::ranges::unique(waiting_).begin(), waiting_.end());
  const Appraiser appraise = ram_.appraiser(now_ms);
  std::vector<Chosen> chosen;
  std::erase_if(waiting_, [&](const NodeId& node) {
    return std::visit(
        [&](auto id) {
          if (!tree.is_live(id)) return true;
          if constexpr (std::is_same_v<decltype(id), BlockId>) {
            const Block& block = tree.block(id);
            if (disk_.holds(block)) return true;
            const Due is_due = due(block, needs_snapshots_, now_ms, haste);
            if (is_due == Due::Now) chosen.push_back({id, block.branches > 1 ? 1 : 2, appraise(block)});
            return is_due != Due::Later;
          } else {
            const Anchor& anchor = tree.anchor(id);
            if (disk_.holds(anchor)) return true;
            const Due is_due = due(anchor, now_ms, haste);
            if (is_due == Due::Now) chosen.push_back({id, anchor.kind == AnchorKind::Trunk ? 0 : 1, appraise(anchor)});
            return is_due != Due::Later;
          }
        },
        node);
  });
  std::ranges::stable_sort(
      chosen, [](const Chosen& a, const Chosen& b) { return a.rank != b.rank ? a.rank < b.rank : a.worth > b.worth; });
  return chosen;
}

void Saver::look_after_taken() {
  const PrefixTree& tree = ram_.tree();
  std::erase_if(taken_, [&](const NodeId& node) {
    const auto look = [&](const auto& kept) {
      if (disk_.holds(kept)) return disk_.has_written(kept);
      waiting_.push_back(node);
      return true;
    };
    if (const auto* block = std::get_if<BlockId>(&node)) return !tree.is_live(*block) || look(tree.block(*block));
    const AnchorId anchor = std::get<AnchorId>(node);
    return !tree.is_live(anchor) || look(tree.anchor(anchor));
  });
}

bool Saver::keep(NodeId node) {
  PrefixTree& tree = ram_.tree();
  if (const auto* block = std::get_if<BlockId>(&node)) return disk_.keep(tree.block(*block));
  return disk_.keep(tree.anchor(std::get<AnchorId>(node)));
}

bool Saver::round(std::uint64_t now_ms, Haste haste) {
  bool left_over = false;
  for (const Chosen& one : choose(now_ms, haste)) {
    if (keep(one.id)) {
      taken_.push_back(one.id);
      continue;
    }
    if (!disk_.takes()) {
      left_over = true;
      waiting_.push_back(one.id);
    }
  }
  return left_over;
}

void Saver::leaving(Block& block, std::uint64_t now_ms) {
  if (due(block, needs_snapshots_, now_ms, Haste::Last) == Due::Now) static_cast<void>(disk_.keep(block));
  if (!needs_snapshots_ || block.parent == nullptr) return;
  for (Anchor* anchor : block.parent->anchors)
    if (common_tokens(anchor->tokens, block.tokens) == anchor->tokens.size()) leaving(*anchor, now_ms);
}

void Saver::leaving(Anchor& anchor, std::uint64_t now_ms) {
  if (needs_snapshots_ && due(anchor, now_ms, Haste::Last) == Due::Now) static_cast<void>(disk_.keep(anchor));
}

void Saver::check_invariants() const {
  const auto is_each_once = [](std::vector<NodeId> nodes) {
    std::ranges::sort(nodes);
    return std::ranges::adjacent_find(nodes) == nodes.end();
  };
  CHECK(is_each_once(waiting_));
  CHECK(is_each_once(taken_));
}

}  // namespace hearth::cache
