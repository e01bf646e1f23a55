// Constraint: which tokens may come next in one job, by a grammar (docs/grammar.md). One thread, as its Constraints.
//
// Constraints: the grammars compiled for one vocabulary, the latest ones kept: an agent sends the same tools with every
// request. A grammar's states are shared by the jobs that use it.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/vocabulary_index.h"
#include "grammar/automaton.h"

namespace hearth::engine {

using TokenMask = std::vector<std::uint64_t>;  // one bit per token of the vocabulary

// A grammar with its states, and the masks of the states where one was asked for.
class CompiledGrammar {
 public:
  CompiledGrammar(std::shared_ptr<const VocabularyIndex> vocabulary, std::shared_ptr<const grammar::Program> program)
      : vocabulary_(std::move(vocabulary)), program_bytes_(program->bytes()), automaton_(std::move(program)) {}
  [[nodiscard]] const VocabularyIndex& vocabulary() const { return *vocabulary_; }
  [[nodiscard]] grammar::Automaton& automaton() { return automaton_; }
  [[nodiscard]] const TokenMask& mask(grammar::State state);
  // Where a job stands; kept when the other states are forgotten.
  void add(grammar::State* place) { places_.push_back(place); }
  void remove(grammar::State* place) { std::erase(places_, place); }
  // Forgets states and masks when they have become too many. Before every look at a place.
  void stay_small();
  [[nodiscard]] std::size_t bytes() const { return program_bytes_ + states_bytes(); }

 private:
  // What can be forgotten.
  [[nodiscard]] std::size_t states_bytes() const {
    return automaton_.bytes() + masks_.size() * vocabulary_->count() / 8;
  }
  void walk_vocabulary(grammar::State state, TokenMask& mask);

  const std::shared_ptr<const VocabularyIndex> vocabulary_;
  const std::size_t program_bytes_;
  grammar::Automaton automaton_;
  std::unordered_map<grammar::State, TokenMask> masks_;
  std::vector<grammar::State*> places_;
  std::vector<grammar::State> states_;  // scratch: after each byte of the entry in hand
};

class Constraint {
 public:
  Constraint(std::shared_ptr<CompiledGrammar> grammar, std::vector<Token> stop_tokens);
  ~Constraint() { grammar_->remove(&state_); }
  Constraint(const Constraint&) = delete;
  Constraint& operator=(const Constraint&) = delete;

  [[nodiscard]] bool allows(Token token);
  // The row with everything that is not allowed at -inf; valid until the next call. Empty when nothing is allowed: the
  // vocabulary cannot write what the grammar asks for, or the grammar outgrew its limits.
  [[nodiscard]] std::span<const float> masked(std::span<const float> logits);
  // The token was sampled (or written for the model). False: it was not allowed, and nothing is from here on.
  bool take(Token token);

 private:
  [[nodiscard]] grammar::State after(grammar::State from, Token token);
  [[nodiscard]] bool ends(Token token) const;
  void fill_row(std::span<const float> logits);

  const std::shared_ptr<CompiledGrammar> grammar_;
  const std::vector<Token> stop_tokens_;
  grammar::State state_;
  std::vector<float> row_;
};

class Constraints {
 public:
  Constraints(std::shared_ptr<const Tokenizer> tokenizer, std::uint32_t vocabulary_count)
      : tokenizer_(std::move(tokenizer)), vocabulary_count_(vocabulary_count) {}
  // InvalidInput or TooLarge for a grammar that cannot be used.
  [[nodiscard]] Result<std::unique_ptr<Constraint>> make(const std::string& text, std::vector<Token> stop_tokens);

  struct Counts {
    std::uint64_t compiled = 0, reused = 0, bytes = 0;
  };
  [[nodiscard]] Counts counts() const;

 private:
  struct Kept {
    std::string text;
    std::shared_ptr<CompiledGrammar> grammar;
  };
  const std::shared_ptr<const Tokenizer> tokenizer_;
  const std::uint32_t vocabulary_count_;
  std::shared_ptr<const VocabularyIndex> vocabulary_;  // from the first grammar on
  std::list<Kept> kept_;                               // the latest first
  std::uint64_t compiled_ = 0, reused_ = 0;
};

}  // namespace hearth::engine
