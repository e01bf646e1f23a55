// What the engine's explanation of a request means for people: whether more was computed than should have been, why, and what
// cures it where that is a setting of the client or of this server. The sentences hold no word of a prompt; the patterns by which
// cures are found look at the few words around the place. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "link/messages.h"

namespace hearth::server {

// Token positions of the prompt that the explanation is about.
struct PromptPlaces {
  std::uint32_t prompt_tokens = 0;
  std::uint32_t cached_tokens = 0;
  std::uint32_t instructions_end = 0;   // tools and system text
  std::uint32_t first_turn_end = 0;     // of the conversation; the prompt's end in its first turn
  std::uint32_t previous_turn_end = 0;  // what came before this turn: should be known when the conversation goes on
};
[[nodiscard]] PromptPlaces places_of(const std::vector<std::uint32_t>& boundaries, std::uint32_t prompt_tokens);

struct CacheVerdict {
  bool too_much = false;
  std::string why;   // one sentence without its full stop; empty: nothing to say
  std::string cure;  // likewise; empty: none is known
};
[[nodiscard]] CacheVerdict judge(const PromptPlaces& places, const link::Explanation& explanation);

// "lost" and "beyond" in the words of the API: "evicted", "differs", ...
[[nodiscard]] std::string_view word(link::Lost lost);
[[nodiscard]] std::string_view word(link::Beyond beyond);
[[nodiscard]] std::string_view word(link::Tier tier);

}  // namespace hearth::server
