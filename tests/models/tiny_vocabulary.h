// The tiny models' tokenizer: byte-level BPE with the "qwen2" pre-tokenizer, so any text survives the round trip, and
// merges made from a list of common English and code words, so a token is about as long as in real models. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hearth::tiny_models {

struct Vocabulary {
  std::vector<std::string> tokens;  // in GPT-2's byte alphabet
  std::vector<std::int32_t> types;  // llama_token_type
  std::vector<std::string> merges;  // "left right", by rank
  std::uint32_t first_special = 0;  // tokens from here on are special
  std::uint32_t end_of_text = 0, turn_start = 0, turn_end = 0;
};

[[nodiscard]] const Vocabulary& vocabulary();
// True when every byte of a normal token is ASCII; the others are kept quiet so that answers are mostly readable.
[[nodiscard]] bool is_plain(const std::string& token);

}  // namespace hearth::tiny_models
