// The part of LiveCache that moves idle sequences out of the engine's pool and back (parked.h says why).
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "sched/live_cache.h"

namespace hearth::sched {
namespace {

// Bringing a state back moves all of it. That costs a thousandth of computing it anew on a CPU and some tenth on a fast GPU:
// less gain than this part of it (two unrelated prompts share their first few tokens) is not worth the way.
constexpr std::uint32_t kGainPart = 64;

}  // namespace

// The parked entry that is worth bringing back for this prompt; `common` is then what can be used of it.
std::optional<Parked::Match> LiveCache::parked_match(std::span<const Token> prompt, std::uint32_t live_usable) const {
  auto match = parked_.best(prompt);
  if (!match) return std::nullopt;
  match->common = std::min(match->common, static_cast<std::uint32_t>(prompt.size() - 1));
  if (match->common <= live_usable) return std::nullopt;
  const std::uint64_t gain = match->common - live_usable;
  if (gain * kGainPart < parked_.entry(match->index).tokens.size()) return std::nullopt;
  return match;
}

// Brings the parked prefix back that shares more with the prompt than anything in the pool does, cut to what is shared.
// It then lies idle in the pool as any other. What is only partly used stays parked too: its tail may be asked for again.
void LiveCache::unpark_for(std::span<const Token> prompt) {
  const Match live = best_match(prompt);
  const auto parked = parked_match(prompt, live.usable);
  if (!parked) return;
  const std::uint32_t usable = parked->common;
  const std::optional<Sequence> target = take_free(live.sequence);
  if (!target) return;
  Parked::Entry& entry = parked_.entry(parked->index);
  const auto length = static_cast<std::uint32_t>(entry.tokens.size());
  // No room: what lies idle in the pool goes first, it is older than what is wanted now.
  while (!engine_.restore(*target, entry.state, length)) {
    if (!evict_one()) return;
  }
  entry.last_used = tick_;
  line(*target) = Line{.state = State::Idle, .last_used = tick_, .tokens = entry.tokens};
  ++unparked_total_;
  if (usable == length) return parked_.remove(parked->index);
  if (engine_.truncate(*target, usable))
    line(*target).tokens.resize(usable);
  else
    drop(*target);
}

// An idle sequence that only repeats the beginning of a running one shares its cells and costs nothing.
bool LiveCache::shares_all_cells(const Line& idle) const {
  return std::ranges::any_of(lines_, [&](const Line& other) {
    return other.state == State::Running && common_prefix(other.tokens, idle.tokens) == idle.tokens.size();
  });
}

// Moves what lies idle into RAM, because a job is about to run beside it.
void LiveCache::park_idle() {
  if (keeps_copies_) return;  // states that are kept as copies are not saved this way yet
  std::uint64_t idle_tokens = 0;
  for (const Line& one : lines_)
    if (one.state == State::Idle && !shares_all_cells(one)) idle_tokens += one.tokens.size();
  if (idle_tokens <= parking_.idle_tokens_free) return;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    Line& idle = lines_[i];
    if (idle.state != State::Idle || shares_all_cells(idle)) continue;
    const auto sequence = static_cast<Sequence>(i);
    if (!parked_.covers(idle.tokens)) {
      std::vector<std::uint8_t> state = engine_.save(sequence);
      if (state.empty() ||
          !parked_.add({.tokens = idle.tokens, .state = std::move(state), .last_used = idle.last_used}))
        continue;  // it stays where it is
      ++parked_total_;
    }
    drop(sequence);
  }
}

}  // namespace hearth::sched
