// AnswerGrammar: what a request asks of the answer (tool_choice, one call at a time, an output schema, the declared tools'
// schemas) as the grammar of the whole answer in the model's dialect: thoughts and text stay free, a call is held from its
// first character on. Pure.
#pragma once

#include <set>
#include <span>
#include <string>

#include "base/json.h"
#include "chat/conversation.h"
#include "chat/dialect.h"
#include "chat/schema_grammar.h"

namespace hearth::chat {

struct AnswerRules {
  const Dialect* dialect = nullptr;  // not null
  ToolChoice choice = ToolChoice::Auto;
  std::string choice_name;       // with ToolChoice::Named
  bool parallel = true;          // false: at most one call, and nothing after it
  Json output_schema;            // not null: the text of the answer is JSON of this schema
  bool thinking_opened = false;  // the prompt ends inside a thought
  bool may_think = true;         // the answer may begin with a thought of its own
  SchemaGrammarBounds bounds;
};

struct AnswerGrammar {
  std::string text;             // empty: anything may be said
  std::set<std::string> notes;  // what is not held
};

[[nodiscard]] AnswerGrammar answer_grammar(const AnswerRules& rules, std::span<const Tool> tools);

}  // namespace hearth::chat
