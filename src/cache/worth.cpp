// The numbers behind eviction. They are guesses about agents, checked against kinds of agents' work beside LRU (traces_test.cpp).
#include "cache/worth.h"

#include <algorithm>
#include <cmath>

namespace hearth::cache {
namespace {

constexpr double kSecond = 1000;         // milliseconds
constexpr double kExperienceLines = 32;  // then the older half counts half: a flood is noticed within a dozen lines

// Nothing known yet speaks for or against another use.
double first_guess(const Reuse& reuse) {
  if (reuse.anchor && reuse.kind == AnchorKind::Trunk) return reuse.line == LineKind::OneShot ? 0.5 : 0.8;
  if (reuse.anchor && reuse.kind == AnchorKind::Branch) return 0.7;
  double guess = 0.7 * reuse.return_rate;
  if (reuse.line == LineKind::Conversation) guess = 0.7;
  if (reuse.line == LineKind::OneShot) guess = 0.02;
  if (reuse.superseded) guess *= 0.08;  // a person goes back, or a client edits its history
  return guess;
}

// The age at which half of the likelihood is gone. The time until somebody comes back has a long tail: after twice the wait it
// is half as likely to be now. So this is also how many times longer one thing may wait than another of equal weight: what
// many lines share is wanted again when the next of them starts.
double half_age_ms(const Reuse& reuse) {
  if (reuse.anchor && (reuse.kind == AnchorKind::Trunk || reuse.kind == AnchorKind::Branch)) return 60 * kSecond;
  return reuse.branches >= 2 ? 30 * kSecond : 10 * kSecond;
}

}  // namespace

double prefill_us(const PrefillCost& cost, std::uint32_t begin, std::uint32_t end) {
  const double count = static_cast<double>(end) - begin;
  const double middle = (static_cast<double>(begin) + end - 1) / 2;
  return end <= begin ? 0 : count * (cost.token_us + middle * cost.depth_us);
}

void Experience::count_begun() {
  begun += 1;
  if (begun < kExperienceLines) return;
  begun /= 2;
  returned /= 2;
}

double Experience::return_rate() const { return std::clamp(returned / begun, 0.02, 1.0); }

double likelihood(const Reuse& reuse) {
  // Each hit and each further branch halves, thirds, ... what is left of the doubt.
  const double doubt =
      (1 - first_guess(reuse)) / (1.0 + reuse.uses) / std::max(1.0, static_cast<double>(reuse.branches));
  return (1 - doubt) / (1 + static_cast<double>(reuse.age_ms) / half_age_ms(reuse));
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
