// See replaced_tails.h.
#include "cache/replaced_tails.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace hearth::cache {
namespace {

std::optional<store::Place> free_place(const ReplacedTails::Tail& tail) {
  return tail.is_placed && tail.is_free ? std::optional(tail.entry.place) : std::nullopt;
}

}  // namespace

void ReplacedTails::add(BlockId longer, Tail tail) {
  const bool is_new = tails_.emplace(longer, std::move(tail)).second;
  CHECK(is_new);
}

bool ReplacedTails::keeps(const store::Place& place) {
  for (auto& [longer, tail] : tails_) {
    const store::Place& held = tail.entry.place;
    if (!tail.is_placed || held.extent != place.extent || held.offset != place.offset) continue;
    return tail.is_free = true;
  }
  return false;
}

bool ReplacedTails::place(BlockId id, const store::Place& place) {
  const auto found = std::ranges::find_if(tails_, [&](const auto& one) { return one.second.id == id; });
  if (found == tails_.end()) return false;
  found->second.entry.place = place;
  found->second.is_placed = found->second.is_free = true;
  return true;
}

void ReplacedTails::lose(BlockId id) {
  const auto found = std::ranges::find_if(tails_, [&](const auto& one) { return one.second.id == id; });
  if (found == tails_.end()) return;
  const auto own = tails_.find(id);
  if (own == tails_.end()) {
    tails_.erase(found);
    return;
  }
  found->second = std::move(own->second);
  tails_.erase(own);
}

std::optional<store::Place> ReplacedTails::settle(BlockId longer) {
  const auto found = tails_.find(longer);
  if (found == tails_.end()) return std::nullopt;
  const auto place = free_place(found->second);
  tails_.erase(found);
  return place;
}

std::optional<ReplacedTails::Tail> ReplacedTails::take(BlockId longer) {
  const auto found = tails_.find(longer);
  if (found == tails_.end()) return std::nullopt;
  Tail tail = std::move(found->second);
  tails_.erase(found);
  return free_place(tail) ? std::optional(std::move(tail)) : std::nullopt;
}

std::vector<store::Place> ReplacedTails::clear(const Digest* root) {
  std::vector<store::Place> free;
  std::erase_if(tails_, [&](const auto& one) {
    if (root != nullptr && one.second.entry.meta.root != *root) return false;
    if (const auto place = free_place(one.second)) free.push_back(*place);
    return true;
  });
  return free;
}

void ReplacedTails::add_entries(std::vector<store::Entry>& entries) const {
  for (const auto& [longer, tail] : tails_)
    if (tail.is_placed) entries.push_back(tail.entry);
}

}  // namespace hearth::cache
