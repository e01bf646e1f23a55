// Finding and storing. What goes when room is short is in ram_tier_evict.cpp.
#include "cache/ram_tier.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/check.h"
#include "cache/prefix_tree.h"

namespace hearth::cache {
namespace {

// The path from the root's node down to `last`, which may be that node itself.
std::vector<BlockId> path_to(const Block* last) {
  std::vector<BlockId> path;
  for (; !last->is_root_node(); last = last->parent) path.push_back(last->id);
  std::ranges::reverse(path);
  return path;
}

// Something that was used before and goes on without a fork is a conversation, whatever the caller knows.
LineKind line_kind_of(const Block& made, LineKind told) {
  if (told != LineKind::Unknown) return told;
  if (made.line == LineKind::Conversation) return made.line;
  const Block& parent = *made.parent;
  const bool goes_on = !parent.is_root_node() && parent.branches <= 1;
  return goes_on && (parent.uses > 0 || parent.line == LineKind::Conversation) ? LineKind::Conversation
                                                                               : LineKind::Unknown;
}

}  // namespace

RamTier::RamTier(const RamTierOptions& options) : options_(options), tree_(std::make_unique<PrefixTree>()) {}
RamTier::~RamTier() = default;

Match RamTier::find(const Root& root, std::span<const Token> prompt, std::uint32_t tokens_max) const {
  prompt = prompt.first(std::min<std::size_t>(prompt.size(), tokens_max));
  const Walk walk = tree_->walk(root, prompt);
  Match match{.attention_tokens = walk.covered};
  if (walk.covered == 0) return match;
  if (!options_.needs_snapshots) {
    match.tokens = walk.covered;
    match.blocks = path_to(walk.node);
    if (walk.next != nullptr) match.blocks.push_back(walk.next->id);
    if (const Anchor* anchor = tree_->anchor_at(root, prompt.first(walk.covered))) match.anchor = anchor->id;
    return match;
  }
  for (const Block* node = walk.node; node != nullptr; node = node->parent) {
    const Anchor* anchor = longest_anchor(*node, prompt.subspan(node->end()));
    if (anchor == nullptr) continue;
    match.tokens = anchor->position;
    match.anchor = anchor->id;
    match.blocks = path_to(node);
    match.blocks.push_back(best_child(*node, prompt.subspan(node->end())).child->id);
    break;
  }
  return match;
}

std::span<const std::uint8_t> RamTier::bytes(BlockId id) const { return tree_->block(id).bytes.bytes(); }
Range RamTier::range(BlockId id) const { return {tree_->block(id).begin, tree_->block(id).end()}; }
const Hash& RamTier::hash(BlockId id) const { return tree_->block(id).hash; }
std::span<const std::uint8_t> RamTier::snapshot(AnchorId id) const { return tree_->anchor(id).snapshot.bytes(); }
AnchorKind RamTier::kind(AnchorId id) const { return tree_->anchor(id).kind; }
std::span<const float> RamTier::logits(AnchorId id) const { return tree_->anchor(id).logits; }

std::optional<Range> RamTier::next_missing(const Root& root, std::span<const Token> line, std::uint32_t from) const {
  const Walk walk = tree_->walk(root, line);
  if (walk.covered >= line.size()) return std::nullopt;
  const std::uint32_t begin = walk.covered / kBlockTokens * kBlockTokens;
  if (walk.covered < from) return std::nullopt;
  return Range{begin, static_cast<std::uint32_t>(std::min<std::size_t>(line.size(), begin + kBlockTokens))};
}

bool RamTier::put_block(const Root& root, std::span<const Token> line, Range range, Payload&& bytes, LineKind kind,
                        std::uint64_t now_ms) {
  CHECK(range.begin % kBlockTokens == 0 && range.begin < range.end && range.end - range.begin <= kBlockTokens);
  CHECK(range.end <= line.size() && !bytes.empty());
  const Walk walk = tree_->walk(root, line.first(range.end));
  if (walk.covered >= range.end) return true;
  if (walk.covered < range.begin || bytes.size() > options_.bytes_max) return false;
  Block& parent = walk.node != nullptr ? *walk.node : tree_->make_root(root);
  CHECK(parent.end() == range.begin);
  tree_->gone().begin(now_ms, GoneFor::Line, root, static_cast<std::uint32_t>(line.size()));
  return put_under(parent, line.subspan(range.begin, range.end - range.begin), std::move(bytes), kind, now_ms)
      .has_value();
}

std::optional<BlockId> RamTier::put_under(Block& parent, std::span<const Token> tokens, Payload&& bytes, LineKind kind,
                                          std::uint64_t now_ms) {
  Block& made = tree_->add_block(parent, tokens, std::move(bytes));
  made.line = line_kind_of(made, kind);
  if (made.begins_line && made.line == LineKind::Unknown) experience_.count_begun();
  made.stored_ms = made.used_ms = now_ms;
  const BlockId id = made.id;
  mark_fresh(made);
  push_candidate(made, now_ms);
  evict(now_ms);
  return tree_->is_live(id) ? std::optional(id) : std::nullopt;
}

// For hours nobody may take them, while the disk refuses: the list is no longer than what there is.
template <class Node>
void RamTier::mark_fresh(Node& node) {
  if (!options_.leaving || std::exchange(node.is_fresh, true)) return;
  const Counts& held = tree_->counts();
  if (fresh_.size() >= held.blocks + held.anchors + kFreshGoneMax)
    std::erase_if(fresh_,
                  [&](const NodeId& one) { return std::visit([&](auto id) { return !tree_->is_live(id); }, one); });
  fresh_.emplace_back(node.id);
}

std::vector<NodeId> RamTier::take_fresh() {
  std::erase_if(fresh_, [&](const NodeId& one) {
    const auto* block = std::get_if<BlockId>(&one);
    const bool is_live = block != nullptr ? tree_->is_live(*block) : tree_->is_live(std::get<AnchorId>(one));
    if (is_live)
      (block != nullptr ? tree_->block(*block).is_fresh : tree_->anchor(std::get<AnchorId>(one)).is_fresh) = false;
    return !is_live;
  });
  return std::exchange(fresh_, {});
}

bool RamTier::has_anchor(const Root& root, std::span<const Token> line, std::uint32_t position) const {
  return position <= line.size() && tree_->anchor_at(root, line.first(position)) != nullptr;
}

bool RamTier::put_anchor(const Root& root, std::span<const Token> line, std::uint32_t position, Payload&& snapshot,
                         AnchorKind kind, std::uint64_t now_ms, std::vector<float>&& logits) {
  CHECK(position > 0 && position <= line.size());
  CHECK(options_.needs_snapshots ? !snapshot.empty() : !logits.empty());
  tree_->gone().begin(now_ms, GoneFor::Line, root, position);
  line = line.first(position);
  Anchor* anchor = tree_->anchor_at(root, line);
  if (anchor == nullptr) {
    const std::uint32_t begin = (position - 1) / kBlockTokens * kBlockTokens;
    if (tree_->walk(root, line).covered < position) return false;
    Block& parent = *tree_->walk(root, line.first(begin)).node;
    anchor = &add_anchor(parent, line.subspan(begin), std::move(snapshot), kind);
  }
  anchor->used_ms = now_ms;
  if (anchor->logits.empty() && !logits.empty()) tree_->set_logits(*anchor, std::move(logits));
  return keep(*anchor, now_ms).has_value();
}

std::optional<AnchorId> RamTier::put_anchor_under(Block& parent, std::span<const Token> tokens, Payload&& snapshot,
                                                  AnchorKind kind, std::uint64_t now_ms) {
  Anchor& made = add_anchor(parent, tokens, std::move(snapshot), kind);
  made.used_ms = now_ms;
  return keep(made, now_ms);
}

Anchor& RamTier::add_anchor(Block& parent, std::span<const Token> tokens, Payload&& snapshot, AnchorKind kind) {
  Anchor& made = tree_->add_anchor(parent, tokens, std::move(snapshot));
  made.kind = kind;
  made.line = best_child(parent, made.tokens).child->line;
  return made;
}

// Where there is room for it.
std::optional<AnchorId> RamTier::keep(Anchor& anchor, std::uint64_t now_ms) {
  const AnchorId id = anchor.id;
  mark_fresh(anchor);
  push_candidate(anchor, now_ms);
  thin_line(anchor, now_ms);
  evict(now_ms);
  return tree_->is_live(id) ? std::optional(id) : std::nullopt;
}

void RamTier::pin(const Match& match) {
  for (const BlockId id : match.blocks) tree_->pin(tree_->block(id));
  if (match.anchor) tree_->pin(tree_->anchor(*match.anchor));
}

void RamTier::unpin(const Match& match) {
  if (match.anchor) {
    Anchor& anchor = tree_->anchor(*match.anchor);
    tree_->unpin(anchor);
    if (tree_->is_live(*match.anchor) && anchor.pins == 0) push_candidate(anchor, now_ms_);
  }
  for (const BlockId id : match.blocks) {
    Block& block = tree_->block(id);
    tree_->unpin(block);
    if (tree_->is_live(id) && block.pins == 0 && block.children.empty()) push_candidate(block, now_ms_);
  }
  evict(now_ms_);  // the budget may have shrunk under the pin
}

void RamTier::touch(const Match& match, std::uint64_t now_ms) {
  // A first return is counted where the line began.
  for (const BlockId id : match.blocks) {
    const Block& block = tree_->block(id);
    if (block.begins_line && block.uses == 0 && block.line == LineKind::Unknown && block.end() <= match.tokens) {
      experience_.count_returned();
    }
  }
  const auto use = [&](auto& node) {
    node.used_ms = std::max(node.used_ms, now_ms);
    if (node.uses < UINT32_MAX) ++node.uses;
    mark_fresh(node);
  };
  for (const BlockId id : match.blocks) {
    Block& block = tree_->block(id);
    if (block.end() <= match.tokens) use(block);  // a block that is cut belongs to another line
  }
  if (match.anchor) use(tree_->anchor(*match.anchor));
}

void RamTier::set_budget(std::uint64_t bytes_max, std::uint64_t now_ms) {
  options_.bytes_max = bytes_max;
  tree_->gone().begin(now_ms, GoneFor::Budget);
  evict(now_ms);
}

void RamTier::drop(const Root& root, std::span<const Token> prefix) {
  const std::size_t begin = prefix.empty() ? 0 : (prefix.size() - 1) / kBlockTokens * kBlockTokens;
  const Walk walk = tree_->walk(root, prefix.first(begin));
  if (walk.node == nullptr || walk.covered < begin) return;
  Block& parent = *walk.node;
  const std::span<const Token> rest = prefix.subspan(begin);
  if (rest.empty()) {
    tree_->remove_below(parent, Gone::Dropped);  // the whole root
    return;
  }
  // A child that agrees with all of `rest` goes with everything below it; its last sibling may take the root along.
  while (tree_->find_root(root) != nullptr) {
    const BestChild best = best_child(parent, rest);
    if (best.common < rest.size()) break;
    tree_->remove_below(*best.child, Gone::Dropped);
    tree_->remove(*best.child, Gone::Dropped);
  }
  if (tree_->find_root(root) != nullptr) push_candidate(parent, now_ms_);
}

void RamTier::clear() {
  while (!tree_->roots().empty()) tree_->remove_below(*tree_->roots().begin()->second, Gone::Dropped);
  candidates_.clear();
}

Counts RamTier::counts() const { return tree_->counts(); }

}  // namespace hearth::cache
