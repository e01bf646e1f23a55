// The grammar of an answer: what each tool_choice lets through in the dialects' own syntax, and that random answers of
// forced grammars are read back as valid calls of declared tools.
#include "chat/answer_grammar.h"

#include <doctest/doctest.h>

#include <format>
#include <string>
#include <string_view>
#include <vector>

#include "chat/stream_parser.h"
#include "chat/test_grammar.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

std::vector<Tool> some_tools() {
  const auto tool = [](const char* name, std::string_view schema) {
    return Tool{.name = name, .description = "", .input_schema = *Json::parse(schema)};
  };
  return {
      tool(
          "Read",
          R"({"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer","minimum":1}},"required":["path"],"additionalProperties":false})"),
      tool(
          "Ask",
          R"({"type":"object","properties":{"mode":{"enum":["fast","slow"]},"tags":{"type":"array","items":{"type":"string","maxLength":8},"maxItems":3},"deep":{"type":"boolean"}},"required":["mode","deep"],"additionalProperties":false})"),
      tool("Stop", R"({"type":"object","properties":{}, "additionalProperties":false})"),
  };
}

AnswerRules rules_of(std::string_view dialect, ToolChoice choice = ToolChoice::Auto) {
  AnswerRules rules{.dialect = find_dialect(dialect), .choice = choice, .choice_name = "Read"};
  REQUIRE(rules.dialect != nullptr);
  return rules;
}

std::string verdict_of(const AnswerRules& rules, std::string_view text) {
  return verdict(answer_grammar(rules, some_tools()).text, text);
}

}  // namespace

TEST_CASE("what of a schema is not held is said with the tool's name, and whether that asks for strict") {
  const auto noted = [](std::string_view dialect, std::string_view schema, bool strict) {
    const std::vector<Tool> tools = {
        {.name = "Ask", .description = "", .input_schema = *Json::parse(schema), .strict = strict}};
    std::string all;
    for (const std::string& note : answer_grammar(rules_of(dialect), tools).notes) all += note + "\n";
    return all;
  };
  const std::string inner = R"({"type":"object","properties":{"a":{"type":"array","uniqueItems":true}}})";
  for (const char* dialect :
       {"qwen3", "qwen3-coder", "llama3", "llama4", "mistral-v11", "gemma4", "gpt-oss", "generic"}) {
    INFO(std::string(dialect));
    CHECK(noted(dialect, inner, false) == "Ask: `uniqueItems` is not checked\n");
    CHECK(noted(dialect, inner, true) == "Ask, which asks for strict: `uniqueItems` is not checked\n");
    CHECK(noted(dialect, R"({"type":"object","properties":{"a":{"type":"string"}}})", true).empty());
  }
  CHECK(noted("qwen3-coder", R"({"anyOf":[{"properties":{"a":{"type":"string"}}}]})", false) ==
        "Ask: `anyOf` over all arguments is not checked\n");
}

TEST_CASE("auto leaves text and thoughts free and holds a call from its first character on") {
  const AnswerRules rules = rules_of("qwen3");
  CHECK(verdict_of(rules, "Hello <tool> world.") == "yes");
  CHECK(
      verdict_of(rules, "I see.\n<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"path\": \"/a\"}}\n</tool_call>") ==
      "yes");
  CHECK(
      verdict_of(
          rules,
          "<tool_call>\n{\"name\": \"Stop\", \"arguments\": {}}\n</tool_call>\nand <tool_call>\n{\"name\": \"Read\"") ==
      "more");
  CHECK(verdict_of(rules, "<tool_call>\n{\"name\": \"Write\"") == "no");
  CHECK(verdict_of(rules, "<tool_call>\n{\"name\": \"Read\", \"arguments\": {}") == "no");
  CHECK(verdict_of(rules, "<think>I could <tool_call> here</think>ok") == "yes");
  CHECK(verdict_of(rules, "Write `<tool_call>` like\n```\n<tool_call>\nx\n```\nand") == "yes");
  AnswerRules opened = rules;
  opened.thinking_opened = true;
  CHECK(verdict_of(opened, "hm <tool_call> x</think>\n\n<tool_call>\n{\"name\": \"Stop\"") == "more");
  CHECK(verdict_of(opened, "hm</think><tool_call>\nx") == "no");
}

TEST_CASE("auto holds a call without an opening of its own from its declared name on") {
  for (const char* dialect : {"llama3", "generic"}) {
    CAPTURE(dialect);
    const std::string key = std::string_view(dialect) == "llama3" ? "parameters" : "arguments";
    const auto call = [&](std::string_view arguments) {
      return "{\"name\": \"Read\", \"" + key + "\": " + std::string(arguments);
    };
    AnswerRules rules = rules_of(dialect);
    CHECK(verdict_of(rules, call(R"({"limit": 2, "path": "/a"}})")) == "yes");
    CHECK(verdict_of(rules, call(R"({"path": "/a"}})") + "\n" + call(R"({"path": "/b"}})")) == "yes");
    CHECK(verdict_of(rules, call("{}")) == "no");
    CHECK(verdict_of(rules, call(R"({"path": 1)")) == "no");
    CHECK(verdict_of(rules, R"({"name": "Bob", "parameters": 3} and {"name": "Rea)") == "yes");
    rules.parallel = false;
    CHECK(verdict_of(rules, "So: " + call(R"({"path": "/a"}})") + "\nok") == "yes");
    CHECK(verdict_of(rules, call(R"({"path": "/a"}})") + "\n" + call("{")) == "no");
    CHECK(verdict_of(rules_of(dialect, ToolChoice::None), call("")) == "no");
  }
  const AnswerRules llama4 = rules_of("llama4");
  CHECK(verdict_of(llama4, "[Read(limit=1, path=\"/a\"), Stop()]") == "yes");
  CHECK(verdict_of(llama4, "[Read(limit=1)") == "no");
  CHECK(verdict_of(llama4, "a[Real(x)] and [1, 2]") == "yes");
  const AnswerRules functionary = rules_of("functionary-v3.2");
  CHECK(verdict_of(functionary, "all\nHello.\n>>>Read\n{\"path\": \"/a\"}>>>Stop\n{}") == "yes");
  CHECK(verdict_of(functionary, "Read\n{\"path\": \"/a\"}") == "yes");
  CHECK(verdict_of(functionary, "Read\n{}") == "no");
}

TEST_CASE("a value between tags may quote calls, and tags that nothing follows") {
  const std::string open = "<tool_call>\n<function=Read>\n<parameter=path>\n";
  const std::string close = "\n</parameter>\n</function>\n</tool_call>";
  const AnswerRules rules = rules_of("qwen3-coder");
  for (const std::string& text :
       std::vector<std::string>{"the </parameter> tag", "a\n</parameter>\nb",
                                "<parameter=x>\n1\n</parameter>\n<parameter=y>\n", "say <parameter=x> first"})
    CHECK_MESSAGE(verdict_of(rules, open + text + close) == "yes", text);
  CHECK(verdict_of(rules, open + "a\n</parameter>\n</tool_call>") == "no");
}

TEST_CASE("a call of many arguments may have all of them, and invented ones where the schema takes those") {
  const auto tool = [](int count, std::string_view more) {
    std::string schema = "{\"type\":\"object\",\"properties\":{";
    for (int i = 0; i < count; ++i)
      schema += std::format("{}\"name_{}\":{{\"type\":\"string\"}}", i == 0 ? "" : ",", i);
    schema += std::format("}},\"required\":[\"name_{}\"],\"additionalProperties\":{}}}", count - 1, more);
    return std::vector<Tool>{{.name = "Set", .description = "", .input_schema = *Json::parse(schema)}};
  };
  const auto call = [](int begin, int end) {
    std::string text = "<tool_call>\n<function=Set>\n";
    for (int i = begin; i < end; ++i) text += std::format("<parameter=name_{}>\nx\n</parameter>\n", i);
    return text;
  };
  const std::string other = "<parameter=name_x>\n1\n</parameter>\n";
  const std::string close = "</function>\n</tool_call>";
  const AnswerRules rules = rules_of("qwen3-coder");
  for (const int count : {20, 70}) {
    CAPTURE(count);
    const std::string text = answer_grammar(rules, tool(count, "true")).text;
    grammar::Automaton automaton = automaton_of(text);
    CHECK(automaton.accepts(automaton.step_all(automaton.start(), call(0, count) + close)));
    CHECK(!automaton.overflowed());
    CHECK(automaton.bytes() < 16U << 20U);
    CHECK(verdict(text, call(0, count) + other + close) == "yes");
    CHECK(verdict(text, call(0, count - 1) + close) == "no");
    const std::string closed = answer_grammar(rules, tool(count, "false")).text;
    CHECK(verdict(closed, call(count - 1, count) + close) == "yes");
    CHECK(verdict(closed, call(0, count) + other) == "no");
  }
  const std::string gemma = answer_grammar(rules_of("gemma4"), tool(20, "true")).text;
  std::string arguments;
  for (int i = 20; i-- > 0;) arguments += std::format("name_{}:<|\"|>x<|\"|>,", i);
  grammar::Automaton automaton = automaton_of(gemma);
  CHECK(automaton.accepts(
      automaton.step_all(automaton.start(), "<|tool_call>call:Set{" + arguments + "more:1}<tool_call|>")));
  CHECK(automaton.bytes() < 4U << 20U);
}

TEST_CASE("calls are looked for by their names among hundreds of tools, and not held among thousands") {
  const auto grammar_of = [](int count, AnswerRules rules) {
    std::vector<Tool> tools(count, some_tools().front());
    for (int i = 0; i < count; ++i) tools[i].name = std::format("mcp__some_server__tool_{}", i);
    return answer_grammar(rules, tools);
  };
  AnswerRules rules = rules_of("generic");
  const std::string few = grammar_of(300, rules).text;
  CHECK(!few.contains("!never"));
  const auto program = grammar::compile(few, {});
  REQUIRE(program.has_value());
  CHECK((*program)->scan_bytes < 2U << 20U);
  CHECK(verdict(few, R"({"name": "mcp__some_server__tool_299", "arguments": {"x)") == "no");
  rules.parallel = false;
  CHECK(grammar_of(300, rules).text.contains("!never"));
  const AnswerGrammar many = grammar_of(4'000, rules);
  CHECK(many.text.empty());
  CHECK(many.notes.contains("so many tools cannot be looked for in the text: calls are not held"));
}

TEST_CASE("any must call, a named tool must be that one, none cannot, and one call is one") {
  const std::string call = "<tool_call>\n{\"name\": \"Stop\", \"arguments\": {}}\n</tool_call>";
  AnswerRules any = rules_of("qwen3", ToolChoice::Any);
  CHECK(verdict_of(any, call) == "yes");
  CHECK(verdict_of(any, "\n\n" + call + "\n" + call) == "yes");
  CHECK(verdict_of(any, "<think>so</think>\n\n" + call) == "yes");
  CHECK(verdict_of(any, "Hello") == "no");
  CHECK(verdict_of(any, "") == "more");
  any.parallel = false;
  CHECK(verdict_of(any, call) == "yes");
  CHECK(verdict_of(any, call + "\n") == "no");
  any.may_think = false;
  CHECK(verdict_of(any, "<think>") == "no");
  CHECK(verdict_of(rules_of("qwen3", ToolChoice::Named), call) == "no");
  CHECK(verdict_of(rules_of("qwen3", ToolChoice::Named), "<tool_call>\n{\"name\": \"Read\"") == "more");
  CHECK(verdict_of(rules_of("qwen3", ToolChoice::None), "no <tool_call") == "yes");
  CHECK(verdict_of(rules_of("qwen3", ToolChoice::None), "no <tool_call>") == "no");
  AnswerRules one = rules_of("qwen3");
  one.parallel = false;
  CHECK(verdict_of(one, "text " + call) == "yes");
  CHECK(verdict_of(one, "text") == "yes");
  CHECK(verdict_of(one, "text " + call + " more") == "no");
}

TEST_CASE("an output schema makes the text that JSON, behind a thought, or a call where tools may be called") {
  AnswerRules rules = rules_of("qwen3");
  rules.output_schema = *Json::parse(R"({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]})");
  const auto verdict_without_tools = [&](std::string_view text) {
    return verdict(answer_grammar(rules, {}).text, text);
  };
  CHECK(verdict_without_tools("{\"n\": 1}") == "yes");
  CHECK(verdict_without_tools("<think>x</think>\n\n{\"n\":1}") == "yes");
  CHECK(verdict_without_tools("{\"n\":1} ") == "no");
  CHECK(verdict_without_tools("Sure: {") == "no");
  CHECK(verdict_of(rules, "<tool_call>\n{\"name\": \"Stop\"") == "more");
  rules.choice = ToolChoice::None;
  CHECK(verdict_of(rules, "<tool_call>") == "no");
}

TEST_CASE("each dialect's call is held in its own syntax") {
  const auto any = [&](std::string_view dialect, std::string_view text) {
    return verdict_of(rules_of(dialect, ToolChoice::Any), text);
  };
  CHECK(any("qwen3-coder",
            "<tool_call>\n<function=Read>\n<parameter=path>\n/a\n</parameter>\n</function>\n</tool_call>") == "yes");
  CHECK(any("qwen3-coder", "<tool_call>\n<function=Read>\n<parameter=limit>\n3\n</parameter>\n</function>") == "no");
  CHECK(any("qwen3-coder",
            "<tool_call>\n<function=Read>\n<parameter=limit>\n3\n</parameter>\n<parameter=path>\n/a\n</parameter>\n"
            "</function>\n</tool_call>") == "yes");
  CHECK(any("qwen3-coder",
            "<tool_call>\n<function=Ask>\n<parameter=mode>\nslow\n</parameter>\n<parameter=tags>\n[\"a\"]\n</"
            "parameter>\n<parameter=deep>\ntrue\n</parameter>\n</function>\n</tool_call>") == "yes");
  CHECK(any("qwen3-coder", "<tool_call>\n<function=Ask>\n<parameter=mode>\nother") == "no");
  CHECK(any("glm4",
            "<tool_call>Read\n<arg_key>path</arg_key>\n<arg_value>/a</arg_value>\n<arg_key>limit</"
            "arg_key>\n<arg_value>3</arg_value>\n</tool_call>") == "yes");
  CHECK(any("minimax-m2",
            "<minimax:tool_call>\n<invoke name=\"Read\">\n<parameter "
            "name=\"path\">/a</parameter>\n</invoke>\n</minimax:tool_call>") == "yes");
  CHECK(
      any("minimax-m3",
          "]<]minimax[>[<tool_call>\n]<]minimax[>[<invoke "
          "name=\"Read\">]<]minimax[>[<path>/a]<]minimax[>[</path>]<]minimax[>[</invoke>\n]<]minimax[>[</tool_call>") ==
      "yes");
  CHECK(any("kimi-k2",
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.Read:0<|tool_call_argument_begin|>{\"path\":\"/"
            "a\"}<|tool_call_end|><|tool_call_begin|>functions.Stop:1<|tool_call_argument_begin|>{}<|tool_call_end|><|"
            "tool_calls_section_end|>") == "yes");
  CHECK(any("deepseek-v3.1",
            "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>Read<｜tool▁sep｜>{\"path\":\"/"
            "a\"}<｜tool▁call▁end｜><｜tool▁calls▁end｜>") == "yes");
  CHECK(any("deepseek-v3.2",
            "<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"Read\">\n<｜DSML｜parameter name=\"path\" "
            "string=\"true\">/a</｜DSML｜parameter>\n<｜DSML｜parameter name=\"limit\" "
            "string=\"false\">3</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜function_calls>") == "yes");
  CHECK(any("gpt-oss",
            "<|channel|>commentary to=functions.Read <|constrain|>json<|message|>{\"path\":\"/a\"}<|call|>") == "yes");
  CHECK(any("gpt-oss",
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.Stop "
            "<|constrain|>json<|message|>{}<|call|>") == "yes");
  CHECK(any("mistral",
            "[TOOL_CALLS][{\"name\": \"Read\", \"arguments\": {\"path\": \"/a\"}}, {\"name\": \"Stop\", \"arguments\": "
            "{}}]") == "yes");
  CHECK(any("mistral-v11", "[TOOL_CALLS]Read[ARGS]{\"path\": \"/a\"}") == "yes");
  CHECK(any("llama3", "{\"name\": \"Read\", \"parameters\": {\"path\": \"/a\"}}") == "yes");
  CHECK(any("llama4", "[Read(path=\"/a\", limit=3), Ask(mode=\"fast\", deep=True)]") == "yes");
  CHECK(any("llama4", "[Ask(mode=\"fast\", deep=true") == "no");
  CHECK(any("gemma4", "<|tool_call>call:Read{path:<|\"|>/a<|\"|>,limit:2}<tool_call|>") == "yes");
  CHECK(any("apertus", "<|tools_prefix|>[{\"Read\": {\"path\": \"/a\"}}]<|tools_suffix|>") == "yes");
  CHECK(any("command",
            "<|START_ACTION|>[{\"tool_name\": \"Read\", \"parameters\": {\"path\": \"/a\"}}]<|END_ACTION|>") == "yes");
}

TEST_CASE("every dialect has a grammar for each choice, and a forced one never accepts plain text") {
  for (const Dialect& dialect : all_dialects()) {
    CAPTURE(dialect.name);
    for (const ToolChoice choice : {ToolChoice::Auto, ToolChoice::Any, ToolChoice::Named, ToolChoice::None}) {
      for (const bool opened : {false, true}) {
        AnswerRules rules = rules_of(dialect.name, choice);
        rules.thinking_opened = opened;
        const AnswerGrammar grammar = answer_grammar(rules, some_tools());
        if (choice == ToolChoice::Any || choice == ToolChoice::Named) {
          REQUIRE(!grammar.text.empty());
          CHECK(verdict(grammar.text, "Hello, all is well.") != "yes");
        } else if (!grammar.text.empty()) {
          const bool has_recipient = dialect.name == "functionary-v3.2" && choice == ToolChoice::Auto;
          CHECK(verdict(grammar.text, has_recipient ? "all\nHello, all is well." : "Hello, all is well.") == "yes");
        }
        if (!grammar.text.empty()) CHECK(!automaton_of(grammar.text).overflowed());
      }
    }
  }
}

TEST_CASE("random answers of a forced grammar are read as whole calls of declared tools with valid arguments") {
  const std::vector<Tool> tools = some_tools();
  for (const Dialect& dialect : all_dialects()) {
    CAPTURE(dialect.name);
    AnswerRules rules = rules_of(dialect.name, ToolChoice::Any);
    rules.may_think = false;
    rules.bounds = {.string_chars_max = 40, .array_items_max = 3};
    grammar::Automaton automaton = automaton_of(answer_grammar(rules, tools).text);
    std::size_t calls = 0;
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
      const auto text = random_text(automaton, seed);
      if (!text) continue;
      CAPTURE(*text);
      StreamParserOptions options;
      options.dialect = rules.dialect;
      for (const Tool& tool : tools) {
        options.tool_names.push_back(tool.name);
        options.tool_schemas.push_back(tool.input_schema);
      }
      StreamParser parser(std::move(options));
      std::vector<StreamEvent> events = parser.push(*text);
      for (StreamEvent& event : parser.finish(TurnEnd::Finished)) events.push_back(std::move(event));
      std::string arguments;
      const Tool* tool = nullptr;
      for (const StreamEvent& event : events) {
        CHECK(!std::holds_alternative<TextDelta>(event));
        if (const auto* begin = std::get_if<ToolCallBegin>(&event)) {
          arguments.clear();
          const auto found = std::ranges::find(tools, begin->name, &Tool::name);
          REQUIRE(found != tools.end());
          tool = &*found;
        } else if (const auto* delta = std::get_if<ToolCallDelta>(&event)) {
          arguments += delta->json;
        } else if (const auto* end = std::get_if<ToolCallEnd>(&event)) {
          ++calls;
          CHECK(end->whole);
          const auto value = Json::parse(arguments);
          CHECK_MESSAGE((value && SchemaValidator(tool->input_schema).accepts(*value)), arguments);
        }
      }
    }
    CHECK(calls >= 20);
  }
}
