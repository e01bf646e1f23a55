// See thought_budget.h.
#include "sched/thought_budget.h"

#include <algorithm>
#include <utility>

namespace hearth::sched {

ThoughtBudget::ThoughtBudget(link::Thought thought, const engine::Tokenizer& tokenizer)
    : thought_(std::move(thought)), in_thought_(thought_.opened) {
  if (thought_.tokens_max == 0 || thought_.close_text.empty()) return;
  // A closing that does not close would be written for ever.
  if (!thought_.closing.contains(thought_.close_text)) thought_.closing = thought_.close_text;
  closing_ = tokenizer.tokenize(thought_.closing, /*parse_special=*/true);
  const auto opening = tokenizer.tokenize(thought_.open_text, /*parse_special=*/true);
  if (opening.size() == 1) opening_ = opening.front();
}

std::optional<engine::Token> ThoughtBudget::forced() const {
  if (inactive()) return std::nullopt;
  if (closing_taken_ > 0 && closing_taken_ < closing_.size()) return closing_[closing_taken_];
  if (in_thought_ && thought_tokens_ >= thought_.tokens_max) return closing_.front();
  return std::nullopt;
}

std::optional<engine::Token> ThoughtBudget::banned() const {
  const bool used_up = !inactive() && !in_thought_ && thought_tokens_ >= thought_.tokens_max;
  return used_up && !forced() ? opening_ : std::nullopt;
}

std::size_t ThoughtBudget::first_of(const std::string& mark) const {
  return mark.empty() ? std::string::npos : tail_.find(mark);
}

void ThoughtBudget::take(engine::Token token, const engine::Tokenizer& tokenizer) {
  if (inactive()) return;
  const auto expected = forced();
  if (expected && *expected == token) {
    if (++closing_taken_ < closing_.size()) return;
    // Written whole: whatever its last words are, the thought is over.
    closing_taken_ = 0;
    in_thought_ = false;
    tail_.clear();
    return;
  }
  if (in_thought_) ++thought_tokens_;
  tail_ += tokenizer.shown(token);
  // One token may hold several marks.
  for (std::size_t at; (at = first_of(in_thought_ ? thought_.close_text : thought_.open_text)) != std::string::npos;) {
    tail_.erase(0, at + (in_thought_ ? thought_.close_text : thought_.open_text).size());
    in_thought_ = !in_thought_;
  }
  const std::size_t kept = std::max(thought_.open_text.size(), thought_.close_text.size());
  if (tail_.size() > kept) tail_.erase(0, tail_.size() - kept);
}

}  // namespace hearth::sched
