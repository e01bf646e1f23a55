// See call_tags.h.
#include "chat/call_tags.h"

#include <array>
#include <span>

namespace hearth::chat {
namespace {

constexpr std::array kMarkers = {
    CallMarker{"<tool_call>", MarkerKind::Spelled},
    CallMarker{"<tool_calls>", MarkerKind::Spelled},
    CallMarker{"<function_call>", MarkerKind::Spelled},
    CallMarker{"<function_calls>", MarkerKind::Spelled},
    CallMarker{"<TOOLCALL>", MarkerKind::Spelled},
    CallMarker{"<|tool_call|>", MarkerKind::Spelled},
    CallMarker{"<tool_call:opensource>", MarkerKind::Spelled},
    CallMarker{"<tool_calls:opensource>", MarkerKind::Spelled},
    CallMarker{"<seed:tool_call>", MarkerKind::Spelled},
    CallMarker{"<minimax:tool_call>", MarkerKind::ControlToken},
    CallMarker{"]<]minimax[>[<tool_call>", MarkerKind::ControlToken},
    CallMarker{"<|tool_call>", MarkerKind::ControlToken},
    CallMarker{"<|tool_calls_section_begin|>", MarkerKind::ControlToken},
    CallMarker{"<|tool_call_begin|>", MarkerKind::ControlToken},
    CallMarker{"<|tool_call_start|>", MarkerKind::ControlToken},
    CallMarker{"<|tool_call:begin|>", MarkerKind::ControlToken},
    CallMarker{"<|tool_calls|>", MarkerKind::ControlToken},
    CallMarker{"<|function_call|>", MarkerKind::ControlToken},
    CallMarker{"<|tools_prefix|>", MarkerKind::ControlToken},
    CallMarker{"<|python_tag|>", MarkerKind::ControlToken},
    CallMarker{"<|python_start|>", MarkerKind::ControlToken},
    CallMarker{"<|START_ACTION|>", MarkerKind::ControlToken},
    CallMarker{"<｜tool▁calls▁begin｜>", MarkerKind::ControlToken},
    CallMarker{"<｜tool▁call▁begin｜>", MarkerKind::ControlToken},
    CallMarker{"<｜DSML｜tool_calls>", MarkerKind::ControlToken},
    CallMarker{"<｜DSML｜function_calls>", MarkerKind::ControlToken},
    CallMarker{"<|message_sep|>\n\nfunction call<|role_sep|>", MarkerKind::ControlToken},
    CallMarker{"<|channel|>commentary", MarkerKind::ControlToken},
    CallMarker{"functools", MarkerKind::Spelled},
    CallMarker{"[TOOL_CALLS]", MarkerKind::ControlToken},
};
constexpr std::array kClosers = {
    CallMarker{"</tool_call>", MarkerKind::Spelled},
    CallMarker{"</tool_calls>", MarkerKind::Spelled},
    CallMarker{"</function_call>", MarkerKind::Spelled},
    CallMarker{"</function_calls>", MarkerKind::Spelled},
    CallMarker{"</function>", MarkerKind::Spelled},
    CallMarker{"</invoke>", MarkerKind::Spelled},
    CallMarker{"</TOOLCALL>", MarkerKind::Spelled},
    CallMarker{"<|/tool_call|>", MarkerKind::Spelled},
    CallMarker{"</tool_call:opensource>", MarkerKind::Spelled},
    CallMarker{"</tool_calls:opensource>", MarkerKind::Spelled},
    CallMarker{"</seed:tool_call>", MarkerKind::Spelled},
    CallMarker{"</minimax:tool_call>", MarkerKind::ControlToken},
    CallMarker{"]<]minimax[>[</tool_call>", MarkerKind::ControlToken},
    CallMarker{"]<]minimax[>[</invoke>", MarkerKind::ControlToken},
    CallMarker{"<tool_call|>", MarkerKind::ControlToken},
    CallMarker{"<|tool_calls_section_end|>", MarkerKind::ControlToken},
    CallMarker{"<|tool_call_end|>", MarkerKind::ControlToken},
    CallMarker{"<|tool_call:end|>", MarkerKind::ControlToken},
    CallMarker{"<|calls|>", MarkerKind::ControlToken},
    CallMarker{"<|tools_suffix|>", MarkerKind::ControlToken},
    CallMarker{"<|python_end|>", MarkerKind::ControlToken},
    CallMarker{"<|END_ACTION|>", MarkerKind::ControlToken},
    CallMarker{"<｜tool▁calls▁end｜>", MarkerKind::ControlToken},
    CallMarker{"<｜tool▁call▁end｜>", MarkerKind::ControlToken},
    CallMarker{"</｜DSML｜invoke>", MarkerKind::ControlToken},
    CallMarker{"</｜DSML｜tool_calls>", MarkerKind::ControlToken},
    CallMarker{"</｜DSML｜function_calls>", MarkerKind::ControlToken},
    CallMarker{"[/TOOL_CALLS]", MarkerKind::ControlToken},
    CallMarker{"<|call|>", MarkerKind::ControlToken},
};
// What may also stand behind arguments.
constexpr std::array<std::string_view, 9> kEnds = {"```",     "<|im_end|>", "<|eot_id|>", "<|eom_id|>",     "</s>",
                                                   "<|end|>", "<|start|>",  "[e~[",       "<|message_sep|>"};

// False for most texts: two bytes tell, and nothing needs to be compared. No mark is shorter.
bool may_begin(std::string_view text, std::string_view mark) {
  return !text.empty() && text[0] == mark[0] && (text.size() == 1 || text[1] == mark[1]);
}

MarkerMatch find(std::span<const CallMarker> markers, std::string_view text) {
  MarkerMatch found;
  for (const CallMarker& marker : markers) {
    if (!may_begin(text, marker.text)) continue;
    switch (match_tag(text, marker.text)) {
      case Match::Yes: return {.match = Match::Yes, .bytes = marker.text.size(), .kind = marker.kind};
      case Match::Maybe: found.match = Match::Maybe; break;
      case Match::No: break;
    }
  }
  return found;
}

}  // namespace

MarkerMatch call_marker_at(std::string_view text) { return find(kMarkers, text); }
MarkerMatch call_closer_at(std::string_view text) { return find(kClosers, text); }

Match call_end_at(std::string_view text) {
  if (text.empty()) return Match::Maybe;
  Match best = Match::No;
  const auto take = [&](Match match) {
    if (match == Match::Yes || best == Match::No) best = match;
  };
  take(find(kClosers, text).match);
  if (best != Match::Yes) take(find(kMarkers, text).match);
  for (const std::string_view end : kEnds) {
    if (best != Match::Yes && may_begin(text, end)) take(match_tag(text, end));
  }
  return best;
}

}  // namespace hearth::chat
