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
