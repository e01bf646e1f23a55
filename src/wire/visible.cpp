// See visible.h.
#include "wire/visible.h"

#include <array>

namespace hearth::wire {
namespace {

// The white space of ECMAScript outside ASCII: no-break space, Ogham space, the dashes' worth of U+2000 to U+200A, line
// and paragraph separator, narrow no-break space, mathematical space, ideographic space, byte order mark.
constexpr std::array<std::string_view, 18> kWideBlanks = {"\u00A0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
                                                          "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009",
                                                          "\u200A", "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};
constexpr std::string_view kByteOrderMark = "\uFEFF";

// Bytes of the blank character at the front, 0 when it is visible.
std::size_t blank_bytes(std::string_view text) {
  const char c = text.front();
  if (c == ' ' || (c >= '\t' && c <= '\r')) return 1;
  if (text.starts_with(kByteOrderMark)) return kByteOrderMark.size();
  for (const std::string_view blank : kWideBlanks) {
    if (text.starts_with(blank)) return blank.size();
  }
  return 0;
}

}  // namespace

bool is_blank(std::string_view text) {
  while (!text.empty()) {
    const std::size_t bytes = blank_bytes(text);
    if (bytes == 0) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

}  // namespace hearth::wire
