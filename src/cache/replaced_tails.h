// ReplacedTails: tails on the disk that left the tree for a longer block which is still on its way there. They are given back
// once that one is written, or a crash would find neither; where its write fails they take its place again. One thread.
//
//     [512,600) on the disk ──replaced by──► [512,768) pending ──written──► the tail's room is free
//                                                             └─failed───► the tail is in the tree again
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "cache/tier_types.h"
#include "store/record.h"

namespace hearth::cache {

class ReplacedTails {
 public:
  struct Tail {
    BlockId id{};
    store::Entry entry;      // its place is only one when is_placed
    bool is_placed = false;  // false: on its way to the disk itself
    bool is_free = false;    // the tree has let it go; else somebody reads it, and the tree will say when nobody does
  };

  // REQUIRES: `longer` replaced no other one.
  void add(BlockId longer, Tail tail);
  // The tree let this place go. True: it is kept back.
  bool keeps(const store::Place& place);
  // A tail was written that a longer block has replaced meanwhile. False: it is none of these.
  bool place(BlockId tail, const store::Place& place);
  // A tail could not be written: what it had replaced itself waits for the longer block now.
  void lose(BlockId tail);
  // The longer block was written, or nobody wants it any more: what can be given back now.
  [[nodiscard]] std::optional<store::Place> settle(BlockId longer);
  // The longer block could not be written: the tail that can take its place again.
  [[nodiscard]] std::optional<Tail> take(BlockId longer);
  // All of this root (nullptr: of all) are forgotten: what can be given back now.
  [[nodiscard]] std::vector<store::Place> clear(const Digest* root);
  // Those that are on the disk: an index without them would lose them.
  void add_entries(std::vector<store::Entry>& entries) const;

 private:
  std::map<BlockId, Tail> tails_;  // by the longer block; no more than are on their way to the disk
};

}  // namespace hearth::cache
