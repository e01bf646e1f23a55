// What one node of the tree would take with it, and what that saves: the link between the tree and the pure numbers of
// worth.h. Reads nodes, changes nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/prefix_tree.h"
#include "cache/worth.h"

namespace hearth::cache {

struct Appraiser {
  bool needs_snapshots = false;
  PrefillCost cost;
  WorthFunction worth = cache::worth;
  std::uint64_t now_ms = 0;
  double return_rate = 0.5;

  [[nodiscard]] double operator()(const Block& leaf) const;  // REQUIRES: in the tree
  [[nodiscard]] double operator()(const Anchor& anchor) const;
};

// The last position before the end of `tokens`, which follow `node`, where the line has an anchor; 0 when there is none.
[[nodiscard]] std::uint32_t anchor_position_before(const Block& node, std::span<const Token> tokens);

// The later anchor that every line reaches which goes on from this one: then only a rewind ends here. nullptr: there is none.
[[nodiscard]] const Anchor* superseding(const Anchor& anchor);

// All anchors of the line that ends with `newest`, the newest first.
[[nodiscard]] std::vector<Anchor*> anchors_of_line(Anchor& newest);

}  // namespace hearth::cache
