// What PrefixCache keeps per sequence, and the plans it makes; private to this room's prefix_*.cpp. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cache/importer.h"
#include "cache/ram_tier.h"
#include "engine/engine.h"

namespace hearth::cache {

using engine::Sequence;
using engine::Token;

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
  std::uint32_t copied = 0;  // so far RAM has been offered a copy while the line rests
  bool ram_refused = false;  // RAM does not take it: not asked again before it grows
  Brought brought;           // when the running job began
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

enum class Below { All, Ram };                 // where a prompt's beginning is looked for outside the pool
enum class ExportStep { Some, All, Refused };  // of a line's way to RAM

struct CacheTotals {
  std::uint64_t evicted = 0, forks = 0, anchors = 0, demoted = 0, imports = 0, imports_failed = 0;
  std::uint64_t tokens_exported = 0, tokens_imported = 0, export_us = 0, import_us = 0;
};

[[nodiscard]] std::uint32_t common_prefix(std::span<const Token> a, std::span<const Token> b);

}  // namespace hearth::cache
