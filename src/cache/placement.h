// What PrefixCache is told and what it answers. Plain values.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/engine.h"

namespace hearth::cache {

using engine::Sequence;

struct CacheLimits {
  std::uint64_t ram_bytes_max = std::uint64_t{1} << 30;  // 0 = nothing leaves the pool
  // Idle cells up to here cost a step less than moving them would: 1,700 of them cost some 15 % of a small model's decode.
  std::uint64_t idle_tokens_free = 256;
};

enum class ImportStep {
  Ready,
  More,
  Waits,  // for the disk
};

// The line of a job, and what it holds already.
struct Placement {
  Sequence sequence = 0;
  bool importing = false;           // length() is what is there once import_step() said Ready
  std::uint32_t cached_tokens = 0;  // held already (or being imported); all of the prompt only with `logits`
  // Where a prefix that could not be used (its state cannot be cut) ends: keeping the state there pays, because
  // prompts branch there. 0 = nowhere.
  std::uint32_t branch_point = 0;
  // With cached_tokens == the prompt's: the logits that follow it. A copy, for those kept here change while an import runs.
  std::vector<float> logits;
};

}  // namespace hearth::cache
