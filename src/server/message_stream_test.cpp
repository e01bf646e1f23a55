// A stream in its life: pieces of characters, stop sequences, silence, restarts, errors and clients that go away.
#include "server/message_stream.h"

#include <doctest/doctest.h>

#include "server/test_hall.h"

namespace hearth::server {
namespace {

const std::string kStream = R"(,"stream":true)";

std::string text_of(const FakeExchange& exchange) { return delta_text(exchange.sent, "text_delta", "text"); }
std::size_t count_of(const std::string& sent, std::string_view type) {
  std::size_t count = 0;
  for (const auto& event : events_of(sent)) count += event.string_at("type") == type ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("characters that come in parts are joined, at every place they can be cut") {
  const std::string text = "a\u00e9\u6f22\U0001F642z";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    TestHall t;
    const auto exchange = t.message("hi", kStream);
    t.say(*exchange, {text.substr(0, cut), text.substr(cut)});
    t.end(*exchange, link::EndReason::EndOfTurn);
    CHECK(text_of(*exchange) == text);
  }
}

TEST_CASE("a character that never ends becomes a replacement, not an invalid byte") {
  TestHall t;
  const auto exchange = t.message("hi", kStream);
  t.say(*exchange, {"ab\xf0\x9f"});
  t.end(*exchange, link::EndReason::TokensMax);
  CHECK(text_of(*exchange) == "ab\uFFFD");
}

TEST_CASE("a stop sequence across pieces ends the message, cancels the job and is named") {
  TestHall t;
  const auto exchange = t.message("hi", kStream + R"(,"stop_sequences":["END"])");
  t.say(*exchange, {"one E", "N", "D two"});
  CHECK(text_of(*exchange) == "one ");
  CHECK(exchange->ended);
  const Json last = last_event(exchange->sent, "message_delta");
  CHECK(last.find("delta")->string_at("stop_reason") == "stop_sequence");
  CHECK(last.find("delta")->string_at("stop_sequence") == "END");
  CHECK(t.engine.cancelled_jobs.size() == 1);
  t.end(*exchange, link::EndReason::Cancelled);
  CHECK(count_of(exchange->sent, "message_stop") == 1);
  CHECK(exchange->answer_count == 1);
}

TEST_CASE("an answer that repeats itself without end is cut, says so, and gives the engine its time back") {
  TestHall t;
  const auto exchange = t.message("hi", kStream);
  std::string piece;
  for (int i = 0; i < 100; ++i) piece += "I will check that again.\n";
  for (int i = 0; i < 10; ++i) t.say(*exchange, {piece});
  CHECK(exchange->ended);
  CHECK(last_event(exchange->sent, "message_delta").find("delta")->string_at("stop_reason") == "max_tokens");
  CHECK(t.engine.cancelled_jobs.size() == 1);
  CHECK(text_of(*exchange).size() < 5 * piece.size());
}

TEST_CASE("usage tells how much of an answer was thought") {
  TestHall t;
  const auto exchange = t.message("hi", kStream + R"(,"thinking":{"type":"enabled","budget_tokens":1024})");
  t.say(*exchange, {"<think>", "one", " two", "</think>", "three", " four"});
  t.end(*exchange, link::EndReason::EndOfTurn);
  const Json usage = *last_event(exchange->sent, "message_delta").find("usage");
  CHECK(usage.find("output_tokens_details")->find("thinking_tokens")->as_integer() >= 2);
  CHECK(usage.find("output_tokens_details")->find("thinking_tokens")->as_integer() <= 4);
  TestHall plain;
  const auto other = plain.message("hi", kStream);
  plain.say(*other, {"three", " four"});
  plain.end(*other, link::EndReason::EndOfTurn);
  CHECK(last_event(other->sent, "message_delta").find("usage")->find("output_tokens_details") == nullptr);
}

TEST_CASE("text that only began like a stop sequence comes out in the end") {
  TestHall t;
  const auto exchange = t.message("hi", kStream + R"(,"stop_sequences":["END"])");
  t.say(*exchange, {"one EN"});
  t.end(*exchange, link::EndReason::EndOfTurn);
  CHECK(text_of(*exchange) == "one EN");
}

TEST_CASE("stop sequences are not looked for in thoughts") {
  TestHall t;
  const auto exchange =
      t.message("hi", kStream + R"(,"stop_sequences":["END"],"thinking":{"type":"enabled","budget_tokens":1024})");
  t.say(*exchange, {"<think>\nthe END is near\n</think>\n\n", "ok"});
  t.end(*exchange, link::EndReason::EndOfTurn);
  CHECK(delta_text(exchange->sent, "thinking_delta", "thinking") == "the END is near");
  CHECK(text_of(*exchange) == "ok");
}

TEST_CASE(
    "a silent stream is pinged, gets message_start with its first heartbeat, and then goes on as if nothing was") {
  TestHall t;
  const auto exchange = t.message("hi", kStream);
  t.engine.start(0);
  exchange->run();
  exchange->pass_ms(59'000);
  CHECK(count_of(exchange->sent, "ping") == 5);
  CHECK(count_of(exchange->sent, "message_start") == 0);
  exchange->pass_ms(41'500);
  CHECK(count_of(exchange->sent, "message_start") == 1);
  CHECK(types_of(exchange->sent)
            .contains("message_start content_block_start content_block_delta ping ping content_block_delta"));
  CHECK(count_of(exchange->sent, "ping") == 10);
  CHECK(delta_text(exchange->sent, "thinking_delta", "thinking").empty());
  t.say(*exchange, {"Hello."});
  t.end(*exchange, link::EndReason::EndOfTurn);
  CHECK(count_of(exchange->sent, "message_start") == 1);
  CHECK(text_of(*exchange) == "Hello.");
  CHECK(count_of(exchange->sent, "content_block_start") == count_of(exchange->sent, "content_block_stop"));
}

TEST_CASE("pings go on between tokens that are far apart") {
  TestHall t;
  const auto exchange = t.message("hi", kStream);
  t.say(*exchange, {"a"});
  exchange->pass_ms(25'000);
  CHECK(count_of(exchange->sent, "ping") == 2);
  t.say(*exchange, {"b"});
  exchange->pass_ms(9'000);
  CHECK(count_of(exchange->sent, "ping") == 2);
}

TEST_CASE("stream:false says nothing for a minute, then opens with spaces, and the JSON stays JSON") {
  TestHall t;
  const auto exchange = t.message("hi");
  exchange->pass_ms(59'000);
  CHECK(exchange->answer_count == 0);
  exchange->pass_ms(21'000);
  CHECK(exchange->streaming);
  CHECK(exchange->sent.size() >= 2);
  t.say(*exchange, {"Hello."});
  t.end(*exchange, link::EndReason::EndOfTurn);
  const auto body = Json::parse(exchange->sent);
  REQUIRE(body);
  CHECK(body->string_at("type") == "message");
  CHECK(exchange->ended);
}

TEST_CASE("an error of stream:false has its status, or cuts the connection once it was opened") {
  TestHall early;
  const auto first = early.message("hi");
  early.engine.end(link::EndReason::Failed, 0, ErrorKind::Internal, "the engine died three times");
  first->run();
  CHECK(first->status == 500);
  CHECK(first->sent.contains("three times"));
  TestHall late;
  const auto second = late.message("hi");
  second->pass_ms(70'000);
  late.engine.end(link::EndReason::Failed, 0, ErrorKind::Internal, "the engine died three times");
  second->run();
  CHECK(second->aborted);
}

TEST_CASE("an error in a stream is an error event and the end") {
  TestHall t;
  const auto exchange = t.message("hi", kStream);
  t.say(*exchange, {"Hel"});
  t.engine.end(link::EndReason::Failed, 0, ErrorKind::Internal, "the engine died three times");
  exchange->run();
  const Json error = last_event(exchange->sent, "error");
  REQUIRE(error.find("error"));
  CHECK(error.find("error")->string_at("type") == "api_error");
  CHECK(count_of(exchange->sent, "message_stop") == 0);
  CHECK(exchange->ended);
}

TEST_CASE("a client that goes away cancels its job, and what the engine still says is ignored") {
  TestHall t;
  const auto exchange = t.message("hi", kStream);
  t.say(*exchange, {"a"});
  exchange->disconnect();
  CHECK(t.engine.cancelled_jobs.size() == 1);
  const std::string before = exchange->sent;
  t.say(*exchange, {"b"});
  t.end(*exchange, link::EndReason::Cancelled);
  CHECK(exchange->sent == before);
  CHECK(t.hall.log().active_count() == 0);
}

TEST_CASE("a client that goes away before its prompt is tokenised is never submitted") {
  TestHall t;
  t.engine.hold_tokenize = true;
  const auto exchange = t.message("hi", kStream);
  exchange->disconnect();
  t.engine.held_tokenize();
  exchange->run();
  CHECK(t.engine.job_id == 0);
  CHECK(t.hall.log().active_count() == 0);
}

TEST_CASE("a restarted engine starts the job again, and usage keeps the first count") {
  TestHall t;
  const auto exchange = t.message("hi", kStream + R"(,"cache_control":{"type":"ephemeral"})");
  t.engine.start(5);
  t.say(*exchange, {"a"});
  t.engine.start(0);
  t.say(*exchange, {"b"});
  t.end(*exchange, link::EndReason::EndOfTurn);
  const Json last = last_event(exchange->sent, "message_delta");
  CHECK(last.find("usage")->find("cache_read_input_tokens")->as_integer() == 5);
  CHECK(text_of(*exchange) == "ab");
}

TEST_CASE("the stall time-out ends a stream whose engine shows no work, and cancels") {
  TestHall t({}, test_hello(), {.stall_timeout_ms = 30'000});
  const auto exchange = t.message("hi", kStream);
  exchange->pass_ms(29'000);
  t.engine.listener->on_progress({.job = 1, .prefilled_tokens = 3});
  exchange->run();
  exchange->pass_ms(29'000);
  CHECK_FALSE(exchange->ended);
  exchange->pass_ms(2'000);
  CHECK(exchange->ended);
  CHECK(exchange->sent.contains("no sign of work for 30 s"));
  CHECK(t.engine.cancelled_jobs.size() == 1);
}

TEST_CASE("with parallel tool use off the message ends with its first call") {
  TestHall t;
  const auto exchange = t.message("hi", kStream + R"(,"tools":[{"name":"look","input_schema":{"type":"object"}}],)"
                                                  R"("tool_choice":{"type":"auto","disable_parallel_tool_use":true})");
  const std::string call = "<tool_call>\n{\"name\": \"look\", \"arguments\": {}}\n</tool_call>\n";
  t.say(*exchange, {call, call});
  CHECK(exchange->ended);
  CHECK(count_of(exchange->sent, "content_block_start") == 1);
  CHECK(last_event(exchange->sent, "message_delta").find("delta")->string_at("stop_reason") == "tool_use");
  CHECK(t.engine.cancelled_jobs.size() == 1);
}

TEST_CASE("with parallel tool use off only the first of the calls that were held back to the turn's end is said") {
  TestHall t;
  const auto exchange = t.message(
      "hi",
      kStream +
          R"(,"tools":[{"name":"look","input_schema":{"type":"object","properties":{"path":{"type":"string"}}}}],)"
          R"("tool_choice":{"type":"auto","disable_parallel_tool_use":true})");
  const std::string call =
      "<tool_call>\n<function=look>\n<parameter=path>\nx\n</parameter>\n</function>\n</tool_call>\n";
  t.say(*exchange, {call, call});
  CHECK_FALSE(exchange->ended);
  t.end(*exchange, link::EndReason::EndOfTurn);
  CHECK(exchange->ended);
  CHECK(count_of(exchange->sent, "content_block_start") == 1);
  CHECK(last_event(exchange->sent, "message_delta").find("delta")->string_at("stop_reason") == "tool_use");
}

}  // namespace hearth::server
