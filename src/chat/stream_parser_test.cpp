// Golden cases of the Qwen dialect: model text in, events out. Every case runs whole, character by character, and cut at
// every place, and must give the same events each time.
#include "chat/stream_parser.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "chat/tool_call_scanner.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

enum class Opened { No, Yes };

struct Case {
  const char* name;
  const char* input;
  const char* expected;  // T(thinking) X(text) C(name json) whole, c(name json) not whole
  Opened opened = Opened::No;
  TurnEnd ended = TurnEnd::Finished;
};
constexpr auto kCut = TurnEnd::Cut;

StreamParserOptions options_for(Opened opened) {
  StreamParserOptions options;
  options.thinking_opened = opened == Opened::Yes;
  options.tool_names = {"Read", "Bash", "Write"};
  options.tool_schemas.push_back(*Json::parse(
      R"({"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer"},"deep":{"type":"boolean"}}})"));
  options.tool_schemas.push_back(
      *Json::parse(R"({"type":"object","properties":{"command":{"type":["string","null"]},"env":{"type":"object"}}})"));
  return options;
}

// Joins fragments and writes events in the notation of the cases.
class Notation {
 public:
  void add(const std::vector<StreamEvent>& events) {
    for (const StreamEvent& event : events) std::visit([this](const auto& e) { add(e); }, event);
  }
  std::string text() {
    close();
    return text_;
  }

 private:
  void add(const ThinkingDelta& e) { grow('T', e.text); }
  void add(const TextDelta& e) { grow('X', e.text); }
  void add(const ToolCallBegin& e) {
    close();
    kind_ = 'C';
    name_ = e.name;
  }
  void add(const ToolCallDelta& e) {
    CHECK(kind_ == 'C');
    body_ += e.json;
  }
  void add(const ToolCallEnd& e) {
    CHECK(kind_ == 'C');
    if (e.whole) {
      const Result<Json> arguments = Json::parse(body_);
      CHECK_MESSAGE(arguments.has_value(), body_);
      if (arguments) CHECK(arguments->is_object());
    }
    text_ += (e.whole ? "C(" : "c(") + name_ + " " + body_ + ")";
    kind_ = 0;
    body_.clear();
  }
  void grow(char kind, const std::string& text) {
    CHECK_FALSE(text.empty());
    CHECK(kind_ != 'C');
    if (kind_ != kind) close();
    kind_ = kind;
    body_ += text;
  }
  void close() {
    CHECK(kind_ != 'C');
    if (kind_ != 0) text_ += std::string(1, kind_) + "(" + body_ + ")";
    kind_ = 0;
    body_.clear();
  }

  char kind_ = 0;
  std::string name_, body_, text_;
};

bool is_character_start(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

// `cuts[i]`: the text is cut before byte i.
std::string parse(std::string_view input, Opened opened, TurnEnd ended, const std::vector<bool>& cuts) {
  StreamParser parser(options_for(opened));
  Notation notation;
  std::size_t begin = 0;
  for (std::size_t i = 1; i < input.size(); ++i) {
    if (!cuts[i] || !is_character_start(input[i])) continue;
    notation.add(parser.push(input.substr(begin, i - begin)));
    begin = i;
  }
  notation.add(parser.push(input.substr(begin)));
  notation.add(parser.finish(ended));
  return notation.text();
}

void check_every_cut(std::string_view input, std::string_view expected, Opened opened, TurnEnd ended) {
  std::vector<bool> cuts(input.size() + 1, false);
  CHECK(parse(input, opened, ended, cuts) == expected);
  cuts.assign(input.size() + 1, true);
  CHECK(parse(input, opened, ended, cuts) == expected);
  for (std::size_t i = 1; i < input.size(); ++i) {
    cuts.assign(input.size() + 1, false);
    cuts[i] = true;
    const std::string found = parse(input, opened, ended, cuts);
    CHECK_MESSAGE(found == expected, "cut at " << i);
    if (found != expected) return;
  }
}

const Case kCases[] = {
    {"empty", "", ""},
    {"text", "Hello.", "X(Hello.)"},
    {"text with leading space", " 42", "X( 42)"},
    {"text with trailing newline", "Hello\n", "X(Hello\n)"},
    {"only white space is nothing", " \n\n ", ""},
    {"unicode", "Grüße, 世界 🌍!", "X(Grüße, 世界 🌍!)"},
    {"angle brackets", "a < b && c > d <x> </y>", "X(a < b && c > d <x> </y>)"},
    {"ends in a bracket", "a <", "X(a <)"},
    {"ends in half a tag", "see <tool_ca", "X(see <tool_ca)"},
    {"ends in a whole tag", "see <tool_call>", "X(see <tool_call>)"},
    {"ends in a tag and space", "see <tool_call>\n", "X(see <tool_call>\n)"},
    {"tag in prose", "Write <tool_call> first.", "X(Write <tool_call> first.)"},
    {"closing tag in prose", "Then </tool_call> ends it.", "X(Then </tool_call> ends it.)"},
    {"tag in backticks", "Use `<tool_call>` now", "X(Use `<tool_call>` now)"},
    {"two tags then a call", "<tool_call><tool_call>\n{\"name\": \"Read\", \"arguments\": {}}\n</tool_call>",
     "C(Read {})"},
    // Thoughts.
    {"thought then text", "<think>\nhm\n</think>\n\nHi", "T(hm)X(Hi)"},
    {"thought after white space", "\n<think>hm</think>Hi", "T(hm)X(Hi)"},
    {"opened thought", "hm\n</think>\n\nHi", "T(hm)X(Hi)", Opened::Yes},
    {"opened thought opened again", "<think>\nhm\n</think>\n\nHi", "T(hm)X(Hi)", Opened::Yes},
    {"empty thought", "<think>\n\n</think>\n\nHi", "X(Hi)"},
    {"empty opened thought", "\n</think>\n\nHi", "X(Hi)", Opened::Yes},
    {"thought without text", "<think>hm</think>", "T(hm)"},
    {"thought without text, with space", "<think>hm</think>\n\n", "T(hm)"},
    {"thought never closed", "<think>hm, well", "T(hm, well)"},
    {"opened thought never closed", "hm, well\n", "T(hm, well\n)", Opened::Yes},
    {"thought cut in its closing tag", "<think>hm</thi", "T(hm</thi)"},
    {"thought keeps inner white space", "<think>a\n\n b </x> c\n</think>d", "T(a\n\n b </x> c)X(d)"},
    {"brackets in a thought", "<think>a < b <think> c</think>d", "T(a < b <think> c)X(d)"},
    {"a call in a thought is none",
     "<think><tool_call>\n{\"name\": \"Read\", \"arguments\": {}}\n</tool_call></think>ok",
     "T(<tool_call>\n{\"name\": \"Read\", \"arguments\": {}}\n</tool_call>)X(ok)"},
    {"an opened thought holds it all", "<tool_call>\n{\"name\"", "T(<tool_call>\n{\"name\")", Opened::Yes},
    {"think tag in mid text is text", "Hi <think>no</think> there", "X(Hi <think>no</think> there)"},
    {"a thought right after a thought", "<think>a</think><think>b</think>", "T(a\n\nb)"},
    {"closing think tag alone is nothing", "</think>Hi", "X(Hi)"},
    {"half a think tag at the start", "<thin", "X(<thin)"},
    {"thinker is no think tag", "<thinker>x", "X(<thinker>x)"},
    {"thought again after a call", "<tool_call>{\"name\":\"Read\",\"arguments\":{}}</tool_call>\n<think>b</think>c",
     "C(Read {})T(b)X(c)"},
    // Calls.
    {"call", "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"path\": \"/a\"}}\n</tool_call>",
     "C(Read {\"path\": \"/a\"})"},
    {"thought, text, call",
     "<think>t</think>\n\nI read.\n\n<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"p\": 1}}\n</tool_call>\n",
     "T(t)X(I read.)C(Read {\"p\": 1})"},
    {"thought then call", "t</think>\n\n<tool_call>\n{\"name\": \"Read\", \"arguments\": {}}\n</tool_call>",
     "T(t)C(Read {})", Opened::Yes},
    {"two calls",
     "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"a\": 1}}\n</tool_call>\n<tool_call>\n{\"name\": \"Bash\", "
     "\"arguments\": {\"b\": [2]}}\n</tool_call>",
     "C(Read {\"a\": 1})C(Bash {\"b\": [2]})"},
    {"text between calls",
     "<tool_call>{\"name\":\"Read\",\"arguments\":{}}</tool_call>\nand "
     "now\n<tool_call>{\"name\":\"Bash\",\"arguments\":{}}</tool_call>",
     "C(Read {})X(and now)C(Bash {})"},
    {"text after a call", "<tool_call>{\"name\":\"Read\",\"arguments\":{}}</tool_call>\n\nDone.", "C(Read {})X(Done.)"},
    {"two calls in one tag",
     "<tool_call>\n{\"name\":\"Read\",\"arguments\":{}}\n{\"name\":\"Bash\",\"arguments\":{}}\n</tool_call>",
     "C(Read {})C(Bash {})"},
    {"no white space", "Hi<tool_call>{\"name\":\"Read\",\"arguments\":{}}</tool_call>", "X(Hi)C(Read {})"},
    {"much white space", "<tool_call>  \n\n { \"name\" : \"Read\" , \"arguments\" :  { } } \n </tool_call>",
     "C(Read { })"},
    {"arguments first", "<tool_call>{\"arguments\": {\"path\": \"/a\"}, \"name\": \"Read\"}</tool_call>",
     "C(Read {\"path\": \"/a\"})"},
    {"parameters for arguments", "<tool_call>{\"name\": \"Read\", \"parameters\": {\"path\": \"/a\"}}</tool_call>",
     "C(Read {\"path\": \"/a\"})"},
    {"other members before",
     "<tool_call>{\"id\": 7, \"x\": {\"name\": \"no\"}, \"name\": \"Read\", \"arguments\": {}}</tool_call>",
     "C(Read {})"},
    {"other members after",
     "<tool_call>{\"name\": \"Read\", \"arguments\": {}, \"id\": \"c}1\", \"n\": [1, {}]}</tool_call>ok",
     "C(Read {})X(ok)"},
    {"no arguments", "<tool_call>{\"name\": \"Read\"}</tool_call>", "C(Read {})"},
    {"null arguments", "<tool_call>{\"name\": \"Read\", \"arguments\": null}</tool_call>", "C(Read {})"},
    {"arguments as text", "<tool_call>{\"name\": \"Read\", \"arguments\": \"{\\\"path\\\": \\\"/a\\\"}\"}</tool_call>",
     "C(Read {\"path\": \"/a\"})"},
    {"empty text arguments", "<tool_call>{\"name\": \"Read\", \"arguments\": \"\"}</tool_call>", "C(Read {})"},
    {"arguments that are no object", "<tool_call>{\"name\": \"Read\", \"arguments\": [1]}</tool_call>ok",
     "c(Read [1])X(ok)"},
    {"tags in strings are payload",
     "<tool_call>{\"name\": \"Write\", \"arguments\": {\"t\": \"</tool_call> <tool_call>{ </think> ``` "
     "}\"}}</tool_call>",
     "C(Write {\"t\": \"</tool_call> <tool_call>{ </think> ``` }\"})"},
    {"escaped quotes and braces",
     R"(<tool_call>{"name": "Write", "arguments": {"t": "a\"}{\\", "u": {"v": [{}]}}}</tool_call>)",
     R"(C(Write {"t": "a\"}{\\", "u": {"v": [{}]}}))"},
    {"unicode in arguments",
     "<tool_call>{\"name\": \"Write\", \"arguments\": {\"t\": \"Grüße 🌍 \\u00e9\"}}</tool_call>",
     "C(Write {\"t\": \"Grüße 🌍 \\u00e9\"})"},
    {"raw newlines in strings are escaped",
     "<tool_call>{\"name\": \"Write\", \"arguments\": {\"t\": \"a\n\tb\\\nc\"}}</tool_call>",
     "C(Write {\"t\": \"a\\n\\tb\\nc\"})"},
    {"missing outer brace", "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"a\": 1}\n</tool_call>ok",
     "C(Read {\"a\": 1})X(ok)"},
    {"one brace too many", "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"a\": 1}}}\n</tool_call>",
     "C(Read {\"a\": 1})"},
    {"missing inner brace", "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"a\": 1\n</tool_call>ok",
     "C(Read {\"a\": 1})X(ok)"},
    {"missing closing tag", "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"a\": 1}}", "C(Read {\"a\": 1})"},
    {"missing closing tag, then text", "<tool_call>\n{\"name\": \"Read\", \"arguments\": {}}\nDone.",
     "C(Read {})X(Done.)"},
    {"half a closing tag", "<tool_call>\n{\"name\": \"Read\", \"arguments\": {}}\n</tool_", "C(Read {})"},
    {"cut in the arguments", "<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"path\": \"/a",
     "c(Read {\"path\": \"/a)", Opened::No, kCut},
    {"cut before the arguments", "<tool_call>\n{\"name\": \"Read\", \"argu", "c(Read )", Opened::No, kCut},
    {"cut in the name", "Hi\n<tool_call>\n{\"name\": \"Re", "X(Hi)", Opened::No, kCut},
    {"ended in the name", "Hi\n<tool_call>\n{\"name\": \"Re", "X(Hi\n<tool_call>\n{\"name\": \"Re)"},
    {"single quotes are no JSON", "<tool_call>{\"name\": \"Read\", \"arguments\": {'a': 1}}</tool_call>",
     "C(Read {\"a\": 1})"},
    {"trailing comma is no JSON", "<tool_call>{\"name\": \"Read\", \"arguments\": {\"a\": 1,}}</tool_call>",
     "C(Read {\"a\": 1})"},
    {"undeclared tool", "Hi\n<tool_call>\n{\"name\": \"Fly\", \"arguments\": {\"a\": 1}}\n</tool_call>\nok",
     "X(Hi\n<tool_call>\n{\"name\": \"Fly\", \"arguments\": {\"a\": 1}}\n</tool_call>\nok)"},
    {"undeclared tool, arguments first", "<tool_call>{\"arguments\": {\"a\": 1}, \"name\": \"Fly\"}</tool_call>",
     "X(<tool_call>{\"arguments\": {\"a\": 1}, \"name\": \"Fly\"}</tool_call>)"},
    {"undeclared, then declared",
     "<tool_call>{\"name\": \"Fly\", \"arguments\": {}}</tool_call>\n<tool_call>{\"name\": \"Read\", \"arguments\": "
     "{}}</tool_call>",
     "X(<tool_call>{\"name\": \"Fly\", \"arguments\": {}}</tool_call>)C(Read {})"},
    {"name that is no text", "<tool_call>{\"name\": 5, \"arguments\": {}}</tool_call>",
     "X(<tool_call>{\"name\": 5, \"arguments\": {}}</tool_call>)"},
    {"no name", "<tool_call>{\"arguments\": {}}</tool_call>", "X(<tool_call>{\"arguments\": {}}</tool_call>)"},
    {"not JSON at all", "<tool_call>{name: Read}</tool_call>", "X(<tool_call>{name: Read}</tool_call>)"},
    {"array of calls", "<tool_call>[{\"name\": \"Read\"}]</tool_call>", "C(Read {})"},
    // Code fences.
    {"call in a fence", "Like:\n```\n<tool_call>\n{\"name\": \"Read\", \"arguments\": {}}\n</tool_call>\n```\nok",
     "X(Like:\n```\n<tool_call>\n{\"name\": \"Read\", \"arguments\": {}}\n</tool_call>\n```\nok)"},
    {"call after a fence", "```json\n{}\n```\n<tool_call>{\"name\": \"Read\", \"arguments\": {}}</tool_call>",
     "X(```json\n{}\n```)C(Read {})"},
    {"longer fence holds a shorter", "````\n```\n<tool_call>{\"name\": \"Read\"}</tool_call>\n````",
     "X(````\n```\n<tool_call>{\"name\": \"Read\"}</tool_call>\n````)"},
    {"tilde fence", "~~~\n<tool_call>{\"name\": \"Read\"}</tool_call>\n~~~",
     "X(~~~\n<tool_call>{\"name\": \"Read\"}</tool_call>\n~~~)"},
    {"code span is no fence", "```x``` is code\n<tool_call>{\"name\": \"Read\"}</tool_call>",
     "X(```x``` is code)C(Read {})"},
    {"fence closed before the call's line", "```\nls\n```<tool_call>{\"name\": \"Read\"}</tool_call>",
     "X(```\nls\n```)C(Read {})"},
    // The tagged way.
    {"tagged call",
     "<tool_call>\n<function=Read>\n<parameter=path>\n/a "
     "b\n</parameter>\n<parameter=limit>\n5\n</parameter>\n</function>\n</tool_call>",
     "C(Read {\"path\":\"/a b\",\"limit\":5})"},
    {"tagged call without parameters", "ok\n<tool_call>\n<function=Read>\n</function>\n</tool_call>\n",
     "X(ok)C(Read {})"},
    {"tagged text that looks like a number",
     "<tool_call><function=Read><parameter=path>5</parameter></function></tool_call>", "C(Read {\"path\":\"5\"})"},
    {"tagged value of many lines",
     "<tool_call>\n<function=Bash>\n<parameter=command>\n\nif a; "
     "then\n\t\"b\"\nfi\n\n</parameter>\n</function>\n</tool_call>",
     "C(Bash {\"command\":\"\\nif a; then\\n\\t\\\"b\\\"\\nfi\\n\"})"},
    {"tagged value holding tags",
     "<tool_call>\n<function=Bash>\n<parameter=command>\n<a></parameter> x </function> "
     "<b\n</parameter>\n</function>\n</tool_call>",
     "C(Bash {\"command\":\"<a></parameter> x </function> <b\"})"},
    {"tagged object and boolean",
     "<tool_call><function=Bash><parameter=env>{\"A\": "
     "[1]}</parameter></function></tool_call><tool_call><function=Read><parameter=deep>True</parameter></function></"
     "tool_call>",
     "C(Bash {\"env\":{\"A\": [1]}})C(Read {\"deep\":true})"},
    {"tagged without a schema",
     "<tool_call><function=Write><parameter=a>x y</parameter><parameter=b>[1]</parameter></function></tool_call>",
     "C(Write {\"a\":\"x y\",\"b\":[1]})"},
    {"tagged, undeclared", "<tool_call>\n<function=Fly>\n</function>\n</tool_call>",
     "X(<tool_call>\n<function=Fly>\n</function>\n</tool_call>)"},
    {"tagged, cut in a text value", "<tool_call>\n<function=Read>\n<parameter=path>\n/a", "c(Read {\"path\":\"/a)"},
    {"tagged, cut in a number", "<tool_call>\n<function=Read>\n<parameter=limit>\n1", "c(Read {\"limit\":1)"},
    {"tagged, cut between", "<tool_call>\n<function=Read>\n<parameter=path>\n/a\n</parameter>\n",
     "c(Read {\"path\":\"/a\")", Opened::No, kCut},
    {"tagged, cut before anything is certain", "<tool_call>\n<function=Read>\n", "X(<tool_call>\n<function=Read>\n)"},
    {"tagged without outer tag", "ok\n<function=Read>\n<parameter=path>\n/a\n</parameter>\n</function>\n</tool_call>",
     "X(ok)C(Read {\"path\":\"/a\"})"},
    {"tagged without function's end",
     "<tool_call>\n<function=Read>\n<parameter=path>\n/a\n</parameter>\n</tool_call>ok",
     "C(Read {\"path\":\"/a\"})X(ok)"},
    {"tagged, then garbage", "<tool_call>\n<function=Read>\n<parameter=path>\n/a\n</parameter>\n</fun!",
     "c(Read {\"path\":\"/a\\n</parameter>\\n</fun!)"},
    {"tagged mention in prose", "The <function=Read> tag", "X(The <function=Read> tag)"},
};

}  // namespace

TEST_CASE("every golden case gives its events, wherever the text is cut") {
  for (const Case& c : kCases) {
    INFO(std::string(c.name));
    check_every_cut(c.input, c.expected, c.opened, c.ended);
  }
}

TEST_CASE("random model text cut at random places gives the same events as the whole") {
  const std::vector<std::string> words = {"<think>",
                                          "</think>",
                                          "<tool_call>",
                                          "</tool_call>",
                                          "<tool_call>\n{\"name\": \"Read\", \"arguments\": {",
                                          "{\"name\": ",
                                          "\"Read\"",
                                          "\"Fly\"",
                                          ", \"arguments\": ",
                                          "{\"a\": [1, \"",
                                          "\"",
                                          "}",
                                          "}}",
                                          "]",
                                          "\n",
                                          " ",
                                          "\n\n",
                                          "```",
                                          "text",
                                          "<function=Read>",
                                          "<parameter=path>",
                                          "</parameter>",
                                          "</function>",
                                          "<",
                                          "é",
                                          "\\",
                                          ",",
                                          "<parameter=limit>",
                                          "null",
                                          "'"};
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    std::uint64_t counter = 0;
    const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(mix_u64(seed, counter++) % bound); };
    std::string input;
    for (std::size_t i = 1 + below(25); i > 0; --i) input += words[below(words.size())];
    const Opened opened = below(4) == 0 ? Opened::Yes : Opened::No;
    const TurnEnd ended = below(2) == 0 ? TurnEnd::Cut : TurnEnd::Finished;
    const std::string whole = parse(input, opened, ended, std::vector<bool>(input.size() + 1, false));
    for (int round = 0; round < 8; ++round) {
      std::vector<bool> cuts(input.size() + 1);
      const std::size_t density = 1 + below(6);
      for (std::size_t i = 0; i < cuts.size(); ++i) cuts[i] = below(density) == 0;
      const std::string found = parse(input, opened, ended, cuts);
      INFO("seed " << seed << ": " << input);
      REQUIRE(found == whole);
    }
  }
}

TEST_CASE("arguments stream before the call is over") {
  StreamParser parser(options_for(Opened::No));
  std::vector<StreamEvent> events = parser.push("<tool_call>\n{\"name\": \"Read\", \"arguments\": {\"path\": \"/lo");
  REQUIRE(events.size() == 2);
  CHECK(std::get<ToolCallBegin>(events[0]).name == "Read");
  CHECK(std::get<ToolCallDelta>(events[1]).json == "{\"path\": \"/lo");
  events = parser.push("ng\"}");
  REQUIRE(events.size() == 1);
  CHECK(std::get<ToolCallDelta>(events[0]).json == "ng");  // the quote and the brace may be the text's
  events = parser.push("}\n<");
  REQUIRE(events.size() == 2);
  CHECK(std::get<ToolCallDelta>(events[0]).json == "\"}");
  CHECK(std::get<ToolCallEnd>(events[1]).whole);  // the client need not wait for the closing tag
}

TEST_CASE("a tagged text value streams before the call is over") {
  StreamParser parser(options_for(Opened::No));
  const std::vector<StreamEvent> events = parser.push("<tool_call>\n<function=Read>\n<parameter=path>\n/lo");
  REQUIRE(events.size() == 2);
  CHECK(std::get<ToolCallBegin>(events[0]).name == "Read");
  CHECK(std::get<ToolCallDelta>(events[1]).json == "{\"path\":\"/lo");
}

TEST_CASE("plain text is not held back") {
  StreamParser parser(options_for(Opened::No));
  const std::vector<StreamEvent> events = parser.push("Hello, a <b");
  REQUIRE(events.size() == 1);
  CHECK(std::get<TextDelta>(events[0]).text == "Hello, a <b");
}

TEST_CASE("a call that the prompt has begun is read on from there") {
  StreamParser parser(options_for(Opened::No));
  Notation notation;
  notation.add(parser.push("<tool_call>\n{\"name\": \"Read\", \"arguments\":"));
  notation.add(parser.push(" {\"path\": \"/a\"}}\n</tool_call>"));
  notation.add(parser.finish());
  CHECK(notation.text() == "C(Read {\"path\": \"/a\"})");
}

TEST_CASE("texts of one thing repeated are read in linear time, and the same in pieces as whole") {
  const auto repeated = [](std::string_view front, std::string_view one, int count) {
    std::string text(front);
    for (int i = 0; i < count; ++i) text += one;
    return text;
  };
  const auto begin = std::chrono::steady_clock::now();
  const std::string call = "<tool_call>{\"name\": \"Read\", \"arguments\": {}}";
  for (const std::string& input : {repeated("", "<tool_call>\n", 10'000), repeated("a", " \n", 60'000),
                                   repeated("<tool_call>", " \n", 60'000), repeated(call, "}", 60'000)}) {
    const std::string whole = parse(input, Opened::No, TurnEnd::Finished, std::vector<bool>(input.size() + 1, false));
    CHECK(parse(input, Opened::No, TurnEnd::Finished, std::vector<bool>(input.size() + 1, true)) == whole);
  }
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(3));
}

TEST_CASE("what looks like a call over a long text and is none is tried a bounded number of times, however it is cut") {
  const std::string call = R"({"name": "Read", "arguments": {"path": "/a"}})";
  const std::string shown = R"({"name": "Read", "arguments": {"path": ")" + std::string(1100, 'x') + "\"}} says so.\n";
  const auto calls = [&](int shown_count, std::size_t piece_bytes) {
    StreamParserOptions options;
    options.tool_names = {"Read"};
    StreamParser parser(std::move(options));
    std::string text;
    for (int i = 0; i < shown_count; ++i) text += shown;
    text += call;
    int count = 0;
    const auto add = [&](const std::vector<StreamEvent>& events) {
      count += static_cast<int>(std::ranges::count_if(
          events, [](const StreamEvent& event) { return std::holds_alternative<ToolCallBegin>(event); }));
    };
    for (std::size_t at = 0; at < text.size(); at += piece_bytes) add(parser.push(text.substr(at, piece_bytes)));
    add(parser.finish(TurnEnd::Finished));
    return count;
  };
  for (const std::size_t piece_bytes : {1, 7, 1000, 100'000}) {
    CHECK(calls(kLongFailuresMax - 1, piece_bytes) == 1);
    CHECK(calls(kLongFailuresMax, piece_bytes) == 0);
  }
}
