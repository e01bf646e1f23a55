// StopMatcher: finds the request's stop sequences in visible text, also across pieces. Holds back only a tail that may
// still become one. The earliest start wins, then the shortest. One stream, one thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::chat {

class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> sequences) : sequences_(std::move(sequences)) {}
  struct Step {
    std::string text;                    // certain now; never contains a stop sequence
    std::optional<std::string> matched;  // the stop sequence that ended the text; nothing may follow
  };
  [[nodiscard]] Step push(std::string_view text);
  // What was held back, when text ended for another reason (or another block begins). While a longer sequence might
  // have come, a shorter one may stand in it already: then this is its match.
  [[nodiscard]] Step finish();

 private:
  enum class More { MayCome, None };
  [[nodiscard]] Step step(More more);

  std::vector<std::string> sequences_;
  std::string held_;
};

}  // namespace hearth::chat
