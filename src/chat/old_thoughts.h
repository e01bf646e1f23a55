// OldThoughts: how to keep the thoughts of earlier turns in a prompt whose template drops them at every new user message
// (Qwen's do). A dropped thought changes the prompt in its middle, and all behind it is computed again. The thought is
// written into the message's content instead, byte for byte as the template wrote it while the turn was the last.
#pragma once

#include <string>
#include <string_view>

#include "chat/special_guard.h"
#include "chat/template_engine.h"

namespace hearth::chat {

enum class ThoughtKeeper { Template, Content };

struct OldThoughts {
  ThoughtKeeper keeper = ThoughtKeeper::Template;
  std::string opening;          // "<think>\n"
  std::string closing;          // "\n</think>\n\n", before text
  std::string closing_no_text;  // the same before a tool call; may differ in line breaks
  bool writes_empty = false;    // a turn without a thought is written with an empty one while it is the last

  // What to put before a message's text. `thought` is masked already. REQUIRES: keeper is Content.
  [[nodiscard]] std::string written(const SpecialGuard& guard, std::string_view thought, bool has_text) const;
};

[[nodiscard]] OldThoughts probe_old_thoughts(const TemplateEngine& engine, const Json& base_variables,
                                             const SpecialTexts& specials);

}  // namespace hearth::chat
