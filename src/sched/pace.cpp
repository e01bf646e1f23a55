// See pace.h.
#include "sched/pace.h"

#include <algorithm>
#include <limits>

namespace hearth::sched {
namespace {

// Chunks are multiples of these where they can be: kernels' tiles.
constexpr std::uint32_t kTileRows = 32, kSmallTileRows = 8;
constexpr std::uint32_t kSmallRowsMax = 128;
// While nothing is known about costs.
constexpr std::uint32_t kProbeRows = 64;

// As many rows as `budget_us` pays for. The rate depends on how many they are: halved until they fit.
std::uint32_t rows_for(const StepCosts& costs, double budget_us, std::uint32_t rows_max) {
  std::uint32_t rows = std::max<std::uint32_t>(rows_max, 1);
  while (rows > 1) {
    const double rows_us = costs.prefill_us(rows);
    if (rows_us <= budget_us) return rows;
    rows = std::max<std::uint32_t>(
        rows / 2, std::min<std::uint32_t>(rows - 1, static_cast<std::uint32_t>(rows * (budget_us / rows_us))));
  }
  return rows;
}

std::uint32_t whole(std::uint32_t rows, const PaceLimits& limits) {
  const std::uint32_t kernels = rows < kSmallRowsMax ? kSmallTileRows : kTileRows;
  const std::uint32_t tile = std::max(limits.rows_min, std::min(kernels, limits.rows_max));
  return std::max(rows / tile * tile, tile);
}

}  // namespace

std::uint32_t prefill_rows_beside(const StepCosts& costs, const PaceState& state, const PaceLimits& limits,
                                  std::uint32_t shortest) {
  const double step_us = costs.streams_us();
  const bool prefill_known = costs.prefill_us(limits.rows_max) != 0;
  if (step_us == 0 && prefill_known) return 0;  // a step of the streams alone tells what theirs costs
  if (step_us == 0 || !prefill_known)           // this one will tell
    return std::min(std::max(kProbeRows, limits.rows_min), limits.rows_max);

  // What hardly lengthens a step goes along with any.
  const double spread_us = kSpreadPart * step_us;
  if (state.steps_beside >= kSpreadLook) return 0;
  if (limits.rows_min <= 1 && costs.prefill_us(shortest) <= spread_us) return std::min(shortest, limits.rows_max);
  const std::uint32_t spread_rows = rows_for(costs, spread_us, limits.rows_max);
  if (spread_rows >= std::max(kSpreadRowsMin, limits.rows_min)) return whole(spread_rows, limits);

  const double chunk_us = std::max(kChunk_us, kChunkStepsMin * step_us);
  const std::uint32_t chunk_rows = whole(rows_for(costs, chunk_us, limits.rows_max), limits);
  const bool rested = state.steps_since >= kStepsBetween &&
                      state.streams_us_since >= state.chunk_us * kStreamsShareMin / (1 - kStreamsShareMin);
  // Where steps are slow a chunk is long: the streams have their share of the time before a short one, too.
  const double hold_us = std::max(kShortHold_us, state.chunk_us * kStreamsShareMin / (1 - kStreamsShareMin));
  const bool short_one = shortest <= chunk_rows && state.held_us >= hold_us;
  return rested || short_one ? chunk_rows : 0;
}

PaceState paced(PaceState state, const StepCosts& costs, std::uint32_t stream_rows, std::uint32_t prefill_rows,
                bool prefill_held, double step_us) {
  state.held_us = prefill_held ? state.held_us + step_us : 0;
  state.steps_beside = prefill_rows > 0 && stream_rows > 0 ? state.steps_beside + 1 : 0;
  if (stream_rows == 0) {  // nobody saw it
    state.steps_since = kStepsBetween;
    state.streams_us_since = std::numeric_limits<double>::max();
    return state;
  }
  const double added_us = std::max(0.0, step_us - costs.streams_us());
  if (prefill_rows == 0 || added_us <= costs.streams_us() / 2) {
    state.steps_since = std::min(state.steps_since + 1, kStepsBetween);
    state.streams_us_since += step_us;
  } else {
    state.steps_since = 0;
    state.streams_us_since = 0;
    state.chunk_us = added_us;
  }
  return state;
}

}  // namespace hearth::sched
