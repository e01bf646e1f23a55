// Bytes are tokens; special texts are found only where they may be (parse_special).
#include "engine/fake_tokenizer.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace hearth::engine {
namespace {

constexpr Token kFirstSpecial = 256;
constexpr std::array<std::string_view, 9> kSpecialTexts = {
    "<|endoftext|>", "<|im_start|>", "<|im_end|>",      "<think>",          "</think>",
    "<tool_call>",   "</tool_call>", "<tool_response>", "</tool_response>",
};
static_assert(kFirstSpecial + kSpecialTexts.size() == kFakeVocabularyCount);

bool is_control(Token token) { return token >= kFakeEndOfText && token <= kFakeTurnEnd; }

}  // namespace

std::vector<Token> FakeTokenizer::tokenize(std::string_view text, bool parse_special) const {
  std::vector<Token> tokens;
  tokens.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (parse_special && text[at] == '<') {
      const auto rest = text.substr(at);
      const auto special = std::ranges::find_if(kSpecialTexts, [&](auto name) { return rest.starts_with(name); });
      if (special != kSpecialTexts.end()) {
        tokens.push_back(kFirstSpecial + static_cast<Token>(special - kSpecialTexts.begin()));
        at += special->size();
        continue;
      }
    }
    tokens.push_back(static_cast<unsigned char>(text[at++]));
  }
  return tokens;
}

std::string_view fake_token_text(Token token, char& byte_storage) {
  CHECK(token >= 0 && token < static_cast<Token>(kFakeVocabularyCount));
  if (token >= kFirstSpecial) return kSpecialTexts[static_cast<std::size_t>(token - kFirstSpecial)];
  byte_storage = static_cast<char>(token);
  return {&byte_storage, 1};
}

std::string FakeTokenizer::piece(Token token) const {
  if (is_control(token)) return "";
  char storage = 0;
  return std::string(fake_token_text(token, storage));
}

std::string FakeTokenizer::shown(Token token) const {
  char storage = 0;
  return std::string(fake_token_text(token, storage));
}

bool FakeTokenizer::is_end_of_generation(Token token) const { return token == kFakeEndOfText || token == kFakeTurnEnd; }

std::vector<std::string> FakeTokenizer::special_texts() const {
  std::vector<std::string> texts(kSpecialTexts.begin(), kSpecialTexts.end());
  std::ranges::stable_sort(texts, std::ranges::greater{}, &std::string::size);
  return texts;
}

}  // namespace hearth::engine
