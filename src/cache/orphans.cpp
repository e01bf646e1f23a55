// See orphans.h.
#include "cache/orphans.h"

#include <algorithm>
#include <utility>

namespace hearth::cache {

// Of equals the one that lies deeper leaves first: nothing hangs on it.
Orphans::Orphans(std::vector<store::Entry> entries) : entries_(std::move(entries)) {
  std::ranges::stable_sort(entries_, [](const store::Entry& a, const store::Entry& b) {
    return a.meta.used_unix_ms != b.meta.used_unix_ms ? a.meta.used_unix_ms > b.meta.used_unix_ms
                                                      : a.meta.begin < b.meta.begin;
  });
}

std::vector<store::Place> Orphans::leave(std::uint64_t bytes) {
  std::vector<store::Place> places;
  for (std::uint64_t left = 0; left < bytes && !entries_.empty(); entries_.pop_back()) {
    places.push_back(entries_.back().place);
    left += store::kRecordHeaderBytes + places.back().stored_bytes;
  }
  return places;
}

std::vector<store::Place> Orphans::clear(const Digest* root) {
  std::vector<store::Place> places;
  std::erase_if(entries_, [&](const store::Entry& entry) {
    if (root != nullptr && entry.meta.root != *root) return false;
    places.push_back(entry.place);
    return true;
  });
  return places;
}

void Orphans::add_entries(std::vector<store::Entry>& entries) const {
  entries.insert(entries.end(), entries_.begin(), entries_.end());
}

}  // namespace hearth::cache
