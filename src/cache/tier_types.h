// What a tier answers with: ids, matches and the books. Plain values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace hearth::cache {

enum class BlockId : std::uint64_t {};
enum class AnchorId : std::uint64_t {};
using NodeId = std::variant<BlockId, AnchorId>;

struct Range {
  std::uint32_t begin = 0, end = 0;
  bool operator==(const Range&) const = default;
};

enum class Tier { Live, Ram, Disk, None };
// A stretch of a prompt and the tier that it would come from; None: it would be computed.
struct TierSpan {
  Range range;
  Tier tier = Tier::None;
  bool operator==(const TierSpan&) const = default;
};

// Valid until the next call that changes the tier; a pinned one until it is unpinned.
struct Match {
  std::uint32_t tokens = 0;  // can be restored: blocks cover [0, tokens), and an anchor is there when one is needed
  std::uint32_t attention_tokens =
      0;                           // what blocks alone would cover: an anchor there would have served (a branch point)
  std::vector<BlockId> blocks;     // in order; the last may reach beyond `tokens`: the import cuts it
  std::optional<AnchorId> anchor;  // at exactly `tokens`; without needs_snapshots only there for its logits
};

enum class Gone { Budget, Uncovered, Thinned, Replaced, Dropped };  // why something left
inline constexpr std::size_t kGoneCount = 5;

struct Counts {
  std::uint64_t roots = 0, blocks = 0, tail_blocks = 0, anchors = 0;
  std::uint64_t block_bytes = 0, snapshot_bytes = 0, logits_bytes = 0, tree_bytes = 0;  // tree: tokens, hashes, links
  std::uint64_t pinned_blocks = 0, pinned_anchors = 0, pinned_bytes = 0;                // within the above
  std::array<std::uint64_t, kGoneCount> gone_blocks{}, gone_anchors{}, gone_bytes{};    // since the start, by Gone
  bool operator==(const Counts&) const = default;
  [[nodiscard]] std::uint64_t bytes() const { return block_bytes + snapshot_bytes + logits_bytes + tree_bytes; }
};

}  // namespace hearth::cache
