// Characters as Python counts them: code points of UTF-8 text. Pure functions. Invalid bytes count as one character each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hearth::jinja {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
};

// REQUIRES: at < text.size().
[[nodiscard]] CodePoint code_point_at(std::string_view text, std::size_t at);
void append_utf8(std::string& out, char32_t value);

[[nodiscard]] std::size_t count_characters(std::string_view text);
// The byte where character `index` begins; text.size() when there are fewer.
[[nodiscard]] std::size_t byte_of_character(std::string_view text, std::size_t index);

// Python's str.isspace for one character.
[[nodiscard]] bool is_space(char32_t value);
// Python's str.splitlines ends a line here.
[[nodiscard]] bool is_line_end(char32_t value);
[[nodiscard]] bool is_letter(char32_t value);
[[nodiscard]] bool is_digit(char32_t value);
[[nodiscard]] bool is_upper(char32_t value);
[[nodiscard]] bool is_lower(char32_t value);
// Python's str.isprintable for one character, as far as repr() needs it.
[[nodiscard]] bool is_printable(char32_t value);
// Simple case mapping for the scripts that have case and occur in prompts: Latin, Greek, Cyrillic, Armenian.
[[nodiscard]] char32_t to_upper(char32_t value);
[[nodiscard]] char32_t to_lower(char32_t value);

// The range [begin, end) that is left when white space is cut off.
struct Bounds {
  std::size_t begin = 0;
  std::size_t end = 0;
};
enum class Side { Left, Right, Both };
[[nodiscard]] Bounds strip_spaces(std::string_view text, Side side);
// ... when every character that stands in `characters` is cut off.
[[nodiscard]] Bounds strip_characters(std::string_view text, std::string_view characters, Side side);

}  // namespace hearth::jinja
