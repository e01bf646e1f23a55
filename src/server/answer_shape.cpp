// See answer_shape.h.
#include "server/answer_shape.h"

#include <algorithm>
#include <format>
#include <string_view>
#include <utility>

#include "base/log.h"

namespace hearth::server {
namespace {

constexpr std::size_t kGrammarsMax = 32;  // conversations with different tools; each some 100 KB
// What is kept free behind a thought: a quarter of the answer, at most so many tokens (a long call, a page of text).
constexpr std::uint32_t kAnswerTokensMax = 4'096;
// Effort in tokens, for templates that know no such word; "high" and beyond have no limit but the answer's room.
constexpr std::uint32_t kLowEffortTokens = 2'048;
constexpr std::uint32_t kMediumEffortTokens = 8'192;

std::string key_of(const chat::AnswerRules& rules, const std::vector<chat::Tool>& tools) {
  std::string key = std::format("{} {} {} {} {} {} ", rules.dialect->name, static_cast<int>(rules.choice),
                                rules.choice_name, rules.parallel, rules.thinking_opened, rules.may_think);
  rules.output_schema.dump_to(key);
  for (const chat::Tool& tool : tools) {
    key += '\n';
    key += tool.name;
    key += tool.strict ? " strict " : " ";
    tool.input_schema.dump_to(key);
  }
  return key;
}

// Of the vocabulary's special texts those that stand in the dialect's marks.
std::vector<std::string> controls_in(const chat::Dialect& dialect, const std::vector<std::string>& special_texts) {
  const chat::CallWords& words = dialect.words;
  std::string all;
  const auto add = [&](std::string_view text) { all += std::string(text) + "\n"; };
  for (const std::string_view text :
       {dialect.think_open, dialect.think_close, dialect.think_close_written, words.section_begin, words.section_end,
        words.call_begin, words.call_end, words.call_join, words.name_begin, words.name_end, words.arguments_end,
        words.key_begin, words.key_end, words.key_end_json, words.value_end})
    add(text);
  for (const std::string_view text : dialect.silent) add(text);
  if (dialect.writing == chat::CallWriting::Gemma) add("<|\"|>");
  if (dialect.writing == chat::CallWriting::Harmony)
    add("<|start|><|channel|><|constrain|><|message|><|end|><|call|><|return|>");
  std::vector<std::string> out;
  for (const std::string& text : special_texts)
    if (!text.empty() && all.contains(text)) out.push_back(text);
  return out;
}

std::uint32_t wished_thought_tokens(const chat::Conversation& conversation) {
  std::uint32_t wished = conversation.thinking_budget_tokens;
  const std::uint32_t effort = conversation.effort == "low"      ? kLowEffortTokens
                               : conversation.effort == "medium" ? kMediumEffortTokens
                                                                 : 0;
  if (wished == 0 || (effort != 0 && effort < wished)) wished = std::max(effort, wished == 0 ? effort : 0U);
  return wished;
}

}  // namespace

std::shared_ptr<const std::string> AnswerGrammars::get(const chat::AnswerRules& rules,
                                                       const std::vector<chat::Tool>& tools) {
  std::string key = key_of(rules, tools);
  {
    const std::lock_guard lock(mutex_);
    const auto known = std::ranges::find(kept_, key, &Kept::key);
    if (known != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, known);
      return known->text;
    }
  }
  chat::AnswerGrammar made = chat::answer_grammar(rules, tools);
  for (const std::string& note : made.notes) log_info("grammar", "{}", note);
  auto text = std::make_shared<const std::string>(std::move(made.text));
  const std::lock_guard lock(mutex_);
  kept_.push_front({std::move(key), text});
  if (kept_.size() > kGrammarsMax) kept_.pop_back();
  return text;
}

AnswerShape shape_answer(const chat::Dialect& dialect, const chat::Conversation& conversation,
                         const AnswerWishes& wishes, bool thinking_opened,
                         const std::vector<std::string>& special_texts, AnswerGrammars& grammars) {
  AnswerShape shape;
  if (!conversation.tools.empty() || !wishes.output_schema.is_null()) {
    const chat::AnswerRules rules{.dialect = &dialect,
                                  .choice = conversation.tool_choice,
                                  .choice_name = conversation.tool_choice_name,
                                  .parallel = wishes.parallel_calls,
                                  .output_schema = wishes.output_schema,
                                  .thinking_opened = thinking_opened,
                                  .may_think = conversation.thinking != chat::Thinking::Disabled};
    shape.grammar = grammars.get(rules, conversation.tools);
  }
  if (dialect.think_close.empty()) {
    // A fine-tune of a family that writes no thoughts may write them all the same, and the parser reads them so.
    shape.thought = {.tokens_max = wished_thought_tokens(conversation),
                     .opened = thinking_opened,
                     .open_text = "<think>",
                     .close_text = "</think>",
                     .closing = "\n</think>\n\n"};
  } else {
    const bool forced =
        conversation.tool_choice == chat::ToolChoice::Any || conversation.tool_choice == chat::ToolChoice::Named;
    // Harmony's own words go on to the final channel; where a call must follow, only the thought is ended.
    const bool ends_only = dialect.writing == chat::CallWriting::Harmony && forced;
    shape.thought = {.tokens_max = wished_thought_tokens(conversation),
                     .opened = thinking_opened,
                     .open_text = std::string(dialect.think_open),
                     .close_text = std::string(dialect.think_close),
                     .closing = std::string(ends_only ? dialect.think_close : dialect.think_close_written)};
  }
  shape.shown_controls = controls_in(dialect, special_texts);
  return shape;
}

std::uint32_t thought_tokens(std::uint32_t wished, std::uint32_t tokens_max) {
  const std::uint32_t answer = std::clamp<std::uint32_t>(tokens_max / 4, 1, kAnswerTokensMax);
  const std::uint32_t room = tokens_max > answer ? tokens_max - answer : 0;
  return wished == 0 ? room : std::min(wished, room);
}

}  // namespace hearth::server
