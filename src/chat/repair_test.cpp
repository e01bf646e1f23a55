// Repairs: each malformed shape gives what was meant, counts its name, and gives the same at every cut. The golden corpus
// (tests/golden) holds many more; here each kind stands once.
#include "chat/repairs.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "chat/stream_parser.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

struct Shape {
  Repair repair;
  const char* dialect;
  std::string raw;
  std::string arguments;  // of the first call; empty: no call
};

StreamParserOptions options_of(const char* dialect) {
  StreamParserOptions options;
  options.dialect = find_dialect(dialect);
  options.tool_names = {"Read", "Edit"};
  options.tool_schemas.push_back(*Json::parse(
      R"({"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer"}},"required":["path"]})"));
  options.tool_schemas.push_back(*Json::parse(
      R"({"type":"object","properties":{"path":{"type":"string"},"edits":{"type":"array","items":{"type":"object",
          "properties":{"old":{"type":"string"},"new":{"type":"string"}}}}},"required":["path","edits"]})"));
  return options;
}

struct Read {
  std::string arguments;
  std::string text;
  bool whole = false;
  RepairCounts repairs;
};

Read read(const char* dialect, std::string_view raw, std::size_t cut) {
  StreamParser parser(options_of(dialect));
  Read result;
  int call_count = 0;
  const auto add = [&](const std::vector<StreamEvent>& events) {
    for (const StreamEvent& event : events) {
      if (std::holds_alternative<ToolCallBegin>(event)) ++call_count;
      if (const auto* text = std::get_if<TextDelta>(&event)) result.text += text->text;
      const auto* json = std::get_if<ToolCallDelta>(&event);
      if (json != nullptr && call_count == 1) result.arguments += json->json;
      const auto* end = std::get_if<ToolCallEnd>(&event);
      if (end != nullptr && call_count == 1) result.whole = end->whole;
    }
  };
  add(parser.push(raw.substr(0, cut)));
  add(parser.push(raw.substr(cut)));
  add(parser.finish(TurnEnd::Finished));
  result.repairs = parser.repairs();
  return result;
}

std::string json_call(const std::string& arguments, const char* name = "Read") {
  return std::string("<tool_call>\n{\"name\": \"") + name + "\", \"arguments\": " + arguments + "}\n</tool_call>";
}

std::vector<Shape> shapes_of_arguments() {
  const std::string a = R"({"path": "/a"})";
  return {
      {Repair::RawControl, "qwen3", json_call("{\"path\": \"a\nb\"}"), R"({"path": "a\nb"})"},
      {Repair::InnerQuote, "qwen3", json_call(R"({"path": "say "hi" now", "limit": 1})"),
       R"({"path": "say \"hi\" now", "limit": 1})"},
      {Repair::InnerQuote, "qwen3", json_call(R"({"path": "x = {"a": "b"};"})"), R"({"path": "x = {\"a\": \"b\"};"})"},
      {Repair::BadEscape, "qwen3", json_call(R"({"path": "\d+\w"})"), R"({"path": "\\d+\\w"})"},
      {Repair::BadEscape, "qwen3", json_call(R"({"path": "C:\Users\new\t.txt"})"),
       R"({"path": "C:\\Users\\new\\t.txt"})"},
      {Repair::LoneSurrogate, "qwen3", json_call(R"({"path": "\ud83d!"})"), R"({"path": "\ufffd!"})"},
      {Repair::FlatArguments, "qwen3", "<tool_call>{\"name\": \"Read\", \"path\": \"/a\"}</tool_call>",
       R"({"path":"/a"})"},
      {Repair::BareKey, "qwen3", "<tool_call>{\"name\": \"Read\", arguments\": {\"path\": \"/a\"}}</tool_call>", a},
      {Repair::BareValue, "gemma4", "<|tool_call>call:Read{path:/a}<tool_call|>", R"({"path":"/a"})"},
      {Repair::DoubledBrace, "qwen3",
       "<tool_call>{{\"name\": \"Read\", \"arguments\": {{\"path\": \"/a\"}}}}</tool_call>", a},
      {Repair::MissingColon, "qwen3", json_call(R"({"path" "/a"})"), a},
      {Repair::MissingColon, "qwen3", json_call(R"({"limit" 1, "path"  "/a"})"), R"({"limit": 1, "path":  "/a"})"},
      {Repair::MissingColon, "qwen3", json_call(R"({"path": "/a", "edits" [{"old" "x", "new" "y"}]})", "Edit"),
       R"({"path": "/a", "edits": [{"old": "x", "new": "y"}]})"},
      {Repair::MissingColon, "qwen3", "<tool_call>{\"name\" \"Read\", \"arguments\" " + a + "}</tool_call>", a},
      {Repair::MissingComma, "qwen3", json_call(R"({"path": "/a" "limit": 1})"), R"({"path": "/a", "limit": 1})"},
      {Repair::ExtraComma, "qwen3", json_call(R"({"path": "/a",})"), a},
      {Repair::Unbalanced, "qwen3", json_call(R"({"path": "/a", "edits": [{"old": "x"})", "Edit"),
       R"({"path": "/a", "edits": [{"old": "x"}]})"},
      {Repair::DuplicateKey, "qwen3", json_call(R"({"path": "/a", "path": "/b"})"), R"({"path": "/a", "path": "/b"})"},
      {Repair::PythonLiteral, "qwen3", json_call("{'path': '/a'}"), a},
      {Repair::Coerced, "qwen3", json_call(R"({"path": 5, "limit": "7"})"), R"({"path": "5", "limit": 7})"},
      {Repair::ArgumentsInString, "qwen3", json_call(R"("{\"path\": \"/a\"}")"), a},
      {Repair::Hoisted, "qwen3", json_call(R"({"edits": [{"old": "x", "path": "/a"}]})", "Edit"),
       R"({"edits": [{"old": "x"}],"path": "/a"})"},
      {Repair::NameCase, "qwen3", json_call(a, "read"), a},
      {Repair::NameCase, "qwen3", json_call(a, "Functions.READ:0"), a},
      {Repair::NameCase, "qwen3-coder",
       "<tool_call>\n<function=read>\n<parameter=path>\n/a\n</parameter>\n</function>\n</tool_call>",
       R"({"path":"/a"})"},
      {Repair::NameCase, "gpt-oss",
       "<|channel|>commentary to=functions.read <|constrain|>json<|message|>" + a + "<|call|>", a},
      {Repair::NameCase, "lfm2", "<|tool_call_start|>[read(path='/a')]<|tool_call_end|>", R"({"path":"/a"})"},
      {Repair::NameCase, "glm4", "<tool_call>READ\n<arg_key>path</arg_key>\n<arg_value>/a</arg_value>\n</tool_call>",
       R"({"path":"/a"})"},
  };
}

std::vector<Shape> shapes_of_calls() {
  const std::string a = R"({"path": "/a"})";
  const std::string tagged = "<function=Read>\n<parameter=path>\n/a\n</parameter>\n";
  return {
      {Repair::DroppedOpener, "qwen3-coder", tagged + "</function>\n</tool_call>", R"({"path":"/a"})"},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n" + tagged + "<parameter=limit=1\n</parameter>\n</function>\n</tool_call>",
       R"({"path":"/a","limit":1})"},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter=path>\n/a\n<parameter=limit=1\n</parameter>\n</function>\n</"
       "tool_call>",
       R"({"path":"/a","limit":1})"},
      {Repair::MissingClose, "qwen3-coder", "<tool_call>\n" + tagged, R"({"path":"/a"})"},
      {Repair::ForeignForm, "qwen3-coder", json_call(a), a},
      {Repair::ForeignForm, "nemotron", "<TOOLCALL>[" + tagged + "</function>]</TOOLCALL>", R"({"path":"/a"})"},
      {Repair::ForeignForm, "mistral", "[TOOL_CALLS][" + tagged + "</function>,\n" + tagged + "</function>]",
       R"({"path":"/a"})"},
      {Repair::ForeignForm, "qwen3", "<tool_call>\n{" + tagged + "</function>}\n</tool_call>", R"({"path":"/a"})"},
      {Repair::ForeignForm, "qwen3", "<tool_call>\n{\"name\": " + tagged + "</function>}\n</tool_call>",
       R"({"path":"/a"})"},
      {Repair::ForeignForm, "qwen3-coder",
       "<tool_call>\n<function>\n{\"name\": \"Read\", \"arguments\": " + a + "}\n</function>\n</tool_call>", a},
      {Repair::ForeignForm, "qwen3-coder", "<function>{\"name\": \"Read\", \"arguments\": " + a + "}</function>", a},
      {Repair::ForeignForm, "qwen3", "<tool_call>\n<name>Read</name>\n<arguments>" + a + "</arguments>\n</tool_call>",
       a},
      {Repair::ForeignForm, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameters>\n" + a + "\n</parameters>\n</function>\n</tool_call>", a},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter>\n" + a + "\n</parameter>\n</function>\n</tool_call>", a},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter=arguments>\n" + a + "\n</parameter>\n</function>\n</tool_call>", a},
      {Repair::FencedCall, "qwen3", "```json\n{\"name\": \"Read\", \"arguments\": {\"path\": \"/a\"}}\n```", a},
      {Repair::BareCall, "qwen3", "{\"name\": \"Read\", \"arguments\": {\"path\": \"/a\"}}", a},
      {Repair::CallInThought, "qwen3", "<think>I read.\n" + json_call(a), a},
      {Repair::ReopenedThought, "qwen3", "ok\n<think>b</think>", ""},
      {Repair::OrphanCloser, "qwen3", "</think>ok", ""},
  };
}

std::vector<Shape> shapes_of_parameters() {
  return {
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter=path>\n/a\n</value>\n</function>\n</tool_call>", R"({"path":"/a"})"},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter name=\"path value=/a</parameter>\n</function>\n</tool_call>",
       R"({"path":"/a"})"},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter name=\"path value=\"/a\"</parameter>\n</function>\n</tool_call>",
       R"({"path":"/a"})"},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter name=\"path value=a > b</parameter>\n</function>\n</tool_call>",
       R"({"path":"a > b"})"},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter name=\"path value=/a\">\n</parameter>\n</function>\n</tool_call>",
       R"({"path":"/a"})"},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter name=\"path\" value=\"/a\">\n</parameter>\n</function>\n</tool_call>",
       R"({"path":"/a"})"},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter name=\"path\" "
       "value=\"/a\">\n<parameter=limit>\n1\n</parameter>\n</function>\n</tool_call>",
       R"({"path":"/a","limit":1})"},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter=path value=\"/a b\">\n</function>\n</tool_call>",
       R"({"path":"/a b"})"},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter name=\"path\"=/a</parameter>\n</function>\n</tool_call>",
       R"({"path":"/a"})"},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter=path: /a</parameter>\n</function>\n</tool_call>", R"({"path":"/a"})"},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter name=\"path value=/a\n</parameter>\n</function>\n</tool_call>",
       R"({"path":"/a"})"},
      {Repair::MalformedTag, "deepseek-v4",
       "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"Read\">\n<｜DSML｜parameter name=\"path "
       "string=\"true\">/a</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>",
       R"({"path":"/a"})"},
  };
}

std::vector<Shape> shapes_of_elements() {
  const std::string a = R"({"path":"/a"})";
  return {
      {Repair::MalformedTag, "qwen3-coder", "<tool_call>\n<Read>\n<path>/a</path>\n</Read>\n</tool_call>", a},
      {Repair::MalformedTag, "qwen3-coder", "<Read>\n<path>/a</path>\n</Read>", a},
      {Repair::DroppedOpener, "generic", "<Read>\n<path>/a</path>\n</Read>", a},
      {Repair::ForeignForm, "qwen3", "<tool_call><Read><path>/a</path></Read></tool_call>", a},
      {Repair::MalformedTag, "qwen3", "<tool_call><Read path=\"/a\" limit='1'/></tool_call>",
       R"({"path":"/a","limit":1})"},
      {Repair::MalformedTag, "minicpm", "<function name=\"Read\" path=\"/a\"/>", a},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter=path value=\"/a\"/>\n</function>\n</tool_call>", a},
      {Repair::MalformedTag, "qwen3-coder",
       "<tool_call>\n<function=Read>\n<parameter=path>\n/a\n</parameter>\n<parameter=limit>1</function>\n</tool_call>",
       R"({"path":"/a","limit":1})"},
      {Repair::ForeignForm, "qwen3",
       "<tool_call>\n{\"name\": \"Read\", \"arguments\": <parameter=path>/a</parameter>}\n</tool_call>", a},
      {Repair::MissingColon, "qwen3", json_call(R"({"path", "/a"})"), R"({"path": "/a"})"},
      {Repair::MissingColon, "qwen3", json_call(R"({"path": "/a", "limit"; 1})"), R"({"path": "/a", "limit": 1})"},
      {Repair::MissingColon, "qwen3", R"(<tool_call>{"name"; "Read", "arguments", {"path": "/a"}}</tool_call>)",
       R"({"path": "/a"})"},
  };
}

}  // namespace

TEST_CASE("each malformed shape gives what was meant, is counted by its name, and is the same at every cut") {
  std::vector<Shape> shapes = shapes_of_arguments();
  std::ranges::copy(shapes_of_calls(), std::back_inserter(shapes));
  std::ranges::copy(shapes_of_parameters(), std::back_inserter(shapes));
  std::ranges::copy(shapes_of_elements(), std::back_inserter(shapes));
  for (const Shape& shape : shapes) {
    INFO(std::string(kRepairNames[static_cast<std::size_t>(shape.repair)]));
    for (std::size_t cut = 0; cut <= shape.raw.size(); ++cut) {
      const Read found = read(shape.dialect, shape.raw, cut);
      CHECK(found.arguments == shape.arguments);
      CHECK(found.whole == !shape.arguments.empty());
      CHECK((found.text.empty() || shape.arguments.empty()));
      CHECK(found.repairs.of(shape.repair) >= 1);
      if (found.arguments != shape.arguments) break;
    }
  }
}

TEST_CASE("two texts behind each other are a member only where the object still wants one of that name") {
  // Of a list's texts, of a member that is there already and of an undeclared one nobody knows what was meant.
  for (const char* arguments : {R"({"path": "/a", "path" "/b"})", R"({"/a" "/b"})", R"({"other" "/b", "path": "/a"})",
                                R"({"other", "/b"})", R"({"path", "limit": 1})", R"({"path": "/a", "path", "/b"})"}) {
    INFO(std::string(arguments));
    const Read found = read("qwen3", json_call(arguments), 0);
    CHECK(found.repairs.of(Repair::MissingColon) == 0);
  }
}

TEST_CASE("a name in another case is the one tool that it can mean; of two, and of none, nothing is called") {
  const auto called = [](const char* written) {
    StreamParserOptions options;
    options.dialect = find_dialect("qwen3");
    options.tool_names = {"Read", "read", "Bash"};
    StreamParser parser(std::move(options));
    std::vector<StreamEvent> events = parser.push(json_call("{}", written));
    for (const StreamEvent& event : parser.finish(TurnEnd::Finished)) events.push_back(event);
    std::string name;
    for (const StreamEvent& event : events) {
      if (const auto* begin = std::get_if<ToolCallBegin>(&event)) name += begin->name;
    }
    CHECK(parser.repairs().of(Repair::NameCase) == (name.empty() || name == written ? 0 : 1));
    return name;
  };
  CHECK(called("Read") == "Read");
  CHECK(called("read") == "read");
  CHECK(called("READ").empty());
  CHECK(called("bash") == "Bash");
  CHECK(called("Tools.bASH") == "Bash");
  CHECK(called("bashh").empty());
  CHECK(called("bas").empty());
}

TEST_CASE("a function of shown code is no tool in another case") {
  for (const char* dialect : {"qwen3", "llama4", "generic"}) {
    for (const std::string text : {"```python\nread('/a')\n```", "```\nprint(read('/a'))\n```"}) {
      INFO(std::string(dialect));
      const Read found = read(dialect, text, 0);
      CHECK(found.text == text);
      CHECK_FALSE(found.repairs.any());
    }
  }
  CHECK(read("llama4", "[read(path='/a')]", 0).arguments == R"({"path":"/a"})");
}

TEST_CASE("well-formed calls and plain text are counted as no repair, and are not changed") {
  const std::string arguments = R"({ "path" : "a \"b\" \\ \u00e9 \ud83d\ude00\n</tool_call> {\"x\": 1}" , "limit":5})";
  const Read call = read("qwen3", json_call(arguments), 0);
  CHECK(call.arguments == arguments);
  CHECK_FALSE(call.repairs.any());
  for (const std::string text :
       {"{\"name\": \"Fly\", \"arguments\": {}}", "{\"answer\": [1, 2]}", "a <b> [c](d) `<tool_call>` {x}",
        "```json\n{\"name\": \"Read\", \"arguments\": {\"path\": \"/a\"}}\n```\nis how it looks.", "<function=Fly>"}) {
    const Read plain = read("qwen3", text, 3);
    CHECK(plain.text == text);
    CHECK_FALSE(plain.repairs.any());
  }
}

TEST_CASE("what was read on trial and was no call is counted as no repair") {
  const std::string call = "{\"name\": \"Read\", \"arguments\": {path: '/a'}}";
  for (const std::string& text : {call + " is how it looks.", "```\n" + call + "\n```\nis how it looks."}) {
    const Read found = read("generic", text, 0);
    CHECK(found.text == text);
    CHECK_FALSE(found.repairs.any());
  }
}

TEST_CASE("the fragments of a call that is not whole are never a whole one's") {
  const std::string edit = "<tool_call>\n<function=Edit>\n<parameter=path>\n/a\n</parameter>\n<parameter=edits>\n";
  for (const auto& [dialect, raw] : std::vector<std::pair<const char*, std::string>>{
           {"qwen3", json_call(R"({"path":{ "/a.txt"})")},
           {"kimi-k2",
            R"(<|tool_call_begin|>functions.Read:0<|tool_call_argument_begin|>{"path":{ "/a"}<|tool_call_end|>)"},
           {"qwen3-coder", edit + R"([{"old": "a"}], "x": []})" + "\n</parameter>\n</function>\n</tool_call>"}}) {
    INFO(raw);
    for (std::size_t cut = 0; cut <= raw.size(); ++cut) {
      const Read found = read(dialect, raw, cut);
      CHECK_FALSE(found.whole);
      CHECK_FALSE(Json::parse(found.arguments).has_value());
      if (found.whole) break;
    }
  }
}

TEST_CASE("a list between tags streams while it is generated, and is no whole call where it turns out to be no JSON") {
  struct Begin {
    const char* dialect;
    std::string begin;
    std::string end;
  };
  for (const Begin& form : std::vector<Begin>{
           {"qwen3-coder", "<tool_call>\n<function=Edit>\n<parameter=path>\n/a\n</parameter>\n<parameter=edits>\n",
            "\n</parameter>\n</function>\n</tool_call>"},
           {"glm4",
            "<tool_call>Edit\n<arg_key>path</arg_key>\n<arg_value>/a</arg_value>\n<arg_key>edits</"
            "arg_key>\n<arg_value>",
            "</arg_value>\n</tool_call>"},
           {"minicpm", "<function name=\"Edit\"><param name=\"path\">/a</param><param name=\"edits\">",
            "</param></function>"},
           {"deepseek-v4",
            "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"Edit\">\n<｜DSML｜parameter name=\"path\" "
            "string=\"true\">/a</｜DSML｜parameter>\n<｜DSML｜parameter name=\"edits\" string=\"false\">",
            "</｜DSML｜parameter>\n</｜DSML｜invoke>\n</｜DSML｜tool_calls>"}}) {
    INFO(std::string(form.dialect));
    StreamParser parser(options_of(form.dialect));
    std::string json;
    for (const StreamEvent& event : parser.push(form.begin + R"([{"old": "a", "new": "<b> /long)")) {
      if (const auto* delta = std::get_if<ToolCallDelta>(&event)) json += delta->json;
    }
    CHECK(json == R"({"path":"/a","edits":[{"old": "a", "new": "<b> /long)");
    const std::string edits = R"([{"old": "a</param", "new": "]"}, {"old": "b"}])";
    for (const std::string behind : {"", " and more", ", 1"}) {
      const std::string raw = form.begin + edits + behind + form.end;
      const Read at_once = read(form.dialect, raw, raw.size());
      CHECK(at_once.arguments.starts_with(R"({"path":"/a","edits":)" + edits + behind + (behind.empty() ? "}" : "")));
      for (std::size_t cut = 0; cut <= raw.size(); ++cut) {
        const Read found = read(form.dialect, raw, cut);
        CHECK(found.text.empty());
        CHECK(found.whole == behind.empty());
        CHECK(found.arguments == at_once.arguments);
        if (found.arguments != at_once.arguments) break;
      }
    }
  }
}

TEST_CASE("a text argument streams while it is generated, in every way of writing a call") {
  struct Begin {
    const char* dialect;
    const char* raw;
  };
  for (const Begin& begin : std::vector<Begin>{
           {"qwen3", "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"path\": \"/long"},
           {"qwen3-coder", "<tool_call>\n<function=Read>\n<parameter=path>\n/long"},
           {"glm4", "<tool_call>Read\n<arg_key>path</arg_key>\n<arg_value>/long"},
           {"deepseek-v4",
            "<｜DSML｜tool_calls>\n<｜DSML｜invoke name=\"Read\">\n<｜DSML｜parameter name=\"path\" "
            "string=\"true\">/long"},
           {"minimax-m3", "]<]minimax[>[<tool_call>\n]<]minimax[>[<invoke name=\"Read\">]<]minimax[>[<path>/long"},
           {"mistral-v11", "[TOOL_CALLS]Read[ARGS]{\"path\": \"/long"},
           {"gemma4", "<|tool_call>call:Read{path:<|\"|>/long"},
           {"lfm2", "<|tool_call_start|>[Read(path='/long"},
           {"gpt-oss", "<|channel|>commentary to=functions.Read <|constrain|>json<|message|>{\"path\": \"/long"},
           {"llama3", "{\"name\": \"Read\", \"parameters\": {\"path\": \"/long"}}) {
    INFO(std::string(begin.dialect));
    StreamParser parser(options_of(begin.dialect));
    std::string json;
    for (const StreamEvent& event : parser.push(begin.raw)) {
      if (const auto* delta = std::get_if<ToolCallDelta>(&event)) json += delta->json;
    }
    CHECK(json.ends_with("/long"));
  }
}
