// From what a store found to a tree, and from the tree to what the store is told again: its index, and files made of files.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <system_error>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "cache/disk_tier.h"
#include "cache/prefix_tree.h"

namespace hearth::cache {
namespace {

// So many small extents are worth gathering.
constexpr std::uint64_t kSmallBytes = std::uint64_t{16} << 20;
constexpr std::size_t kSmallExtentsMin = 24;
constexpr std::uint64_t kGatherBytes = std::uint64_t{128} << 20;
constexpr std::uint64_t kGatherEveryMs = 60'000;
// What leaves is weighed by blocks; tables, and holes that the file system does not make, show afterwards.
constexpr int kShrinkRounds = 4;
// Of names that a thread checks in a row: a millisecond.
constexpr std::size_t kChecksAtOnce = 1024;

struct HashHasher {
  std::size_t operator()(const Hash& hash) const noexcept { return RootHasher()({hash}); }
};

DiskTierOptions completed(DiskTierOptions options) {
  if (!options.unix_ms) options.unix_ms = unix_now_ms;
  if (!options.steady_ms) options.steady_ms = [] { return static_cast<std::uint64_t>(SteadyClock().now_ms()); };
  return options;
}

template <class Enum>
Enum known(std::uint8_t number, Enum last, Enum otherwise) {
  return number <= static_cast<std::uint8_t>(last) ? static_cast<Enum>(number) : otherwise;
}

bool is_named_right(const store::Meta& meta) {
  const bool is_block = meta.key.kind == store::RecordKind::Block;
  return meta.key.name == (is_block ? block_hash(meta.parent, meta.tokens) : anchor_hash(meta.parent, meta.tokens));
}

// Which entries have the name that their parent and tokens give: half of what opening takes, so by all cores.
std::vector<char> named_right(const std::vector<store::Entry>& entries) {
  std::vector<char> right(entries.size());
  std::atomic<std::size_t> next = 0;
  const auto check = [&] {
    for (std::size_t i = 0; (i = next.fetch_add(kChecksAtOnce)) < entries.size();)
      for (const std::size_t end = std::min(i + kChecksAtOnce, entries.size()); i < end; ++i)
        right[i] = is_named_right(entries[i].meta) ? 1 : 0;
  };
  std::vector<std::jthread> others;
  try {
    const std::size_t useful =
        std::min<std::size_t>(std::thread::hardware_concurrency(), entries.size() / kChecksAtOnce);
    while (others.size() + 1 < useful) others.emplace_back(check);
  } catch (const std::system_error&) {  // no more threads: then by those that there are
  }
  check();
  others.clear();  // joins
  return right;
}

// Entries become nodes, parents first. What does not fit the tree, whoever wrote it, is left over.
class Loader {
 public:
  Loader(PrefixTree& tree, std::uint64_t now_ms, std::size_t entries) : tree_(tree), now_ms_(now_ms) {
    full_blocks_.reserve(entries);
  }

  // Takes what the entry holds when it returns true. REQUIRES: it is named right.
  bool add(store::Entry& entry) {
    const store::Meta& meta = entry.meta;
    if (meta.begin % kBlockTokens != 0 || meta.tokens.size() > kBlockTokens) return false;
    Block* parent = parent_of(meta);
    if (parent == nullptr) return false;
    return meta.key.kind == store::RecordKind::Block ? add_block(*parent, entry) : add_anchor(*parent, entry);
  }

 private:
  Block* parent_of(const store::Meta& meta) {
    if (meta.begin == 0) {
      if (meta.parent != meta.root) return nullptr;
      return meta.key.kind == store::RecordKind::Block ? &tree_.make_root({meta.root}) : tree_.find_root({meta.root});
    }
    const auto found = full_blocks_.find(meta.parent);
    if (found == full_blocks_.end()) return nullptr;
    Block& parent = tree_.block(found->second);
    return parent.end() == meta.begin && parent.root.hash == meta.root ? &parent : nullptr;
  }

  bool add_block(Block& parent, store::Entry& entry) {
    store::Meta& meta = entry.meta;
    const Root root = parent.root;
    const bool fits = best_child(parent, meta.tokens).common < meta.tokens.size();
    if (!fits) {
      tree_.remove_root_if_empty(root);
      return false;
    }
    Block& made = tree_.add_block(parent, std::move(meta.tokens), meta.key.name, Payload(entry.place));
    made.line = known(meta.line_kind, LineKind::OneShot, LineKind::Unknown);
    made.uses = std::max(made.uses, meta.uses);
    made.branches = std::max(made.branches, std::min<std::uint32_t>(meta.branches, 1024));
    made.stored_ms = std::min(meta.stored_unix_ms, now_ms_);
    made.used_ms = std::min(meta.used_unix_ms, now_ms_);
    if (made.tokens.size() == kBlockTokens) full_blocks_.emplace(made.hash, made.id);
    return true;
  }

  bool add_anchor(Block& parent, const store::Entry& entry) {
    const store::Meta& meta = entry.meta;
    const Anchor* known_one = longest_anchor(parent, meta.tokens);
    const bool is_new = known_one == nullptr || known_one->tokens.size() < meta.tokens.size();
    if (!is_new || best_child(parent, meta.tokens).common != meta.tokens.size()) return false;
    Anchor& made = tree_.add_anchor(parent, meta.tokens, Payload(entry.place));
    made.kind = known(meta.anchor_kind, AnchorKind::Branch, AnchorKind::Turn);
    made.line = known(meta.line_kind, LineKind::OneShot, LineKind::Unknown);
    made.uses = meta.uses;
    made.used_ms = std::min(meta.used_unix_ms, now_ms_);
    return true;
  }

  PrefixTree& tree_;
  const std::uint64_t now_ms_;
  std::unordered_map<Hash, BlockId, HashHasher> full_blocks_;
};

// The extents of which so little is left, or was ever there, that they are worth gathering: as many as one holds, each whole, so that
// it goes afterwards also where the file system makes no holes.
std::unordered_set<std::uint64_t> small_extents(const PrefixTree& tree) {
  std::unordered_map<std::uint64_t, std::uint64_t> sizes;
  const auto count = [&](const Payload& payload) {
    if (payload.place()) sizes[payload.place()->extent] += payload.size();
  };
  for (const auto& block : tree.blocks())
    if (block != nullptr) count(block->bytes);
  for (const auto& anchor : tree.anchors())
    if (anchor != nullptr) count(anchor->snapshot);
  std::erase_if(sizes, [](const auto& one) { return one.second >= kSmallBytes; });
  if (sizes.size() < kSmallExtentsMin) return {};
  std::unordered_set<std::uint64_t> chosen;
  std::uint64_t bytes = 0;
  for (const auto& [extent, live_bytes] : sizes)
    if (bytes + live_bytes <= kGatherBytes) {
      bytes += live_bytes;
      chosen.insert(extent);
    }
  return chosen;
}

}  // namespace

DiskTier::DiskTier(std::unique_ptr<store::Store> store, DiskTierOptions options)
    : options_(completed(std::move(options))),
      bytes_max_(options_.bytes_max),
      store_(std::move(store), options_.workers),
      index_({.bytes_max = UINT64_MAX, .needs_snapshots = options_.needs_snapshots}) {
  load(store_.store().take_entries());
}

DiskTier::~DiskTier() = default;

void DiskTier::shrink(std::unique_ptr<store::Store> store, std::uint64_t bytes_max) {
  if (store->read_only()) return;
  // Only where a state cannot be cut anchors are written.
  const bool has_anchors = std::ranges::any_of(
      store->entries(), [](const store::Entry& entry) { return entry.meta.key.kind == store::RecordKind::Anchor; });
  DiskTier tier(std::move(store),
                {.bytes_max = bytes_max, .needs_snapshots = has_anchors, .workers = store::Workers::Caller});
  for (int i = 0; i < kShrinkRounds && tier.store_counts().file_bytes > bytes_max; ++i) {
    tier.budget_held_ms_ = 0;
    tier.flush(std::chrono::milliseconds(0));  // without threads it does all of it
  }
}

void DiskTier::load(std::vector<store::Entry> entries) {
  index_saved_ms_ = looked_ms_ = gathered_ms_ = steady_ms();
  // By numbers alone, for the entries lie far apart. The last one keeps the order: of two of one name the first is the one that is
  // there.
  std::vector<std::tuple<store::RecordKind, std::uint32_t, std::size_t>> parents_first;
  parents_first.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i)
    parents_first.emplace_back(entries[i].meta.key.kind, entries[i].meta.begin, i);
  std::ranges::sort(parents_first);
  const std::vector<char> right = named_right(entries);
  Loader loader(index_.tree(), now_ms(), entries.size());
  // What lies in a file that was not read this time are most likely parents: what hangs on them is good, and theirs the next time.
  const bool all_read = store_.store().counts().unread == 0;
  std::vector<store::Place> left_over;
  std::vector<store::Entry> orphans;
  for (const auto& [kind, begin, i] : parents_first) {
    if (right[i] != 0 && loader.add(entries[i])) continue;
    if (all_read || right[i] == 0)
      left_over.push_back(entries[i].place);
    else
      orphans.push_back(std::move(entries[i]));
  }
  orphans_ = Orphans(std::move(orphans));
  index_.settle(now_ms());
  const bool writes = !store_.store().read_only();
  if (writes && !left_over.empty()) store_.drop(std::move(left_over));
  index_is_old_ = writes && store_.store().counts().index_rebuilt;
  hold_budget();
  drop_freed();
  const Counts held = index_.counts();
  log_info("cache", "{} blocks and {} anchors of earlier sessions in {}{}", held.blocks, held.anchors,
           store_.store().where(),
           writes
               ? ""
               : ", which cannot be written from here (another process does, or its permissions): they are only read");
}

store::Entry DiskTier::entry_of(const Block& block) const {
  return {.meta = {.key = {.kind = store::RecordKind::Block, .name = block.hash},
                   .root = block.root.hash,
                   .parent = block.parent->hash,
                   .begin = block.begin,
                   .tokens = block.tokens,
                   .line_kind = static_cast<std::uint8_t>(block.line),
                   .uses = block.uses,
                   .branches = block.branches,
                   .stored_unix_ms = block.stored_ms,
                   .used_unix_ms = block.used_ms},
          .place = block.bytes.place().value_or(store::Place{})};
}

store::Entry DiskTier::entry_of(const Anchor& anchor) const {
  const Block& parent = *anchor.parent;
  return {.meta = {.key = {.kind = store::RecordKind::Anchor, .name = anchor_hash(parent.hash, anchor.tokens)},
                   .root = parent.root.hash,
                   .parent = parent.hash,
                   .begin = parent.end(),
                   .tokens = anchor.tokens,
                   .anchor_kind = static_cast<std::uint8_t>(anchor.kind),
                   .line_kind = static_cast<std::uint8_t>(anchor.line),
                   .uses = anchor.uses,
                   .branches = anchor.branches,
                   .stored_unix_ms = anchor.used_ms,
                   .used_unix_ms = anchor.used_ms},
          .place = *anchor.snapshot.place()};
}

std::vector<store::Entry> DiskTier::entries() const {
  std::vector<store::Entry> all;
  all.reserve(index_.counts().blocks + index_.counts().anchors);  // the loop waits for this
  for (const auto& block : index_.tree().blocks())
    if (block != nullptr && block->parent != nullptr && block->bytes.place()) all.push_back(entry_of(*block));
  for (const auto& anchor : index_.tree().anchors())
    if (anchor != nullptr && anchor->parent != nullptr && anchor->snapshot.place()) all.push_back(entry_of(*anchor));
  replaced_.add_entries(all);
  orphans_.add_entries(all);
  return all;
}

// Each turn of a conversation brings a file of its own; now and then the small ones become one, so that their number stays small
// and a conversation's blocks lie side by side. What is in them is written a second time, once.
void DiskTier::gather_small() {
  if (!takes() || pending_bytes_ > 0 || !batches_.empty() || steady_ms() - gathered_ms_ < kGatherEveryMs) return;
  gathered_ms_ = steady_ms();
  const std::unordered_set<std::uint64_t> extents = small_extents(index_.tree());
  Batch batch{.gathers = true};
  std::vector<store::Entry> records;
  const auto add = [&](const auto& node, const Payload& payload) {
    if (node.parent == nullptr || !payload.place() || !extents.contains(payload.place()->extent)) return;
    batch.nodes.emplace_back(node.id);
    records.push_back(entry_of(node));
  };
  for (const auto& block : index_.tree().blocks())
    if (block != nullptr) add(*block, block->bytes);
  for (const auto& anchor : index_.tree().anchors())
    if (anchor != nullptr) add(*anchor, anchor->snapshot);
  if (!records.empty()) batches_.emplace(store_.gather(std::move(records)), std::move(batch));
}

}  // namespace hearth::cache
