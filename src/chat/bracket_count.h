// BracketCount: whether every bracket of a JSON text is closed, outside its strings. Reads a text that grows. Plain value.
#pragma once

#include <cstddef>
#include <string_view>

namespace hearth::chat {

class BracketCount {
 public:
  // `text` begins at the same byte each time.
  void read(std::string_view text) {
    for (; read_ < text.size(); ++read_) {
      const char c = text[read_];
      if (in_string_) {
        in_string_ = escaped_ || c != '"';
        escaped_ = !escaped_ && c == '\\';
      } else if (c == '"') {
        in_string_ = true;
      } else {
        open_ += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
      }
    }
  }
  // The text begins `bytes` later from now on. REQUIRES: they were read.
  void forget(std::size_t bytes) { read_ -= bytes; }
  [[nodiscard]] bool balanced() const { return open_ <= 0 && !in_string_; }

 private:
  std::size_t read_ = 0;
  int open_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace hearth::chat
