// The pace of prefill beside streams, as a table and in simulated machines: what a stream's gaps and a prompt's share become.
#include "sched/pace.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace hearth::sched {
namespace {

// A machine: a step takes so long, a row of prefill so much more in a large chunk, and more in a small one.
struct Machine {
  double step_us = 2000;
  double row_us = 1300;
  double small_row_us = 2600;  // of chunks below 32 rows
  double rows_us(std::uint32_t rows) const { return rows * (rows < 32 ? small_row_us : row_us); }
};

struct Outcome {
  double gap_p95 = 0;        // in steps of the stream alone
  double longest_us = 0;     // of a gap
  double prefill_share = 0;  // of the time
  double seconds = 0;
  std::uint32_t chunks = 0;
};

// A stream beside one prompt of `tokens`, as the loop does it.
Outcome prefill_beside_stream(const Machine& machine, std::uint32_t tokens, PaceLimits limits = {}) {
  StepCosts costs;
  PaceState state;
  for (int i = 0; i < 50; ++i) {
    costs.learn(1, 0, machine.step_us);
    state = paced(state, costs, 1, 0, false, machine.step_us);
  }
  std::vector<double> gaps;
  double prefill_us = 0;
  Outcome outcome;
  while (tokens > 0) {
    const std::uint32_t rows = std::min(tokens, prefill_rows_beside(costs, state, limits, tokens));
    const double us = machine.step_us + machine.rows_us(rows);
    costs.learn(1, rows, us);
    state = paced(state, costs, 1, rows, rows == 0, us);
    gaps.push_back(us);
    prefill_us += us - machine.step_us;
    tokens -= rows;
    outcome.chunks += rows > 0 ? 1 : 0;
  }
  double all_us = 0;
  for (const double gap : gaps) all_us += gap;
  std::ranges::sort(gaps);
  outcome.gap_p95 = gaps[static_cast<std::size_t>(static_cast<double>(gaps.size()) * 0.95)] / machine.step_us;
  outcome.longest_us = gaps.back();
  outcome.prefill_share = prefill_us / all_us;
  outcome.seconds = all_us / 1e6;
  return outcome;
}

TEST_CASE("beside a 20,000-token prompt 95 of 100 gaps stay below 1.5 times the stream's own, on any machine") {
  for (const double step_us : {500.0, 2000.0, 15'000.0, 60'000.0, 200'000.0})
    for (const double row_us : {5.0, 100.0, 1300.0, 10'000.0}) {
      CAPTURE(step_us);
      CAPTURE(row_us);
      const Outcome outcome = prefill_beside_stream({step_us, row_us, 2 * row_us}, 20'000);
      CHECK(outcome.gap_p95 <= 1.5);
      // A fifth of the time, less what tiles cut off, or all the rows that a batch takes.
      CHECK((outcome.prefill_share >= 0.17 || outcome.chunks <= 40));
    }
}

TEST_CASE("what was learned deep in a long prompt does not keep the next one's chunks small") {
  StepCosts costs;
  for (int i = 0; i < 50; ++i) costs.learn(1, 0, 5000);
  // Rows become dearer with what lies before them: chunks of each size were tried when they just fitted.
  for (const std::uint32_t rows : {256U, 128U, 64U, 32U, 16U, 8U})
    for (int i = 0; i < 20; ++i) costs.learn(1, rows, 5000 + 100'000.0 * rows / (rows + 8));
  const PaceState rested{.streams_us_since = 1e9};
  for (int i = 0; i < 40; ++i) {
    const std::uint32_t rows = prefill_rows_beside(costs, rested, {}, 20'000);
    costs.learn(1, rows, 5000 + 500.0 * rows);
  }
  CHECK(prefill_rows_beside(costs, rested, {}, 20'000) >= 320);  // 200 ms pay for 400
}

TEST_CASE("rows that become dearer with the prompt's depth do not make a chunk much longer than it may be") {
  StepCosts costs;
  for (int i = 0; i < 50; ++i) costs.learn(1, 0, 600);
  costs.learn(0, 2048, 2048 * 80.0);
  PaceState state;
  double longest_us = 0;
  for (std::uint32_t depth = 0; depth < 20'000;) {
    const std::uint32_t rows = prefill_rows_beside(costs, state, {.rows_max = 2048}, 20'000 - depth);
    const double us = 600 + rows * (80 + 0.03 * depth);
    costs.learn(1, rows, us);
    state = paced(state, costs, 1, rows, rows == 0, us);
    longest_us = std::max(longest_us, us);
    depth += rows;
  }
  CHECK(longest_us <= 2 * kChunk_us);
}

TEST_CASE("streams that become cheaper while every step carries rows get fewer of them") {
  StepCosts costs;
  for (int i = 0; i < 50; ++i) costs.learn(8, 0, 40'000);
  PaceState state;
  double longest_us = 0;
  for (int i = 0; i < 500; ++i) {
    const double stream_us = i < 50 ? 40'000 : 10'000;  // seven of eight have ended
    const std::uint32_t rows = prefill_rows_beside(costs, state, {}, 100'000);
    const double us = stream_us + 50.0 * rows;
    costs.learn(i < 50 ? 8 : 1, rows, us);
    state = paced(state, costs, 1, rows, rows == 0, us);
    if (i > 350) longest_us = std::max(longest_us, us);
  }
  CHECK(longest_us <= 1.5 * 10'000);
}

TEST_CASE("where a step is slow, short prompts leave the streams their quarter of the time") {
  StepCosts costs;
  PaceState state;
  const double step_us = 300'000;
  for (int i = 0; i < 50; ++i) costs.learn(1, 0, step_us);
  double streams_us = 0, all_us = 0;
  for (int i = 0; i < 400; ++i) {  // there is always one more that a chunk completes
    const std::uint32_t rows = prefill_rows_beside(costs, state, {}, 100);
    const double us = step_us + 25'000.0 * rows;
    costs.learn(1, rows, us);
    state = paced(state, costs, 1, rows, rows == 0, us);
    all_us += us;
    if (rows == 0) streams_us += us;
  }
  CHECK(streams_us >= 0.2 * all_us);
}

TEST_CASE("no gap is much longer than a chunk may be") {
  const Outcome outcome = prefill_beside_stream({}, 20'000, {.rows_max = 64});
  CHECK(outcome.longest_us <= kChunk_us + 2000);
}

TEST_CASE("a device that computes many rows in half a step gets some in every step") {
  const Outcome outcome = prefill_beside_stream({.step_us = 20'000, .row_us = 50, .small_row_us = 50}, 20'000);
  CHECK(outcome.longest_us <= 1.5 * 20'000);
  CHECK(outcome.gap_p95 <= 1.5);
  CHECK(outcome.chunks >= 100);
  CHECK(outcome.prefill_share >= 0.25);
}

TEST_CASE("what is not known yet is learned with a small chunk") {
  CHECK(prefill_rows_beside(StepCosts{}, {}, {.rows_max = 300}, 5000) == 64);
  CHECK(prefill_rows_beside(StepCosts{}, {}, {.rows_min = 256, .rows_max = 300}, 5000) == 256);
  CHECK(prefill_rows_beside(StepCosts{}, {}, {.rows_max = 16}, 5000) == 16);
}

TEST_CASE("streams that were never seen alone get a step of their own, so that their cost is known") {
  StepCosts costs;
  costs.learn(0, 512, 512 * 1300.0);
  CHECK(prefill_rows_beside(costs, {}, {}, 5000) == 0);
  costs.learn(1, 0, 2000);
  CHECK(prefill_rows_beside(costs, paced({}, costs, 0, 0, false, 0), {}, 5000) > 0);
}

StepCosts known_costs(double step_us, double row_us) {
  StepCosts costs;
  costs.learn(1, 0, step_us);
  costs.learn(0, 512, 512 * row_us);
  return costs;
}

TEST_CASE("a few rows that hardly lengthen the step go along at once") {
  const PaceState just_after{.steps_since = 0, .chunk_us = 100'000};
  CHECK(prefill_rows_beside(known_costs(10'000, 1000), just_after, {}, 4) == 4);
  CHECK(prefill_rows_beside(known_costs(10'000, 1000), just_after, {}, 5) == 0);
}

TEST_CASE("after a chunk the streams have their steps and their share of the time") {
  const StepCosts costs = known_costs(2000, 1300);
  PaceState state{.steps_since = kStepsBetween - 1, .streams_us_since = 1e9, .chunk_us = 90'000};
  CHECK(prefill_rows_beside(costs, state, {}, 5000) == 0);
  state.steps_since = kStepsBetween;
  CHECK(prefill_rows_beside(costs, state, {}, 5000) == 128);
  state.streams_us_since = 29'000;
  CHECK(prefill_rows_beside(costs, state, {}, 5000) == 0);
  state.streams_us_since = 30'001;
  CHECK(prefill_rows_beside(costs, state, {}, 5000) == 128);
}

TEST_CASE("a prompt that one chunk completes is not held back for long") {
  const StepCosts costs = known_costs(100'000, 1300);
  const PaceState state{.steps_since = 2, .streams_us_since = 200'000, .chunk_us = 90'000, .held_us = kShortHold_us};
  CHECK(prefill_rows_beside(costs, state, {}, 200) >= 200);
  CHECK(prefill_rows_beside(costs, state, {}, 5000) == 0);
}

TEST_CASE("an exact engine gets whole units, in their time") {
  const StepCosts costs = known_costs(2000, 1300);
  CHECK(prefill_rows_beside(costs, {.streams_us_since = 1e9}, {.rows_min = 256}, 5000) == 256);
  CHECK(prefill_rows_beside(costs, {.steps_since = 3}, {.rows_min = 256}, 5000) == 0);
}

TEST_CASE("steps without streams leave nothing to wait for") {
  const StepCosts costs = known_costs(2000, 1300);
  const PaceState state = paced({.steps_since = 0, .chunk_us = 1e9}, costs, 0, 512, false, 600'000);
  CHECK(prefill_rows_beside(costs, state, {}, 5000) > 0);
}

// ---- costs ------------------------------------------------------------------------------------------------------------

TEST_CASE("costs are learned by how many rows there were, and one delayed step hardly counts") {
  StepCosts costs;
  CHECK(costs.prefill_us(100) == 0);
  costs.learn(0, 512, 51'200);
  CHECK(costs.prefill_us(512) == doctest::Approx(51'200));
  CHECK(costs.prefill_us(8) == doctest::Approx(800));  // the nearest that is known
  costs.learn(0, 8, 4000);
  CHECK(costs.prefill_us(8) == doctest::Approx(4000));
  CHECK(costs.prefill_us(512) == doctest::Approx(51'200));
  costs.learn(1, 0, 1000);
  costs.learn(1, 0, 1'000'000);
  CHECK(costs.streams_us() <= 1500);
}

TEST_CASE("of a step with streams the prefill costs what came on top, never nothing") {
  StepCosts costs;
  costs.learn(2, 0, 10'000);
  costs.learn(2, 128, 30'000);
  CHECK(costs.prefill_us(128) == doctest::Approx(20'000));
  StepCosts other;
  other.learn(2, 0, 10'000);
  other.learn(2, 128, 9000);
  CHECK(other.prefill_us(128) > 0);
}

}  // namespace
}  // namespace hearth::sched
