// Each rule of the canonicalizer, alone.
#include "chat/canonicalizer.h"

#include <doctest/doctest.h>

#include "chat/signature.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

Message says(Role role, const char* text) { return {role, {TextBlock{text}}}; }
const std::string& text_of(const Block& block) { return std::get<TextBlock>(block).text; }
const ToolResultBlock& result_of(const Block& block) { return std::get<ToolResultBlock>(block); }
ToolUseBlock call(const char* id) { return {.id = id, .name = "Read", .input = Json::object(), .raw_input = ""}; }
CanonicalRules without(const char* name) {
  CanonicalRules rules;
  rules.switch_off(*rule_named(name));
  return rules;
}

}  // namespace

TEST_CASE("the attribution block leaves the system text and system messages") {
  Conversation c;
  c.system = {{"x-anthropic-billing-header: cc_version=1.2.abc;"}, {"You are."}};
  c.messages = {says(Role::User, "Hi"),
                {Role::System, {TextBlock{"x-anthropic-billing-header: a"}, TextBlock{"Environment"}}}};
  c = canonicalize(c);
  REQUIRE(c.system.size() == 1);
  CHECK(c.system[0].text == "You are.");
  REQUIRE(c.messages.size() == 2);
  REQUIRE(c.messages[1].blocks.size() == 1);
  CHECK(text_of(c.messages[1].blocks[0]) == "Environment");
}

TEST_CASE("a user who writes of the attribution header keeps the words") {
  Conversation c;
  c.messages = {says(Role::User, "x-anthropic-billing-header: what is it?")};
  CHECK(text_of(canonicalize(c).messages[0].blocks[0]) == "x-anthropic-billing-header: what is it?");
}

TEST_CASE("blank text blocks go, others stay apart and as they are") {
  Conversation c;
  c.system = {{" \n"}, {"S"}};
  c.messages = {{Role::User, {TextBlock{" a "}, TextBlock{"\n\t "}, TextBlock{""}, TextBlock{"b\n"}}}};
  c = canonicalize(c);
  CHECK(c.system.size() == 1);
  REQUIRE(c.messages[0].blocks.size() == 2);
  CHECK(text_of(c.messages[0].blocks[0]) == " a ");
  CHECK(text_of(c.messages[0].blocks[1]) == "b\n");
}

TEST_CASE("an empty message goes and its neighbours of one role become one") {
  Conversation c;
  c.messages = {says(Role::User, "a"), says(Role::Assistant, " "), says(Role::User, "b"), says(Role::Assistant, "c"),
                says(Role::User, "d")};
  c = canonicalize(c);
  REQUIRE(c.messages.size() == 3);
  REQUIRE(c.messages[0].blocks.size() == 2);
  CHECK(text_of(c.messages[0].blocks[1]) == "b");
  CHECK(c.messages[1].role == Role::Assistant);
}

TEST_CASE("messages of one role that came so stay apart") {
  Conversation c;
  c.messages = {says(Role::User, "a"), says(Role::User, "b")};
  CHECK(canonicalize(c).messages.size() == 2);
}

TEST_CASE("a last user message that says nothing does not turn the answer before it into a prefill") {
  Conversation c;
  c.messages = {says(Role::User, "a"), says(Role::Assistant, "b"), says(Role::User, "  ")};
  c = canonicalize(c);
  REQUIRE(c.messages.size() == 3);
  CHECK(c.messages.back().role == Role::User);
}

TEST_CASE("results of parallel calls stand in the order of the calls, before the user's words") {
  Conversation c;
  c.messages = {{Role::Assistant, {call("a"), call("b"), call("c")}},
                {Role::User,
                 {ToolResultBlock{"c", "3", {}, false}, TextBlock{"note"}, ToolResultBlock{"x", "?", {}, false},
                  ToolResultBlock{"a", "1", {}, false}, ToolResultBlock{"b", "2", {}, false}}}};
  const std::vector<Block> blocks = canonicalize(c).messages[1].blocks;
  REQUIRE(blocks.size() == 5);
  CHECK(result_of(blocks[0]).text == "1");
  CHECK(result_of(blocks[1]).text == "2");
  CHECK(result_of(blocks[2]).text == "3");
  CHECK(result_of(blocks[3]).text == "?");
  CHECK(text_of(blocks[4]) == "note");
}

TEST_CASE("a deferred tool is defined in the first result that names it, and only named later") {
  Conversation c;
  c.tools = {{"Fetch", "Gets a page", Json::object({{"type", "object"}}), true},
             {"Read", "Reads", Json::object(), false}};
  c.messages = {{Role::User, {ToolResultBlock{"a", "", {"Fetch", "Read", "Gone"}, false}}},
                {Role::User, {ToolResultBlock{"b", "found", {"Fetch"}, false}}}};
  c = canonicalize(c);
  CHECK(result_of(c.messages[0].blocks[0]).text ==
        "You can call these tools now:\n"
        R"({"type":"function","function":{"name":"Fetch","description":"Gets a page","parameters":{"type":"object"}}})"
        "\nRead\nGone");
  CHECK(result_of(c.messages[1].blocks[0]).text == "found\nYou can call these tools now:\nFetch");
  CHECK(c.tools.size() == 2);
}

TEST_CASE("raw tool input stays as the model wrote it") {
  Conversation c;
  ToolUseBlock broken = call("a");
  broken.raw_input = "{\"path\": ";
  c.messages = {{Role::Assistant, {broken}}, says(Role::User, "x")};
  CHECK(std::get<ToolUseBlock>(canonicalize(c).messages[0].blocks[0]).raw_input == "{\"path\": ");
}

TEST_CASE("off, a call that was no JSON is shown as the client wrapped it") {
  Conversation c;
  ToolUseBlock broken = call("a");
  broken.raw_input = "{\"path\": ";
  c.messages = {{Role::Assistant, {broken}}, says(Role::User, "x")};
  const auto kept = std::get<ToolUseBlock>(canonicalize(c, without("unparsed-input")).messages[0].blocks[0]);
  CHECK(kept.raw_input.empty());
  CHECK(kept.input.dump() == R"({"__unparsedToolInput":{"raw":"{\"path\": ","len":9}})");
}

TEST_CASE("counts of tokens left go, in the system text and beside the user's words") {
  const char* count = "<system-reminder>\nToken usage: 5/10; 5 remaining\n</system-reminder>";
  Conversation c;
  c.system = {{"<total_tokens>7 tokens left</total_tokens>"}, {"You are."}};
  c.messages = {{Role::User, {TextBlock{"Hi"}, TextBlock{count}}}, says(Role::Assistant, count)};
  const Conversation steady = canonicalize(c);
  CHECK(steady.system.size() == 1);
  CHECK(steady.messages[0].blocks.size() == 1);
  CHECK(steady.messages.size() == 2);  // what the model said stays
  const Conversation raw = canonicalize(c, without("token-budget"));
  CHECK(raw.system.size() == 2);
  CHECK(raw.messages[0].blocks.size() == 2);
}

TEST_CASE("system messages stay in place; off, their text goes to the head") {
  Conversation c;
  c.system = {{"Head"}};
  c.messages = {says(Role::User, "a"), says(Role::System, "late"), says(Role::User, "b")};
  CHECK(canonicalize(c).messages.size() == 3);
  const Conversation moved = canonicalize(c, without("system-in-place"));
  REQUIRE(moved.system.size() == 2);
  CHECK(moved.system[1].text == "late");
  CHECK(moved.messages.size() == 1);
}

TEST_CASE("thoughts that the client no longer wants go, by turns") {
  const auto thinks = [](const char* text) { return Message{Role::Assistant, {ThinkingBlock{text, "s"}, call("a")}}; };
  const auto result = [] { return Message{Role::User, {ToolResultBlock{"a", "r", {}, false}}}; };
  Conversation c;
  c.messages = {says(Role::User, "1"),
                thinks("A"),
                result(),
                thinks("B"),
                says(Role::User, "2"),
                thinks("C"),
                says(Role::User, "3"),
                says(Role::Assistant, "no thought"),
                says(Role::User, "4"),
                thinks("D"),
                result()};
  const auto thoughts = [&](std::uint32_t kept, const CanonicalRules& rules = {}) {
    c.thinking_turns_kept = kept;
    std::string all;
    for (const Message& message : canonicalize(c, rules).messages)
      for (const Block& block : message.blocks)
        if (const auto* thought = std::get_if<ThinkingBlock>(&block)) all += thought->text;
    return all;
  };
  CHECK(thoughts(kAllTurns) == "ABCD");
  CHECK(thoughts(1) == "D");
  CHECK(thoughts(2) == "CD");
  CHECK(thoughts(3) == "ABCD");
  CHECK(thoughts(1, without("client-thinking")) == "ABCD");
}

TEST_CASE("a tool that a message adds is defined there, once, and one that goes is named") {
  const auto added = [](const char* name) {
    return Message{Role::System, {ToolChangeBlock{ToolChangeBlock::Change::Added, name, nullptr}}};
  };
  Conversation c;
  c.tools = {{"Fetch", "Gets", Json::object({{"type", "object"}}), true}, {"Read", "Reads", Json::object(), false}};
  c.messages = {added("Fetch"),
                added("Fetch"),
                added("Read"),
                {Role::System, {ToolChangeBlock{ToolChangeBlock::Change::Removed, "Fetch", nullptr}}}};
  const Conversation steady = canonicalize(c);
  CHECK(text_of(steady.messages[0].blocks[0]).starts_with("You can call this tool now:\n{\"type\":\"function\""));
  CHECK(text_of(steady.messages[1].blocks[0]) == "You can call this tool now:\nFetch");
  CHECK(text_of(steady.messages[2].blocks[0]) == "You can call this tool now:\nRead");
  CHECK(text_of(steady.messages[3].blocks[0]) == "You can no longer call this tool:\nFetch");
  const Conversation raw = canonicalize(c, without("tool-changes"));
  CHECK(text_of(raw.messages[0].blocks[0]) == "Tool now available: Fetch");
}

TEST_CASE("off, deferred tools stand in the head and references only name them") {
  Conversation c;
  c.tools = {{"Fetch", "Gets", Json::object(), true}};
  c.messages = {{Role::User, {ToolResultBlock{"a", "", {"Fetch"}, false}}}};
  c = canonicalize(c, without("deferred-tools"));
  CHECK_FALSE(c.tools[0].deferred);
  CHECK(result_of(c.messages[0].blocks[0]).text == "You can call these tools now:\nFetch");
}

TEST_CASE("a request with only tools that this server cannot run says so to the model") {
  Conversation c;
  c.absent_tools = {"web_search"};
  c.messages = {says(Role::User, "x")};
  const Conversation told = canonicalize(c);
  REQUIRE(told.system.size() == 1);
  CHECK(told.system[0].text.contains("web_search"));
  CHECK(canonicalize(c, without("server-tools")).system.empty());
  c.tools = {{"Read", "Reads", Json::object(), false}};
  CHECK(canonicalize(c).system.empty());
}

TEST_CASE("each rule that is switched off leaves its matter as it came") {
  Conversation c;
  c.system = {{"x-anthropic-billing-header: a"}, {" "}};
  c.messages = {{Role::Assistant, {call("a"), call("b")}},
                {Role::User, {ToolResultBlock{"b", "2", {}, false}, ToolResultBlock{"a", "1", {}, false}}},
                says(Role::System, " ")};
  CHECK(canonicalize(c).system.empty());
  CHECK(canonicalize(c, without("billing-header")).system.size() == 1);
  CHECK(canonicalize(c, without("blank-text")).system.size() == 1);
  CHECK(canonicalize(c, without("blank-text")).messages.size() == 3);
  CHECK(result_of(canonicalize(c, without("result-order")).messages[1].blocks[0]).text == "2");
}

TEST_CASE("what changed is counted by the rules' names") {
  Conversation c;
  c.system = {{"x-anthropic-billing-header: a"}, {" "}, {"\n"}};
  c.messages = {says(Role::User, "a")};
  CanonicalCounts counts;
  static_cast<void>(canonicalize(c, {}, &counts));
  CHECK(counts.text() == "billing-header 1, blank-text 2");
  CHECK(counts.of(CanonicalRule::BlankText) == 2);
}

TEST_CASE("every rule has a name and is found by it") {
  for (std::size_t i = 0; i < kCanonicalRuleCount; ++i) {
    const auto rule = static_cast<CanonicalRule>(i);
    CHECK(rule_named(rule_name(rule)) == rule);
    CHECK(rule_names().contains(rule_name(rule)));
  }
  CHECK_FALSE(rule_named("nonsense"));
  CHECK(CanonicalRules().all_on());
  CHECK(without("call-ids").names_off() == "call-ids");
}

TEST_CASE("messages know their place in the request") {
  Conversation c;
  c.messages = {says(Role::User, " "), says(Role::User, "a"), says(Role::Assistant, "b"), says(Role::User, "c")};
  const Conversation steady = canonicalize(c);
  REQUIRE(steady.messages.size() == 3);
  CHECK(steady.messages[0].number == 1);
  CHECK(steady.messages[2].number == 3);
}

TEST_CASE("canonical form is a fixed point") {
  Conversation c;
  c.tools = {{"Fetch", "Gets", Json::object(), true}};
  c.messages = {says(Role::User, "a"),
                says(Role::Assistant, ""),
                {Role::User, {TextBlock{"t"}, ToolResultBlock{"a", "", {"Fetch"}, false}}}};
  const Conversation once = canonicalize(c);
  const Conversation twice = canonicalize(once);
  REQUIRE(once.messages.size() == twice.messages.size());
  CHECK(result_of(once.messages[0].blocks[0]).text == result_of(twice.messages[0].blocks[0]).text);
}

TEST_CASE("signatures are never empty and never repeat") {
  CHECK(make_signature().size() > 20);
  CHECK(make_signature() != make_signature());
}
