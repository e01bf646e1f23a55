// OtherName: a text that is none of the given names, as a rule: the key of an argument or a member that no schema declares.
// Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "chat/grammar_writer.h"

namespace hearth::chat {

// What the text is made of.
enum class NameChars : std::uint8_t {
  JsonString,  // what stands in a JSON string without an escape; may be empty
  Word,        // ASCII letters, digits and _ . -
  Identifier,  // the same, and begins with a letter or _
};

struct OtherName {
  std::string rule;
  bool is_apart = true;  // false: it may be one of the names all the same
};

[[nodiscard]] OtherName other_name(std::span<const std::string_view> names, NameChars chars, GrammarWriter& writer);

}  // namespace hearth::chat
