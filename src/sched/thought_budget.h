// ThoughtBudget: counts the tokens of a job's thoughts; when they have used up their budget, says which tokens end the
// thought in the model's place. What it does follows from the tokens alone, so a resumed job goes on where it was. The
// loop's thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "link/messages.h"

namespace hearth::sched {

class ThoughtBudget {
 public:
  ThoughtBudget() = default;  // no budget
  ThoughtBudget(link::Thought thought, const engine::Tokenizer& tokenizer);

  // Every token of the answer, sampled or written, in order.
  void take(engine::Token token, const engine::Tokenizer& tokenizer);
  // The token that comes next whatever the model says.
  [[nodiscard]] std::optional<engine::Token> forced() const;
  // The token that must not come next: one that opens a thought when the budget is used up. A model that goes on thinking
  // would otherwise open and be closed until its answer's last token.
  [[nodiscard]] std::optional<engine::Token> banned() const;
  [[nodiscard]] std::uint32_t thought_tokens() const { return thought_tokens_; }

 private:
  [[nodiscard]] bool inactive() const { return thought_.tokens_max == 0 || closing_.empty(); }
  [[nodiscard]] std::size_t first_of(const std::string& mark) const;

  link::Thought thought_;
  std::vector<engine::Token> closing_;
  std::optional<engine::Token> opening_;  // where the mark that opens a thought is one token
  std::size_t closing_taken_ = 0;         // of closing_, while it is being written
  bool in_thought_ = false;
  std::uint32_t thought_tokens_ = 0;
  std::string tail_;  // the last bytes, enough to see a mark
};

}  // namespace hearth::sched
