// Pace: how many prefill rows the next step may carry beside streams, so that they stay smooth and prompts still get on.
//
// A stream is judged by its gaps between tokens: at least 95 of 100 of them shall last no longer than 1.5 times what they last
// without prefill. Two ways lead there, and the cheaper one is taken as soon as its cost is known:
//
//   spread   every step carries rows that lengthen it by less than a half: where a device computes kSpreadRowsMin rows in that
//   pulse    else one step carries a chunk that is worth its while, and then kStepsBetween steps carry none: 2 gaps of 100
//            are longer, and no row is computed in tiny batches, which CPUs do slowly
//
//   | s s s s s s ... s | chunk | s s s s s s ... s | chunk |     s = a step of the streams alone
//     48 steps or more    <= 200 ms, or 16 s
//
// So prefill has at least a fifth of the time (16 s of 65 s, less what tiles cut off), which bounds how long a first token takes,
// and at most three quarters. Steps before a prompt came count: one that finds quiet streams starts at once. What one chunk completes waits at most
// kShortHold_us, or for the streams' quarter. Pure functions and plain numbers; the loop's thread.
#pragma once

#include <cstdint>

#include "sched/step_costs.h"

namespace hearth::sched {

inline constexpr std::uint32_t kStepsBetween = 48;   // 2 of 100 gaps; three of the five are left to what is not ours
inline constexpr double kChunk_us = 200'000;         // a pause that a reader hardly sees
inline constexpr double kChunkStepsMin = 16;         // of streams' steps: a chunk may always last so long
inline constexpr double kStreamsShareMin = 0.25;     // of the time, while prompts are waiting
inline constexpr double kSpreadPart = 0.4;           // of a streams' step: 1.5 less what is uncertain
inline constexpr std::uint32_t kSpreadRowsMin = 32;  // fewer rows a step are computed at a poor rate
inline constexpr std::uint32_t kSpreadLook = 32;     // then one step carries none and tells what the streams cost
inline constexpr double kShortHold_us = 250'000;     // how long a prompt that one chunk completes is held back at least

struct PaceLimits {
  std::uint32_t rows_min = 1;    // fewer are of no use (exact mode's unit)
  std::uint32_t rows_max = 512;  // of a chunk beside streams
};

// What has happened lately.
struct PaceState {
  std::uint32_t steps_since = kStepsBetween;  // of the streams alone, since the last chunk
  double streams_us_since = 0;                // how long those took
  double chunk_us = 0;                        // how much longer the step with that chunk was
  double held_us = 0;                         // how long prefill has been held back by now
  std::uint32_t steps_beside = 0;             // in a row that carried rows
};

// 0: not in this step. `shortest`: how many rows complete the shortest prompt.
[[nodiscard]] std::uint32_t prefill_rows_beside(const StepCosts& costs, const PaceState& state,
                                                const PaceLimits& limits, std::uint32_t shortest);

// The state after a step.
[[nodiscard]] PaceState paced(PaceState state, const StepCosts& costs, std::uint32_t stream_rows,
                              std::uint32_t prefill_rows, bool prefill_held, double step_us);

}  // namespace hearth::sched
