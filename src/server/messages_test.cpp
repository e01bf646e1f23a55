// The path of a message with a fake engine behind it: statuses, headers, order of events, usage, and every way to end.
#include "server/messages.h"

#include <doctest/doctest.h>

#include "server/answer_shape.h"
#include "server/test_hall.h"

namespace hearth::server {
namespace {

const std::string kStream = R"(,"stream":true)";

Json body_of(const FakeExchange& exchange) {
  auto body = Json::parse(exchange.sent);
  return body ? *body : Json();
}
std::string error_type_of(const FakeExchange& exchange) {
  const Json body = body_of(exchange);
  const Json* error = body.find("error");
  return error ? error->string_at("type") : "";
}
std::int64_t count(const Json& usage, std::string_view key) {
  const Json* value = usage.find(key);
  return value && value->is_integer() ? value->as_integer() : 0;  // null counts as nothing
}
std::int64_t prompt_sum(const Json& usage) {
  return count(usage, "input_tokens") + count(usage, "cache_creation_input_tokens") +
         count(usage, "cache_read_input_tokens");
}

}  // namespace

TEST_CASE("a stream begins with its headers, holds message_start until the first token, and ends whole") {
  TestHall t;
  const auto exchange = t.message("hi", kStream);
  CHECK(exchange->status == 200);
  CHECK(exchange->header("content-type").starts_with("text/event-stream"));
  CHECK(exchange->header("request-id").starts_with("req_"));
  CHECK(exchange->sent.empty());
  t.engine.start(0);
  exchange->run();
  CHECK(exchange->sent.empty());
  t.say(*exchange, {"Hel", "lo."});
  t.end(*exchange, link::EndReason::EndOfTurn, 3);
  CHECK(types_of(exchange->sent) ==
        "message_start content_block_start content_block_delta content_block_delta "
        "content_block_stop message_delta message_stop");
  CHECK(delta_text(exchange->sent, "text_delta", "text") == "Hello.");
  const Json last = last_event(exchange->sent, "message_delta");
  CHECK(last.find("delta")->string_at("stop_reason") == "end_turn");
  CHECK(count(*last.find("usage"), "output_tokens") == 3);
  CHECK(exchange->ended);
  CHECK(exchange->answer_count == 1);
  CHECK(t.hall.log().active_count() == 0);
}

TEST_CASE("a request's body is let go once it was read") {
  TestHall t;
  CHECK(t.message("hi", kStream)->request().body.empty());
}

TEST_CASE("a body that surely fits gets its headers before the prompt is tokenised; another waits for the count") {
  auto large = test_hello();
  large.context_tokens = 100'000;
  TestHall sure({}, large);
  sure.engine.hold_tokenize = true;
  CHECK(sure.message("hi", kStream)->streaming);
  TestHall unsure;
  unsure.engine.hold_tokenize = true;
  const auto exchange = unsure.message("hi", kStream);
  CHECK_FALSE(exchange->streaming);
  unsure.engine.held_tokenize();
  exchange->run();
  CHECK(exchange->streaming);
}

TEST_CASE("stream:false answers with one JSON message of the same content") {
  TestHall t;
  const auto exchange = t.message("hi");
  CHECK(exchange->status == 0);
  t.engine.start(0);
  t.say(*exchange, {"<think>\nhm\n</think>\n\n", "Hello."});
  t.end(*exchange, link::EndReason::EndOfTurn);
  CHECK(exchange->status == 200);
  const Json body = body_of(*exchange);
  CHECK(body.string_at("type") == "message");
  CHECK(body.string_at("stop_reason") == "end_turn");
  CHECK(body.string_at("model") == "any");
  REQUIRE(body.find("content")->as_array().size() == 2);
  CHECK(body.find("content")->as_array()[1].string_at("text") == "Hello.");
}

TEST_CASE("count_tokens is exactly what the request is then charged") {
  TestHall t;
  const auto counted =
      t.ask("POST", "/v1/messages/count_tokens", R"({"model":"x","messages":[{"role":"user","content":"hi"}]})");
  CHECK(counted->status == 200);
  for (const char* marks : {"", R"(,"cache_control":{"type":"ephemeral"})"}) {
    const auto exchange = t.message("hi", marks);
    t.engine.start(7);
    t.say(*exchange, {"a"});
    t.end(*exchange, link::EndReason::EndOfTurn);
    const Json message = body_of(*exchange);
    const Json usage = *message.find("usage");
    CHECK(count(body_of(*counted), "input_tokens") == prompt_sum(usage));
    CHECK(count(usage, "cache_read_input_tokens") == (*marks ? 7 : 0));
  }
}

TEST_CASE("a request that marked something is told what was read, kept and neither; the sum is the prompt") {
  TestHall t;
  const auto exchange = t.ask("POST", "/v1/messages",
                              R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text",)"
                              R"("text":"hi","cache_control":{"type":"ephemeral"}}]}]})");
  t.engine.start(2);
  t.say(*exchange, {"a"});
  t.end(*exchange, link::EndReason::EndOfTurn);
  const Json message = body_of(*exchange);
  const Json usage = *message.find("usage");
  CHECK(count(usage, "cache_read_input_tokens") == 2);
  CHECK(count(usage, "cache_creation_input_tokens") > 0);
  CHECK(count(usage, "input_tokens") > 0);
  CHECK(prompt_sum(usage) == static_cast<std::int64_t>(t.engine.job.prompt.size()));
}

TEST_CASE("a prompt over the window is a 400 in the words that make clients compact, streaming or not") {
  for (const std::string& more : {std::string(), kStream}) {
    TestHall t;
    const auto exchange = t.message(std::string(5000, 'x'), more);
    CHECK(exchange->status == 400);
    const Json body = body_of(*exchange);
    const std::string message = body.find("error")->string_at("message");
    const auto prompt_tokens = t.engine.prompt_text.size();
    CHECK(message == "prompt is too long: " + std::to_string(prompt_tokens) + " tokens > 3999 maximum");
    CHECK(t.engine.listener == nullptr);
  }
}

TEST_CASE("an engine that came back with a smaller context is the one that prompts are measured against") {
  TestHall t;
  t.engine.come_back_with_context(1000);
  const auto too_long = t.message(std::string(2000, 'x'));
  CHECK(too_long->status == 400);
  CHECK(too_long->sent.contains("tokens > 999 maximum"));
  const auto exchange =
      t.ask("POST", "/v1/messages", R"({"model":"m","max_tokens":9999,"messages":[{"role":"user","content":"hi"}]})");
  CHECK(t.engine.job.tokens_max == 1000 - t.engine.job.prompt.size());
  const auto card = t.ask("GET", "/v1/models/test-model");
  CHECK(count(body_of(*card), "max_input_tokens") == 1000);
}

TEST_CASE("max_tokens over the rest of the window is clamped, and running into that says so") {
  TestHall t;
  const auto exchange =
      t.ask("POST", "/v1/messages", R"({"model":"m","max_tokens":999999,"messages":[{"role":"user","content":"hi"}]})");
  CHECK(t.engine.job.tokens_max == 4000 - t.engine.job.prompt.size());
  t.say(*exchange, {"a"});
  t.end(*exchange, link::EndReason::TokensMax);
  CHECK(body_of(*exchange).string_at("stop_reason") == "model_context_window_exceeded");
}

TEST_CASE("each end of a job has its stop reason") {
  const std::pair<link::EndReason, const char*> cases[] = {
      {link::EndReason::EndOfTurn, "end_turn"},
      {link::EndReason::StopToken, "end_turn"},
      {link::EndReason::TokensMax, "max_tokens"},
      {link::EndReason::ContextFull, "model_context_window_exceeded"}};
  for (const auto& [reason, name] : cases) {
    TestHall t;
    const auto exchange = t.message("hi");
    t.say(*exchange, {"a"});
    t.end(*exchange, reason);
    CHECK(body_of(*exchange).string_at("stop_reason") == name);
  }
}

TEST_CASE("the request's sampling reaches the job, and what it leaves open stays open") {
  TestHall t;
  const auto exchange = t.message("hi", R"(,"temperature":0.5,"top_k":7)");
  CHECK(t.engine.job.sampling.temperature == 0.5F);
  CHECK(t.engine.job.sampling.top_k == 7);
  CHECK_FALSE(t.engine.job.sampling.top_p.has_value());
  CHECK_FALSE(t.engine.job.boundaries.empty());
  CHECK(t.engine.job.boundaries.back() < t.engine.job.prompt.size());
}

TEST_CASE("a full queue is a 529 with retry-after, an engine that is down a 503") {
  const std::pair<ErrorKind, int> cases[] = {{ErrorKind::Overloaded, 529}, {ErrorKind::Unavailable, 503}};
  for (const auto& [kind, status] : cases) {
    TestHall t;
    t.engine.submit_error = Error{kind, "busy"};
    const auto exchange = t.message("hi");
    CHECK(exchange->status == status);
    CHECK_FALSE(exchange->header("retry-after").empty());
    CHECK(exchange->answer_count == 1);
  }
}

TEST_CASE("while the model loads, messages are refused with 503") {
  ManualClock clock;
  Hall hall({}, {}, clock);
  http::Request request;
  request.method = "POST";
  request.path = "/v1/messages";
  request.body = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})";
  const auto exchange = std::make_shared<FakeExchange>(request, clock);
  hall.handle(exchange);
  exchange->run();
  CHECK(exchange->status == 503);
  CHECK(exchange->sent.contains("loading"));
}

TEST_CASE("while a second model loads, the first answers to its own name only") {
  TestHall t;
  t.hall.models().set_loading({.loading = true, .name = "other", .fraction = 0.5F});
  CHECK(t.message("hi")->status == 503);
  CHECK(t.ask("GET", "/health")->status == 503);
  const auto exchange = t.ask("POST", "/v1/messages",
                              R"({"model":"test-model","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})");
  t.say(*exchange, {"a"});
  t.end(*exchange, link::EndReason::EndOfTurn);
  CHECK(exchange->status == 200);
}

TEST_CASE("what is wrong with the body is a 400 that names the place") {
  TestHall t;
  const auto exchange =
      t.ask("POST", "/v1/messages", R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":7}]})");
  CHECK(exchange->status == 400);
  CHECK(error_type_of(*exchange) == "invalid_request_error");
  CHECK(exchange->sent.contains("messages.0.content"));
  CHECK(body_of(*exchange).string_at("request_id") == exchange->header("request-id"));
}

// Two tools, and whatever else is asked for.
std::string two_tools(std::string_view more) {
  return std::string(
             R"(,"tools":[{"name":"look","input_schema":{"type":"object"}},)"
             R"({"name":"leave","input_schema":{"type":"object","properties":{"slowly":{"type":"boolean"}}}}])") +
         std::string(more);
}

TEST_CASE("a forced tool is the only one that the answer's grammar knows, and comes out as a call") {
  TestHall t;
  const auto exchange = t.message("hi", two_tools(R"(,"tool_choice":{"type":"tool","name":"look"})"));
  CHECK(t.engine.job.grammar.contains(R"(\"look\")"));
  CHECK_FALSE(t.engine.job.grammar.contains(R"(\"leave\")"));
  t.say(*exchange, {"<tool_call>\n{\"name\": \"look\", \"arguments\": {\"at\":", "1}}\n</tool_call>"});
  t.end(*exchange, link::EndReason::EndOfTurn);
  const Json body = body_of(*exchange);
  CHECK(body.string_at("stop_reason") == "tool_use");
  REQUIRE(body.find("content")->as_array().size() == 1);
  const Json& call = body.find("content")->as_array()[0];
  CHECK(call.string_at("name") == "look");
  CHECK(call.find("input")->dump() == R"({"at":1})");
}

TEST_CASE("an output schema is the grammar of the answer; a request without tools and schema has none") {
  TestHall t;
  (void)t.message("hi");
  CHECK(t.engine.job.grammar.empty());
  (void)t.message("hi", R"(,"output_config":{"format":{"type":"json_schema","schema":{"const":"only this"}}})");
  CHECK(t.engine.job.grammar.contains("only this"));
}

TEST_CASE("the budget of a thought is what was asked for, cut to what leaves room for an answer") {
  CHECK(thought_tokens(0, 16'384) == 12'288);
  CHECK(thought_tokens(0, 100'000) == 95'904);
  CHECK(thought_tokens(1'024, 4'096) == 1'024);
  CHECK(thought_tokens(50'000, 4'096) == 3'072);
  CHECK(thought_tokens(5, 1) == 0);
  TestHall t;
  const auto budget_of = [&](const std::string& more) {
    (void)t.message("hi", more);
    return t.engine.job.thought.tokens_max;
  };
  CHECK(budget_of(R"(,"thinking":{"type":"enabled","budget_tokens":40})") == 40);
  CHECK(t.engine.job.thought.close_text == "</think>");
  CHECK(t.engine.job.thought.closing.contains("</think>"));
  const std::uint32_t most = budget_of(R"(,"thinking":{"type":"adaptive"})");
  CHECK(most > 40);
  CHECK(budget_of(R"(,"thinking":{"type":"adaptive"},"output_config":{"effort":"low"})") <= most);
}

TEST_CASE("a stop sequence inside a longer one that never came still ends the message") {
  TestHall t;
  const auto exchange = t.message("hi", R"(,"stop_sequences":["two three four","three"])");
  t.say(*exchange, {"one two three"});
  t.end(*exchange, link::EndReason::EndOfTurn);
  const Json body = body_of(*exchange);
  CHECK(body.string_at("stop_reason") == "stop_sequence");
  CHECK(body.string_at("stop_sequence") == "three");
}

TEST_CASE("any tool: the answer begins with a call of one of them") {
  TestHall t;
  const auto exchange = t.message("hi", two_tools(R"(,"tool_choice":{"type":"any"})"));
  CHECK(t.engine.job.grammar.contains(R"(\"look\")"));
  CHECK(t.engine.job.grammar.contains(R"(\"leave\")"));
  t.say(*exchange, {"<tool_call>\n{\"name\": \"look\", \"arguments\": {}}\n</tool_call>"});
  t.end(*exchange, link::EndReason::EndOfTurn);
  CHECK(body_of(*exchange).string_at("stop_reason") == "tool_use");
}

TEST_CASE("with tool_choice none a call is only text") {
  TestHall t;
  const auto exchange =
      t.message("hi", R"(,"tools":[{"name":"look","input_schema":{"type":"object"}}],"tool_choice":{"type":"none"})");
  t.say(*exchange, {"<tool_call>\n{\"name\": \"look\", \"arguments\": {}}\n</tool_call>"});
  t.end(*exchange, link::EndReason::EndOfTurn);
  CHECK(body_of(*exchange).string_at("stop_reason") == "end_turn");
}

TEST_CASE("without a word about thinking the template is told that there is none") {
  TestHall t;
  const auto quiet = t.message("hi");
  CHECK(t.engine.prompt_text.ends_with("<think>\n\n</think>\n\n"));
  const auto thinking = t.message("hi", R"(,"thinking":{"type":"enabled","budget_tokens":1024})");
  CHECK_FALSE(t.engine.prompt_text.contains("<think>"));
}

TEST_CASE("a vocabulary that asks for BOS gets it once") {
  auto hello = test_hello();
  hello.adds_bos = true;
  hello.bos_text = "<s>";
  TestHall without({}, hello);
  const auto first = without.message("hi");
  CHECK(without.engine.prompt_text.starts_with("<s><|im_start|>"));
  hello.chat_template = std::string("<s>") + kTestTemplate;
  TestHall with({}, hello);
  const auto second = with.message("hi");
  CHECK(with.engine.prompt_text.starts_with("<s><|im_start|>"));
}

}  // namespace hearth::server
