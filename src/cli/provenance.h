// Rendered text of which every stretch has a name for where it came from, shown as JSON or in colours. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hearth::cli {

// A stretch of bytes; it begins where the one before it ends.
struct TracedRun {
  std::size_t end = 0;
  std::string from;  // "template", "tools", "messages[3]"
  std::string role;  // of the message; empty for what is none
};

// {"text": ..., "runs": [{"begin": 0, "end": 14, "from": "template"}, ...]}: offsets are bytes of the UTF-8 text.
[[nodiscard]] Json provenance_json(std::string_view text, const std::vector<TracedRun>& runs);

// For a terminal: the template's own text is dim, the rest has a colour per role. Control characters are spelled out.
[[nodiscard]] std::string provenance_colour(std::string_view text, const std::vector<TracedRun>& runs);

}  // namespace hearth::cli
