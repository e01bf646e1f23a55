// See parked.h.
#include "sched/parked.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace hearth::sched {

std::uint32_t common_prefix(std::span<const engine::Token> a, std::span<const engine::Token> b) {
  const auto shorter = static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
  const auto [end, other] = std::mismatch(a.begin(), a.begin() + shorter, b.begin());
  return static_cast<std::uint32_t>(end - a.begin());
}

std::optional<Parked::Match> Parked::best(std::span<const engine::Token> prompt) const {
  std::optional<Match> best;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const std::uint32_t common = common_prefix(entries_[i].tokens, prompt);
    if (common > (best ? best->common : 0)) best = Match{.index = i, .common = common};
  }
  return best;
}

bool Parked::covers(std::span<const engine::Token> tokens) const {
  return std::ranges::any_of(entries_, [&](const Entry& entry) {
    return entry.tokens.size() >= tokens.size() && common_prefix(entry.tokens, tokens) == tokens.size();
  });
}

bool Parked::add(Entry entry) {
  const std::uint64_t size = bytes_of(entry);
  if (size > bytes_max_) return false;
  for (std::size_t i = entries_.size(); i-- > 0;) {
    const std::vector<engine::Token>& other = entries_[i].tokens;
    if (other.size() <= entry.tokens.size() && common_prefix(other, entry.tokens) == other.size()) remove(i);
  }
  while (bytes_ + size > bytes_max_) {
    const auto oldest = std::ranges::min_element(entries_, {}, &Entry::last_used);
    remove(static_cast<std::size_t>(oldest - entries_.begin()));
  }
  bytes_ += size;
  entries_.push_back(std::move(entry));
  return true;
}

void Parked::remove(std::size_t index) {
  CHECK(index < entries_.size());
  bytes_ -= bytes_of(entries_[index]);
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(index));
}

void Parked::check_invariants() const {
  std::uint64_t sum = 0;
  for (const Entry& entry : entries_) {
    CHECK(!entry.tokens.empty() && !entry.state.empty());
    sum += bytes_of(entry);
  }
  CHECK(sum == bytes_ && bytes_ <= bytes_max_);
}

}  // namespace hearth::sched
