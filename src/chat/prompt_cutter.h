// Rendered text, every byte of which knows its source, cut into segments to tokenise: so that what the template wrote gives
// its control tokens, and nothing that came from the conversation, in whole or in part, ever does. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "chat/renderer.h"
#include "chat/special_guard.h"
#include "jinja/template.h"

namespace hearth::chat {

struct CutPrompt {
  std::vector<PromptSegment> segments;
  std::vector<std::size_t> boundary_segments;  // as Prompt names them
};

// Boundaries lie before each of `turn_openings` that the template wrote, and at `suffix_begin`.
[[nodiscard]] CutPrompt cut_prompt(const jinja::Rendered& rendered, const SpecialTexts& specials,
                                   const std::vector<std::string>& turn_openings, std::size_t suffix_begin);

// Whether the template itself wrote all of [begin, end).
[[nodiscard]] bool is_template_text(const std::vector<jinja::Run>& runs, std::size_t begin, std::size_t end);

}  // namespace hearth::chat
