// FenceTracker: whether the next byte of a text stands inside a Markdown code fence or inline code. Fed byte by byte, so how the text
// was cut never matters. Plain value, copied freely (a caller looks ahead with a copy).
#pragma once

#include <cstddef>
#include <string_view>

namespace hearth::chat {

class FenceTracker {
 public:
  void feed(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      // In the middle of a line only its end and backticks matter.
      if (run_over_ && ticks_ == 0 && (run_length_ == 0 || text_after_run_)) {
        while (i < text.size() && text[i] != '\n' && text[i] != '`') ++i;
        if (i == text.size()) break;
      }
      feed(text[i]);
    }
  }
  // Inside a fence, or on the very line that opens one. Not behind the backticks that close it: few models end that line
  // before they write a call. (More text on the line makes it none, and the fence stays open.)
  [[nodiscard]] bool inside() const { return fence_length_ != 0 ? !line_closes_fence() : line_opens_fence(); }
  // Between backticks within a line.
  [[nodiscard]] bool inline_code() const {
    return !line_closes_fence() && (ticks_ == 0 ? span_length_ != 0 : span_length_ != ticks_);
  }
  // Of the fence or inline code that the next byte stands in: no two alike. 0: it stands in none.
  [[nodiscard]] std::size_t code_id() const {
    const bool begins = ticks_ != 0 && span_length_ == 0 && fence_length_ == 0;  // counted with the next byte
    return inside() || inline_code() ? code_count_ + (begins ? 1 : 0) : 0;
  }
  [[nodiscard]] std::size_t line() const { return line_; }
  // Nothing but white space since the line began.
  [[nodiscard]] bool line_start() const { return !run_over_ && run_length_ == 0; }

 private:
  void feed(char c);
  void feed_span(char c);
  [[nodiscard]] bool line_opens_fence() const { return run_length_ >= kFenceLength && !backtick_after_run_; }
  [[nodiscard]] bool line_closes_fence() const {
    return fence_length_ != 0 && run_char_ == fence_char_ && run_length_ >= fence_length_ && !text_after_run_;
  }

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
  std::size_t span_length_ = 0;      // backticks that opened the inline code of this line; 0 = none is open
  std::size_t ticks_ = 0;            // backticks just before the next byte
  std::size_t code_count_ = 1;       // beginnings and ends of code so far
  std::size_t line_ = 0;
};

}  // namespace hearth::chat
