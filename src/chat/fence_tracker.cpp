// See fence_tracker.h.
#include "chat/fence_tracker.h"

#include <utility>

namespace hearth::chat {

// A run of backticks opens inline code, one of the same length closes it; a line's end closes it too, for one that a
// writer forgot must not hide what follows.
void FenceTracker::feed_span(char c) {
  if (c == '`') {
    ++ticks_;
    return;
  }
  if (ticks_ != 0) {
    const std::size_t before = span_length_;
    if (span_length_ == 0) {
      span_length_ = ticks_;
    } else if (span_length_ == ticks_) {
      span_length_ = 0;
    }
    // Backticks within a fence are its text.
    if (span_length_ != before && fence_length_ == 0) ++code_count_;
    ticks_ = 0;
  }
  if (c == '\n' && std::exchange(span_length_, 0) != 0 && fence_length_ == 0) ++code_count_;
}

void FenceTracker::feed(char c) {
  feed_span(c);
  if (c == '\n') {
    ++line_;
    if (fence_length_ != 0) {
      if (line_closes_fence()) {
        fence_length_ = 0;
        ++code_count_;
      }
    } else if (line_opens_fence()) {
      fence_length_ = run_length_;
      fence_char_ = run_char_;
    }
    run_length_ = 0;
    run_char_ = 0;
    run_over_ = text_after_run_ = backtick_after_run_ = false;
    return;
  }
  const bool blank = c == ' ' || c == '\t' || c == '\r';
  if (!run_over_) {
    if ((c == '`' || c == '~') && (run_length_ == 0 || run_char_ == c)) {
      run_char_ = c;
      ++run_length_;
      return;
    }
    if (run_length_ == 0 && blank) return;  // indentation: fences stand in lists too
    run_over_ = true;
  }
  if (!blank) text_after_run_ = true;
  if (c == '`' && run_char_ == '`') backtick_after_run_ = true;
}

}  // namespace hearth::chat
