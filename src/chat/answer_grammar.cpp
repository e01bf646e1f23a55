// See answer_grammar.h.
//
//   forced (any, named, a schema):  [thought] gap (calls | JSON)
//   auto:                           [thought] @free{ trigger calls, fences and quoted triggers are text, thoughts }
//   auto, without a trigger:        [thought] @free{ the beginning of a call of each tool, and its arguments }
//   one call at a time:             [thought] @free{ trigger !end } call
//   none:                           [thought] @free{ trigger !never }
#include "chat/answer_grammar.h"

#include <format>
#include <vector>

#include "chat/call_grammar.h"
#include "chat/grammar_writer.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kFence = "\n```";
// Text in which the beginnings of calls are looked for, all of them together: the engine needs some 100 bytes for each.
constexpr std::size_t kShapeBytesMax = 128U << 10U;
constexpr std::string_view kRecipient = ">>>";  // Functionary 3.2's only mark

class AnswerWriter {
 public:
  AnswerWriter(const AnswerRules& rules, std::vector<const Tool*> tools)
      : rules_(rules), dialect_(*rules.dialect), tools_(std::move(tools)) {}

  AnswerGrammar write() {
    const bool forced = rules_.choice == ToolChoice::Any || rules_.choice == ToolChoice::Named;
    std::string body;
    if (!rules_.output_schema.is_null())
      body = constrained(forced);
    else if (forced && !tools_.empty())
      body = forced_calls();
    else if (!tools_.empty())
      body = free_text();
    if (body.empty()) return {.text = "", .notes = std::move(notes_)};
    const bool free = rules_.output_schema.is_null() && !forced;
    const std::string opened = !rules_.thinking_opened ? "" : (free ? opened_thought_in_text() : thought()) + " ";
    return {.text = writer_.text(opened + body), .notes = std::move(notes_)};
  }

 private:
  [[nodiscard]] bool is_harmony() const { return dialect_.writing == CallWriting::Harmony; }
  [[nodiscard]] CallCount count() const { return rules_.parallel ? CallCount::Several : CallCount::One; }

  // What may stand between a thought and what follows it.
  std::string gap() {
    const std::string space = writer_.rule("[ \\t\\r\\n]{0,4}");
    // Harmony begins each message anew.
    return is_harmony() ? writer_.rule(std::format("({})?", grammar_marked("<|start|>assistant"))) : space;
  }
  // From inside a thought to behind its end.
  std::string thought() {
    if (dialect_.think_close.empty()) return writer_.rule("\"\"");
    return writer_.rule(std::format("@until{{{} !end}}", grammar_marked(dialect_.think_close)));
  }
  std::string thought_before() {
    if (!rules_.may_think || rules_.thinking_opened || dialect_.think_open.empty()) return gap();
    return std::format("({} {} {})? {}", gap(), grammar_marked(dialect_.think_open), thought(), gap());
  }

  CallGrammar call_grammar() { return {dialect_, tools_, writer_, rules_.bounds}; }

  std::string forced_calls() {
    CallGrammar calls = call_grammar();
    std::string body = thought_before() + " " + calls.whole(count());
    notes_.insert(calls.notes().begin(), calls.notes().end());
    return body;
  }

  // JSON of the schema, or calls where tools may be called too.
  std::string constrained(bool forced) {
    SchemaGrammar schema(writer_, rules_.output_schema, rules_.bounds);
    std::string json = schema.root_rule();
    if (is_harmony()) json = grammar_marked("<|channel|>final<|message|>") + " " + json;
    notes_.insert(schema.notes().begin(), schema.notes().end());
    std::string silent;
    for (const std::string_view text : dialect_.silent) silent += (silent.empty() ? "" : " | ") + grammar_marked(text);
    if (!silent.empty()) {
      const std::string marks = writer_.rule(silent) + "?";
      json = std::format("{0} {1} {0}", marks, json);
    }
    if (tools_.empty() || rules_.choice == ToolChoice::None) return thought_before() + " " + json;
    CallGrammar calls = call_grammar();
    const std::string called = calls.whole(count());
    notes_.insert(calls.notes().begin(), calls.notes().end());
    return forced ? thought_before() + " " + called : std::format("{} ({} | {})", thought_before(), json, called);
  }

  // Text with calls in it.
  std::string free_text() {
    CallGrammar calls = call_grammar();
    const std::string trigger(calls.trigger());
    if (trigger.empty() || trigger == kRecipient || &dialect_ == &generic_dialect()) return free_text_by_shape(calls);
    const bool is_spelled = dialect_.opening == OpeningKind::Spelled;
    std::string arms;
    const auto arm = [&](std::string_view text, std::string_view what) {
      arms += std::format("{} {} ", grammar_marked(text), what);
    };
    if (is_spelled) arm("`" + trigger, "!text");
    if (is_spelled && !trigger.contains(kFence))
      arm(kFence, writer_.rule(std::format("@free{{{} !end}}", grammar_marked(kFence))));
    if (!dialect_.think_open.empty()) arm(dialect_.think_open, thought_in_text());
    if (rules_.choice == ToolChoice::None) {
      arm(trigger, "!never");
      return std::format("@free{{{}}}", arms);
    }
    if (count() == CallCount::One || !dialect_.parallel) {
      arm(trigger, "!end");
      arms = std::format("@free{{{}}} {}", arms, calls.after_trigger(CallCount::One));
    } else {
      arm(trigger, calls.after_trigger(calls.has_section() ? CallCount::Several : CallCount::One));
      arms = std::format("@free{{{}}}", arms);
    }
    notes_.insert(calls.notes().begin(), calls.notes().end());
    return arms;
  }
  // The same where a call cannot be told from text by its first characters, or where the dialect is only a guess: it is held
  // from where a declared name stands in it.
  std::string free_text_by_shape(CallGrammar& calls) {
    const std::vector<CallGrammar::Shape> shapes = calls.shapes(count());
    std::size_t shape_bytes = 0;
    for (const auto& shape : shapes) shape_bytes += shape.text.size();
    if (shape_bytes > kShapeBytesMax) {
      notes_.insert("so many tools cannot be looked for in the text: calls are not held");
      return "";
    }
    notes_.insert(calls.notes().begin(), calls.notes().end());
    std::string arms = std::format("{} {} ", grammar_marked(kFence),
                                   writer_.rule(std::format("@free{{{} !end}}", grammar_marked(kFence))));
    if (!dialect_.think_open.empty())
      arms += std::format("{} {} ", grammar_marked(dialect_.think_open), thought_in_text());
    const bool is_single = count() == CallCount::One;
    std::string none;
    if (rules_.choice == ToolChoice::None || is_single) {
      none = arms;
      for (const auto& shape : shapes) none += grammar_literal(shape.text) + " !never ";
      none = writer_.rule(std::format("@free{{{}}}", none));
    }
    if (rules_.choice == ToolChoice::None) return none;
    // What follows the only call never ends, so nothing comes behind it.
    const std::string behind = is_single ? " " + none : "";
    for (const auto& shape : shapes)
      arms += std::format("{} {} ", grammar_literal(shape.text), writer_.rule(shape.rule + behind));
    const std::string text = writer_.rule(std::format("@free{{{}}}", arms));
    if (calls.trigger() != kRecipient) return text;
    // The prompt has written the first mark; a recipient follows it.
    std::string first = std::format("\"all\\n\" {}", text);
    for (const auto& shape : shapes) {
      first += std::format(" | {} {} {}", grammar_literal(std::string_view(shape.text).substr(kRecipient.size())),
                           shape.rule, is_single ? none : text);
    }
    return writer_.rule(first);
  }
  // The model may end its turn in a thought: the parser takes a call that ends it there for what it is.
  std::string thought_in_text() {
    return writer_.rule(std::format("@free{{{} !end}}", grammar_marked(dialect_.think_close)));
  }
  // Control tokens open a call inside a thought too.
  std::string opened_thought_in_text() {
    if (dialect_.think_close.empty()) return writer_.rule("\"\"");
    if (dialect_.opening == OpeningKind::Spelled || rules_.choice == ToolChoice::None) return thought_in_text();
    CallGrammar calls = call_grammar();
    if (calls.trigger().empty()) return thought_in_text();
    return writer_.rule(std::format("@free{{{} !end {} {}}}", grammar_marked(dialect_.think_close),
                                    grammar_marked(calls.trigger()), calls.after_trigger(count())));
  }

  const AnswerRules& rules_;
  const Dialect& dialect_;
  const std::vector<const Tool*> tools_;
  GrammarWriter writer_;
  std::set<std::string> notes_;
};

}  // namespace

AnswerGrammar answer_grammar(const AnswerRules& rules, std::span<const Tool> tools) {
  std::vector<const Tool*> callable;
  for (const Tool& tool : tools)
    if (rules.choice != ToolChoice::Named || tool.name == rules.choice_name) callable.push_back(&tool);
  return AnswerWriter(rules, std::move(callable)).write();
}

}  // namespace hearth::chat
