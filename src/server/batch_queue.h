// BatchQueue: which request of a batch is next: those that a server had no place for when their time has come again, the one that
// waited longest first, and then the others in their order. So one that never finds a place holds up nobody. A value, one
// thread at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "server/batch_record.h"

namespace hearth::server {

class BatchQueue {
 public:
  [[nodiscard]] std::optional<std::size_t> due(const std::vector<BatchItem>& items, std::int64_t now_ms) {
    if (!sent_back_.empty() && sent_back_.begin()->first <= now_ms) return sent_back_.begin()->second;
    while (fresh_index_ < items.size() && items[fresh_index_] != BatchItem::Waiting) ++fresh_index_;
    return fresh_index_ < items.size() ? std::optional(fresh_index_) : std::nullopt;
  }
  void taken(std::size_t index) {
    std::erase_if(sent_back_, [&](const auto& one) { return one.second == index; });
    if (index == fresh_index_) ++fresh_index_;
  }
  // REQUIRES: it was taken.
  void sent_back(std::size_t index, std::int64_t now_ms) {
    constexpr std::int64_t kRest_ms = 5000, kRestMost_ms = 300'000;  // doubled each time
    const int times = std::min(times_[index]++, 6);
    sent_back_.emplace(now_ms + std::min(kRest_ms << times, kRestMost_ms), index);
  }
  void done(std::size_t index) { times_.erase(index); }
  void clear() { sent_back_.clear(); }

 private:
  std::size_t fresh_index_ = 0;                               // what waits and was not taken yet waits from here on
  std::set<std::pair<std::int64_t, std::size_t>> sent_back_;  // when it is due, and which
  std::map<std::size_t, int> times_;                          // it was sent back
};

}  // namespace hearth::server
