// Where turns lie in a rendered prompt, told by marks and special texts, and the prompt cut there. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/renderer.h"
#include "chat/turn_memory.h"

namespace hearth::chat {

inline constexpr std::size_t kOptionalPart = std::numeric_limits<std::size_t>::max();

// The mark of a turn's part; begins with `word`.
[[nodiscard]] std::string splice_mark(std::string_view word, std::size_t turn, std::size_t part);

struct SpliceTurn {
  TurnMemory::Found turn;
  std::vector<std::string> marks;    // each must come out
  std::string optional_mark;         // of its thoughts
  std::uint32_t message_number = 0;  // as in PromptRun
};

// The prompt with each turn's place taken by its opening and tokens; nullopt when one of them has no certain place.
// placed[i]: whether turns[i] has one.
[[nodiscard]] std::optional<Prompt> splice(const Prompt& prompt, const std::vector<SpliceTurn>& turns,
                                           std::string_view word, const SpecialTexts& specials,
                                           std::vector<bool>& placed);

[[nodiscard]] bool is_blank_text(std::string_view text);
// Where the last special text begins, if nothing but blanks follows it, else npos. A thinking mark begins with the blanks
// before it, which a template may write otherwise when the turn is old.
[[nodiscard]] std::size_t begin_of_tail(std::string_view text, const SpecialTexts& specials);

}  // namespace hearth::chat
