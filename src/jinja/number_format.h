// One field of a format: how wide, how precise, which letter. Shared by '%' and str.format.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "jinja/operations.h"

namespace hearth::jinja {

// No field of a prompt is wider.
inline constexpr std::size_t kFieldWidthMax = 4096;

struct FieldFormat {
  char fill = ' ';
  char align = 0;   // '<', '>', '^', '=' or 0: what the type does
  char sign = '-';  // '-', '+' or ' '
  bool alternate = false;
  bool grouped = false;  // a comma between thousands
  std::size_t width = 0;
  int precision = -1;
  char letter = 0;  // 0: what the type does
};

// Digits of `value` as the letter says (d, i, u, x, X, o, b, e, E, f, F, g, G, %), with sign, without padding.
[[nodiscard]] std::string number_text(const FieldFormat& format, const Value& value);
// `text` cut to the precision where it is a string's, padded to the width.
void append_padded(Text& out, const Text& text, const FieldFormat& format, bool is_number);
// Reads digits at text[at]; refuses what is over kFieldWidthMax.
[[nodiscard]] std::size_t read_count(std::string_view text, std::size_t& at);

}  // namespace hearth::jinja
