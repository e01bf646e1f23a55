// Parked: idle prefixes whose state was moved out of the engine into RAM. In a unified pool every step of every running
// job pays for the highest used cell, so a conversation that rests must not rest there. Attention states only. What is
// parked is bytes and the tokens they are for; the oldest go when the budget is full. The loop's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "engine/engine.h"

namespace hearth::sched {

struct ParkLimits {
  std::uint64_t bytes_max = std::uint64_t{1} << 30;  // RAM for states and their tokens; 0 = nothing is parked
  // Idle cells up to here cost a step less than moving them would: 1,700 of them cost some 15 % of a small model's decode.
  std::uint64_t idle_tokens_free = 256;
};

class Parked {
 public:
  struct Entry {
    std::vector<engine::Token> tokens;
    std::vector<std::uint8_t> state;
    std::uint64_t last_used = 0;
  };

  explicit Parked(std::uint64_t bytes_max) : bytes_max_(bytes_max) {}

  struct Match {
    std::size_t index = 0;
    std::uint32_t common = 0;  // leading tokens shared with the prompt
  };
  // The entry that shares most; nullopt when none shares anything.
  [[nodiscard]] std::optional<Match> best(std::span<const engine::Token> prompt) const;
  [[nodiscard]] Entry& entry(std::size_t index) { return entries_[index]; }
  [[nodiscard]] const Entry& entry(std::size_t index) const { return entries_[index]; }
  // Whether all of these tokens are the beginning of an entry, so that parking them again would keep nothing new.
  [[nodiscard]] bool covers(std::span<const engine::Token> tokens) const;

  // False (and nothing kept) when it alone is over the budget. Entries that it continues are replaced.
  bool add(Entry entry);
  void remove(std::size_t index);

  [[nodiscard]] std::size_t count() const { return entries_.size(); }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  void check_invariants() const;

 private:
  static std::uint64_t bytes_of(const Entry& entry) {
    return entry.state.size() + entry.tokens.size() * sizeof(engine::Token);
  }

  const std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;  // of all entries
  std::vector<Entry> entries_;
};

[[nodiscard]] std::uint32_t common_prefix(std::span<const engine::Token> a, std::span<const engine::Token> b);

}  // namespace hearth::sched
