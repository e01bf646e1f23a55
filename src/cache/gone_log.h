// GoneLog: what left the RAM tier lately, why, and what for, so that a prompt that is computed again can be told. Bounded; it
// knows places in the tree and a few tokens, no state. One thread, as the tier.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>

#include "cache/ram_tier.h"

namespace hearth::cache {

// What was being done when something left.
enum class GoneFor : std::uint8_t {
  Nothing,  // nobody said
  Line,     // another line needed its room
  Budget,   // the budget shrank: by the operator, for other programs, for a larger context
};

struct GoneEvent {
  static constexpr std::size_t kTokensKept = 8;
  Root root;
  Hash parent{};                            // of the node it hung at
  bool is_anchor = false;                   // else a block
  std::uint32_t begin = 0;                  // where that node ends
  std::uint32_t end = 0;                    // the block's end, the anchor's position
  std::array<Token, kTokensKept> tokens{};  // the first from `begin`
  std::uint32_t token_count = 0;            // of `tokens`
  Gone reason = Gone::Budget;
  GoneFor what_for = GoneFor::Nothing;
  bool same_root = false;        // the line that needed the room was of the same root
  std::uint32_t for_tokens = 0;  // its length
  std::uint64_t gone_ms = 0;
};

class GoneLog {
 public:
  // What leaves from now on leaves for this.
  void begin(std::uint64_t now_ms, GoneFor what_for, const Root& root = {}, std::uint32_t tokens = 0) {
    now_ms_ = now_ms;
    what_for_ = what_for;
    root_ = root;
    tokens_ = tokens;
  }
  // `event` says what and where; the log knows when and what for.
  void add(GoneEvent event, std::span<const Token> tokens);
  [[nodiscard]] const std::deque<GoneEvent>& events() const { return events_; }  // the newest last

 private:
  // At 25 MB a block of a 30B model: what left while 25 GB of others came. 150 KB.
  static constexpr std::size_t kEventsMax = 1024;
  std::deque<GoneEvent> events_;
  std::uint64_t now_ms_ = 0;
  GoneFor what_for_ = GoneFor::Nothing;
  Root root_;
  std::uint32_t tokens_ = 0;
};

// Whether `line`, up to its end, ran through what is gone. `parent` is the hash of the line's node at event.begin.
[[nodiscard]] bool ran_through(const GoneEvent& event, std::span<const Token> line);

// The last block of the line that left from `within.begin`, or its last anchor that left from within (begin, end].
class PrefixTree;
[[nodiscard]] std::optional<GoneEvent> last_gone(const PrefixTree& tree, const Root& root, std::span<const Token> line,
                                                 Range within, bool anchors);

}  // namespace hearth::cache
