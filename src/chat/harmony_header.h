// The header of a Harmony message: <|start|>assistant<|channel|>commentary to=functions.Read <|constrain|>json<|message|>. The
// prompt ends with <|start|>assistant, so a message's own first header begins behind that. Pure.
#pragma once

#include <cstddef>
#include <string_view>

#include "chat/call_tags.h"
#include "chat/tool_call_scanner.h"

namespace hearth::chat {

enum class HarmonyChannel { Thought, Answer, Call };

struct HarmonyHeader {
  Match match = Match::No;
  HarmonyChannel channel = HarmonyChannel::Answer;
  bool cut = false;       // a header, had the text not ended in it
  std::size_t bytes = 0;  // up to behind <|message|>; of a call: up to its recipient and channel
};
// REQUIRES: `text` begins with no white space.
[[nodiscard]] HarmonyHeader harmony_header_at(std::string_view text, TextEnd end, const CallContext& context);
// <|end|> and the like, or the next header (then of no bytes), stand at `text`.
[[nodiscard]] MarkerMatch harmony_end_at(std::string_view text, TextEnd end, const CallContext& context);

}  // namespace hearth::chat
