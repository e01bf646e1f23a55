// See growth.h.
#include "sched/growth.h"

#include <algorithm>

namespace hearth::sched {

std::vector<std::uint32_t> growth_targets(std::uint32_t held, std::uint32_t needed, std::uint32_t limit) {
  constexpr std::uint64_t kStep = 256;  // the library's
  if (limit <= held || needed > limit) return {};
  const auto target = [&](std::uint64_t tokens) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(limit, (tokens + kStep - 1) / kStep * kStep));
  };
  const std::uint64_t least = std::max<std::uint64_t>(needed, std::uint64_t{held} + 1);
  std::vector<std::uint32_t> targets = {target(std::max<std::uint64_t>(2 * std::uint64_t{held}, least + least / 4)),
                                        target(least + least / 16)};
  if (targets[0] == targets[1]) targets.pop_back();
  return targets;
}

}  // namespace hearth::sched
