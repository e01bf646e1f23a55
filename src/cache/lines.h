// What PrefixCache keeps per sequence, and the plans it makes; private to this room's prefix_*.cpp. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "cache/ram_tier.h"
#include "engine/engine.h"

namespace hearth::cache {

using engine::Sequence;
using engine::Token;

// State that comes back from RAM, block by block.
struct Import {
  Match match;                 // pinned until the import ends
  std::vector<Token> tokens;   // what the line holds at its end
  std::uint32_t arrived = 0;   // tokens whose cells are there
  std::size_t next_block = 0;  // into match.blocks
};

struct Line {
  enum class State { Free, Idle, Running };
  State state = State::Free;
  const Root* root = nullptr;   // never null but when Free
  std::uint64_t last_used = 0;  // by tick_
  std::vector<Token> tokens;    // empty while importing
  // Exact mode: so many leading tokens were computed in whole units, the only shape that is used again. Otherwise all.
  std::uint32_t exact_tokens = 0;
  LineKind kind = LineKind::Unknown;
  std::uint32_t in_ram = 0;  // everything before lies in RAM, unless it was evicted since
  bool ram_refused = false;  // RAM does not take it: not asked again before it grows
  std::optional<Import> import;
};

// The logits that follow a prompt.
struct KeptLogits {
  const Root* root = nullptr;
  std::vector<Token> prompt;
  std::vector<float> logits;
};

// The longest that lines have in common with a prompt.
struct LiveMatch {
  std::optional<Sequence> best;  // can be continued or forked after `usable` tokens
  std::uint32_t usable = 0;
  std::optional<Sequence> longest;  // shares most; its cells can be shared where a state from RAM goes with them
  std::uint32_t common = 0;
};

struct Start {
  enum class Way {
    Nothing,   // computed from the first token
    TakeOver,  // an idle line goes on
    Fork,      // a line is copied, its cells are shared
    Import,    // cells of a line (live_tokens of them), then blocks from RAM, then the anchor's state
  };
  Way way = Way::Nothing;
  std::optional<Sequence> live;
  std::uint32_t live_tokens = 0;
  Match ram;                  // what RAM knows of the prompt; used with Import
  std::uint32_t tokens = 0;   // known in the end
  std::uint32_t longest = 0;  // known in any tier, usable or not
};

}  // namespace hearth::cache
