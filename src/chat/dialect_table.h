// The table of dialects, in three parts by how a call is opened. Internal to dialect.cpp; pure.
#pragma once

#include <vector>

#include "chat/dialect.h"

namespace hearth::chat {

inline constexpr std::string_view kThinkOpen = "<think>";
inline constexpr std::string_view kThinkClose = "</think>";
inline constexpr std::string_view kThinkCloseWritten = "\n</think>\n\n";

// <tool_call>{"name": ..., "arguments": ...}</tool_call>
[[nodiscard]] inline CallWords tool_call_json() {
  return {.call_begin = "<tool_call>\n", .call_end = "\n</tool_call>", .call_join = "\n"};
}
// [{...}, {...}] between two texts
[[nodiscard]] inline CallWords json_list(std::string_view begin, std::string_view end) {
  return {.section_begin = begin, .section_end = end, .call_join = ", "};
}

void add_tagged_dialects(std::vector<Dialect>& all);         // dialect_table.cpp: opened as prose could be
void add_control_token_dialects(std::vector<Dialect>& all);  // dialect_table_tokens.cpp
void add_other_dialects(std::vector<Dialect>& all);          // dialect_table_other.cpp

}  // namespace hearth::chat
