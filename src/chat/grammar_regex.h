// A schema's `pattern` as a grammar body: the part of regular expressions that schemas use. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "chat/grammar_writer.h"

namespace hearth::chat {

// How characters are written where the value will stand.
enum class CharSpelling {
  Json,  // inside a JSON string: quotes, backslashes and control characters by their escapes
  Raw,   // as they are
  // As they are, in a text that a tag ends: a large class, as of ".", is without "<".
  Tagged,
};

// One character of `ranges` in that spelling; nothing when none of them can be written.
[[nodiscard]] std::optional<std::string> spelled_class(const CharRanges& ranges, CharSpelling spelling);

// Knows literals, escapes, classes, groups, alternation, repetitions and anchors at the ends; a pattern without anchors
// matches anywhere, as JSON Schema says. Nothing for what it does not know (look-around, back references, \b, \p, flags).
[[nodiscard]] std::optional<std::string> pattern_grammar(std::string_view pattern, CharSpelling spelling,
                                                         GrammarWriter& writer);

}  // namespace hearth::chat
