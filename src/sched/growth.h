// To which size a context grows that has become too small. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace hearth::sched {

// What to try, the best first: twice as much, so that a conversation causes few moves, or a quarter more than it needs now;
// where memory is short, little more than it needs. All more than `held`, at least `needed` and at most `limit`; none when
// the limit is below what is needed.
[[nodiscard]] std::vector<std::uint32_t> growth_targets(std::uint32_t held, std::uint32_t needed, std::uint32_t limit);

enum class Growth { Grown, Refused, Moved };  // Moved: all jobs began again, in a pool of the old size

struct GrowthState {
  std::uint64_t ram_budget_bytes = 0;  // of states that rest; while lines move it is another
  std::int64_t again_ms = 0;           // running jobs do not ask before
};

}  // namespace hearth::sched
