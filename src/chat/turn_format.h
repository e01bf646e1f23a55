// Turns of the TurnMemory as bytes and back: docs/turn-memory-format.md. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "chat/turn_memory.h"

namespace hearth::chat {

class TurnWriter {
 public:
  explicit TurnWriter(std::string_view scope);
  void add(const SampledTurn& turn, const std::vector<std::string>& keys);
  [[nodiscard]] std::string finish() &&;

 private:
  std::string bytes_;
  std::uint32_t count_ = 0;
  std::size_t count_at_ = 0;  // where the number of turns is written in the end
};

struct SavedTurn {
  SampledTurn turn;
  std::vector<std::string> keys;
};
// InvalidInput for anything that TurnWriter did not write for this scope.
[[nodiscard]] Result<std::vector<SavedTurn>> read_turns(std::string_view scope, std::string_view saved);

}  // namespace hearth::chat
