// ListItem: where an item of a list of calls ends that is no call of a declared tool: its text, and no reason to lose the
// calls behind it. Fed as the text comes. Plain value.
#pragma once

#include <cstddef>
#include <string_view>

namespace hearth::chat {

class ListItem {
 public:
  // How much of `text` is the item's.
  [[nodiscard]] std::size_t read(std::string_view text) {
    std::size_t at = 0;
    for (; at < text.size() && !ended_ && !broken_; ++at) {
      const char c = text[at];
      if (quote_ != 0) {
        if (!escaped_ && c == quote_) quote_ = 0;
        escaped_ = !escaped_ && c == '\\';
      } else if (c == '"' || c == '\'') {
        quote_ = c;
      } else if (c == '{' || c == '[' || c == '(') {
        ++open_;
      } else if (c == '}' || c == ']' || c == ')') {
        if (open_ <= 1) ended_ = true;
        --open_;
      } else if (c == '<') {
        broken_ = true;  // a closing tag, or the next call: no item holds one outside its texts
        break;
      }
    }
    return at;
  }
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  int open_ = 0;
  char quote_ = 0;
  bool escaped_ = false;
  bool ended_ = false;
  bool broken_ = false;
};

}  // namespace hearth::chat
