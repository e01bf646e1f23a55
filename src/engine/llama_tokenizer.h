// The model's own tokenizer. Immutable and thread-safe, as llama_tokenize is; keeps the model alive.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <llama.h>

#include "engine/engine.h"

namespace hearth::engine {

class LlamaTokenizer final : public Tokenizer {
 public:
  explicit LlamaTokenizer(std::shared_ptr<llama_model> model);
  [[nodiscard]] std::vector<Token> tokenize(std::string_view text, bool parse_special) const override;
  [[nodiscard]] std::string piece(Token token) const override;
  [[nodiscard]] std::string shown(Token token) const override { return in_vocabulary(token) ? text_of(token) : ""; }
  [[nodiscard]] bool is_end_of_generation(Token token) const override;
  [[nodiscard]] std::string bos_text() const override;
  [[nodiscard]] std::string eos_text() const override;
  [[nodiscard]] bool adds_bos() const override;
  [[nodiscard]] std::vector<std::string> special_texts() const override { return special_texts_; }

 private:
  [[nodiscard]] bool in_vocabulary(Token token) const { return token >= 0 && token < count_; }
  [[nodiscard]] std::string text_of(Token token) const;

  const std::shared_ptr<llama_model> model_;
  const llama_vocab* const vocabulary_;
  const std::int32_t count_;
  std::vector<std::string> special_texts_;  // constant after construction
};

}  // namespace hearth::engine
