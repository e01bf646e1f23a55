// Orphans: what the disk has and fits nowhere, in a folder of which a file could not be read this time: most likely their parents
// lie there. They wait for the next process, of no use to this one, and leave first when room is short. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "store/record.h"

namespace hearth::cache {

class Orphans {
 public:
  Orphans() = default;
  explicit Orphans(std::vector<store::Entry> entries);

  // So many bytes of them at least, or all, are forgotten, those used longest ago first: what can be given back.
  [[nodiscard]] std::vector<store::Place> leave(std::uint64_t bytes);
  // All of this root (nullptr: of all) are: what can be given back.
  [[nodiscard]] std::vector<store::Place> clear(const Digest* root);
  template <class IsGone>
  void forget_if(const IsGone& is_gone) {
    std::erase_if(entries_, [&](const store::Entry& entry) { return is_gone(entry.place); });
  }
  // An index that names a file without them would lose them.
  void add_entries(std::vector<store::Entry>& entries) const;

 private:
  std::vector<store::Entry> entries_;  // the last one leaves first
};

}  // namespace hearth::cache
