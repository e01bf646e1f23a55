// What goes when room is short. Candidates are leaves and anchors, in a heap by worth. An entry may be out of date in two
// ways: a node became worth more (a hit), which is seen when it comes up and puts it back; or less (age), which the heap
// cannot see, so it is built anew now and then. Everything that may go has a current entry.
#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>
#include <variant>

#include "base/check.h"
#include "cache/appraise.h"
#include "cache/prefix_tree.h"
#include "cache/ram_tier.h"

namespace hearth::cache {
namespace {

// Worth falls fast at first, so the order is remade each second while evicting; less often when there is much to appraise, so
// that it takes at most about half a percent of the time (a candidate takes a few microseconds).
constexpr std::uint64_t kRebuildMsMin = 1000;
constexpr std::size_t kCandidatesPerMs = 2;
constexpr std::size_t kStaleEntriesMin = 1024;  // below this many stale entries a rebuild is not worth it
constexpr std::size_t kNewestAnchorsKept = 4;   // of a line: two turns with two boundaries each

bool may_go(const Block& block) { return block.parent != nullptr && block.pins == 0 && block.children.empty(); }
bool may_go(const Anchor& anchor) { return anchor.parent != nullptr && anchor.pins == 0; }

}  // namespace

Appraiser RamTier::appraiser(std::uint64_t now_ms) const {
  return {options_.needs_snapshots, options_.cost, options_.worth, now_ms, experience_.return_rate()};
}

template <class Node>
void RamTier::push_candidate(Node& node, std::uint64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  if (!may_go(node)) return;
  node.stamp = ++stamp_;
  candidates_.push_back({appraiser(now_ms_)(node), node.stamp, node.id});
  std::ranges::push_heap(candidates_, std::greater{}, &Entry::worth);
}

void RamTier::rebuild_candidates(std::uint64_t now_ms) {
  candidates_.clear();
  candidates_built_ms_ = now_ms;
  const Appraiser appraise = appraiser(now_ms);
  const auto add = [&](auto& node) {
    if (node == nullptr || !may_go(*node)) return;
    node->stamp = ++stamp_;
    candidates_.push_back({appraise(*node), node->stamp, node->id});
  };
  for (auto& block : tree_->blocks()) add(block);
  for (auto& anchor : tree_->anchors()) add(anchor);
  std::ranges::make_heap(candidates_, std::greater{}, &Entry::worth);
}

void RamTier::evict(std::uint64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  if (tree_->counts().bytes() <= options_.bytes_max) return;
  const std::size_t nodes = tree_->counts().blocks + tree_->counts().anchors;
  const std::uint64_t rebuild_ms = std::max<std::uint64_t>(kRebuildMsMin, candidates_.size() / kCandidatesPerMs);
  if (now_ms_ - candidates_built_ms_ > rebuild_ms || candidates_.size() > 2 * nodes + kStaleEntriesMin) {
    rebuild_candidates(now_ms_);
  }
  while (tree_->counts().bytes() > options_.bytes_max && evict_worst()) {
  }
}

void RamTier::settle(std::uint64_t now_ms) {
  now_ms_ = std::max(now_ms_, now_ms);
  rebuild_candidates(now_ms_);
  evict(now_ms_);
}

bool RamTier::evict_worst() {
  while (!candidates_.empty()) {
    std::ranges::pop_heap(candidates_, std::greater{}, &Entry::worth);
    const Entry entry = candidates_.back();
    candidates_.pop_back();
    if (std::visit([&](auto id) { return evict_if_current(id, entry); }, entry.id)) return true;
  }
  return false;
}

bool RamTier::evict_if_current(BlockId id, const Entry& entry) {
  if (!tree_->is_live(id)) return false;
  Block& block = tree_->block(id);
  if (block.stamp != entry.stamp || !may_go(block) || puts_back(block)) return false;
  if (options_.leaving) options_.leaving(block);
  Block& parent = *block.parent;
  const bool parent_stays = !parent.is_root_node();
  tree_->remove(block, Gone::Budget);
  if (parent_stays && parent.children.empty()) push_candidate(parent, now_ms_);
  return true;
}

bool RamTier::evict_if_current(AnchorId id, const Entry& entry) {
  if (!tree_->is_live(id)) return false;
  Anchor& anchor = tree_->anchor(id);
  if (anchor.stamp != entry.stamp || !may_go(anchor) || puts_back(anchor)) return false;
  if (options_.anchor_leaving) options_.anchor_leaving(anchor);
  tree_->remove(anchor, Gone::Budget);
  return true;
}

// Something that gained since its entry was made gets a new entry, unless it is the worst all the same.
template <class Node>
bool RamTier::puts_back(Node& node) {
  if (candidates_.empty()) return false;
  if (appraiser(now_ms_)(node) <= candidates_.front().worth) return false;
  push_candidate(node, now_ms_);
  return true;
}

// A line keeps few anchors: the newest, and of the rest those that are worth most. What lies between two others saves little
// and goes first, so that what stays is spread over the line, with the trunk's end and the branch points.
void RamTier::thin_line(Anchor& newest, std::uint64_t now_ms) {
  std::vector<Anchor*> anchors = anchors_of_line(newest);
  if (anchors.size() <= kLineAnchorsMin) return;
  std::uint64_t block_bytes = 0;
  for (const Block* node = newest.parent; !node->is_root_node(); node = node->parent) block_bytes += node->bytes.size();
  const std::size_t anchors_max = line_anchors_max(block_bytes, newest.bytes());
  Appraiser appraise = appraiser(now_ms);
  appraise.worth = worth;  // by worth under every policy
  while (anchors.size() > anchors_max) {
    auto worst = anchors.end();
    double worst_worth = 0;
    for (auto at = anchors.begin() + kNewestAnchorsKept; at != anchors.end(); ++at) {
      if (!may_go(**at)) continue;
      const double value = appraise(**at);
      if (worst == anchors.end() || value < worst_worth) {
        worst = at;
        worst_worth = value;
      }
    }
    if (worst == anchors.end()) return;
    tree_->remove(**worst, Gone::Thinned);
    anchors.erase(worst);
  }
}

void RamTier::check_invariants() const {
  tree_->check_invariants();
  std::unordered_set<std::uint64_t> current;
  for (const Entry& entry : candidates_) current.insert(entry.stamp);
  const auto check = [&](const auto& node) {
    if (node != nullptr && may_go(*node)) CHECK(current.contains(node->stamp));
  };
  std::ranges::for_each(tree_->blocks(), check);
  std::ranges::for_each(tree_->anchors(), check);
  check_fresh();
}

// Each that is marked stands there once, and nothing else that lives.
void RamTier::check_fresh() const {
  CHECK(fresh_.size() <= tree_->blocks().size() + tree_->anchors().size() + kFreshGoneMax);
  std::set<NodeId> listed;
  for (const NodeId& one : fresh_)
    if (std::visit([&](auto id) { return tree_->is_live(id); }, one)) CHECK(listed.insert(one).second);
  std::size_t marked = 0;
  const auto count = [&](const auto& node) {
    if (node == nullptr || !node->is_fresh) return;
    ++marked;
    CHECK(listed.contains(node->id));
  };
  std::ranges::for_each(tree_->blocks(), count);
  std::ranges::for_each(tree_->anchors(), count);
  CHECK(marked == listed.size());
}

std::vector<BlockId> RamTier::blocks_by_worth(std::uint64_t now_ms) const {
  struct Ranked {
    double worth;
    std::uint32_t begin;
    const Block* block;
  };
  const Appraiser appraise = appraiser(now_ms);
  std::unordered_map<const Block*, double> values;
  std::vector<const Block*> deepest_first;
  for (const auto& block : tree_->blocks())
    if (block != nullptr && block->parent != nullptr) deepest_first.push_back(block.get());
  std::ranges::sort(deepest_first, std::greater{}, &Block::begin);
  // A parent is worth at least what its best child is: without it the child is nothing.
  for (const Block* block : deepest_first) {
    double& value = values[block];
    value = std::max(value, appraise(*block));
    double& parent = values[block->parent];
    parent = std::max(parent, value);
  }
  std::vector<Ranked> ranked;
  for (const Block* block : deepest_first) ranked.push_back({values[block], block->begin, block});
  std::ranges::stable_sort(ranked, [](const Ranked& a, const Ranked& b) {
    return a.worth != b.worth ? a.worth > b.worth : a.begin < b.begin;
  });
  std::vector<BlockId> ids;
  for (const Ranked& each : ranked) ids.push_back(each.block->id);
  return ids;
}

template void RamTier::push_candidate(Block&, std::uint64_t);
template void RamTier::push_candidate(Anchor&, std::uint64_t);

}  // namespace hearth::cache
