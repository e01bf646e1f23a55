// What keeping something is worth: seconds of prefill a hit would save, times the likelihood of a hit, per byte. Pure
// functions of plain values, tested by a table; the LRU twin behind the same type is the yardstick of the traces.
#pragma once

#include <cstdint>
#include <span>

namespace hearth::cache {

// Prefill of the token at `position` takes token_us + position * depth_us: attention looks at all before it.
struct PrefillCost {
  double token_us = 1000;   // until measured: 1,000 t/s
  double depth_us = 0.005;  // until measured: at 100k tokens deep a token costs 1.5 times as much
};
[[nodiscard]] double prefill_us(const PrefillCost& cost, std::uint32_t begin, std::uint32_t end);

// Where an anchor stands; the renderer's boundaries, and branch points found in a prefill.
enum class AnchorKind { Trunk, Turn, Suffix, ReplyEnd, Branch };

// How often new lines come back, learned while they pass: under a flood of one-shot work the guess for a first turn falls,
// among agents it rises. Old experience fades.
struct Experience {
  double begun = 3, returned = 2;  // before any: two of three first turns get a second one
  void count_begun();
  void count_returned() { returned += 1; }
  [[nodiscard]] double return_rate() const;
};

// What is known of the line of tokens that something was stored for.
enum class LineKind {
  Unknown,       // a first turn: nobody can tell yet
  Conversation,  // has had several turns, or continues something that was used again
  OneShot,       // the caller knows that it will not come back (a batch job, a title)
};

// What speaks for another use of a block or an anchor.
struct Reuse {
  LineKind line = LineKind::Unknown;
  bool anchor = false;  // false: a block, and `kind` means nothing
  AnchorKind kind = AnchorKind::Turn;
  std::uint32_t uses = 0;      // hits so far
  std::uint32_t branches = 0;  // different continuations ever kept; 2 or more make it a trunk
  bool superseded = false;     // a later anchor of its only continuation is kept: a hit here is a rewind
  std::uint64_t age_ms = 0;    // since it was stored or last used
  double return_rate = 0.5;    // of lines that nothing is known about (Experience)
};
[[nodiscard]] double likelihood(const Reuse& reuse);  // (0, 1]

struct Gain {
  double saved_us = 0;
  Reuse reuse;
};

// One candidate for eviction with everything that would go with it.
struct Candidate {
  std::span<const Gain> gains;
  std::uint64_t bytes = 0;
  std::uint64_t used_ms = 0;  // when anything of it was stored or last used
};

// Higher is better kept. Only the order of the numbers means something.
using WorthFunction = double (*)(const Candidate&);
[[nodiscard]] double worth(const Candidate& candidate);
[[nodiscard]] double worth_lru(const Candidate& candidate);  // the yardstick: only the last use counts

// How many anchors one line may keep: as many as weigh half of its blocks, within [kLineAnchorsMin, kLineAnchorsMax].
inline constexpr std::uint32_t kLineAnchorsMin = 6;   // trunk, branch point, the last turns
inline constexpr std::uint32_t kLineAnchorsMax = 32;  // more only makes walking a line slower
[[nodiscard]] std::uint32_t line_anchors_max(std::uint64_t line_block_bytes, std::uint64_t anchor_bytes);

}  // namespace hearth::cache
