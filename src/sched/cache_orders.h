// CacheOrders: what people ask of the cache, answered between two batches: where a prompt would come from, what is known, and that
// it be kept, forgotten, given out or taken in. The loop's thread.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "cache/prefix_cache.h"
#include "link/messages.h"

namespace hearth::sched {

class CacheOrders {
 public:
  CacheOrders(cache::PrefixCache& cache, const Clock& clock) : cache_(cache), clock_(clock) {}

  [[nodiscard]] link::ProbeReply probe(const link::Probe& probe) const;
  [[nodiscard]] link::CacheReply obey(const link::CacheRequest& request);

 private:
  [[nodiscard]] link::CacheReply list_lines(const link::CacheRequest& request);
  [[nodiscard]] Result<link::CacheReply> obey_for(const cache::KnownLine& line, const link::CacheRequest& request);
  [[nodiscard]] Result<link::CacheReply> import_part(const link::CacheRequest& request);

  cache::PrefixCache& cache_;
  const Clock& clock_;
};

}  // namespace hearth::sched
