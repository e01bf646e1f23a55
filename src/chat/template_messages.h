// From a conversation to the variables a chat template reads, in the form its shape asks for. Pure.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "chat/conversation.h"
#include "chat/prompt_marks.h"
#include "chat/template_shape.h"

namespace hearth::chat {

// Folded: for templates that insist on strictly alternating roles. Neighbouring user messages become one, and what the
// user says right after tool results is put at the end of the last result.
enum class Folding { AsIs, Folded };

// Of an element of `messages` that the conversation has no message for: its system text.
inline constexpr std::uint32_t kNoMessage = std::numeric_limits<std::uint32_t>::max();

struct TemplateInput {
  Json messages;  // an array
  Json tools;     // an array, empty when the template lists none itself
  // Which message of the conversation (Message::number) each element of `messages` is, or begins with.
  std::vector<std::uint32_t> message_numbers;
  // A trailing assistant message is to be continued: the end mark stands at its end, its text is here.
  bool is_prefill = false;
  std::string prefill;
};

// ToolChoice::None lists the tools all the same: leaving them out would cost the cached prefix.
[[nodiscard]] TemplateInput build_template_input(const Conversation& conversation, const TemplateShape& shape,
                                                 const RenderSwitches& switches, const PromptMarks& marks,
                                                 Folding folding);

}  // namespace hearth::chat
