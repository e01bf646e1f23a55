// CallGrammar: the tool calls of one request as rules, in a dialect's own syntax. Part of the answer's grammar
// (answer_grammar.h). Single owner, one thread.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/conversation.h"
#include "chat/dialect.h"
#include "chat/grammar_writer.h"
#include "chat/schema_grammar.h"

namespace hearth::chat {

enum class CallCount { One, Several };

class CallGrammar {
 public:
  // REQUIRES: at least one tool; dialect, tools and writer outlive it.
  CallGrammar(const Dialect& dialect, std::span<const Tool* const> tools, GrammarWriter& writer,
              SchemaGrammarBounds bounds);

  // What opens the first call, without white space at its end; empty where a call has no opening of its own.
  [[nodiscard]] std::string_view trigger() const { return trigger_; }
  // Several calls stand between one pair of marks.
  [[nodiscard]] bool has_section() const { return !words_.section_begin.empty(); }
  // A rule for what follows the trigger: the rest of the first call and, where the dialect writes several between one
  // pair of marks, the others.
  [[nodiscard]] std::string after_trigger(CallCount count);
  // A rule for the calls from their very beginning.
  [[nodiscard]] std::string whole(CallCount count);

  // Where a call has no opening of its own: what certainly is the beginning of one, with the declared name in it, and the rule
  // for what follows.
  struct Shape {
    std::string text;
    std::string rule;
  };
  [[nodiscard]] std::vector<Shape> shapes(CallCount count);

  [[nodiscard]] const std::set<std::string>& notes() const { return notes_; }

 private:
  struct Parameter {
    std::string name;
    Json schema;
    GrammarItem::Count count = GrammarItem::Count::Optional;
  };
  [[nodiscard]] std::string calls(std::string_view opening, CallCount count);
  [[nodiscard]] std::string call_body();  // from behind the opening to behind the call's end
  [[nodiscard]] std::string tool_body(const Tool& tool);
  [[nodiscard]] std::string json_item(const Tool& tool, SchemaGrammar& schema);
  [[nodiscard]] std::string pythonic_item(const Tool& tool, SchemaGrammar& schema);
  [[nodiscard]] std::string pythonic_arguments(SchemaGrammar& schema);  // behind NAME(
  [[nodiscard]] SchemaGrammar schema_of(const Tool& tool);              // and `tool` is the one that notes are about
  void note(const std::string& text);
  void take_notes(const SchemaGrammar& schema);
  [[nodiscard]] std::string parameters(SchemaGrammar& schema);
  [[nodiscard]] std::string parameter(const Parameter& one, SchemaGrammar& schema);
  [[nodiscard]] std::string any_parameter(const std::string& key);
  [[nodiscard]] std::string any_text(const Parameter& one, std::string_view tag);
  [[nodiscard]] std::string arguments_of(std::string_view separator, std::span<const GrammarItem> items, bool is_apart);
  [[nodiscard]] std::vector<Parameter> parameters_of(SchemaGrammar& schema);
  [[nodiscard]] bool takes_more(SchemaGrammar& schema) const;
  [[nodiscard]] std::string arguments_rule(const Tool& tool, SchemaGrammar& schema);

  const Dialect& dialect_;
  const CallWords& words_;
  const std::vector<const Tool*> tools_;
  GrammarWriter& writer_;
  const SchemaGrammarBounds bounds_;
  std::string opening_;       // of the first call: section, call and whatever comes before the name
  std::string next_opening_;  // of each later one
  std::string closing_;       // behind the last one
  std::string join_;          // between two
  std::string trigger_;
  std::string body_;                          // call_body()'s rule, once it is made
  std::map<std::string, std::string> texts_;  // any_text()'s rules, by the tags around them
  const Tool* tool_ = nullptr;                // the one in hand
  std::set<std::string> notes_;
};

}  // namespace hearth::chat
