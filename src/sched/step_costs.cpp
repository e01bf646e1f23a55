// See step_costs.h.
#include "sched/step_costs.h"

#include <algorithm>
#include <bit>

namespace hearth::sched {
namespace {

// The number of streams changes with every job: a few steps must do. A prompt's depth changes slowly.
constexpr double kStreamsWeight = 0.2, kFewerStreamsWeight = 0.5;  // other programs only make a step longer
constexpr double kPrefillWeight = 0.3,
                 kDearerPrefillWeight = 0.8;  // deeper in a prompt: a chunk that is too long is seen
// A step that another program delayed says little about this one's cost.
constexpr double kOutlierTimes = 3;
constexpr double kAddedPartMin = 0.05;

double blend(double known, double measured, double weight) {
  if (known == 0) return measured;
  return known + weight * (std::min(measured, kOutlierTimes * known) - known);
}

}  // namespace

std::size_t StepCosts::class_of(std::uint32_t rows) {
  return std::min<std::size_t>(std::bit_width(rows) - 1, kClassCount - 1);
}

void StepCosts::learn(std::uint32_t stream_rows, std::uint32_t prefill_rows, double step_us) {
  if (step_us <= 0) return;
  if (prefill_rows == 0) {
    const double weight = step_us < streams_us_ ? kFewerStreamsWeight : kStreamsWeight;
    if (stream_rows > 0) streams_us_ = blend(streams_us_, step_us, weight);
    return;
  }
  if (stream_rows > 0 && streams_us_ > 0) streams_us_ = std::min(streams_us_, step_us);
  // The streams' own part is an estimate: never nothing.
  const double added_us = stream_rows == 0 ? step_us : std::max(step_us - streams_us_, kAddedPartMin * step_us);
  const double measured_us = added_us / prefill_rows;
  const std::size_t learned = class_of(prefill_rows);
  const double known_us = row_us_[learned];
  const double row_us = blend(known_us, measured_us, measured_us > known_us ? kDearerPrefillWeight : kPrefillWeight);
  // What makes rows dearer or cheaper, how deep in its prompt they lie, does so in chunks of all sizes. A size that is believed to be too dear
  // is never tried, and one that was last measured at a prompt's beginning would be too cheap at its end.
  for (std::size_t other = 0; other < kClassCount; ++other) {
    if (known_us > 0) row_us_[other] *= row_us / known_us;
    if (row_us_[other] > 0)  // and a row of a larger chunk costs no more than one of a smaller
      row_us_[other] = other > learned ? std::min(row_us_[other], row_us) : std::max(row_us_[other], row_us);
  }
  row_us_[learned] = row_us;
}

double StepCosts::prefill_us(std::uint32_t rows) const {
  if (rows == 0) return 0;
  const std::size_t wanted = class_of(rows);
  // The nearest class that is known; of two equally near ones the larger.
  for (std::size_t away = 0; away < kClassCount; ++away) {
    if (wanted + away < kClassCount && row_us_[wanted + away] > 0) return rows * row_us_[wanted + away];
    if (away <= wanted && row_us_[wanted - away] > 0) return rows * row_us_[wanted - away];
  }
  return 0;
}

}  // namespace hearth::sched
