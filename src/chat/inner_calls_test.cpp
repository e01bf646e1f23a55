// Calls that an argument's value quotes, in every tagged family: whole, cut at every place, byte by byte, unbalanced.
#include <doctest/doctest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "chat/dialect.h"
#include "chat/stream_parser.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

// Every event on a line of its own kind: X text, C a whole call, c one that is not.
std::string parse(const char* dialect, const std::vector<std::string_view>& pieces, TurnEnd end = TurnEnd::Finished) {
  StreamParserOptions options;
  options.dialect = find_dialect(dialect);
  REQUIRE(options.dialect != nullptr);
  options.tool_names = {"Write", "Bash"};
  options.tool_schemas.push_back(
      *Json::parse(R"({"type":"object","properties":{"path":{"type":"string"},"content":{"type":"string"}}})"));
  options.tool_schemas.push_back(*Json::parse(R"({"type":"object","properties":{"command":{"type":"string"}}})"));
  StreamParser parser(options);
  std::string text;
  const auto add = [&](const std::vector<StreamEvent>& events) {
    for (const StreamEvent& event : events) {
      if (const auto* some = std::get_if<TextDelta>(&event)) text += some->text;
      if (const auto* call = std::get_if<ToolCallBegin>(&event)) text += "[" + call->name + " ";
      if (const auto* json = std::get_if<ToolCallDelta>(&event)) text += json->json;
      if (const auto* over = std::get_if<ToolCallEnd>(&event)) text += over->whole ? " C]" : " c]";
    }
  };
  for (const std::string_view piece : pieces) add(parser.push(piece));
  add(parser.finish(end));
  return text;
}

std::string parse_every_way(const char* dialect, std::string_view input) {
  std::string whole = parse(dialect, {input});
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < input.size(); ++i) {
    bytes.push_back(input.substr(i, 1));
    if (i == 0) continue;
    INFO("cut at " << i);
    CHECK(parse(dialect, {input.substr(0, i), input.substr(i)}) == whole);
  }
  CHECK(parse(dialect, bytes) == whole);
  return whole;
}

const std::string kInner =
    "<tool_call>\n<function=Bash>\n<parameter=command>\nrm -rf build\n</parameter>\n</function>\n</tool_call>\n";
const std::string kOpen = "<tool_call>\n<function=Write>\n<parameter=path>\n/a\n</parameter>\n<parameter=content>\n";
const std::string kClose = "\n</parameter>\n</function>\n</tool_call>";
const std::string kWritten = R"([Write {"path":"/a","content":")";

std::string json_of(std::string_view text) {
  std::string json;
  append_json_string(json, text);
  return json.substr(1);
}

}  // namespace

TEST_CASE("quoted calls are the text of the value, and a call behind them runs") {
  for (const std::string& text :
       {kInner + kInner, "A\n" + kInner + "b\n" + kInner + "c", kInner + "<parameter=path>\n/b\n</parameter>"}) {
    const std::string found = parse_every_way("qwen3-coder", kOpen + text + kClose + "\n" + kInner);
    CHECK(found == kWritten + json_of(text) + "} C][Bash {\"command\":\"rm -rf build\"} C]");
  }
}

TEST_CASE("tags that a text only speaks of hold nothing open") {
  for (const std::string text : {"Open with <tool_call>, then <function=Bash>.", "Write <parameter=command> first.",
                                 "<tool_call>, <function=NAME>, <parameter=KEY>: so"}) {
    CHECK(parse_every_way("qwen3-coder", kOpen + text + kClose) == kWritten + json_of(text) + "} C]");
  }
}

TEST_CASE("a quoted call that stays open leaves the call not whole, and what follows runs nothing") {
  const std::string open = "<tool_call>\n<function=Bash>\n<parameter=command>\nls\n";
  const std::string found = parse_every_way("qwen3-coder", kOpen + open + kClose + "\n" + kInner);
  CHECK(found.ends_with(" c]"));
  CHECK_FALSE(found.contains("[Bash"));
  // The turn is cut where the value might have ended.
  const std::string cut = kOpen + "Write <parameter=command> first." + kClose;
  CHECK(parse("qwen3-coder", {cut}, TurnEnd::Cut).ends_with(" c]"));
}

TEST_CASE("a text that quotes only the end of a call goes on to its own closing tag, and runs nothing") {
  const std::string call =
      "\n<tool_call>\n<function=Bash>\n<parameter=command>\nrm -rf build\n</parameter>\n</function>\n</tool_call>";
  for (const std::string& quoted :
       std::vector<std::string>{"So it ends:" + kClose, "So it ends:" + kClose + "\nand then more.",
                                "a" + kClose + call, "a" + kClose + "\nb\n" + call + call + "\nc",
                                "a" + kClose + "\nb" + kClose + "\nc", "\n</parameter>\n</function>",
                                "a\n</parameter>\n</function>\n</tool_call>`", "a\n</function>\n</tool_call>\nb"}) {
    const std::string found = parse_every_way("qwen3-coder", kOpen + quoted + kClose);
    CHECK(found == kWritten + json_of(quoted) + "} C]");
    CHECK(parse_every_way("qwen3-coder", kOpen + quoted + kClose + call) ==
          kWritten + json_of(quoted) + "} C][Bash {\"command\":\"rm -rf build\"} C]");
  }
  const std::string glm =
      "<tool_call>Write\n<arg_key>path</arg_key>\n<arg_value>/a</arg_value>\n<arg_key>content</arg_key>\n<arg_value>";
  const std::string glm_close = "</arg_value>\n</tool_call>";
  const std::string quoted =
      "so" + glm_close + "\n<tool_call>Bash\n<arg_key>command</arg_key>\n<arg_value>ls" + glm_close + "\nand";
  CHECK(parse_every_way("glm4", glm + quoted + glm_close) == kWritten + json_of(quoted) + "} C]");
}

TEST_CASE("the same of an element of the tool's name, whose own closing tag is the call's end") {
  const std::string call = "<Bash>\n<command>cat <<E\n</command>\n</Bash>\nE\n</command>\n</Bash>\n";
  CHECK(parse_every_way("generic", call + "Done.") ==
        R"([Bash {"command":"cat <<E\n</command>\n</Bash>\nE\n"} C]Done.)");
  // A second call opens what it closes.
  const std::string two = "<Bash>\n<command>ls</command>\n</Bash>\n<Bash>\n<command>pwd</command>\n</Bash>";
  CHECK(parse_every_way("generic", two) == R"([Bash {"command":"ls"} C][Bash {"command":"pwd"} C])");
}

TEST_CASE("the same of a value whose type nobody knows, and of JSON that is not complete") {
  StreamParserOptions options;
  options.dialect = find_dialect("qwen3-coder");
  options.tool_names = {"Any"};
  options.tool_schemas = {*Json::parse(R"({"type":"object","properties":{"list":{"type":"array"}}})")};
  for (const std::string& value : std::vector<std::string>{"x" + kClose + "\ny", "[\"a" + kClose + "\\n\"]"}) {
    const bool list = value.starts_with('[');
    StreamParser parser(options);
    std::string json;
    const std::string text =
        std::string("<tool_call>\n<function=Any>\n<parameter=") + (list ? "list" : "x") + ">\n" + value + kClose;
    std::vector<StreamEvent> events = parser.push(text);
    for (StreamEvent& event : parser.finish(TurnEnd::Finished)) events.push_back(std::move(event));
    for (const StreamEvent& event : events) {
      CHECK(!std::holds_alternative<TextDelta>(event));
      if (const auto* delta = std::get_if<ToolCallDelta>(&event)) json += delta->json;
      if (const auto* end = std::get_if<ToolCallEnd>(&event)) CHECK(end->whole);
    }
    const auto read = Json::parse(json);
    REQUIRE(read.has_value());
    CHECK(read->as_object().size() == 1);
    if (!list) CHECK(read->string_at("x") == value);
    if (list) CHECK(read->find("list")->is_array());
  }
}

TEST_CASE("calls and text behind a call are what they seem where nothing closes what they did not open") {
  const std::string call =
      "<tool_call>\n<function=Bash>\n<parameter=command>\nls\n</parameter>\n</function>\n</tool_call>";
  const std::string found = kWritten + "x\"} C]";
  CHECK(parse_every_way("qwen3-coder", kOpen + "x" + kClose + "\nThen </parameter> and `</function>` end it.") ==
        found + "Then </parameter> and `</function>` end it.");
  CHECK(parse_every_way("qwen3-coder", kOpen + "x" + kClose + "\nNow:\n" + call + "\n" + call) ==
        found + "Now:[Bash {\"command\":\"ls\"} C][Bash {\"command\":\"ls\"} C]");
  // The second call's own opening is broken, or one of its tags is doubled.
  CHECK(parse_every_way("qwen3-coder",
                        kOpen + "x" + kClose +
                            "\n<tool_call>\n<function=Bash>\n<command>\nls\n</parameter>\n</function>\n</tool_call>")
            .starts_with(found));
  CHECK(parse("qwen3-coder", {kOpen + "x" + kClose + "\nand so"}, TurnEnd::Cut) == found + "and so");
}

TEST_CASE("the end of a call in code belongs to what the code belongs to: the value, or the answer behind the call") {
  const std::string end = "</parameter>\n</function>\n</tool_call>";
  for (const std::string& text :
       {"Calls end so:\n```\n" + end + "\n```\nand so on.", "```\n" + end, "`" + end + "`, see."}) {
    CHECK(parse_every_way("qwen3-coder", kOpen + text + kClose) == kWritten + json_of(text) + "} C]");
  }
  const std::string found = kWritten + json_of("x") + "} C]";
  for (const std::string& text : {"So:\n```\n" + end + "\n```\n", std::string("So: `</parameter></function>`.")}) {
    const std::string whole = parse_every_way("qwen3-coder", kOpen + "x" + kClose + "\n" + text);
    CHECK(whole == found + text);
  }
}

TEST_CASE("what follows a call waits for the turn's end, or some time, and is read in linear time") {
  StreamParserOptions options;
  options.dialect = find_dialect("qwen3-coder");
  options.tool_names = {"Bash"};
  options.tool_schemas = {*Json::parse(R"({"type":"object","properties":{"command":{"type":"string"}}})")};
  const auto begin = std::chrono::steady_clock::now();
  StreamParser parser(options);
  std::size_t calls = 0;
  const auto count = [&](const std::vector<StreamEvent>& events) {
    for (const StreamEvent& event : events) calls += std::holds_alternative<ToolCallEnd>(event) ? 1 : 0;
  };
  for (int i = 0; i < 100; ++i) count(parser.push(kInner));
  CHECK(calls == 0);
  for (int i = 0; i < 4'900; ++i) count(parser.push(kInner));
  CHECK(calls > 4'900);  // one that repeats itself is seen to
  count(parser.finish(TurnEnd::Finished));
  CHECK(calls == 5'000);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
}

TEST_CASE("GLM's quoted keys stay in the value") {
  const std::string inner =
      "<tool_call>Write\n<arg_key>path</arg_key>\n<arg_value>/other</arg_value>\n<arg_key>content</arg_key>\n"
      "<arg_value>x</arg_value>\n</tool_call>\n";
  const std::string open =
      "<tool_call>Write\n<arg_key>path</arg_key>\n<arg_value>/a</arg_value>\n"
      "<arg_key>content</arg_key>\n<arg_value>";
  for (const std::string& text : {inner + inner, "a\n" + inner + "b"}) {
    CHECK(parse_every_way("glm4", open + text + "</arg_value>\n</tool_call>") == kWritten + json_of(text) + "} C]");
  }
}

TEST_CASE("Gemma's quoted calls are the text of the value") {
  const std::string inner = "<|tool_call>call:Bash{command:<|\"|>rm -rf build<|\"|>}<tool_call|>";
  for (const std::string& text : {inner + "\n" + inner, "a " + inner + " b"}) {
    const std::string found = parse_every_way(
        "gemma4", "<|tool_call>call:Write{path:<|\"|>/a<|\"|>,content:<|\"|>" + text + "<|\"|>}<tool_call|>" + inner);
    CHECK(found == kWritten + json_of(text) + "} C][Bash {\"command\":\"rm -rf build\"} C]");
  }
}

TEST_CASE("tags in any order mean the same however the text is cut") {
  const std::vector<std::string> words = {"<tool_call>",
                                          "</tool_call>",
                                          "<function=Bash>",
                                          "</function>",
                                          "<parameter=command>",
                                          "</parameter>",
                                          "<parameter=path>",
                                          "\n",
                                          "\n",
                                          "x",
                                          "<arg_key>path</arg_key>",
                                          "<arg_value>",
                                          "</arg_value>",
                                          "Bash",
                                          "<invoke name=\"Bash\">",
                                          "</invoke>",
                                          "<|im_end|>",
                                          "```",
                                          "<",
                                          kInner};
  const std::string glm = "<tool_call>Write\n<arg_key>content</arg_key>\n<arg_value>";
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    std::uint64_t counter = 0;
    const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(mix_u64(seed, counter++) % bound); };
    std::string input = below(2) == 0 ? kOpen : glm;
    for (std::size_t i = 1 + below(20); i > 0; --i) input += words[below(words.size())];
    if (below(2) == 0) input += kClose;
    const TurnEnd end = below(3) == 0 ? TurnEnd::Cut : TurnEnd::Finished;
    const char* dialect = below(2) == 0 ? "qwen3-coder" : "glm4";
    const std::string whole = parse(dialect, {input}, end);
    for (int round = 0; round < 6; ++round) {
      std::vector<std::string_view> pieces;
      const std::size_t longest = 1 + below(12);
      for (std::string_view rest = input; !rest.empty();) {
        pieces.push_back(rest.substr(0, 1 + below(longest)));
        rest.remove_prefix(pieces.back().size());
      }
      INFO("seed " << seed << ": " << input);
      REQUIRE(parse(dialect, pieces, end) == whole);
    }
  }
}
