// VocabularyIndex: a vocabulary in the order of its tokens' bytes, so that all tokens with a prefix lie together.
// Immutable after its construction, which asks the tokenizer for every token once (some 50 ms for 150,000).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "grammar/program.h"

namespace hearth::engine {

class VocabularyIndex {
 public:
  VocabularyIndex(const Tokenizer& tokenizer, std::uint32_t vocabulary_count);

  struct Entry {
    Token token;
    std::uint32_t begin;      // in the bytes of all tokens
    std::uint32_t size;       // at least 1
    std::uint32_t in_common;  // leading bytes that it shares with the entry before it
  };
  [[nodiscard]] std::span<const Entry> entries() const { return entries_; }
  [[nodiscard]] std::string_view bytes(const Entry& entry) const {
    return std::string_view(bytes_).substr(entry.begin, entry.size);
  }
  // Of any token of the vocabulary; empty for control tokens.
  [[nodiscard]] std::string_view piece(Token token) const {
    return std::string_view(bytes_).substr(places_[token].begin, places_[token].size);
  }
  [[nodiscard]] bool ends_generation(Token token) const { return places_[token].ends; }
  [[nodiscard]] std::size_t count() const { return places_.size(); }
  // Tokens without bytes; those that end generation are `endings`, the others `controls`.
  [[nodiscard]] std::span<const Token> controls() const { return controls_; }
  [[nodiscard]] std::span<const Token> endings() const { return endings_; }
  // The texts by which a grammar may name a token without bytes, endings among them.
  [[nodiscard]] std::span<const grammar::ControlToken> control_texts() const { return control_texts_; }

 private:
  struct Place {
    std::uint32_t begin = 0, size = 0;
    bool ends = false;
  };
  std::string bytes_;
  std::vector<Place> places_;  // by token
  std::vector<Entry> entries_;
  std::vector<Token> controls_, endings_;
  std::vector<grammar::ControlToken> control_texts_;
};

}  // namespace hearth::engine
