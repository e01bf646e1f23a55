// Where a stretch of a prompt would come from. Plain values.
#pragma once

#include "cache/ram_tier.h"

namespace hearth::cache {

enum class Tier { Live, Ram, Disk, None };
struct TierSpan {
  Range range;
  Tier tier = Tier::None;
  bool operator==(const TierSpan&) const = default;
};

}  // namespace hearth::cache
