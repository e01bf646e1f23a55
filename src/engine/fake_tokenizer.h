// The fake engine's vocabulary: one token per byte, and the control and mark-up tokens of a ChatML model.
// Immutable, thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"

namespace hearth::engine {

// Tokens 0..255 are the bytes themselves.
inline constexpr Token kFakeEndOfText = 256;  // control, ends generation
inline constexpr Token kFakeTurnStart = 257;  // <|im_start|>, control
inline constexpr Token kFakeTurnEnd = 258;    // <|im_end|>, control, ends generation
inline constexpr Token kFakeThinkOpen = 259;  // the rest are mark-up: their text is shown
inline constexpr Token kFakeThinkClose = 260;
inline constexpr Token kFakeToolCallOpen = 261;
inline constexpr Token kFakeToolCallClose = 262;
inline constexpr Token kFakeToolResponseOpen = 263;
inline constexpr Token kFakeToolResponseClose = 264;
inline constexpr std::uint32_t kFakeVocabularyCount = 265;

class FakeTokenizer final : public Tokenizer {
 public:
  [[nodiscard]] std::vector<Token> tokenize(std::string_view text, bool parse_special) const override;
  [[nodiscard]] std::string piece(Token token) const override;
  [[nodiscard]] std::string shown(Token token) const override;
  [[nodiscard]] bool is_end_of_generation(Token token) const override;
  [[nodiscard]] std::string bos_text() const override { return ""; }
  [[nodiscard]] std::string eos_text() const override { return "<|im_end|>"; }
  [[nodiscard]] bool adds_bos() const override { return false; }
  [[nodiscard]] std::vector<std::string> special_texts() const override;
};

// The token as it was written: control tokens too.
[[nodiscard]] std::string_view fake_token_text(Token token, char& byte_storage);

}  // namespace hearth::engine
