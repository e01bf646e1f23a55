// Fields of '%' and str.format: digits, sign, padding.
#include "jinja/number_format.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <format>

#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

std::string integer_digits(char letter, bool alternate, std::uint64_t magnitude) {
  switch (letter) {
    case 'x': return (alternate ? "0x" : "") + std::format("{:x}", magnitude);
    case 'X': return (alternate ? "0X" : "") + std::format("{:X}", magnitude);
    case 'o': return (alternate ? "0o" : "") + std::format("{:o}", magnitude);
    case 'b': return (alternate ? "0b" : "") + std::format("{:b}", magnitude);
    default: return std::to_string(magnitude);
  }
}

std::string float_digits(char letter, int precision, double magnitude) {
  const int digits = precision < 0 ? 6 : precision;
  switch (letter) {
    case 'e': return std::format("{:.{}e}", magnitude, digits);
    case 'E': return std::format("{:.{}E}", magnitude, digits);
    case 'g': return std::format("{:.{}g}", magnitude, std::max(digits, 1));
    case 'G': return std::format("{:.{}G}", magnitude, std::max(digits, 1));
    case '%': return std::format("{:.{}f}%", magnitude * 100, digits);
    case 0: return precision < 0 ? float_repr(magnitude) : std::format("{:.{}g}", magnitude, std::max(digits, 1));
    default: return std::format("{:.{}f}", magnitude, digits);
  }
}

void group_thousands(std::string& digits) {
  std::size_t end = digits.find_first_not_of("0123456789");
  if (end == std::string::npos) end = digits.size();
  for (std::size_t at = end; at > 3; at -= 3) digits.insert(at - 3, ",");
}

}  // namespace

std::string number_text(const FieldFormat& format, const Value& value) {
  const bool wants_float = std::string_view("eEfFgG%").contains(format.letter) && format.letter != 0;
  const bool negative = value.is(Kind::Float) ? std::signbit(value.number()) : value.integer() < 0;
  std::string digits;
  if (wants_float || value.is(Kind::Float)) {
    digits = float_digits(format.letter, format.precision, std::abs(value.number()));
  } else {
    const auto bits = static_cast<std::uint64_t>(value.integer());
    digits = integer_digits(format.letter, format.alternate, negative ? std::uint64_t{0} - bits : bits);
  }
  if (format.grouped) group_thousands(digits);
  if (negative) return "-" + digits;
  return format.sign == '-' ? digits : format.sign + digits;
}

void append_padded(Text& out, const Text& text, const FieldFormat& format, bool is_number) {
  Text body = text;
  if (!is_number && format.precision >= 0)
    body = text.slice(0, byte_of_character(text.view(), static_cast<std::size_t>(format.precision)));
  const std::size_t count = count_characters(body.view());
  const std::size_t padding = format.width > count ? format.width - count : 0;
  const char align = format.align ? format.align : is_number ? '>' : '<';
  const std::string_view fill(&format.fill, 1);
  const std::size_t left = align == '<' ? 0 : align == '^' ? padding / 2 : padding;
  if (align == '=' && !body.empty() && !(body.view().front() >= '0' && body.view().front() <= '9')) {
    out.append(body, 0, 1);
    out.append_repeated(fill, padding);
    return out.append(body, 1, body.size());
  }
  out.append_repeated(fill, left);
  out.append(body);
  out.append_repeated(fill, padding - left);
}

std::size_t read_count(std::string_view text, std::size_t& at) {
  std::size_t count = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    count = count * 10 + static_cast<std::size_t>(text[at] - '0');
    if (count > kFieldWidthMax) refuse_limit("a format's field is too wide");
  }
  return count;
}

}  // namespace hearth::jinja
