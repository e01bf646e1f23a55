// See llama_tokenizer.h.
#include "engine/llama_tokenizer.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <utility>

namespace hearth::engine {
namespace {

// The library counts in int32 and asks for a token's worth of room per byte at most; longer text is cut at a space.
constexpr std::size_t kTextBytesMax = 64U << 20U;

void append_tokens(const llama_vocab* vocabulary, std::string_view text, bool parse_special, std::vector<Token>& to) {
  const std::size_t before = to.size();
  // A first guess of two bytes per token is nearly always enough; else the library says how many there are.
  to.resize(before + text.size() / 2 + 16);
  const auto run = [&] {
    return llama_tokenize(vocabulary, text.data(), static_cast<std::int32_t>(text.size()), to.data() + before,
                          static_cast<std::int32_t>(to.size() - before), /*add_special=*/false, parse_special);
  };
  std::int32_t count = run();
  if (count < 0 && count != std::numeric_limits<std::int32_t>::min()) {
    to.resize(before + static_cast<std::size_t>(-static_cast<std::int64_t>(count)));
    count = run();
  }
  to.resize(before + static_cast<std::size_t>(std::max(count, 0)));
}

}  // namespace

LlamaTokenizer::LlamaTokenizer(std::shared_ptr<llama_model> model)
    : model_(std::move(model)),
      vocabulary_(llama_model_get_vocab(model_.get())),
      count_(llama_vocab_n_tokens(vocabulary_)) {
  for (Token token = 0; token < count_; ++token) {
    const unsigned attributes = llama_vocab_get_attr(vocabulary_, token);
    if ((attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED)) == 0) continue;
    std::string text = text_of(token);
    if (!text.empty()) special_texts_.push_back(std::move(text));
  }
  std::ranges::stable_sort(special_texts_, [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

std::vector<Token> LlamaTokenizer::tokenize(std::string_view text, bool parse_special) const {
  std::vector<Token> tokens;
  while (!text.empty()) {
    std::size_t size = std::min(text.size(), kTextBytesMax);
    if (size < text.size()) {
      const std::size_t space = text.rfind(' ', size);
      if (space != std::string_view::npos && space > 0) size = space;
    }
    append_tokens(vocabulary_, text.substr(0, size), parse_special, tokens);
    text.remove_prefix(size);
  }
  return tokens;
}

// As the library writes it with special tokens shown.
std::string LlamaTokenizer::text_of(Token token) const {
  std::array<char, 64> small;
  const std::int32_t size = llama_token_to_piece(vocabulary_, token, small.data(),
                                                 static_cast<std::int32_t>(small.size()), 0, /*special=*/true);
  if (size >= 0) return {small.data(), static_cast<std::size_t>(size)};
  std::string large(static_cast<std::size_t>(-size), '\0');
  const std::int32_t again = llama_token_to_piece(vocabulary_, token, large.data(), -size, 0, /*special=*/true);
  large.resize(static_cast<std::size_t>(std::max(again, 0)));
  return large;
}

std::string LlamaTokenizer::piece(Token token) const {
  if (!in_vocabulary(token) || llama_vocab_is_control(vocabulary_, token)) return "";
  return text_of(token);
}

bool LlamaTokenizer::is_end_of_generation(Token token) const {
  return in_vocabulary(token) && llama_vocab_is_eog(vocabulary_, token);
}

std::string LlamaTokenizer::bos_text() const {
  const Token token = llama_vocab_bos(vocabulary_);
  return in_vocabulary(token) ? text_of(token) : "";
}

std::string LlamaTokenizer::eos_text() const {
  const Token token = llama_vocab_eos(vocabulary_);
  return in_vocabulary(token) ? text_of(token) : "";
}

bool LlamaTokenizer::adds_bos() const { return llama_vocab_get_add_bos(vocabulary_); }

}  // namespace hearth::engine
