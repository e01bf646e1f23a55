// See cache_marks.h.
#include "wire/cache_marks.h"

namespace hearth::wire {

bool has_cache_marks(std::string_view body) {
  constexpr std::string_view kKey = "\"cache_control\"";
  constexpr std::string_view kSpace = " \t\r\n";
  for (auto at = body.find(kKey); at != std::string_view::npos; at = body.find(kKey, at + 1)) {
    // The opening quote of these words inside a string is escaped; so is the closing one.
    if (at > 0 && body[at - 1] == '\\') continue;
    const auto colon = body.find_first_not_of(kSpace, at + kKey.size());
    if (colon == std::string_view::npos || body[colon] != ':') continue;  // a value, not a key
    const auto value = body.find_first_not_of(kSpace, colon + 1);
    if (value != std::string_view::npos && body[value] == '{') return true;  // null takes a mark back
  }
  return false;
}

}  // namespace hearth::wire
