// SegmentTokens: text that was tokenised before and its tokens. An agent's prompt repeats nearly all of its segments
// from turn to turn, and tokenising runs at a few MB/s. The I/O thread only.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/engine.h"

namespace hearth::sched {

class SegmentTokens {
 public:
  // Keeps at most so many bytes of text and tokens; what was used longest ago goes first.
  explicit SegmentTokens(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // The segment's tokens; valid until the next call.
  [[nodiscard]] const std::vector<engine::Token>& tokens(const engine::Tokenizer& tokenizer, std::string_view text,
                                                         bool parse_special);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::size_t hit_count() const { return hit_count_; }

 private:
  struct Entry {
    std::string key;  // one character for parse_special, then the text
    std::vector<engine::Token> tokens;
  };
  [[nodiscard]] static std::size_t bytes_of(const Entry& entry);

  const std::size_t bytes_max_;
  std::list<Entry> entries_;                                                 // the one used last in front
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;  // views into entries_
  std::size_t bytes_ = 0;
  std::size_t hit_count_ = 0;
  std::string key_;                    // scratch
  std::vector<engine::Token> passed_;  // the answer for what is not kept
};

}  // namespace hearth::sched
