// AnswerShape: what of a request holds the model's answer while it is sampled: the grammar (tools, tool_choice, output
// schema), the budget of thoughts, and which control tokens the parser must see. Any thread.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "chat/answer_grammar.h"
#include "chat/conversation.h"
#include "chat/dialect.h"
#include "link/messages.h"

namespace hearth::server {

// What a request says of its answer beside the conversation.
struct AnswerWishes {
  bool parallel_calls = true;
  Json output_schema;  // null: none
};

struct AnswerShape {
  std::shared_ptr<const std::string> grammar;  // null or empty: anything may be said
  link::Thought thought;                       // tokens_max is the request's own wish; 0 = none
  std::vector<std::string> shown_controls;
};

// The grammars of the latest requests, by all that they follow from: an agent's tools are the same from turn to turn.
class AnswerGrammars {
 public:
  [[nodiscard]] std::shared_ptr<const std::string> get(const chat::AnswerRules& rules,
                                                       const std::vector<chat::Tool>& tools);

 private:
  struct Kept {
    std::string key;
    std::shared_ptr<const std::string> text;
  };
  std::mutex mutex_;
  std::list<Kept> kept_;  // the latest first
};

// `conversation` as it was rendered; `special_texts` of the vocabulary.
[[nodiscard]] AnswerShape shape_answer(const chat::Dialect& dialect, const chat::Conversation& conversation,
                                       const AnswerWishes& wishes, bool thinking_opened,
                                       const std::vector<std::string>& special_texts, AnswerGrammars& grammars);

// How many tokens all thoughts of an answer of `tokens_max` may have when `wished` were asked for (0 = as many as there
// are): enough are left for an answer behind them. 0 where there is no room for either.
[[nodiscard]] std::uint32_t thought_tokens(std::uint32_t wished, std::uint32_t tokens_max);

}  // namespace hearth::server
