// Characters: decoding, classes and case. The tables are ranges, small on purpose: templates compare ASCII words.
#include "jinja/unicode.h"

#include <algorithm>

namespace hearth::jinja {
namespace {

constexpr bool within(char32_t value, char32_t first, char32_t last) { return value >= first && value <= last; }
constexpr bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

// Blocks where capital and small letters alternate, capitals on even code points.
constexpr bool alternates_even(char32_t value) {
  return within(value, 0x100, 0x137) || within(value, 0x14A, 0x177) || within(value, 0x1DE, 0x1EF) ||
         within(value, 0x1F8, 0x21F) || within(value, 0x222, 0x233) || within(value, 0x460, 0x481) ||
         within(value, 0x48A, 0x4BF) || within(value, 0x4D0, 0x52F) || within(value, 0x1E00, 0x1E95) ||
         within(value, 0x1EA0, 0x1EFF) || within(value, 0x3D8, 0x3EF);
}
constexpr bool alternates_odd(char32_t value) {
  return within(value, 0x139, 0x148) || within(value, 0x179, 0x17E) || within(value, 0x1CD, 0x1DC) ||
         within(value, 0x4C1, 0x4CE);
}

}  // namespace

CodePoint code_point_at(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC0 || at + bytes > text.size()) return {lead, 1};
  char32_t value = lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if (!is_continuation(text[at + i])) return {lead, 1};
    value = value << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3FU);
  }
  return {value, bytes};
}

void append_utf8(std::string& out, char32_t value) {
  const auto push = [&](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (value < 0x80) {
    push(value);
  } else if (value < 0x800) {
    push(0xC0 | value >> 6);
    push(0x80 | (value & 0x3F));
  } else if (value < 0x10000) {
    push(0xE0 | value >> 12);
    push(0x80 | (value >> 6 & 0x3F));
    push(0x80 | (value & 0x3F));
  } else {
    push(0xF0 | value >> 18);
    push(0x80 | (value >> 12 & 0x3F));
    push(0x80 | (value >> 6 & 0x3F));
    push(0x80 | (value & 0x3F));
  }
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char byte) { return !is_continuation(byte); }));
}

std::size_t byte_of_character(std::string_view text, std::size_t index) {
  std::size_t at = 0;
  while (at < text.size() && index > 0) {
    at += code_point_at(text, at).bytes;
    --index;
  }
  return at;
}

bool is_space(char32_t value) {
  if (value < 0x80) return value == ' ' || within(value, 0x09, 0x0D) || within(value, 0x1C, 0x1F);
  return value == 0x85 || value == 0xA0 || value == 0x1680 || within(value, 0x2000, 0x200A) || value == 0x2028 ||
         value == 0x2029 || value == 0x202F || value == 0x205F || value == 0x3000;
}

bool is_line_end(char32_t value) {
  return within(value, 0x0A, 0x0D) || within(value, 0x1C, 0x1E) || value == 0x85 || value == 0x2028 || value == 0x2029;
}

bool is_digit(char32_t value) {
  return within(value, '0', '9') || within(value, 0x660, 0x669) || within(value, 0x6F0, 0x6F9) ||
         within(value, 0x966, 0x96F) || within(value, 0xFF10, 0xFF19) || value == 0xB2 || value == 0xB3 ||
         value == 0xB9;
}

bool is_upper(char32_t value) { return to_lower(value) != value; }
bool is_lower(char32_t value) { return to_upper(value) != value || value == 0xDF; }

bool is_letter(char32_t value) {
  if (value < 0x80) return within(value, 'a', 'z') || within(value, 'A', 'Z');
  if (value < 0xC0) return value == 0xAA || value == 0xB5 || value == 0xBA;
  if (value == 0xD7 || value == 0xF7 || is_space(value) || is_digit(value)) return false;
  if (within(value, 0x2000, 0x2BFF) || within(value, 0x3000, 0x3004) || within(value, 0x3008, 0x3020)) return false;
  return !within(value, 0xD800, 0xF8FF) && !within(value, 0xFE00, 0xFE6F) && !within(value, 0xFF00, 0xFF20) &&
         value < 0x1F000;
}

bool is_printable(char32_t value) {
  if (value < 0x20 || within(value, 0x7F, 0xA0) || value == 0xAD) return false;
  if (is_space(value)) return value == ' ';
  return !within(value, 0x200B, 0x200F) && !within(value, 0x202A, 0x202E) && !within(value, 0x2060, 0x206F) &&
         !within(value, 0xD800, 0xF8FF) && value != 0xFEFF && !within(value, 0xFFF0, 0xFFFB) && value < 0xE0000;
}

char32_t to_upper(char32_t value) {
  if (value < 0x80) return within(value, 'a', 'z') ? value - 32 : value;
  if (within(value, 0xE0, 0xFE) && value != 0xF7) return value - 32;
  if (value == 0xFF) return 0x178;
  if (value == 0xB5) return 0x39C;
  if (alternates_even(value) && value != 0x131 && value != 0x1E9E) return value & ~char32_t{1};
  if (alternates_odd(value)) return (value & 1) == 0 ? value - 1 : value;
  if (value == 0x131) return 'I';
  if (within(value, 0x3B1, 0x3C9)) return value == 0x3C2 ? 0x3A3 : value - 32;
  if (value == 0x3AC) return 0x386;
  if (within(value, 0x3AD, 0x3AF)) return value - 37;
  if (value == 0x3CC) return 0x38C;
  if (value == 0x3CD || value == 0x3CE) return value - 63;
  if (within(value, 0x430, 0x44F)) return value - 32;
  if (within(value, 0x450, 0x45F)) return value - 80;
  if (within(value, 0x561, 0x586)) return value - 48;
  return value;
}

char32_t to_lower(char32_t value) {
  if (value < 0x80) return within(value, 'A', 'Z') ? value + 32 : value;
  if (within(value, 0xC0, 0xDE) && value != 0xD7) return value + 32;
  if (value == 0x178) return 0xFF;
  if (value == 0x130 || value == 0x131) return value;
  if (value == 0x1E9E) return 0xDF;
  if (alternates_even(value)) return value | 1;
  if (alternates_odd(value)) return (value & 1) == 1 ? value + 1 : value;
  if (within(value, 0x391, 0x3A9) && value != 0x3A2) return value + 32;
  if (value == 0x386) return 0x3AC;
  if (within(value, 0x388, 0x38A)) return value + 37;
  if (value == 0x38C) return 0x3CC;
  if (value == 0x38E || value == 0x38F) return value + 63;
  if (within(value, 0x410, 0x42F)) return value + 32;
  if (within(value, 0x400, 0x40F)) return value + 80;
  if (within(value, 0x531, 0x556)) return value + 48;
  return value;
}

namespace {

template <class Strips>
Bounds strip(std::string_view text, Side side, Strips strips) {
  Bounds bounds{0, text.size()};
  if (side != Side::Right) {
    while (bounds.begin < bounds.end) {
      const CodePoint point = code_point_at(text, bounds.begin);
      if (!strips(point.value)) break;
      bounds.begin += point.bytes;
    }
  }
  if (side == Side::Left) return bounds;
  while (bounds.end > bounds.begin) {
    std::size_t at = bounds.end - 1;
    while (at > bounds.begin && is_continuation(text[at])) --at;
    if (!strips(code_point_at(text, at).value)) break;
    bounds.end = at;
  }
  return bounds;
}

}  // namespace

Bounds strip_spaces(std::string_view text, Side side) { return strip(text, side, is_space); }

Bounds strip_characters(std::string_view text, std::string_view characters, Side side) {
  return strip(text, side, [&](char32_t value) {
    for (std::size_t at = 0; at < characters.size();) {
      const CodePoint point = code_point_at(characters, at);
      if (point.value == value) return true;
      at += point.bytes;
    }
    return false;
  });
}

}  // namespace hearth::jinja
