// The named formats of strings as grammar bodies, and the characters of JSON strings. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "chat/grammar_writer.h"

namespace hearth::chat {

// date, time, date-time, uuid, email, hostname, ipv4, ipv6, uri and its kin; nothing for others. No quote, backslash or
// angle bracket is ever in them, so they can stand in JSON and in XML-like text.
[[nodiscard]] std::optional<std::string> format_grammar(std::string_view format);

// One character of a JSON string, escapes included; never half of a surrogate pair.
[[nodiscard]] std::string json_char_rule(GrammarWriter& writer);

}  // namespace hearth::chat
