// Whether a Messages body asks for prompt caching anywhere. Pure, any thread.
#pragma once

#include <string_view>

namespace hearth::wire {

// A "cache_control" key stands in the body, on whatever: the request itself, a system block, a tool, a content block.
// Read off the text, because inside a JSON string the quotes of those words would be escaped. REQUIRES: valid JSON.
[[nodiscard]] bool has_cache_marks(std::string_view body);

}  // namespace hearth::wire
