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
// e^-24 times a vocabulary of 200,000 is 0.00001 of the mass.
constexpr float kNegligible = -24;

float clean(float logit) { return std::isnan(logit) ? kNever : std::min(logit, kLogitMax); }

// Higher logit first, lower id first of equals: a total order, so that ties are the same on every machine.
constexpr auto kBefore = [](const auto& a, const auto& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
};

// Rows are scanned in blocks whose maximum is found without branches; most blocks hold nothing of interest.
constexpr std::size_t kBlock = 64;
constexpr std::size_t kLanes = 16;

// NaN never wins: every comparison with it is false.
float block_highest(const float* row) {
  float lanes[kLanes];
  for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] = row[lane] > kNever ? row[lane] : kNever;
  for (std::size_t i = kLanes; i < kBlock; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] = row[i + lane] > lanes[lane] ? row[i + lane] : lanes[lane];
  float best = lanes[0];
  for (std::size_t lane = 1; lane < kLanes; ++lane) best = lanes[lane] > best ? lanes[lane] : best;
  return best;
}

// Calls visit(i) for every row[i] of the blocks that hold something over `bound()`, which may rise meanwhile.
template <class Bound, class Visit>
void scan_over(std::span<const float> row, Bound bound, Visit visit) {
  std::size_t begin = 0;
  for (; begin + kBlock <= row.size(); begin += kBlock) {
    if (!(block_highest(row.data() + begin) > bound())) continue;
    for (std::size_t i = begin; i < begin + kBlock; ++i) visit(i);
  }
  for (; begin < row.size(); ++begin) visit(begin);
}

Token highest(std::span<const float> logits) {
  Token best = 0;
  float best_logit = kNever;
  scan_over(
      logits, [&] { return best_logit; },
      [&](std::size_t i) {
        if (!(logits[i] > best_logit)) return;
        best_logit = logits[i];
        best = static_cast<Token>(i);
      });
  return best;
}

double unit_draw(std::uint64_t seed, std::uint64_t index) {
  return static_cast<double>(mix_u64(seed, index) >> 11) * 0x1p-53;  // [0, 1)
}

}  // namespace

Sampler::Sampler(SamplingSettings settings) : settings_(std::move(settings)) {}

// The row with bias and penalties; the engine's own memory where there are none.
std::span<const float> Sampler::adjusted(std::span<const float> logits, std::span<const Token> history) {
  const bool penalises =
      settings_.penalty_last_count != 0 && !history.empty() &&
      (settings_.repeat_penalty != 1.0F || settings_.frequency_penalty != 0.0F || settings_.presence_penalty != 0.0F);
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
    for (std::size_t i = 0; i < row.size(); ++i) candidates_.push_back({static_cast<Token>(i), clean(row[i])});
    const auto middle = candidates_.begin() + static_cast<std::ptrdiff_t>(std::min(count, candidates_.size()));
    std::ranges::partial_sort(candidates_, middle, kBefore);
    candidates_.erase(middle, candidates_.end());
    return;
  }
  // A heap whose top is the worst that is still in; nearly all of the row is below it.
  const auto bound = [&] { return candidates_.size() < count ? kNever : candidates_.front().logit; };
  scan_over(row, bound, [&](std::size_t i) {
    const Candidate candidate{static_cast<Token>(i), clean(row[i])};
    if (!(candidate.logit > bound())) return;
    if (candidates_.size() == count) {
      std::ranges::pop_heap(candidates_, kBefore);
      candidates_.back() = candidate;
    } else {
      candidates_.push_back(candidate);
    }
    std::ranges::push_heap(candidates_, kBefore);
  });
  std::ranges::sort_heap(candidates_, kBefore);
}

// With no top-k: what min-p leaves (it may go first here, because top-p's mass is counted over the whole row), and of
// that what top-p leaves, sorted only as far as the mass asks.
void Sampler::take_nucleus(std::span<const float> row) {
  candidates_.clear();
  const float best = clean(row[static_cast<std::size_t>(highest(row))]);
  const float floor = settings_.min_p > 0 ? best + std::log(settings_.min_p) : kNever;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const float logit = clean(row[i]);
    if (logit >= floor && logit > kNever) candidates_.push_back({static_cast<Token>(i), logit});
  }
  if (settings_.top_p >= 1) return;  // the order does not matter then
  double mass = 0;
  for (const float logit : row)
    if (logit - best > kNegligible) mass += std::exp(static_cast<double>(clean(logit) - best));
  std::size_t sorted = 0;
  std::size_t kept = 0;
  for (double held = 0; kept < candidates_.size() && held < settings_.top_p * mass;) {
    if (kept == sorted) {
      const std::size_t next = std::min(candidates_.size(), std::max<std::size_t>(64, sorted * 4));
      std::ranges::partial_sort(candidates_.begin() + static_cast<std::ptrdiff_t>(sorted),
                                candidates_.begin() + static_cast<std::ptrdiff_t>(next), candidates_.end(), kBefore);
      sorted = next;
    }
    held += std::exp(static_cast<double>(candidates_[kept++].logit - best));
  }
  candidates_.resize(std::max<std::size_t>(kept, std::min<std::size_t>(1, candidates_.size())));
}

// Cuts what top-k took (best first) to top-p's and min-p's.
void Sampler::cut() {
  const float best = candidates_.front().logit;
  std::size_t keep = candidates_.size();
  if (settings_.top_p < 1) {
    double mass = 0;
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

Token Sampler::draw(std::uint64_t draw_index) {
  float best = kNever;
  for (const Candidate& candidate : candidates_) best = std::max(best, candidate.logit);
  weights_.clear();
  double mass = 0;
  for (const Candidate& candidate : candidates_) {
    weights_.push_back(
        std::exp(static_cast<double>(candidate.logit - best) / static_cast<double>(settings_.temperature)));
    mass += weights_.back();
  }
  double left = unit_draw(settings_.seed, draw_index) * mass;
  for (std::size_t i = 0; i < candidates_.size(); ++i) {
    left -= weights_[i];
    if (left < 0) return candidates_[i].token;
  }
  return std::ranges::min_element(candidates_, kBefore)->token;  // rounding used up the mass
}

Token Sampler::sample(std::span<const float> logits, std::span<const Token> history, std::uint64_t draw_index) {
  const std::span<const float> row = adjusted(logits, history);
  if (!(settings_.temperature > 0) || settings_.top_k == 1) return highest(row);
  const bool has_top_k = settings_.top_k > 0 && static_cast<std::size_t>(settings_.top_k) < row.size();
  if (has_top_k) {
    take_top(row, static_cast<std::size_t>(settings_.top_k));
    while (!candidates_.empty() && candidates_.back().logit == kNever) candidates_.pop_back();
  } else {
    take_nucleus(row);
  }
  if (candidates_.empty()) return highest(row);  // everything is banned or broken: still a token
  if (has_top_k) cut();
  return draw(draw_index);
}

}  // namespace hearth::engine
