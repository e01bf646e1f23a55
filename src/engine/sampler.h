// Sampler: from logits to one token. Ours, because a resumed job must draw exactly what it would have drawn: the n-th
// token of a job uses random number mix_u64(seed, n), so no hidden state has to survive a crash. Pure but for the
// scratch buffer; one thread.
//
// Order (as llama.cpp's chain): bias, penalties, top-k, top-p, min-p, temperature, draw. temperature 0 takes the
// highest logit (the lowest token id of equals).
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "engine/engine.h"

namespace hearth::engine {

struct SamplingSettings {
  float temperature = 0.8F;
  std::int32_t top_k = 40;
  float top_p = 0.95F;
  float min_p = 0.05F;
  float repeat_penalty = 1.0F;
  float frequency_penalty = 0.0F;
  float presence_penalty = 0.0F;
  std::int32_t penalty_last_count = 64;
  std::uint64_t seed = 0;
  std::vector<std::pair<Token, float>> logit_bias;
};

class Sampler {
 public:
  explicit Sampler(SamplingSettings settings);
  // `history`: the sequence's tokens so far, prompt included; `draw_index`: 0 for the job's first sampled token.
  [[nodiscard]] Token sample(std::span<const float> logits, std::span<const Token> history, std::uint64_t draw_index);

 private:
  struct Candidate {
    Token token;
    float logit;
  };
  std::span<const float> adjusted(std::span<const float> logits, std::span<const Token> history);
  void take_top(std::span<const float> row, std::size_t count);
  void take_nucleus(std::span<const float> row);
  void cut();
  [[nodiscard]] Token draw(std::uint64_t draw_index);

  const SamplingSettings settings_;
  // Scratch, kept to avoid allocations per token.
  std::vector<Candidate> candidates_;
  std::vector<float> row_;
  std::vector<Token> recent_;
  std::vector<double> weights_;
};

}  // namespace hearth::engine
