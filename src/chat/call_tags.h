// The texts that open, wrap and close tool calls, of all families together: models mix them. Constant, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hearth::chat {

enum class Match : std::uint8_t { No, Maybe, Yes };  // Maybe: more text may still make it Yes
enum class TextEnd { Later, Here };                  // whether more text may come

// `text` begins with `tag`.
[[nodiscard]] inline Match match_tag(std::string_view text, std::string_view tag) {
  if (text.starts_with(tag)) return Match::Yes;
  return text.size() < tag.size() && tag.starts_with(text) ? Match::Maybe : Match::No;
}

enum class MarkerKind : std::uint8_t { Spelled, ControlToken };
struct CallMarker {
  std::string_view text;
  MarkerKind kind;
};

struct MarkerMatch {
  Match match = Match::No;
  std::size_t bytes = 0;  // of the marker, when Yes
  MarkerKind kind = MarkerKind::Spelled;
};
// A text that announces calls: <tool_call>, [TOOL_CALLS], <|tool_calls_section_begin|>, ...
[[nodiscard]] MarkerMatch call_marker_at(std::string_view text);
// A text that ends a call or a section of calls: </tool_call>, <|tool_call_end|>, ...
[[nodiscard]] MarkerMatch call_closer_at(std::string_view text);
// Either, or a fence: nothing of a call's arguments goes on behind it.
[[nodiscard]] Match call_end_at(std::string_view text);

}  // namespace hearth::chat
