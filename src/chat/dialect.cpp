// See dialect.h. Choosing looks for texts that only one family's template has; the order of the marks is from the most
// particular to the most common.
#include "chat/dialect.h"

#include <algorithm>
#include <cctype>

#include "base/check.h"
#include "chat/dialect_table.h"

namespace hearth::chat {
namespace {

const std::vector<Dialect>& table() {
  static const std::vector<Dialect> all = [] {
    std::vector<Dialect> dialects;
    add_tagged_dialects(dialects);
    add_control_token_dialects(dialects);
    add_other_dialects(dialects);
    return dialects;
  }();
  return all;
}

bool same_without_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Every text of `all` must be there.
struct Mark {
  std::string_view dialect;
  std::vector<std::string_view> all;
};

const std::vector<Mark>& template_marks() {
  static const std::vector<Mark> list = {
      {"gpt-oss", {"<|channel|>analysis<|message|>"}},
      {"gpt-oss", {"<|channel|>", "<|message|>", "to=functions."}},
      {"deepseek-v4", {"DSML", "tool_calls>"}},
      {"deepseek-v3.2", {"DSML"}},
      {"minicpm", {"<function name=", "<param name="}},
      {"hunyuan", {"hy_Assistant"}},
      {"minimax-m3", {"]<]minimax[>["}},
      {"minimax-m2", {"<minimax:tool_call>"}},
      {"seed-oss", {"<seed:tool_call>"}},
      {"gemma4", {"<|tool_call>", "<tool_call|>"}},
      {"kimi-k2", {"<|tool_call_begin|>"}},
      {"solar", {"<|tool_call:begin|>"}},
      {"apertus", {"<|tools_prefix|>"}},
      {"deepseek-r1", {"<｜tool▁call▁begin｜>", "```json", "<｜Assistant｜><think>\\n"}},
      {"deepseek-v3", {"<｜tool▁call▁begin｜>", "```json"}},
      {"deepseek-v3.1", {"<｜tool▁call▁begin｜>"}},
      {"magistral", {"[THINK]"}},
      {"mistral-v11", {"[TOOL_CALLS]", "[ARGS]"}},
      {"mistral", {"[TOOL_CALLS]"}},
      {"command", {"<|START_ACTION|>"}},
      {"command-r", {"<|CHATBOT_TOKEN|>"}},
      {"apriel", {"[BEGIN FINAL RESPONSE]"}},
      {"nemotron", {"<TOOLCALL>"}},
      {"functionary-v3.2", {">>>all"}},
      {"functionary", {"<function=", "ipython", "example_function_name"}},
      {"firefunction", {"functools["}},
      {"gigachat", {"<|role_sep|>"}},
      {"lfm2", {"<|tool_call_start|>"}},
      {"lfm2", {"<|tool_list_start|>"}},
      {"lfm2", {"List of tools: ["}},
      {"glm4", {"<arg_key>", "</arg_key>\\n<arg_value>"}},
      {"glm4", {"<arg_key>", "</arg_key>\n<arg_value>"}},
      {"glm4.7", {"<arg_key>"}},
      {"llama4", {"<|header_start|>"}},
      {"llama3", {"<|start_header_id|>", "\"parameters\": "}},
      {"nemotron3", {"<tool_call>", "<function=", "truncate_history_thinking"}},
      {"qwen3-coder", {"<tool_call>", "<function="}},
      {"granite3", {"<|start_of_role|>", "<|tool_call|>"}},
      {"granite", {"<|start_of_role|>"}},
      {"phi4", {"<|tool_call|>"}},
      {"phi4", {"<|assistant|>", "<|end|>"}},
      {"hermes", {"<tool_call>", "function calling AI model"}},
      {"qwen3", {"<tool_call>", "<|im_start|>"}},
      {"qwen3", {"<tool_call>"}},
      {"qwen3", {"named SmolLM"}},
      {"gemma3", {"<start_of_turn>"}},
      {"deepseek-r1", {"<｜Assistant｜>", "<think>"}},
      {"deepseek-v3", {"<｜Assistant｜>"}},
  };
  return list;
}

// Of models without a template, or with one that says nothing about calls: the vocabulary speaks.
const std::vector<Mark>& vocabulary_marks() {
  static const std::vector<Mark> list = {
      {"llama4", {"<|python_start|>"}},
      {"llama3", {"<|python_tag|>"}},
      {"gemma4", {"<|tool_call>"}},
      {"gemma3", {"<start_of_turn>"}},
      {"gpt-oss", {"<|channel|>", "<|constrain|>"}},
      {"kimi-k2", {"<|tool_call_begin|>"}},
      {"deepseek-v4", {"｜DSML｜"}},
      {"deepseek-v3", {"<｜tool▁call▁begin｜>"}},
      {"minimax-m2", {"<minimax:tool_call>"}},
      {"seed-oss", {"<seed:tool_call>"}},
      {"glm4", {"<arg_key>"}},
      {"lfm2", {"<|tool_call_start|>"}},
      {"magistral", {"[THINK]", "[ARGS]"}},
      {"mistral-v11", {"[TOOL_CALLS]", "[ARGS]"}},
      {"mistral", {"[TOOL_CALLS]"}},
      {"command", {"<|START_ACTION|>"}},
      {"granite", {"<|start_of_role|>"}},
      {"qwen3", {"<tool_call>"}},
  };
  return list;
}

}  // namespace

std::span<const Dialect> all_dialects() { return table(); }

const Dialect* find_dialect(std::string_view name) {
  for (const Dialect& dialect : table()) {
    if (same_without_case(dialect.name, name)) return &dialect;
  }
  for (const Dialect& dialect : table()) {
    for (const std::string_view alias : dialect.aliases) {
      if (same_without_case(alias, name)) return &dialect;
    }
  }
  return nullptr;
}

const Dialect& generic_dialect() { return table().back(); }

const Dialect& choose_dialect(std::string_view template_text, std::span<const std::string> special_texts) {
  const auto in_template = [&](std::string_view text) { return template_text.contains(text); };
  const auto in_vocabulary = [&](std::string_view text) { return std::ranges::contains(special_texts, text); };
  const Dialect* chosen = &generic_dialect();
  const auto choose = [&](const std::vector<Mark>& marks, const auto& holds) {
    const auto found =
        std::ranges::find_if(marks, [&](const Mark& mark) { return std::ranges::all_of(mark.all, holds); });
    if (found == marks.end()) return false;
    chosen = find_dialect(found->dialect);
    CHECK(chosen != nullptr);
    return true;
  };
  if (!choose(template_marks(), in_template)) static_cast<void>(choose(vocabulary_marks(), in_vocabulary));
  return *chosen;
}

std::string dialect_names() {
  std::string names;
  for (const Dialect& dialect : table()) {
    if (!names.empty()) names += ", ";
    names += dialect.name;
  }
  return names;
}

}  // namespace hearth::chat
