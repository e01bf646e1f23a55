// Rendering with a memory: turns of ours that the memory knows stand in the prompt as the tokens that were sampled, all
// else as the template writes it. Each known turn is rendered as a skeleton of marks; the marks show where the turn
// begins and ends, and where that is not beyond doubt the turn is rendered plainly. Cuts are made at special texts only,
// where tokenisation cannot join what stands on both sides. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "chat/render_switches.h"
#include "chat/renderer.h"
#include "chat/turn_memory.h"

namespace hearth::chat {

struct RememberingPrompt {
  Prompt prompt;
  std::uint64_t said = 0;         // said_hash of the whole conversation: what the answer will be remembered under
  std::size_t spliced_count = 0;  // turns that stand as tokens
  // Where the answer's first token will stand, for make_sampled_turn. False: the answer cannot be remembered.
  bool can_remember = false;
  TurnOpening opening_kind = TurnOpening::Suffix;
  std::string opening;
};

// As renderer.render(conversation), with known turns spliced in; a prompt with any says nothing of who wrote what (runs).
// `conversation` is the same afterwards. Where old thoughts are the template's affair, turns that have any stay plain.
[[nodiscard]] Result<RememberingPrompt> render_remembering(const Renderer& renderer, const SpecialTexts& specials,
                                                           TurnMemory& memory, Conversation& conversation,
                                                           OldThinking old_thinking);

}  // namespace hearth::chat
