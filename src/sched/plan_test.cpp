// The planner as a table: which rows come of which jobs.
#include "sched/plan.h"

#include <doctest/doctest.h>

namespace hearth::sched {
namespace {

constexpr PlanLimits kLimits{.batch_tokens = 100, .prefill_tokens = 80, .prefill_tokens_beside = 30};

std::vector<std::pair<std::size_t, std::uint32_t>> planned(const std::vector<PlanJob>& jobs, std::uint64_t turn = 0,
                                                           PlanLimits limits = kLimits) {
  std::vector<std::pair<std::size_t, std::uint32_t>> rows;
  for (const PlannedRows& part : plan_batch(jobs, limits, turn)) rows.emplace_back(part.job_index, part.count);
  return rows;
}
using Rows = std::vector<std::pair<std::size_t, std::uint32_t>>;

TEST_CASE("every decoding job gets its row, in order") {
  CHECK(planned({{.pending = 1}, {.pending = 1}, {.pending = 1}}) == Rows{{0, 1}, {1, 1}, {2, 1}});
}

TEST_CASE("a prefill alone gets the whole prefill budget and beside streams the smaller one") {
  CHECK(planned({{.pending = 500}}) == Rows{{0, 80}});
  CHECK(planned({{.pending = 500}, {.pending = 1}}) == Rows{{1, 1}, {0, 30}});
}

TEST_CASE("the shortest prefill goes first and what is left goes to the next") {
  CHECK(planned({{.pending = 500, .arrival = 1}, {.pending = 20, .arrival = 2}}) == Rows{{1, 20}, {0, 60}});
}

TEST_CASE("every fourth batch begins with the oldest prefill") {
  const std::vector<PlanJob> jobs = {{.pending = 500, .arrival = 1}, {.pending = 200, .arrival = 2}};
  for (std::uint64_t turn : {0, 1, 2}) CHECK(planned(jobs, turn) == Rows{{1, 80}});
  CHECK(planned(jobs, 3) == Rows{{0, 80}});
}

TEST_CASE("of equally long prefills the older one goes first") {
  CHECK(planned({{.pending = 90, .arrival = 2}, {.pending = 90, .arrival = 1}}) == Rows{{1, 80}});
}

TEST_CASE("a chunk ends where state is to be kept") {
  CHECK(planned({{.pending = 500, .until_stop = 33}}) == Rows{{0, 33}});
  CHECK(planned({{.pending = 500, .until_stop = 300}}) == Rows{{0, 80}});
  // What it leaves of the budget is another's.
  CHECK(planned({{.pending = 500, .until_stop = 33, .arrival = 1}, {.pending = 600, .arrival = 2}}) ==
        Rows{{0, 33}, {1, 47}});
}

TEST_CASE("more decoding jobs than rows fill the batch and leave prefill for later") {
  std::vector<PlanJob> jobs(120, PlanJob{.pending = 1});
  jobs.push_back({.pending = 50});
  CHECK(planned(jobs).size() == 100);
}

TEST_CASE("no plan is ever over its limits or beyond what a job has, whatever the jobs") {
  std::uint64_t state = 7;
  const auto draw = [&](std::uint64_t below) {
    return (state = state * 6364136223846793005ULL + 1442695040888963407ULL, (state >> 33) % below);
  };
  for (std::uint64_t turn = 0; turn < 2000; ++turn) {
    std::vector<PlanJob> jobs(1 + draw(12));
    for (PlanJob& job : jobs) {
      job.pending = static_cast<std::uint32_t>(draw(2) == 0 ? 1 : 1 + draw(300));
      job.until_stop = static_cast<std::uint32_t>(draw(3) == 0 ? 1 + draw(200) : 0);
      job.arrival = draw(100);
    }
    std::uint32_t sum = 0;
    std::vector<int> seen(jobs.size());
    for (const auto& [index, count] : planned(jobs, turn)) {
      CHECK(count >= 1);
      CHECK(count <= jobs[index].pending);
      if (jobs[index].pending > 1 && jobs[index].until_stop != 0) CHECK(count <= jobs[index].until_stop);
      CHECK(++seen[index] == 1);
      sum += count;
    }
    CHECK(sum >= 1);
    CHECK(sum <= kLimits.batch_tokens);
  }
}

}  // namespace
}  // namespace hearth::sched
