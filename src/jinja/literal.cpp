// String literals of a template, as Python's unicode-escape reads them.
#include <format>

#include "jinja/lexer.h"
#include "jinja/refusal.h"
#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

// Up to `count` digits of `base` from body[at]; at moves behind them.
char32_t read_code(std::string_view body, std::size_t& at, std::size_t count, int base) {
  char32_t value = 0;
  for (; count > 0 && at < body.size() && digit_of(body[at]) < base; --count, ++at)
    value = value * static_cast<char32_t>(base) + static_cast<char32_t>(digit_of(body[at]));
  if (base == 16 && count > 0) refuse("a string ends inside an escape");
  if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) refuse("an escape in a string is no character");
  return value;
}

char simple_escape(char letter) {
  switch (letter) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case 'a': return '\a';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'v': return '\v';
    case '\\':
    case '\'':
    case '"': return letter;
    default: return 0;
  }
}

}  // namespace

std::string unescape_literal(std::string_view body) {
  std::string out;
  for (std::size_t at = 0; at < body.size();) {
    if (body[at] != '\\' || at + 1 == body.size()) {
      out += body[at++];
      continue;
    }
    const char letter = body[at + 1];
    at += 2;
    if (const char plain = simple_escape(letter)) {
      out += plain;
    } else if (letter == '\n') {
      continue;
    } else if (letter == 'x' || letter == 'u' || letter == 'U') {
      append_utf8(out, read_code(body, at, letter == 'x' ? 2 : letter == 'u' ? 4 : 8, 16));
    } else if (letter >= '0' && letter <= '7') {
      --at;
      append_utf8(out, read_code(body, at, 3, 8));
    } else {
      out += '\\';
      out += letter;
    }
  }
  return out;
}

}  // namespace hearth::jinja
