// What of the RAM tier is written to the disk, and when: what is likely to be read again, trunks and anchors first, the rest by
// worth. A first turn is given a moment, and the state at a turn's end longer: agents supersede it within seconds, and states
// are large. The loop's thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "cache/disk_tier.h"
#include "cache/prefix_tree.h"
#include "cache/ram_tier.h"

namespace hearth::cache {

enum class Haste { Usual, Last };  // Last: the process ends, nothing gets another chance

// Whether it is worth the write now. Never: it will not be before it is used again.
enum class Due { Now, Later, Never };
[[nodiscard]] Due due(const Block& block, bool needs_snapshots, std::uint64_t now_ms, Haste haste);
[[nodiscard]] Due due(const Anchor& anchor, std::uint64_t now_ms, Haste haste);

class Saver {
 public:
  Saver(RamTier& ram, DiskTier& disk, bool needs_snapshots)
      : ram_(ram), disk_(disk), needs_snapshots_(needs_snapshots) {}

  // True: some of what is due found no room in the queue.
  bool round(std::uint64_t now_ms, Haste haste);
  // About to leave RAM: its last chance, with the anchors that only it covers.
  void leaving(Block& block, std::uint64_t now_ms);
  void leaving(Anchor& anchor, std::uint64_t now_ms);
  void check_invariants() const;

 private:
  struct Chosen {
    NodeId id;
    int rank = 0;  // lower first
    double worth = 0;
  };
  [[nodiscard]] std::vector<Chosen> choose(std::uint64_t now_ms, Haste haste);
  bool keep(NodeId id);
  void look_after_taken();

  RamTier& ram_;
  DiskTier& disk_;
  const bool needs_snapshots_;
  std::vector<NodeId> waiting_;   // not on the disk, and not due yet; each once, as in the next
  std::uint64_t begun_anew_ = 0;  // the disk, as far as these lists know
  std::vector<NodeId> taken_;     // by the disk's tree, but not written yet: what fails is due again
};

}  // namespace hearth::cache
