// Whether a text is JSON, without keeping what it holds. Any thread.
#pragma once

#include <string_view>

namespace hearth {

// One JSON object, as Json::parse() would read it.
[[nodiscard]] bool is_json_object(std::string_view text);

}  // namespace hearth
