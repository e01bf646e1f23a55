// Elements inside an argument, as MiniMax M3 writes lists and objects: each tag carries a mark. Pure.
#pragma once

#include <string>
#include <string_view>

#include "chat/argument_schema.h"

namespace hearth::chat {

inline constexpr std::string_view kElementMark = "]<]minimax[>[";

// <item>a</item><item>b</item> as a list, <k>v</k> as an object; anything else as a word or a text, also
// elements of which one is not closed. The tags carry the mark, so a "<" in a text is no tag.
[[nodiscard]] std::string elements_to_json(std::string_view text, ArgumentSchema schema);

}  // namespace hearth::chat
