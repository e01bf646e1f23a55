// UTF-8 as the streams need it: validity, and cutting bytes at character borders. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hearth {

[[nodiscard]] bool is_valid_utf8(std::string_view bytes);

// The length of the longest prefix that ends at a character border; the rest (at most 3 bytes) may be the
// beginning of a character. Bytes that can never become valid count as whole.
[[nodiscard]] std::size_t complete_utf8_prefix(std::string_view bytes);

// Every maximal invalid part replaced by U+FFFD.
[[nodiscard]] std::string replace_invalid_utf8(std::string_view bytes);

// Joins pieces of tokens into valid UTF-8: what may still grow into a character is held back.
class Utf8Joiner {
 public:
  // The text that became certain with these bytes; always valid UTF-8.
  [[nodiscard]] std::string push(std::string_view bytes);
  // What is left at the end, with U+FFFD for a broken tail.
  [[nodiscard]] std::string finish();

 private:
  std::string held_;  // at most 3 bytes between calls
};

}  // namespace hearth
