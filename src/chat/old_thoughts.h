// OldThoughts: how to keep the thoughts of earlier turns in a prompt whose template drops them at every new user message
// (Qwen's do). A dropped thought changes the prompt in its middle, and all behind it is computed again. The thought is
// written into the message's content instead, byte for byte as the template wrote it while the turn was the last.
#pragma once

#include <string>
#include <string_view>

#include "chat/prompt_marks.h"
#include "chat/template_engine.h"

namespace hearth::chat {

// What stands in reasoning_content instead of a thought that was written into the text.
inline constexpr std::string_view kThoughtStandIn = "-";

enum class ThoughtKeeper { Template, Content };

struct OldThoughts {
  ThoughtKeeper keeper = ThoughtKeeper::Template;
  std::string opening;          // "<think>\n"
  std::string closing;          // "\n</think>\n\n", before text
  std::string closing_no_text;  // the same before a tool call; may differ in line breaks
  // The message keeps a reasoning_content that the template does not show: without any, it would look for tags in the text.
  bool stand_in = false;
  bool writes_empty = false;  // a turn without a thought is written with an empty one while it is the last

  // What to put before a message's text. REQUIRES: keeper is Content.
  [[nodiscard]] std::string written(const PromptMarks& marks, std::string_view thought, bool has_text) const;
};

[[nodiscard]] OldThoughts probe_old_thoughts(const TemplateEngine& engine, const Json& base_variables);

}  // namespace hearth::chat
