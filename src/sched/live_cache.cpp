// See live_cache.h. Common prefixes are looked for when a job is placed, never per token.
#include "sched/live_cache.h"

#include <algorithm>

#include "base/check.h"

namespace hearth::sched {
LiveCache::LiveCache(engine::Engine& engine, ParkLimits parking)
    : engine_(engine),
      keeps_copies_(engine.info().memory_kind != engine::MemoryKind::Attention),
      lines_(engine.info().sequences_max),
      parking_(parking),
      parked_(parking.bytes_max) {
  CHECK(!lines_.empty());
}

LiveCache::Match LiveCache::best_match(std::span<const Token> prompt) const {
  Match match;
  if (prompt.empty()) return match;
  const auto wanted_max = static_cast<std::uint32_t>(prompt.size() - 1);  // the last token is computed for its logits
  std::uint64_t best_used = 0;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const Line& candidate = lines_[i];
    if (candidate.state == State::Free || candidate.tokens.empty()) continue;
    const std::uint32_t common = std::min(common_prefix(candidate.tokens, prompt), wanted_max);
    if (common == 0) continue;
    match.longest = std::max(match.longest, common);
    const auto sequence = static_cast<Sequence>(i);
    const std::uint32_t usable =
        engine_.usable_prefix(sequence, static_cast<std::uint32_t>(candidate.tokens.size()), common);
    if (usable == 0 || usable < match.usable) continue;
    // Of equals, the one whose whole content is used (nothing has to be copied), then the one used last.
    const auto rank = [&](const Line& one) {
      return one.state == State::Idle && !one.is_copy && one.tokens.size() == usable;
    };
    if (usable == match.usable) {
      const bool was = rank(line(*match.sequence));
      if (rank(candidate) < was || (rank(candidate) == was && candidate.last_used < best_used)) continue;
    }
    match.sequence = sequence;
    match.usable = usable;
    best_used = candidate.last_used;
  }
  return match;
}

std::uint32_t LiveCache::usable_tokens(std::span<const Token> prompt) const {
  const std::uint32_t live = best_match(prompt).usable;
  if (prompt.empty()) return live;
  const auto parked = parked_match(prompt, live);
  return parked ? parked->common : live;
}

std::optional<Sequence> LiveCache::oldest_idle(std::optional<Sequence> spare) const {
  std::optional<Sequence> oldest;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const auto sequence = static_cast<Sequence>(i);
    if (lines_[i].state != State::Idle || sequence == spare) continue;
    if (!oldest || lines_[i].last_used < line(*oldest).last_used) oldest = sequence;
  }
  return oldest;
}

// A free sequence, by eviction when there is none; `spare` is not evicted.
std::optional<Sequence> LiveCache::take_free(std::optional<Sequence> spare) {
  for (std::size_t i = 0; i < lines_.size(); ++i)
    if (lines_[i].state == State::Free) return static_cast<Sequence>(i);
  const std::optional<Sequence> oldest = oldest_idle(spare);
  if (!oldest) return std::nullopt;
  drop(*oldest);
  ++evicted_total_;
  return oldest;
}

// An idle sequence goes on as a job's, cut to `keep`. False: the state refused and the sequence is free now.
bool LiveCache::take_over(Sequence sequence, std::uint32_t keep) {
  Line& taken = line(sequence);
  CHECK(taken.state == State::Idle);
  if (keep < taken.tokens.size()) {
    if (!engine_.truncate(sequence, keep)) {
      drop(sequence);
      return false;
    }
    taken.tokens.resize(keep);
  }
  return true;
}

// The sequence for a prompt that begins with what `source` holds, and how much of it could be had.
std::optional<LiveCache::Placement> LiveCache::begin_from(Sequence source_sequence, std::uint32_t usable) {
  const Line& source = line(source_sequence);
  const bool continues = source.state == State::Idle && !source.is_copy && source.tokens.size() == usable;
  if (continues) return Placement{.sequence = source_sequence, .cached_tokens = usable};

  if (const std::optional<Sequence> target = take_free(source_sequence)) {
    if (!engine_.fork(source_sequence, *target, usable)) {
      engine_.clear(*target);
      return Placement{.sequence = *target};
    }
    line(*target).tokens.assign(source.tokens.begin(), source.tokens.begin() + usable);
    ++forks_total_;
    return Placement{.sequence = *target, .cached_tokens = usable};
  }
  if (source.state != State::Idle) return std::nullopt;
  // All others run: the source itself is cut, its tail is lost.
  const std::uint32_t kept = take_over(source_sequence, usable) ? usable : 0;
  return Placement{.sequence = source_sequence, .cached_tokens = kept};
}

std::optional<LiveCache::Placement> LiveCache::place(std::span<const Token> prompt) {
  CHECK(!prompt.empty());
  ++tick_;
  unpark_for(prompt);
  const Match match = best_match(prompt);
  std::optional<Placement> placement;
  if (match.sequence) {
    line(*match.sequence).last_used = tick_;
    placement = begin_from(*match.sequence, match.usable);
  } else if (const std::optional<Sequence> target = take_free(std::nullopt)) {
    placement = Placement{.sequence = *target};
  }
  if (!placement) return std::nullopt;
  Line& placed = line(placement->sequence);
  placed.state = State::Running;
  placed.is_copy = false;
  placed.last_used = tick_;
  if (keeps_copies_ && match.longest > placement->cached_tokens) placement->branch_point = match.longest;
  park_idle();
  return placement;
}

void LiveCache::append(Sequence sequence, std::span<const Token> tokens) {
  Line& grown = line(sequence);
  DCHECK(grown.state == State::Running);
  grown.tokens.insert(grown.tokens.end(), tokens.begin(), tokens.end());
}

void LiveCache::release(Sequence sequence) {
  Line& released = line(sequence);
  CHECK(released.state == State::Running);
  released.last_used = ++tick_;
  released.state = State::Idle;
  if (released.tokens.empty()) drop(sequence);
}

void LiveCache::drop(Sequence sequence) {
  engine_.clear(sequence);
  line(sequence) = Line{};
}

void LiveCache::keep_copy(Sequence sequence) {
  const Line& source = line(sequence);
  CHECK(source.state == State::Running);
  for (Line& other : lines_) {
    if (other.state != State::Idle || other.tokens != source.tokens) continue;
    other.last_used = ++tick_;
    other.is_copy = true;
    return;
  }
  const std::optional<Sequence> target = take_free(std::nullopt);
  if (!target) return;
  const auto count = static_cast<std::uint32_t>(source.tokens.size());
  if (!engine_.fork(sequence, *target, count)) {
    engine_.clear(*target);
    return;
  }
  line(*target) = Line{.state = State::Idle, .is_copy = true, .last_used = ++tick_, .tokens = source.tokens};
  ++copies_total_;
}

bool LiveCache::evict_one() {
  const std::optional<Sequence> oldest = oldest_idle(std::nullopt);
  if (!oldest) return false;
  drop(*oldest);
  ++evicted_total_;
  return true;
}

std::uint32_t LiveCache::length(Sequence sequence) const {
  return static_cast<std::uint32_t>(line(sequence).tokens.size());
}

LiveCache::Counts LiveCache::counts() const {
  Counts counts{.evicted_total = evicted_total_,
                .copies_total = copies_total_,
                .forks_total = forks_total_,
                .parked_total = parked_total_,
                .unparked_total = unparked_total_,
                .parked = parked_.count(),
                .parked_bytes = parked_.bytes()};
  for (const Line& one : lines_) {
    (one.state == State::Free ? counts.free : one.state == State::Idle ? counts.idle : counts.running) += 1;
    counts.tokens += one.tokens.size();
  }
  return counts;
}

void LiveCache::check_invariants() const {
  parked_.check_invariants();
  for (const Line& one : lines_) {
    CHECK(one.state != State::Free || (one.tokens.empty() && !one.is_copy));
    CHECK(one.state != State::Idle || !one.tokens.empty());
    CHECK(one.state != State::Running || !one.is_copy);
    CHECK(one.last_used <= tick_);
    CHECK(one.tokens.size() <= engine_.info().context_tokens);
  }
}

}  // namespace hearth::sched
