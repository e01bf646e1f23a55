// From a conversation to the variables a chat template reads, in the form its shape asks for. Pure.
#pragma once

#include <string>

#include "chat/conversation.h"
#include "chat/special_guard.h"
#include "chat/template_shape.h"

namespace hearth::chat {

// Folded: for templates that insist on strictly alternating roles. Neighbouring user messages become one, and what the
// user says right after tool results is put at the end of the last result.
enum class Folding { AsIs, Folded };

struct TemplateInput {
  Json messages;  // an array
  Json tools;     // an array, empty when the template lists none itself
  // A trailing assistant message is to be continued: the end mark stands at its end, its text is here.
  bool is_prefill = false;
  std::string prefill;
};

// All text of the conversation is masked by `guard`. ToolChoice::None lists the tools all the same:
// leaving them out would cost the cached prefix.
[[nodiscard]] TemplateInput build_template_input(const Conversation& conversation, const TemplateShape& shape,
                                                 const SpecialGuard& guard, Folding folding);

}  // namespace hearth::chat
