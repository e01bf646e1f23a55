// DoubtfulEnd: whether a closing tag really ends its argument, and with it the call, told by what follows, to the end of the
// turn or 32 KiB on. A file about tool calls may quote nothing but the end of one; the argument then goes on, and has its own
// closing tag further down: one that nothing behind the doubtful end has opened. Owned by one TagValue, one thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "chat/call_tag.h"
#include "chat/fence_tracker.h"

namespace hearth::chat {

// The end of a call stands here, behind the closing tag of an argument: not only the tag of another argument. `call_word`: of
// the element that is the call; may be empty.
[[nodiscard]] Match call_ends_at(std::string_view text, TextEnd end, std::string_view call_word);

class DoubtfulEnd {
 public:
  // `open_word`: of the tag that opened the argument. `call_word`: as above. `tag_bytes`: of the doubtful tag. `bytes`: of what ends the argument, 0
  // where its own closing tag is missing and the tag is the call's. `code`: of the argument's text so far.
  DoubtfulEnd(std::string_view open_word, std::string_view call_word, std::size_t tag_bytes, std::size_t bytes,
              const FenceTracker& code)
      : open_word_(open_word),
        call_word_(call_word),
        bytes_(bytes),
        own_code_(code.code_id()),
        at_(tag_bytes),
        code_(code) {}

  enum class Verdict { Wait, Ends, Text };
  // `text` begins at the doubtful tag each time, and has grown.
  [[nodiscard]] Verdict look(std::string_view text, TextEnd end);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // After Text: where in `text` the closing tag stands up to which all of it is the argument's.
  [[nodiscard]] std::size_t next_closer() const { return at_; }

 private:
  [[nodiscard]] bool is_own(std::string_view word) const;
  void open(const CallTag& tag, bool begins_line);
  void go_on(std::string_view text, std::size_t at);

  const std::string open_word_, call_word_;
  const std::size_t bytes_;
  const std::size_t own_code_;  // in which the doubtful tag stands
  std::size_t at_;              // read so far
  int open_count_ = 0;          // arguments that were opened behind the doubtful end
  FenceTracker code_;           // up to there
  bool is_first_ = true;        // nothing but white space since the doubtful tag
  bool key_read_ = false;       // <arg_key>, whose <arg_value> may be missing
  bool in_call_ = false;        // a call's own tag was opened: its arguments may be opened by something we do not know
};

}  // namespace hearth::chat
