// One token from one row of logits. The common cases touch the vocabulary once: greedy is one scan, top-k keeps a heap
// of k. NaN counts as -inf, so a broken row still gives a token.
#include "engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"

namespace hearth::engine {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr float kLogitMax = 1e30F;  // keeps differences of logits finite when a bias is +inf
// A heap of more than so many is slower than selecting from the whole vocabulary.
constexpr std::size_t kHeapCountMax = 1024;

float clean(float logit) { return std::isnan(logit) ? kNever : std::min(logit, kLogitMax); }

// Higher logit first, lower id first of equals: a total order, so that ties are the same on every machine.
constexpr auto kBefore = [](const auto& a, const auto& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
};

Token highest(std::span<const float> logits) {
  Token best = 0;
  float best_logit = kNever;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] > best_logit)) continue;  // NaN compares false
    best_logit = logits[i];
    best = static_cast<Token>(i);
  }
  return best;
}

double unit_draw(std::uint64_t seed, std::uint64_t index) {
  return static_cast<double>(mix_u64(seed, index) >> 11) * 0x1p-53;  // [0, 1)
}

}  // namespace

Sampler::Sampler(SamplingSettings settings) : settings_(std::move(settings)) {}

// The row with bias and penalties; the engine's own memory where there are none.
std::span<const float> Sampler::adjusted(std::span<const float> logits, std::span<const Token> history) {
  const bool penalises = settings_.penalty_last_count != 0 && !history.empty() &&
                         (settings_.repeat_penalty != 1.0F || settings_.frequency_penalty != 0.0F ||
                          settings_.presence_penalty != 0.0F);
  if (settings_.logit_bias.empty() && !penalises) return logits;
  row_.assign(logits.begin(), logits.end());
  const auto known = [&](Token token) { return token >= 0 && static_cast<std::size_t>(token) < row_.size(); };
  for (const auto& [token, bias] : settings_.logit_bias)
    if (known(token)) row_[static_cast<std::size_t>(token)] = clean(row_[static_cast<std::size_t>(token)] + bias);
  if (!penalises) return row_;
  if (settings_.penalty_last_count > 0 && history.size() > static_cast<std::size_t>(settings_.penalty_last_count))
    history = history.last(static_cast<std::size_t>(settings_.penalty_last_count));
  recent_.assign(history.begin(), history.end());
  std::ranges::sort(recent_);
  for (std::size_t begin = 0; begin < recent_.size();) {
    std::size_t end = begin + 1;
    while (end < recent_.size() && recent_[end] == recent_[begin]) ++end;
    if (known(recent_[begin])) {
      float& logit = row_[static_cast<std::size_t>(recent_[begin])];
      logit = logit <= 0 ? logit * settings_.repeat_penalty : logit / settings_.repeat_penalty;
      logit -= static_cast<float>(end - begin) * settings_.frequency_penalty + settings_.presence_penalty;
    }
    begin = end;
  }
  return row_;
}

// The `count` best of the row, best first.
void Sampler::take_top(std::span<const float> row, std::size_t count) {
  candidates_.clear();
  if (count > kHeapCountMax) {
    for (std::size_t i = 0; i < row.size(); ++i)
      candidates_.push_back({static_cast<Token>(i), clean(row[i])});
    const auto middle = candidates_.begin() + static_cast<std::ptrdiff_t>(std::min(count, candidates_.size()));
    std::ranges::partial_sort(candidates_, middle, kBefore);
    candidates_.erase(middle, candidates_.end());
    return;
  }
  // A heap whose top is the worst that is still in; most of the row fails the first comparison.
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (candidates_.size() == count && !(row[i] > candidates_.front().logit)) continue;
    const Candidate candidate{static_cast<Token>(i), clean(row[i])};
    if (candidates_.size() == count) {
      std::ranges::pop_heap(candidates_, kBefore);
      candidates_.back() = candidate;
    } else {
      candidates_.push_back(candidate);
    }
    std::ranges::push_heap(candidates_, kBefore);
  }
  std::ranges::sort_heap(candidates_, kBefore);
}

// Everything that top-p and min-p can still choose, best first: with no top-k, the vocabulary is sorted only as far as
// its mass asks.
void Sampler::take_nucleus(std::span<const float> row) {
  candidates_.clear();
  float best = kNever;
  for (const float logit : row)
    if (logit > best) best = logit;
  best = clean(best);
  // min-p keeps logit >= best + ln(min_p); it may go first here because top-p's mass is counted over the whole row.
  const float floor = settings_.min_p > 0 ? best + std::log(settings_.min_p) : kNever;
  double mass = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const float logit = clean(row[i]);
    if (settings_.top_p < 1 && logit > kNever) mass += std::exp(static_cast<double>(logit - best));
    if (logit >= floor && logit > kNever) candidates_.push_back({static_cast<Token>(i), logit});
  }
  full_mass_ = mass;
  if (settings_.top_p >= 1) {
    std::ranges::sort(candidates_, kBefore);
    return;
  }
  std::size_t sorted = 0;
  for (double held = 0; sorted < candidates_.size() && held < settings_.top_p * mass;) {
    const std::size_t next = std::min(candidates_.size(), std::max<std::size_t>(64, sorted * 4));
    std::ranges::partial_sort(candidates_.begin() + static_cast<std::ptrdiff_t>(sorted),
                              candidates_.begin() + static_cast<std::ptrdiff_t>(next), candidates_.end(), kBefore);
    for (; sorted < next; ++sorted) held += std::exp(static_cast<double>(candidates_[sorted].logit - best));
  }
  candidates_.resize(sorted);
}

// Cuts the candidates (best first) to top-p's and min-p's.
void Sampler::cut() {
  const float best = candidates_.front().logit;
  std::size_t keep = candidates_.size();
  if (settings_.top_p < 1) {
    double mass = full_mass_;
    if (mass <= 0)
      for (const Candidate& candidate : candidates_) mass += std::exp(static_cast<double>(candidate.logit - best));
    double held = 0;
    for (std::size_t i = 0; i < keep; ++i) {
      held += std::exp(static_cast<double>(candidates_[i].logit - best));
      if (held >= settings_.top_p * mass) keep = i + 1;
    }
  }
  if (settings_.min_p > 0) {
    const float floor = best + std::log(settings_.min_p);
    while (keep > 1 && candidates_[keep - 1].logit < floor) --keep;
  }
  candidates_.resize(keep);
}

Token Sampler::draw(std::uint64_t draw_index) const {
  const float best = candidates_.front().logit;
  const auto weight = [&](const Candidate& candidate) {
    return std::exp(static_cast<double>(candidate.logit - best) / static_cast<double>(settings_.temperature));
  };
  double mass = 0;
  for (const Candidate& candidate : candidates_) mass += weight(candidate);
  double left = unit_draw(settings_.seed, draw_index) * mass;
  for (const Candidate& candidate : candidates_) {
    left -= weight(candidate);
    if (left < 0) return candidate.token;
  }
  return candidates_.front().token;  // rounding used up the mass
}

Token Sampler::sample(std::span<const float> logits, std::span<const Token> history, std::uint64_t draw_index) {
  const std::span<const float> row = adjusted(logits, history);
  if (!(settings_.temperature > 0) || settings_.top_k == 1) return highest(row);
  full_mass_ = 0;
  if (settings_.top_k > 0 && static_cast<std::size_t>(settings_.top_k) < row.size())
    take_top(row, static_cast<std::size_t>(settings_.top_k));
  else
    take_nucleus(row);
  while (!candidates_.empty() && candidates_.back().logit == kNever) candidates_.pop_back();
  if (candidates_.empty()) return highest(row);  // everything is banned or broken: still a token
  cut();
  return draw(draw_index);
}

}  // namespace hearth::engine
