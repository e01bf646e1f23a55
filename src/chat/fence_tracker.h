// FenceTracker: whether the next byte of a text stands inside a Markdown code fence. Fed byte by byte, so how the text
// was cut never matters. Plain value, copied freely (a caller looks ahead with a copy).
#pragma once

#include <cstddef>
#include <string_view>

namespace hearth::chat {

class FenceTracker {
 public:
  void feed(std::string_view text) {
    for (const char c : text) feed(c);
  }
  // Inside a fence, or on the very line that opens one.
  [[nodiscard]] bool inside() const { return fence_length_ != 0 || line_opens_fence(); }

 private:
  void feed(char c);
  [[nodiscard]] bool line_opens_fence() const { return run_length_ >= kFenceLength && !backtick_after_run_; }

  // Markdown's own rule: three backticks or tildes at least; a closing run is as long as the opening one.
  static constexpr std::size_t kFenceLength = 3;

  std::size_t fence_length_ = 0;  // of the open fence; 0 = none is open
  char fence_char_ = 0;
  // The current line so far.
  std::size_t run_length_ = 0;  // backticks or tildes that begin it, after indentation
  char run_char_ = 0;
  bool run_over_ = false;            // something else followed (or began the line)
  bool text_after_run_ = false;      // not only white space after the run: then it closes nothing
  bool backtick_after_run_ = false;  // ```like this``` is a code span, not a fence
};

}  // namespace hearth::chat
