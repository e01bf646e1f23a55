// See constraint.h. A drawn token costs a step per byte; only when it is refused is the whole vocabulary looked at, in the
// order of its bytes: a prefix that the grammar refuses takes all tokens that begin with it out at once.
#include "engine/constraint.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace hearth::engine {
namespace {

constexpr std::size_t kGrammarsMax = 16;  // conversations with different tools that take turns
constexpr std::size_t kMasksMax = 256;    // of one grammar: 5 MB at 150,000 tokens
// Over this a grammar's states are forgotten, but for those where jobs stand.
constexpr std::size_t kGrammarBytesMax = 32U << 20U;

void set_bit(TokenMask& mask, Token token) {
  mask[static_cast<std::size_t>(token) >> 6U] |= std::uint64_t{1} << (static_cast<unsigned>(token) & 63U);
}
void clear_bit(TokenMask& mask, Token token) {
  mask[static_cast<std::size_t>(token) >> 6U] &= ~(std::uint64_t{1} << (static_cast<unsigned>(token) & 63U));
}
bool has_bit(const TokenMask& mask, std::size_t token) { return ((mask[token >> 6U] >> (token & 63U)) & 1U) != 0; }

}  // namespace

void CompiledGrammar::stay_small() {
  if (states_bytes() <= kGrammarBytesMax && !automaton_.overflowed()) return;
  automaton_.keep_only(places_);
  masks_.clear();
}

void CompiledGrammar::walk_vocabulary(grammar::State state, TokenMask& mask) {
  const auto entries = vocabulary_->entries();
  states_.assign(1, state);
  for (std::size_t i = 0; i < entries.size();) {
    const VocabularyIndex::Entry& entry = entries[i];
    // states_[n] is where the first n bytes lead; the entry before this one left it valid up to what they share.
    states_.resize(std::min<std::size_t>(entry.in_common + 1, states_.size()));
    const std::string_view bytes = vocabulary_->bytes(entry);
    std::size_t depth = states_.size() - 1;
    for (; depth < bytes.size(); ++depth) {
      const grammar::State next = automaton_.step(states_.back(), static_cast<std::uint8_t>(bytes[depth]));
      if (next == grammar::kDead) break;
      states_.push_back(next);
    }
    ++i;
    if (depth == bytes.size()) {
      set_bit(mask, entry.token);
      continue;
    }
    while (i < entries.size() && entries[i].in_common > depth) ++i;
  }
}

const TokenMask& CompiledGrammar::mask(grammar::State state) {
  if (const auto known = masks_.find(state); known != masks_.end()) return known->second;
  if (masks_.size() >= kMasksMax) masks_.clear();
  TokenMask& mask = masks_[state];
  mask.assign((vocabulary_->count() + 63) / 64, 0);
  walk_vocabulary(state, mask);
  if (automaton_.allows_other_controls(state))
    for (const Token token : vocabulary_->controls()) set_bit(mask, token);
  if (automaton_.accepts(state))
    for (const Token token : vocabulary_->endings()) set_bit(mask, token);
  for (const Token token : automaton_.named_controls(state)) {
    if (automaton_.step_control(state, token, grammar::Automaton::Controls::NamedOnly) != grammar::kDead)
      set_bit(mask, token);
    else if (!vocabulary_->ends_generation(token))
      clear_bit(mask, token);
  }
  return mask;
}

Constraint::Constraint(std::shared_ptr<CompiledGrammar> grammar, std::vector<Token> stop_tokens)
    : grammar_(std::move(grammar)), stop_tokens_(std::move(stop_tokens)), state_(grammar_->automaton().start()) {
  grammar_->add(&state_);
}

bool Constraint::ends(Token token) const {
  return grammar_->vocabulary().ends_generation(token) || std::ranges::contains(stop_tokens_, token);
}

grammar::State Constraint::after(grammar::State from, Token token) {
  using Controls = grammar::Automaton::Controls;
  grammar::Automaton& automaton = grammar_->automaton();
  const std::string_view piece = grammar_->vocabulary().piece(token);
  if (ends(token)) return automaton.step_control(from, token, Controls::NamedOnly);
  return piece.empty() ? automaton.step_control(from, token, Controls::Any) : automaton.step_all(from, piece);
}

bool Constraint::allows(Token token) {
  if (token < 0 || static_cast<std::size_t>(token) >= grammar_->vocabulary().count()) return false;
  grammar_->stay_small();
  if (ends(token) && grammar_->automaton().accepts(state_)) return true;
  return after(state_, token) != grammar::kDead;
}

std::span<const float> Constraint::masked(std::span<const float> logits) {
  fill_row(logits);
  // The walk itself may have been too much: once more with nothing but this state.
  if (row_.empty() && grammar_->automaton().overflowed()) fill_row(logits);
  return row_;
}

void Constraint::fill_row(std::span<const float> logits) {
  grammar_->stay_small();
  const TokenMask& mask = grammar_->mask(state_);
  row_.assign(logits.size(), -std::numeric_limits<float>::infinity());
  const std::size_t count = std::min(logits.size(), grammar_->vocabulary().count());
  bool any = false;
  for (std::size_t word = 0; word < mask.size(); ++word) {
    if (mask[word] == 0) continue;
    for (std::size_t token = word * 64; token < std::min(count, word * 64 + 64); ++token) {
      if (!has_bit(mask, token)) continue;
      row_[token] = logits[token];
      any = true;
    }
  }
  const bool accepts = grammar_->automaton().accepts(state_);
  for (const Token token : stop_tokens_) {
    if (token < 0 || static_cast<std::size_t>(token) >= count) continue;
    const bool allowed = accepts || after(state_, token) != grammar::kDead;
    row_[token] = allowed ? logits[token] : -std::numeric_limits<float>::infinity();
    any = any || allowed;
  }
  if (!any) row_.clear();
}

bool Constraint::take(Token token) {
  grammar_->stay_small();
  state_ = after(state_, token);
  return state_ != grammar::kDead;
}

Result<std::unique_ptr<Constraint>> Constraints::make(const std::string& text, std::vector<Token> stop_tokens) {
  if (vocabulary_ == nullptr) vocabulary_ = std::make_shared<VocabularyIndex>(*tokenizer_, vocabulary_count_);
  const auto known = std::ranges::find(kept_, text, &Kept::text);
  if (known != kept_.end()) {
    ++reused_;
    kept_.splice(kept_.begin(), kept_, known);
  } else {
    TRY_ASSIGN(auto program, grammar::compile(text, vocabulary_->control_texts()));
    ++compiled_;
    kept_.push_front({text, std::make_shared<CompiledGrammar>(vocabulary_, std::move(program))});
    if (kept_.size() > kGrammarsMax) kept_.pop_back();
  }
  const auto& grammar = kept_.front().grammar;
  if (grammar->automaton().start() == grammar::kDead)
    return fail(ErrorKind::InvalidInput, "no text follows the grammar of this request");
  return std::make_unique<Constraint>(grammar, std::move(stop_tokens));
}

Constraints::Counts Constraints::counts() const {
  Counts counts{.compiled = compiled_, .reused = reused_};
  for (const Kept& kept : kept_) counts.bytes += kept.grammar->bytes();
  return counts;
}

}  // namespace hearth::engine
