// Whether a text shows anything. Blank is what JavaScript's trim() removes, because that is how clients decide to drop
// a block. Pure, any thread.
#pragma once

#include <string_view>

namespace hearth::wire {

// REQUIRES: valid UTF-8.
[[nodiscard]] bool is_blank(std::string_view text);

}  // namespace hearth::wire
