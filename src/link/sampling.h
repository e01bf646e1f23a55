// How a job's tokens are to be drawn, as the request said it. A plain value, part of the Job message (messages.h).
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace hearth::link {

using Token = std::int32_t;

// Sampling as the request gave it. What is absent comes from the model's own metadata
// (general.sampling.*), then from the engine's built-in defaults.
struct Sampling {
  std::optional<float> temperature;                 // 0 = greedy
  std::optional<std::int32_t> top_k;                // 0 = off
  std::optional<float> top_p;                       // 1 = off
  std::optional<float> min_p;                       // 0 = off
  std::optional<float> repeat_penalty;              // 1 = off
  std::optional<float> frequency_penalty;           // 0 = off
  std::optional<float> presence_penalty;            // 0 = off
  std::optional<std::int32_t> penalty_last_count;   // tokens looked back at; 0 = off, -1 = all
  std::optional<std::uint64_t> seed;                // absent: the engine draws one
  std::vector<std::pair<Token, float>> logit_bias;  // added to the logit; -inf bans
};

}  // namespace hearth::link
