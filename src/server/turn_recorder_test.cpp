// What was sampled comes back: the prompt of the next turn holds the tokens of the last one, whatever the client made of
// it, and a turn that is not the one we sent is rendered as it is.
#include "server/turn_recorder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/test_hall.h"

namespace hearth::server {
namespace {

// As test_hall's, and it writes calls and thoughts.
constexpr const char* kCallingTemplate =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.reasoning_content %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}{{ m.content }}"
    "{% for c in m.tool_calls or [] %}<tool_call>\n{\"name\": \"{{ c.function.name }}\", \"arguments\": "
    "{{ c.function.arguments | tojson }}}\n</tool_call>{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

link::Hello calling_hello() {
  auto hello = test_hello();
  hello.chat_template = kCallingTemplate;
  hello.special_texts = {"<|im_start|>", "<|im_end|>", "</tool_call>", "<tool_call>", "</think>", "<think>"};
  return hello;
}

const std::string kTools =
    R"(,"thinking":{"type":"enabled","budget_tokens":1024},"tools":[{"name":"Edit","input_schema":{"type":"object",)"
    R"("properties":{"file":{"type":"string"},"all":{"type":"boolean","default":false}}}}])";
const std::string kAsk = R"({"role":"user","content":"edit it"})";

struct Conversation {
  TestHall t{{}, calling_hello()};

  // One request of these messages; the engine samples the pieces, each of them a token with the number given.
  Json ask(const std::string& messages, const std::vector<std::pair<link::Token, std::string>>& pieces,
           link::EndReason reason = link::EndReason::EndOfTurn, const std::string& more = kTools) {
    const auto exchange =
        t.ask("POST", "/v1/messages", R"({"model":"m","max_tokens":99,"messages":[)" + messages + "]" + more + "}");
    t.engine.start(0);
    for (const auto& [token, piece] : pieces) t.engine.listener->on_tokens({{.token = token, .piece = piece}});
    exchange->run();
    t.end(*exchange, reason);
    auto body = Json::parse(exchange->sent);
    REQUIRE(body);
    return *body;
  }
  // Tokens over 127 are no character of a rendered prompt: only sampled ones.
  [[nodiscard]] std::vector<link::Token> sampled_in_prompt() const {
    std::vector<link::Token> found;
    std::ranges::copy_if(t.engine.job.prompt, std::back_inserter(found), [](link::Token token) { return token > 127; });
    return found;
  }
  [[nodiscard]] std::string prompt_before(link::Token token) const {
    std::string text;
    for (const link::Token one : t.engine.job.prompt) {
      if (one == token) break;
      text.push_back(static_cast<char>(one));
    }
    return text;
  }
};

const std::vector<std::pair<link::Token, std::string>> kCall = {
    {1001, "<think>\nI edit.\n</think>\n\n"},
    {1002, "<tool_call>\n{\"name\": \"Edit\", \"arguments\": {\"file\":   \"a\"}}"},
    {1003, "\n</tool_call>"}};
const std::vector<link::Token> kCallTokens = {1001, 1002, 1003};

std::string replayed(Json message, const std::string& input) {
  Json content = Json::array();
  for (Json block : message.find("content")->as_array()) {
    if (block.string_at("type") == "tool_use") block.set("input", *Json::parse(input));
    content.push(std::move(block));
  }
  const std::string id = message.find("content")->as_array().back().string_at("id");
  return kAsk + "," + Json::object({{"role", "assistant"}, {"content", content}}).dump() +
         R"(,{"role":"user","content":[{"type":"tool_result","tool_use_id":")" + id + R"(","content":"done"}]})";
}

}  // namespace

TEST_CASE("a call that came back with other spaces and a default stands in the prompt as it was sampled") {
  Conversation c;
  const Json message = c.ask(kAsk, kCall);
  const std::string first(c.t.engine.job.prompt.begin(), c.t.engine.job.prompt.end());
  static_cast<void>(c.ask(replayed(message, R"({"all":false,"file":"a"})"), {{1004, "Done."}}));
  CHECK(c.sampled_in_prompt() == kCallTokens);
  CHECK(c.prompt_before(1001) == first);
}

TEST_CASE("a call that came back with another input is rendered as it is now") {
  Conversation c;
  const Json message = c.ask(kAsk, kCall);
  static_cast<void>(c.ask(replayed(message, R"({"file":"b"})"), {{1004, "Done."}}));
  CHECK(c.sampled_in_prompt().empty());
  CHECK(c.t.engine.prompt_text.contains(R"("arguments": {"file": "b"})"));
}

TEST_CASE("a turn of nothing but text is found by what was said before it") {
  Conversation c;
  static_cast<void>(c.ask(kAsk, {{1001, "Fi"}, {1002, "ne."}}));
  const std::string answer = R"({"role":"assistant","content":"Fine."},{"role":"user","content":"more"})";
  static_cast<void>(c.ask(kAsk + "," + answer, {{1003, "x"}}));
  CHECK(c.sampled_in_prompt() == std::vector<link::Token>{1001, 1002});
  static_cast<void>(c.ask(R"({"role":"user","content":"other"},)" + answer, {{1003, "x"}}));
  CHECK(c.sampled_in_prompt().empty());
}

TEST_CASE("count_tokens counts a remembered turn as it was sampled") {
  Conversation c;
  const Json message = c.ask(kAsk, kCall);
  const std::string messages = replayed(message, R"({"file":"a"})");
  const auto counted =
      c.t.ask("POST", "/v1/messages/count_tokens", R"({"model":"m","messages":[)" + messages + "]" + kTools + "}");
  const Json next = c.ask(messages, {{1004, "Done."}});
  CHECK(Json::parse(counted->sent)->find("input_tokens")->as_integer() ==
        next.find("usage")->find("input_tokens")->as_integer());
  CHECK(c.sampled_in_prompt() == kCallTokens);
}

TEST_CASE("what is more than what was sent is not remembered: cut turns, stop sequences, broken calls, begun answers") {
  const std::string next = R"(,{"role":"assistant","content":"Fine."},{"role":"user","content":"more"})";
  Conversation cut;
  static_cast<void>(cut.ask(kAsk, {{1001, "Fine."}}, link::EndReason::TokensMax));
  static_cast<void>(cut.ask(kAsk + next, {{1003, "x"}}));
  CHECK(cut.sampled_in_prompt().empty());

  Conversation stopped;
  static_cast<void>(
      stopped.ask(kAsk, {{1001, "Fine."}, {1002, "END"}}, link::EndReason::Cancelled, R"(,"stop_sequences":["END"])"));
  static_cast<void>(stopped.ask(kAsk + next, {{1003, "x"}}));
  CHECK(stopped.sampled_in_prompt().empty());

  Conversation broken;
  const Json message = broken.ask(
      kAsk, {{1001, "<tool_call>\n{\"name\": \"Edit\", \"arguments\": {\"file\": "}, {1002, "\n</tool_call>"}});
  CHECK(broken.t.hall.models().all().front()->turns->turn_count() == 0);

  Conversation begun;
  static_cast<void>(begun.ask(kAsk + R"(,{"role":"assistant","content":"Fi"})", {{1001, "ne."}}));
  CHECK(begun.t.hall.models().all().front()->turns->turn_count() == 0);
}

TEST_CASE("a message as it was sent is read block by block") {
  const auto message = message_as_sent(
      *Json::parse(R"({"content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"text","text":"a"},)"
                   R"({"type":"tool_use","id":"t1","name":"Edit","input":{"file":"x"}}]})"));
  REQUIRE(message.blocks.size() == 3);
  CHECK(std::get<chat::ThinkingBlock>(message.blocks[0]).signature == "s");
  CHECK(std::get<chat::TextBlock>(message.blocks[1]).text == "a");
  CHECK(std::get<chat::ToolUseBlock>(message.blocks[2]).input.string_at("file") == "x");
  CHECK(message_as_sent(Json()).blocks.empty());
}

}  // namespace hearth::server
