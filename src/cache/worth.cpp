// The numbers behind eviction. They are guesses about agents, checked against recorded kinds of work (traces_test.cpp).
#include "cache/worth.h"

#include <algorithm>
#include <cmath>

namespace hearth::cache {
namespace {

constexpr double kMinute = 60'000;  // milliseconds

// Nothing known yet speaks for or against another use.
double first_guess(const Reuse& reuse) {
  if (reuse.anchor && reuse.kind == AnchorKind::Trunk) return reuse.line == LineKind::OneShot ? 0.5 : 0.8;
  if (reuse.anchor && reuse.kind == AnchorKind::Branch) return 0.7;
  double guess = 0.3;
  if (reuse.line == LineKind::Conversation) guess = 0.7;
  if (reuse.line == LineKind::OneShot) guess = 0.02;
  if (reuse.superseded) guess *= 0.08;  // a person goes back, or a client edits its history
  return guess;
}

// The age at which half of the likelihood is gone. Agents come back within seconds, people after lunch; what many lines share
// is wanted again when the next of them starts.
double half_age_ms(const Reuse& reuse) {
  const bool shared =
      reuse.branches >= 2 || (reuse.anchor && (reuse.kind == AnchorKind::Trunk || reuse.kind == AnchorKind::Branch));
  if (shared) return 120 * kMinute;
  if (reuse.line == LineKind::OneShot) return 0.5 * kMinute;
  return reuse.line == LineKind::Conversation ? 30 * kMinute : 5 * kMinute;
}

}  // namespace

double prefill_us(const PrefillCost& cost, std::uint32_t begin, std::uint32_t end) {
  const double count = static_cast<double>(end) - begin;
  const double middle = (static_cast<double>(begin) + end - 1) / 2;
  return end <= begin ? 0 : count * (cost.token_us + middle * cost.depth_us);
}

double likelihood(const Reuse& reuse) {
  // Each hit and each further branch halves, thirds, ... what is left of the doubt.
  const double doubt =
      (1 - first_guess(reuse)) / (1.0 + reuse.uses) / std::max(1.0, static_cast<double>(reuse.branches));
  const double half_age = half_age_ms(reuse) * (1 + std::log2(1.0 + reuse.uses));
  return (1 - doubt) / (1 + static_cast<double>(reuse.age_ms) / half_age);
}

double worth(const Candidate& candidate) {
  double gain = 0;
  for (const Gain& each : candidate.gains) gain += each.saved_us * likelihood(each.reuse);
  return gain / std::max(1.0, static_cast<double>(candidate.bytes));
}

double worth_lru(const Candidate& candidate) { return static_cast<double>(candidate.used_ms); }

std::uint32_t line_anchors_max(std::uint64_t line_block_bytes, std::uint64_t anchor_bytes) {
  const std::uint64_t fit = line_block_bytes / 2 / std::max<std::uint64_t>(1, anchor_bytes);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(fit, kLineAnchorsMin, kLineAnchorsMax));
}

}  // namespace hearth::cache
