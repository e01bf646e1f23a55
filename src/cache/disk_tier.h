// The SSD tier: the same tree as the RAM tier's, with places on the disk instead of bytes. What it holds survives the process.
//
//     RAM tier ──keep()──► pending: in this tree, bytes still in memory ──written, synced, renamed──► on the disk
//                                         fetch() answers at once                     fetch() reads, verifies, answers later
//
// A block is in this tree before it leaves the RAM tier, and its bytes stay in memory until they are committed: there is no
// moment in which it is in no tier. What cannot be read, or is not what was written, is forgotten with all that hangs on it, and
// the prompt is computed. The loop's thread only; nothing here waits but flush().
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "cache/disk_patience.h"
#include "cache/disk_tier_options.h"
#include "cache/orphans.h"
#include "cache/ram_tier.h"
#include "cache/replaced_tails.h"
#include "store/async_store.h"

namespace hearth::cache {

class DiskTier {
 public:
  // `store` was just opened: what it found is taken into the tree.
  DiskTier(std::unique_ptr<store::Store> store, DiskTierOptions options);
  ~DiskTier();
  // A folder that nobody uses now: what is worth least leaves, until its files take about so much.
  static void shrink(std::unique_ptr<store::Store> store, std::uint64_t bytes_max);

  // ---- finding: as in a RamTier
  [[nodiscard]] Match find(const Root& root, std::span<const Token> prompt, std::uint32_t tokens_max) const {
    return index_.find(root, prompt, tokens_max);
  }
  [[nodiscard]] Range range(BlockId id) const { return index_.range(id); }
  [[nodiscard]] const RamTier& index() const { return index_; }
  void pin(const Match& match) { index_.pin(match); }
  void unpin(const Match& match);
  void touch(const Match& match) { index_.touch(match, now_ms()); }

  // ---- reading
  [[nodiscard]] Ticket fetch(BlockId id);
  [[nodiscard]] Ticket fetch(AnchorId id);
  [[nodiscard]] std::uint64_t bytes_of(NodeId id) const;
  using Outcome = Result<std::shared_ptr<const store::Bytes>>;
  // Taken; nothing: not yet. Unavailable: the disk does not answer.
  [[nodiscard]] std::optional<Outcome> arrived(Ticket ticket);
  void forget(Ticket ticket);    // whose outcome nobody will take
  void clear(const Root* root);  // of one root or all: given back, out of the index; what is being written follows
  // It could not be used. True: it is out of the tree; what system or engine refuse is so at the third time.
  bool reject(NodeId id, const Error& why);
  void will_need(const Match& match);  // it may be asked for soon: the system reads ahead
  void count_hit(std::uint32_t tokens);

  // ---- writing
  // False: nothing is written now (no room in the queue, another process writes here, the disk is full).
  [[nodiscard]] bool takes() const;
  // The block with all before it, the anchor with all that covers it: into this tree, their bytes into the next batch. True
  // when they are in this tree now.
  bool keep(Block& block);
  bool keep(Anchor& anchor);
  [[nodiscard]] bool holds(const Block& block) const;
  [[nodiscard]] bool holds(const Anchor& anchor) const;
  template <class Node>
  [[nodiscard]] bool has_written(const Node& node) const;  // and not only in this tree
  void send();                                             // what was kept goes to the writing thread

  // ---- time
  void tick();  // takes what the threads have done; often
  void set_pace(store::Pace pace) { store_.set_pace(pace); }
  // Everything that was kept is committed, and the index, or the time is over.
  void flush(std::chrono::milliseconds limit);

  [[nodiscard]] bool read_only() const { return store_.store().read_only(); }
  [[nodiscard]] std::uint64_t begun_anew() const { return begun_anew_; }  // as Store's: what was kept is not any more
  [[nodiscard]] const Digest& secret() const { return store_.store().secret(); }
  void add_counters(std::map<std::string, std::uint64_t>& counters) const;
  [[nodiscard]] store::StoreCounts store_counts() const { return store_.store().counts(); }
  void check_invariants() const;

 private:
  struct Batch {
    std::vector<NodeId> nodes;
    std::uint64_t bytes = 0;  // in memory until they are written
    bool gathers = false;     // they are on the disk already
  };

  void load(std::vector<store::Entry> entries);             // disk_open.cpp
  [[nodiscard]] std::vector<store::Entry> entries() const;  // disk_open.cpp

  // disk_tier.cpp
  [[nodiscard]] std::optional<BlockId> keep_one(Block& block, Block& parent);
  template <class Node>
  void enqueue(Node& node, const store::Meta& meta, std::shared_ptr<const store::Bytes> bytes);
  [[nodiscard]] Ticket fetch_payload(store::RecordKind kind, const Hash& name, const Payload& payload);
  void save_index();
  void take_written(const store::WriteDone& done);
  void settle_written(const Batch& batch, std::span<const store::Place> places);
  void settle_gathered(Batch batch, const store::WriteDone& done);
  void forget_unwritten(const Batch& batch);
  void forget_unsent();
  void drop_freed();
  void forget_vanished();
  void look_again(), hold_budget();  // disk_budget.cpp
  void gather_small();
  [[nodiscard]] store::Entry entry_of(const Block& block) const;
  [[nodiscard]] store::Entry entry_of(const Anchor& anchor) const;
  void forget_node(NodeId id), pause(const Error& why);
  [[nodiscard]] std::uint64_t now_ms() const;
  [[nodiscard]] std::uint64_t steady_ms() const { return options_.steady_ms(); }

  DiskTierOptions options_;
  std::atomic<std::uint64_t> bytes_max_;  // set by the writing thread, which ends before this does
  store::AsyncStore store_;
  RamTier index_;
  mutable std::uint64_t latest_ms_ = 0;  // the clock never runs backwards here

  std::vector<store::Write> writes_;  // the batch that is being filled
  Batch filling_;
  std::unordered_map<std::uint64_t, Batch> batches_;  // at the writing thread
  std::uint64_t pending_bytes_ = 0;                   // in all of them

  ReplacedTails replaced_;
  Orphans orphans_;
  std::uint64_t cleared_batch_ = 0;  // the last one that was on its way when the cache was cleared; 0 = none
  std::uint64_t begun_anew_ = 0;     // what this tree knows of

  std::unordered_map<Ticket, Outcome> arrived_;
  DiskPatience patience_;
  std::unordered_set<Ticket> unwanted_;         // outcomes that are thrown away when they come
  std::map<NodeId, int> strikes_;               // how often each was refused
  Ticket next_ready_ = std::uint64_t{1} << 63;  // of fetches answered from memory; the store's are smaller

  std::uint64_t paused_until_ms_ = 0;  // of the steady clock, as the next four
  std::uint64_t index_saved_ms_ = 0, budget_held_ms_ = 0, gathered_ms_ = 0, looked_ms_ = 0;
  bool index_is_old_ = false, index_failed_ = false, is_over_ = false;
  bool complained_ = false;  // that nothing can be written: said once, until something was
  DiskTotals totals_;
};

}  // namespace hearth::cache
