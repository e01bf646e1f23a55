// See disk_tier.h. Opening and the index's entries are disk_open.cpp, the budget is disk_budget.cpp.
#include "cache/disk_tier.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "cache/prefix_tree.h"

namespace hearth::cache {
namespace {

// What one extent holds, so that a conversation of 100,000 tokens is tens of files.
constexpr std::uint64_t kBatchBytes = std::uint64_t{128} << 20;
// Bytes that wait for the disk are bytes that the RAM tier cannot free.
constexpr std::uint64_t kPendingBytesMax = std::uint64_t{384} << 20;
// A disk that refused is asked again after this time; what is not written meanwhile stays in RAM or is computed again.
constexpr std::uint64_t kPauseMs = 60'000;
// A read that the system refuses may come back when it is tried again; a sector that is lost does not.
constexpr int kStrikesMax = 3;
constexpr std::size_t kStruckMax = 1024;
constexpr std::uint64_t kIndexEveryMs = 5 * 60'000;
constexpr std::uint64_t kIndexOverMs = 30'000;  // while there is too much, the index being a part of it, or it failed

template <class Node>
bool is_hung(const Node& node) {
  return node.parent != nullptr;
}

}  // namespace

std::uint64_t DiskTier::now_ms() const { return latest_ms_ = std::max(latest_ms_, options_.unix_ms()); }

std::uint64_t DiskTier::bytes_of(NodeId id) const {
  const auto* block = std::get_if<BlockId>(&id);
  return block != nullptr ? index_.tree().block(*block).bytes.size()
                          : index_.tree().anchor(std::get<AnchorId>(id)).snapshot.size();
}

bool DiskTier::takes() const {
  return !store_.store().read_only() && pending_bytes_ < kPendingBytesMax && steady_ms() >= paused_until_ms_;
}

bool DiskTier::holds(const Block& block) const {
  return index_.tree().is_live(block.twin) && is_hung(index_.tree().block(block.twin));
}
bool DiskTier::holds(const Anchor& anchor) const {
  return index_.tree().is_live(anchor.twin) && is_hung(index_.tree().anchor(anchor.twin));
}

template <>
bool DiskTier::has_written(const Block& block) const {
  return holds(block) && index_.tree().block(block.twin).bytes.place().has_value();
}
template <>
bool DiskTier::has_written(const Anchor& anchor) const {
  return holds(anchor) && index_.tree().anchor(anchor.twin).snapshot.place().has_value();
}

bool DiskTier::keep(Block& block) {
  if (!is_hung(block)) return false;
  std::vector<Block*> missing;
  Block* at = &block;
  for (; !at->is_root_node() && !holds(*at); at = at->parent) missing.push_back(at);
  if (missing.empty()) return true;
  if (!takes()) return false;
  PrefixTree& tree = index_.tree();
  const Root root = block.root;
  Block* parent = at->is_root_node() ? &tree.make_root(root) : &tree.block(at->twin);
  for (auto one = missing.rbegin(); one != missing.rend(); ++one) {
    const std::optional<BlockId> twin = keep_one(**one, *parent);
    if (!twin) {
      tree.remove_root_if_empty(root);
      return false;
    }
    (*one)->twin = *twin;
    parent = &tree.block(*twin);
  }
  return true;
}

std::optional<BlockId> DiskTier::keep_one(Block& block, Block& parent) {
  const BestChild best = best_child(parent, block.tokens);
  if (best.common == block.tokens.size()) return best.child->id;
  if (!takes() || block.bytes.shared() == nullptr) return std::nullopt;
  const store::Meta meta{.key = {.kind = store::RecordKind::Block, .name = block.hash},
                         .root = block.root.hash,
                         .parent = parent.hash,
                         .begin = block.begin,
                         .tokens = block.tokens,
                         .line_kind = static_cast<std::uint8_t>(block.line),
                         .uses = block.uses,
                         .branches = block.branches,
                         .stored_unix_ms = now_ms(),
                         .used_unix_ms = now_ms()};
  std::optional<ReplacedTails::Tail> tail;
  if (best.child != nullptr && best.common == best.child->tokens.size()) {
    const bool is_placed = best.child->bytes.place().has_value();
    tail = {.id = best.child->id, .entry = entry_of(*best.child), .is_placed = is_placed};
  }
  const auto made = index_.put_under(parent, block.tokens, Payload(block.bytes.shared()), block.line, now_ms());
  if (!made) return std::nullopt;
  if (tail) {
    replaced_.add(*made, *std::move(tail));
    drop_freed();  // its place is kept back
  }
  Block& twin = index_.tree().block(*made);
  twin.uses = std::max(twin.uses, block.uses);
  enqueue(twin, meta, block.bytes.shared());
  return made;
}

bool DiskTier::keep(Anchor& anchor) {
  if (holds(anchor)) return true;
  if (!is_hung(anchor) || anchor.snapshot.shared() == nullptr) return false;
  if (!keep(*best_child(*anchor.parent, anchor.tokens).child) || !takes()) return false;
  PrefixTree& tree = index_.tree();
  Block* parent = anchor.parent->is_root_node() ? tree.find_root(anchor.parent->root) : nullptr;
  if (parent == nullptr && holds(*anchor.parent)) parent = &tree.block(anchor.parent->twin);
  if (parent == nullptr || best_child(*parent, anchor.tokens).common != anchor.tokens.size()) return false;
  if (const Anchor* known = longest_anchor(*parent, anchor.tokens);
      known != nullptr && known->tokens.size() == anchor.tokens.size()) {
    anchor.twin = known->id;
    return true;
  }
  const store::Meta meta{.key = {.kind = store::RecordKind::Anchor, .name = anchor_hash(parent->hash, anchor.tokens)},
                         .root = parent->root.hash,
                         .parent = parent->hash,
                         .begin = parent->end(),
                         .tokens = anchor.tokens,
                         .anchor_kind = static_cast<std::uint8_t>(anchor.kind),
                         .line_kind = static_cast<std::uint8_t>(anchor.line),
                         .uses = anchor.uses,
                         .branches = anchor.branches,
                         .stored_unix_ms = now_ms(),
                         .used_unix_ms = now_ms()};
  const auto made =
      index_.put_anchor_under(*parent, anchor.tokens, Payload(anchor.snapshot.shared()), anchor.kind, now_ms());
  if (!made) return false;
  anchor.twin = *made;
  Anchor& twin = index_.tree().anchor(*made);
  twin.uses = std::max(twin.uses, anchor.uses);
  enqueue(twin, meta, anchor.snapshot.shared());
  return true;
}

template <class Node>
void DiskTier::enqueue(Node& node, const store::Meta& meta, std::shared_ptr<const store::Bytes> bytes) {
  filling_.nodes.emplace_back(node.id);
  filling_.bytes += bytes->size();
  pending_bytes_ += bytes->size();
  writes_.push_back({.meta = meta, .bytes = std::move(bytes)});
  if (filling_.bytes >= kBatchBytes) send();
}

void DiskTier::send() {
  if (writes_.empty()) return;
  const std::uint64_t number = store_.write(std::exchange(writes_, {}));
  batches_.emplace(number, std::exchange(filling_, {}));
}

void DiskTier::take_written(const store::WriteDone& done) {
  const auto found = batches_.find(done.batch);
  CHECK(found != batches_.end());
  const Batch batch = std::move(found->second);
  batches_.erase(found);
  pending_bytes_ -= batch.bytes;
  if (done.places && batch.gathers)
    settle_gathered(batch, done);
  else if (done.places)
    settle_written(batch, *done.places);
  else if (!batch.gathers)  // what was gathered is where it was
    forget_unwritten(batch);
  if (!done.places)
    pause(done.places.error());
  else
    complained_ = false;
  if (cleared_batch_ == 0 || done.batch < cleared_batch_) return;
  cleared_batch_ = 0;
  save_index();
}

void DiskTier::settle_written(const Batch& batch, std::span<const store::Place> places) {
  index_is_old_ = true;
  PrefixTree& tree = index_.tree();
  std::vector<store::Place> evicted;  // while they were written, or gathered from there
  const auto settle_at = [&](auto& node, const Payload& before, const store::Place& place) {
    // One that is being read was asked for where it is.
    if (batch.gathers && node.pins > 0) return evicted.push_back(place);
    if (before.place()) evicted.push_back(*before.place());
    tree.move_bytes(node, Payload(place));
  };
  for (std::size_t i = 0; i < batch.nodes.size(); ++i) {
    const store::Place& place = places[i];
    const auto* block = std::get_if<BlockId>(&batch.nodes[i]);
    const auto* anchor = std::get_if<AnchorId>(&batch.nodes[i]);
    if (block != nullptr && tree.is_live(*block))
      settle_at(tree.block(*block), tree.block(*block).bytes, place);
    else if (anchor != nullptr && tree.is_live(*anchor))
      settle_at(tree.anchor(*anchor), tree.anchor(*anchor).snapshot, place);
    else if (block == nullptr || batch.gathers || !replaced_.place(*block, place))
      evicted.push_back(place);
    if (block == nullptr || batch.gathers) continue;
    if (const auto tail = replaced_.settle(*block)) evicted.push_back(*tail);
  }
  if (!evicted.empty()) store_.drop(std::move(evicted));
}

// What could not be read is out of the tree, or will be: else the same files would be gathered again and again.
void DiskTier::settle_gathered(Batch batch, const store::WriteDone& done) {
  std::vector<std::pair<NodeId, Error>> unreadable;
  for (const store::Store::Unreadable& one : done.unreadable) unreadable.emplace_back(batch.nodes[one.index], one.why);
  for (auto one = done.unreadable.rbegin(); one != done.unreadable.rend(); ++one)
    batch.nodes.erase(batch.nodes.begin() + static_cast<std::ptrdiff_t>(one->index));
  settle_written(batch, *done.places);
  // Of one whose file was removed, forget_vanished() hears.
  for (const auto& [node, why] : unreadable)
    if (why.kind != ErrorKind::NotFound || begun_anew_ == store_.store().begun_anew()) reject(node, why);
}

// A tail that one of these replaced is on the disk as it was, and takes its place again.
void DiskTier::forget_unwritten(const Batch& batch) {
  PrefixTree& tree = index_.tree();
  std::vector<store::Place> unwanted;
  for (const NodeId id : batch.nodes) {
    const auto* block_id = std::get_if<BlockId>(&id);
    if (block_id != nullptr) replaced_.lose(*block_id);  // it was replaced itself before it was written
    const auto tail = block_id != nullptr ? replaced_.take(*block_id) : std::nullopt;
    const bool is_there = tail && tree.is_live(*block_id) && is_hung(tree.block(*block_id)) &&
                          store_.store().has_extent(tail->entry.place.extent);
    if (is_there && shared_with_siblings(tree.block(*block_id)) < tail->entry.meta.tokens.size()) {
      Block& longer = tree.block(*block_id);
      tree.remove_below(longer, Gone::Dropped);
      Block& restored = tree.put_back(longer, tail->entry.meta.tokens, Payload(tail->entry.place));
      restored.stored_ms = tail->entry.meta.stored_unix_ms;
      restored.used_ms = tail->entry.meta.used_unix_ms;
    } else {
      if (tail) unwanted.push_back(tail->entry.place);
      forget_node(id);
    }
  }
  index_.settle(now_ms());
  if (!unwanted.empty()) store_.drop(std::move(unwanted));
}

// What was not written must not be promised, and what hangs on it is of no use without it.
void DiskTier::forget_node(NodeId node) {
  PrefixTree& tree = index_.tree();
  if (const auto* block_id = std::get_if<BlockId>(&node); block_id != nullptr && tree.is_live(*block_id)) {
    Block& block = tree.block(*block_id);
    if (!is_hung(block)) return;
    tree.remove_below(block, Gone::Dropped);
    tree.remove(block, Gone::Dropped);
  } else if (const auto* anchor_id = std::get_if<AnchorId>(&node); anchor_id != nullptr && tree.is_live(*anchor_id)) {
    if (is_hung(tree.anchor(*anchor_id))) tree.remove(tree.anchor(*anchor_id), Gone::Dropped);
  }
}

// Files were removed by somebody: what lay there would pass for kept, and never be written again.
void DiskTier::forget_vanished() {
  index_is_old_ = true;
  orphans_.forget_if([this](const store::Place& place) { return !store_.store().has_extent(place.extent); });
  std::vector<NodeId> gone;
  const auto look = [&](const auto& node, const Payload& payload) {
    if (node != nullptr && payload.place() && !store_.store().has_extent(payload.place()->extent))
      gone.push_back(node->id);
  };
  for (const auto& block : index_.tree().blocks())
    if (block != nullptr) look(block, block->bytes);
  for (const auto& anchor : index_.tree().anchors())
    if (anchor != nullptr) look(anchor, anchor->snapshot);
  for (const NodeId id : gone) forget_node(id);
  index_.settle(now_ms());
}

void DiskTier::pause(const Error& why) {
  ++totals_.write_failures;
  if (!std::exchange(complained_, true))
    log_warning("cache", "the cache in {} takes nothing now ({}); it is tried again every minute",
                store_.store().where(), why.message);
  paused_until_ms_ = steady_ms() + kPauseMs;
}

Ticket DiskTier::fetch_payload(store::RecordKind kind, const Hash& name, const Payload& payload) {
  if (payload.shared() == nullptr && !patience_.is_silent(steady_ms())) {
    const Ticket ticket = store_.read({.kind = kind, .name = name}, *payload.place());
    patience_.asked(ticket, steady_ms());
    return ticket;
  }
  Outcome outcome = payload.shared();
  if (*outcome == nullptr) outcome = fail(ErrorKind::Unavailable, "the disk does not answer");
  arrived_.emplace(next_ready_, std::move(outcome));
  return next_ready_++;
}

Ticket DiskTier::fetch(BlockId id) {
  const Block& block = index_.tree().block(id);
  return fetch_payload(store::RecordKind::Block, block.hash, block.bytes);
}

Ticket DiskTier::fetch(AnchorId id) {
  const Anchor& anchor = index_.tree().anchor(id);
  if (!is_hung(anchor)) {  // rejected for another import since
    arrived_.emplace(next_ready_, fail(ErrorKind::NotFound, "it was forgotten"));
    return next_ready_++;
  }
  return fetch_payload(store::RecordKind::Anchor, anchor_hash(anchor.parent->hash, anchor.tokens), anchor.snapshot);
}

std::optional<DiskTier::Outcome> DiskTier::arrived(Ticket ticket) {
  const auto found = arrived_.find(ticket);
  if (found == arrived_.end() && !patience_.is_late(ticket, steady_ms())) return std::nullopt;
  if (found == arrived_.end()) {
    forget(ticket);
    if (patience_.give_up(steady_ms()))
      log_warning("cache", "the disk of {} does not answer; what lies there is not waited for", store_.store().where());
    return fail(ErrorKind::Unavailable, "the disk does not answer");
  }
  Outcome outcome = std::move(found->second);
  arrived_.erase(found);
  return outcome;
}

void DiskTier::forget(Ticket ticket) {
  patience_.forget(ticket);
  if (arrived_.erase(ticket) == 0 && !store_.cancel(ticket)) unwanted_.insert(ticket);
}

bool DiskTier::reject(NodeId id, const Error& why) {
  ++totals_.rejected;
  if (why.kind == ErrorKind::Overloaded || why.kind == ErrorKind::Unavailable) return false;  // says nothing of it
  const bool is_wrong = why.kind == ErrorKind::InvalidInput || why.kind == ErrorKind::NotFound;
  if (strikes_.size() > kStruckMax) strikes_.clear();
  const bool goes = is_wrong || ++strikes_[id] >= kStrikesMax;
  if (why.kind != ErrorKind::NotFound)
    log_warning("cache", "a part of the cache in {} cannot be used ({}); it is {} and computed again",
                store_.store().where(), why.message, goes ? "forgotten" : "left there");
  if (!goes) return false;
  strikes_.erase(id);
  forget_node(id);
  index_.settle(now_ms());
  return true;
}

void DiskTier::clear(const Root* root) {
  if (root != nullptr)
    index_.drop(*root, {});
  else
    index_.clear();
  index_.settle(now_ms());
  if (read_only()) return;
  forget_unsent();
  const Digest* hash = root != nullptr ? &root->hash : nullptr;
  std::vector<store::Place> places = replaced_.clear(hash);
  std::ranges::copy(orphans_.clear(hash), std::back_inserter(places));
  if (!places.empty()) store_.drop(std::move(places));
  drop_freed();
  for (const auto& [number, batch] : batches_) cleared_batch_ = std::max(cleared_batch_, number);
  save_index();
}

// What is not in the tree any more and has not left for the writing thread yet need not be written at all.
void DiskTier::forget_unsent() {
  const PrefixTree& tree = index_.tree();
  const auto is_in_tree = [&](const NodeId& node) {
    if (const auto* block = std::get_if<BlockId>(&node)) return tree.is_live(*block) && is_hung(tree.block(*block));
    const AnchorId anchor = std::get<AnchorId>(node);
    return tree.is_live(anchor) && is_hung(tree.anchor(anchor));
  };
  Batch kept;
  std::vector<store::Write> writes;
  std::vector<store::Place> tails;
  for (std::size_t i = 0; i < writes_.size(); ++i) {
    if (!is_in_tree(filling_.nodes[i])) {
      const auto* block = std::get_if<BlockId>(&filling_.nodes[i]);
      if (block == nullptr) continue;
      replaced_.lose(*block);
      if (const auto tail = replaced_.settle(*block)) tails.push_back(*tail);
      continue;
    }
    kept.nodes.push_back(filling_.nodes[i]);
    kept.bytes += writes_[i].bytes->size();
    writes.push_back(std::move(writes_[i]));
  }
  pending_bytes_ -= filling_.bytes - kept.bytes;
  filling_ = std::move(kept);
  writes_ = std::move(writes);
  if (!tails.empty()) store_.drop(std::move(tails));
}

void DiskTier::unpin(const Match& match) {
  index_.unpin(match);
  drop_freed();
}

void DiskTier::will_need(const Match& match) {
  const auto hint = [&](const Payload& payload) {
    if (payload.place()) store_.will_need(*payload.place());
  };
  // Hints behind many others are forgotten, and without the state the blocks are of no use.
  if (match.anchor) hint(index_.tree().anchor(*match.anchor).snapshot);
  for (const BlockId id : match.blocks) hint(index_.tree().block(id).bytes);
}

void DiskTier::count_hit(std::uint32_t tokens) {
  ++totals_.hits;
  totals_.tokens += tokens;
}

void DiskTier::tick() {
  if (options_.workers == store::Workers::Caller) store_.work();
  const std::uint64_t begun_anew = store_.store().begun_anew();  // before what was written till then is taken
  while (const auto done = store_.take_write()) take_written(*done);
  while (auto done = store_.take_read()) {
    if (!done->bytes && done->bytes.error().kind == ErrorKind::Overloaded)
      patience_.forget(done->ticket);  // the queue's answer, not the disk's
    else
      patience_.answered(done->ticket, steady_ms());
    if (unwanted_.erase(done->ticket) == 0) arrived_.emplace(done->ticket, std::move(done->bytes));
  }
  if (std::exchange(begun_anew_, begun_anew) != begun_anew) forget_vanished();
  look_again();
  hold_budget();
  drop_freed();
  gather_small();
  if (store_.take_index_failure()) index_is_old_ = index_failed_ = true;
  const std::uint64_t index_every_ms = is_over_ || index_failed_ ? kIndexOverMs : kIndexEveryMs;
  if (index_is_old_ && steady_ms() - index_saved_ms_ >= index_every_ms) save_index();
}

void DiskTier::drop_freed() {
  std::vector<store::Place> freed = index_.tree().take_freed();
  if (read_only()) return;
  std::erase_if(freed, [&](const store::Place& place) { return replaced_.keeps(place); });
  if (freed.empty()) return;
  index_is_old_ = true;
  store_.drop(std::move(freed));
}

void DiskTier::save_index() {
  index_is_old_ = index_failed_ = false;
  index_saved_ms_ = steady_ms();
  store_.save_index(entries());
}

void DiskTier::flush(std::chrono::milliseconds limit) {
  if (store_.store().read_only()) return;
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto left = [&] {
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    return std::max(rest, std::chrono::milliseconds(0));
  };
  store_.set_pace(store::Pace::Alone);
  gathered_ms_ = looked_ms_ = steady_ms();  // nobody waits for files to become one, nor for what other models hold
  send();
  const bool all = store_.wait_written(left());
  tick();
  if (!all || !index_is_old_) return;
  save_index();
  static_cast<void>(store_.wait_written(left()));
}

void DiskTier::add_counters(std::map<std::string, std::uint64_t>& counters) const {
  const store::StoreCounts files = store_.store().counts();
  const Counts held = index_.counts();
  counters["disk_bytes"] = files.file_bytes;
  counters["disk_live_bytes"] = held.block_bytes + held.snapshot_bytes;
  counters["disk_budget_bytes"] = bytes_max_;
  counters["disk_blocks"] = held.blocks;
  counters["disk_anchors"] = held.anchors;
  counters["disk_extents"] = files.extents;
  counters["disk_pending_bytes"] = pending_bytes_;
  counters["disk_written_bytes"] = files.written_bytes;
  counters["disk_written_today_bytes"] = files.written_today_bytes;
  counters["disk_read_bytes"] = files.read_bytes;
  counters["disk_records_written"] = files.records_written;
  counters["disk_records_read"] = files.records_read;
  counters["disk_hits"] = totals_.hits;
  counters["disk_tokens_imported"] = totals_.tokens;
  counters["disk_blocks_evicted"] = held.gone_blocks[static_cast<std::size_t>(Gone::Budget)];
  counters["disk_rejected"] = files.rejected + totals_.rejected;
  counters["disk_read_only"] = files.read_only ? 1 : 0;
  counters["disk_write_errors"] = files.write_errors;
}

void DiskTier::check_invariants() const {
  index_.check_invariants();
  std::uint64_t pending = filling_.bytes;
  for (const auto& [number, batch] : batches_) pending += batch.bytes;
  CHECK(pending == pending_bytes_);
  CHECK(filling_.nodes.size() == writes_.size());
}

}  // namespace hearth::cache
