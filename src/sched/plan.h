// The planner: what one decode call gets. A pure function of a few numbers per running job; the loop does what it says.
//
// Every running job has tokens that its sequence does not hold yet, its `pending` ones: the rest of the prompt, or the
// one token that was sampled last. Jobs with one pending token come first, so that every stream advances by a token
// in every batch; then prefill fills what is left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hearth::sched {

struct PlanJob {
  std::uint32_t pending = 0;     // 0 = waits for its prefix: it gets no rows
  std::uint32_t until_stop = 0;  // a chunk must end after so many tokens to keep the state there; 0 = nowhere
  std::uint32_t chunk = 0;       // gets exactly so many rows or none; 0 = any number
  bool last = false;             // batch work: its prefill comes after everybody's
  std::uint64_t arrival = 0;     // smaller came earlier
};

struct PlanLimits {
  std::uint32_t batch_tokens = 2048;          // rows in all
  std::uint32_t prefill_tokens = 2048;        // prefill rows of a batch without decoding rows
  std::uint32_t prefill_tokens_beside = 512;  // and with (pace.h); 0 = none in this one
};

// A job that gets its next token in every batch, and one with more to compute.
[[nodiscard]] inline bool is_stream(const PlanJob& job) {
  return job.pending == 1 || (job.pending > 1 && job.chunk == 1);
}
[[nodiscard]] inline bool is_prefill(const PlanJob& job) { return job.pending > 1 && job.chunk != 1; }

struct PlannedRows {
  std::size_t job_index = 0;  // into the jobs given
  std::uint32_t count = 0;    // of its pending tokens, from the first
};

// `turn` counts batches with prefill. Prefills go shortest first, so that a short question does not wait for a long document;
// every kOldestTurn-th batch begins with the oldest one, so that none waits for ever.
inline constexpr std::uint64_t kOldestTurn = 4;
[[nodiscard]] std::vector<PlannedRows> plan_batch(std::span<const PlanJob> jobs, const PlanLimits& limits,
                                                  std::uint64_t turn);

}  // namespace hearth::sched
