// From raw model text to a message, the way a stream goes: parser, wire encoder, fold. And the comparison with what is
// expected. One thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "chat/stream_parser.h"
#include "golden_case.h"

namespace hearth::golden {

// The places where the text is cut: byte offsets in order, each at the start of a character, never 0 nor the end.
using Cuts = std::vector<std::size_t>;
[[nodiscard]] Cuts every_cut(std::string_view text);

// The parser's events, each as it came.
[[nodiscard]] std::vector<chat::StreamEvent> events_of(const Case& golden, const Cuts& cuts);
// The same events with fragments of one thing joined, as lines for a person; equal texts are equal events.
[[nodiscard]] std::string journal_of(const std::vector<chat::StreamEvent>& events);

struct Wired {
  std::string fault;  // what is illegal about the events; empty when nothing is
  Json content;       // of the folded message, without ids and signatures
  std::string stop_reason;
};
[[nodiscard]] Wired wired(const std::vector<chat::StreamEvent>& events, chat::TurnEnd ended);

// Empty when they are the same; otherwise both, as lines for a person. Objects are equal in any order of keys. The text of a call that was cut is compared without the white space
// outside its strings, and its last token may be held back.
[[nodiscard]] std::string difference(const Case& golden, const Wired& got);

}  // namespace hearth::golden
