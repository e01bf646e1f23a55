// One job inside the loop: its tokens, where it stands, and what was told to the front. Plain data; the loop's thread.
//
//   tokens = [0, prompt_tokens)                   the original prompt
//          + [prompt_tokens, tokens.size())       sampled: before a crash (resumed), and since
//   computed = how many of them the sequence holds; the rest are `pending`
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/constraint.h"
#include "engine/sampler.h"
#include "link/messages.h"
#include "sched/thought_budget.h"

namespace hearth::sched {

struct JobState {
  explicit JobState(engine::SamplingSettings settings) : sampler(std::move(settings)) {}

  link::JobId id = 0;
  std::uint64_t arrival = 0;  // a number: smaller came earlier
  link::Priority priority = link::Priority::Interactive;
  std::uint64_t owner = 0;
  std::vector<engine::Token> tokens;
  std::vector<engine::Token> stop_tokens;
  std::vector<std::uint32_t> boundaries;  // ascending, in (0, prompt size)
  std::uint32_t prompt_tokens = 0;
  std::uint32_t tokens_max = 0;  // 0 = to the context's end
  engine::Sampler sampler;
  std::unique_ptr<engine::Constraint> constraint;  // none: anything may be sampled
  ThoughtBudget thought;
  std::vector<engine::Token> shown_controls;  // without bytes of their own, but their text comes out

  std::string cache_salt;                    // jobs of different salts share nothing
  std::optional<engine::Sequence> sequence;  // while running
  bool importing = false;           // its sequence is being filled from RAM; nothing is computed before that ends
  std::vector<float> first_logits;  // when the whole prompt is known: what follows it
  std::uint32_t branch_point = 0;   // where earlier prompts branched off; 0 = nowhere
  std::uint32_t computed = 0;
  std::uint32_t cached_tokens = 0;   // of the first placement; what usage says
  bool started = false;              // JobStarted was sent
  bool ended = false;                // JobEnd was sent
  std::vector<std::uint32_t> stops;  // ascending: a copy of the state is kept there
  std::int64_t progress_told_ms = 0;
  std::optional<std::uint32_t> jobs_before_told;  // while it waited for its first place

  std::int64_t arrived_ms = 0;        // a resumed job came when it was handed over again
  std::int64_t waiting_since_ms = 0;  // came, or was set aside
  std::int64_t placed_ms = 0;         // got the place it has
  std::int64_t ran_ms = 0;            // on earlier places; with the two above: how long it waited (waited_ms)
  std::int64_t token_us = 0;          // when its last token came; 0 = no gap is measured from it
  bool paused = false;                // by the front
  std::int64_t paused_since_ms = 0;
  std::uint32_t known_tokens = 0;  // of a waiting job's tokens, as they were looked up then
  std::int64_t known_at_ms = -1;

  // Why a waiting job waits: for a room that a running one has, or for a prefix that a running one computes.
  std::optional<std::uint64_t> preempted_at_end_count;
  std::optional<link::JobId> joined_job;
  std::uint32_t joined_tokens = 0;

  [[nodiscard]] std::uint32_t token_count() const { return static_cast<std::uint32_t>(tokens.size()); }
  [[nodiscard]] std::uint32_t pending() const { return token_count() - computed; }
  [[nodiscard]] std::uint32_t sampled() const { return token_count() - prompt_tokens; }
  // Without a place, all together: what makes a job more urgent. While it runs this does not grow, however long it takes.
  [[nodiscard]] std::int64_t waited_ms(std::int64_t now_ms) const {
    return (sequence ? placed_ms : now_ms) - arrived_ms - ran_ms;
  }
  // How many rows a batch must hold of this job, when the shape of batches is fixed (`unit` > 0, exact mode): whole aligned
  // units of the prompt, what is left at its end, and sampled tokens one by one, as they were the first time. 0 = any.
  [[nodiscard]] std::uint32_t chunk(std::uint32_t unit) const {
    if (unit == 0) return 0;
    return computed >= prompt_tokens ? 1 : std::min(unit - computed % unit, prompt_tokens - computed);
  }
  // How many tokens until the next stop, 0 when there is none.
  [[nodiscard]] std::uint32_t until_stop() const {
    const auto next = std::ranges::upper_bound(stops, computed);
    return next == stops.end() ? 0 : *next - computed;
  }
};

}  // namespace hearth::sched
