// InnerCalls: the tags of calls that a tagged argument's value quotes, balanced. A file about tool calls holds whole calls;
// their closing tags are the value's text and end nothing. Owned by one TagValue, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "chat/call_tag.h"

namespace hearth::chat {

class InnerCalls {
 public:
  // `open_word`: of the tag that opened the value.
  explicit InnerCalls(std::string_view open_word) : open_word_(open_word) {}

  // Text of the value between the tags.
  void text(std::string_view between);
  // `element`: each tag is an argument's that is none of the call's own. False: it opens nothing.
  bool open(const CallTag& tag, bool element);
  // No tag is open, and there was no argument: a tag of the call itself may stand where the value's closing tag is missing.
  [[nodiscard]] bool none() const { return open_.empty() && !quotes_; }

  enum class Closes : std::uint8_t {
    Nothing,   // no tag inside the value: the value itself, perhaps
    Inner,     // a tag inside the value
    Doubtful,  // one, unless its opening was only spoken of: then the value
    Text,      // nothing, but not the value either
  };
  [[nodiscard]] Closes closes(const CallTag& tag) const;
  void close(const CallTag& tag);
  // A tag that begins so may close one: how the text was cut must not matter.
  [[nodiscard]] bool may_close(std::string_view word) const;

 private:
  enum class Kind : std::uint8_t { Wrapper, Function, Key, Argument };
  struct Open {
    Kind kind;
    std::string word;
    bool meant = false;  // it opens a call, or an argument in one: what belongs behind it stood there
  };
  // Of the innermost tag that this one closes; npos: none.
  [[nodiscard]] std::size_t matching(const CallTag& tag) const;

  const std::string open_word_;
  std::vector<Open> open_;
  bool quotes_ = false;      // an argument was opened
  bool behind_tag_ = false;  // nothing but white space (and, behind a wrapper, a name) since the last tag of a call
  bool behind_wrapper_ = false;
  bool in_word_ = false;
};

// tool_call, function_calls and their kin: what a call or a list of calls stands in.
[[nodiscard]] bool is_call_wrapper_word(std::string_view word);

}  // namespace hearth::chat
