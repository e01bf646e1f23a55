// One job and its streams: slow readers, repeated requests, full queues, and clients that leave in every state.
#include "server/shared_job.h"

#include <doctest/doctest.h>

#include "base/random.h"
#include "server/test_hall.h"

namespace hearth::server {
namespace {

const std::string kStream = R"(,"stream":true)";
const std::string kGreedy = R"(,"stream":true,"temperature":0)";

std::string text_of(const FakeExchange& exchange) { return delta_text(exchange.sent, "text_delta", "text"); }

std::string body_of(const std::string& text, const std::string& more) {
  return R"({"model":"any","max_tokens":100000,"messages":[{"role":"user","content":")" + text + "\"}]" + more + "}";
}

// A word per token, so that neither text nor order can be wrong unnoticed; letters without a pattern, or the answer would be
// cut for repeating itself.
std::string word(int number) {
  std::string text;
  for (std::uint64_t bits = mix_u64(7, static_cast<std::uint64_t>(number)), i = 0; i < 6; ++i, bits /= 26)
    text += static_cast<char>('a' + bits % 26);
  return text + " ";
}

}  // namespace

TEST_CASE("a slow reader's stream is held at its bound, its job pauses, and nothing is lost when it reads on") {
  TestHall t;
  const auto exchange = t.message("hi", kStream);
  t.engine.start(0);
  exchange->run();
  exchange->stop_reading();
  std::string said;
  for (int i = 0; i < 20'000; ++i) {
    said += word(i);
    t.say(*exchange, {word(i)});
  }
  const OutputLimits limits;
  CHECK(exchange->unsent_bytes() > limits.stream_bytes_max);
  CHECK(exchange->unsent_bytes() < limits.stream_bytes_max + 64 * 1024);
  CHECK(t.engine.paused_jobs.size() == 1);
  CHECK(t.engine.resumed_jobs.empty());
  exchange->pass_ms(120'000);  // no ping is added to what it does not read
  CHECK(exchange->unsent_bytes() < limits.stream_bytes_max + 64 * 1024);
  for (int i = 0; i < 100; ++i) exchange->read(1 << 20);
  CHECK(text_of(*exchange).size() >= said.size() - 1);  // a space at the end waits for what follows
  CHECK(t.engine.resumed_jobs.size() >= 1);
  CHECK(t.engine.paused_jobs.size() <= t.engine.resumed_jobs.size() + 1);
  t.end(*exchange, link::EndReason::EndOfTurn);
  for (int i = 0; i < 4; ++i) exchange->read(1 << 20);
  CHECK(exchange->ended);
  CHECK(said.starts_with(text_of(*exchange)));
  CHECK(text_of(*exchange).size() >= said.size() - 1);
  CHECK(t.engine.cancelled_jobs.empty());
}

TEST_CASE("a job that ends while its reader is slow is read to its end later") {
  TestHall t;
  const auto exchange = t.message("hi", kStream);
  exchange->stop_reading();
  std::string said;
  for (int i = 0; i < 5'000; ++i) {
    said += word(i);
    t.say(*exchange, {word(i)});
  }
  t.end(*exchange, link::EndReason::EndOfTurn, 5'000);
  CHECK_FALSE(exchange->ended);
  for (int i = 0; i < 20 && !exchange->ended; ++i) exchange->read(1 << 20);
  CHECK(exchange->ended);
  CHECK(said.starts_with(text_of(*exchange)));
  CHECK(text_of(*exchange).size() >= said.size() - 1);
  CHECK(t.engine.cancelled_jobs.empty());
}

TEST_CASE("when all streams together hold too much, each has only the next") {
  TestHall t;
  const auto exchange = t.message("hi", kStream);
  exchange->unsent_elsewhere = OutputLimits().all_bytes_max;
  exchange->stop_reading();
  for (int i = 0; i < 5'000; ++i) t.say(*exchange, {word(i)});
  CHECK(exchange->unsent_bytes() < 2 * OutputLimits().pressed_bytes_max);
  CHECK(t.engine.paused_jobs.size() == 1);
}

TEST_CASE("a slow reader that goes away cancels its paused job") {
  TestHall t;
  const auto exchange = t.message("hi", kStream);
  exchange->stop_reading();
  for (int i = 0; i < 5'000; ++i) t.say(*exchange, {word(i)});
  REQUIRE(t.engine.paused_jobs.size() == 1);
  exchange->disconnect();
  CHECK(t.engine.cancelled_jobs.size() == 1);
  CHECK(t.hall.log().active_count() == 0);
}

TEST_CASE("a folded answer of any size needs no pause") {
  TestHall t;
  const auto exchange = t.message("hi");
  exchange->stop_reading();
  for (int i = 0; i < 5'000; ++i) t.say(*exchange, {word(i)});
  CHECK(t.engine.paused_jobs.empty());
  t.end(*exchange, link::EndReason::EndOfTurn);
  CHECK(exchange->ended);
}

TEST_CASE("the same request again, while the first is open, hears the running job from its start") {
  TestHall t;
  const auto first = t.ask("POST", "/v1/messages", body_of("hi", kStream));
  t.engine.start(7);
  t.say(*first, {"one ", "two "});
  const auto again = t.ask("POST", "/v1/messages", body_of("hi", kStream), {{"x-stainless-retry-count", "1"}});
  CHECK(t.engine.job_id == 1);
  CHECK(text_of(*again) == "one two");
  t.say(*first, {"three"});
  CHECK(text_of(*first) == "one two three");
  CHECK(text_of(*again) == "one two three");
  first->disconnect();  // the job goes on for the other
  CHECK(t.engine.cancelled_jobs.empty());
  t.say(*first, {"."});
  t.end(*first, link::EndReason::EndOfTurn);
  CHECK(again->ended);
  CHECK(text_of(*again) == "one two three.");
  CHECK(types_of(again->sent).starts_with("message_start"));
  CHECK(t.hall.log().active_count() == 0);
}

TEST_CASE("what the engine did for two requests counts once, and all of it, whichever of them was the last") {
  TestHall t;
  const auto first = t.ask("POST", "/v1/messages", body_of("hi", kStream));
  t.engine.start(7);
  t.say(*first, {"one "});
  const auto again = t.ask("POST", "/v1/messages", body_of("hi", kStream), {{"x-stainless-retry-count", "1"}});
  first->disconnect();
  t.say(*first, {"two ", "three"});
  t.end(*first, link::EndReason::EndOfTurn);
  REQUIRE(again->ended);
  const Json counts = t.hall.log().counters_json();
  CHECK(counts.find("output_tokens")->as_integer() == 3);
  CHECK(counts.find("cached_tokens")->as_integer() == 7);
  const std::string metrics = t.hall.log().metrics().prometheus();
  CHECK(metrics.contains("vllm:generation_tokens_total{model_name=\"test-model\"} 3\n"));
  CHECK(metrics.contains("vllm:prefix_cache_hits_total{model_name=\"test-model\"} 7\n"));
  CHECK(metrics.contains("vllm:request_queue_time_seconds_count{model_name=\"test-model\"} 1\n"));
  CHECK(metrics.contains("vllm:request_prefill_time_seconds_count{model_name=\"test-model\"} 1\n"));
  CHECK(metrics.contains("vllm:e2e_request_latency_seconds_count{model_name=\"test-model\"} 2\n"));
}

TEST_CASE("a joined job ends when the last of its streams has left") {
  TestHall t;
  const auto first = t.ask("POST", "/v1/messages", body_of("hi", kGreedy));
  t.say(*first, {"one "});
  const auto again = t.ask("POST", "/v1/messages", body_of("hi", kGreedy));
  first->disconnect();
  again->disconnect();
  CHECK(t.engine.cancelled_jobs.size() == 1);
  const auto third = t.ask("POST", "/v1/messages", body_of("hi", kGreedy));
  CHECK(t.engine.job_id == 2);  // what was cancelled is not joined any more
}

TEST_CASE("a dead connection that is full holds up neither its job nor the stream that repeats it") {
  TestHall t;
  const auto dead = t.ask("POST", "/v1/messages", body_of("hi", kGreedy));
  dead->stop_reading();
  std::string said;
  for (int i = 0; i < 5'000; ++i) {
    said += word(i);
    t.say(*dead, {word(i)});
  }
  REQUIRE(t.engine.paused_jobs.size() == 1);
  const auto again = t.ask("POST", "/v1/messages", body_of("hi", kGreedy));
  CHECK(t.engine.resumed_jobs.size() == 1);
  CHECK(said.starts_with(text_of(*again)));
  CHECK(text_of(*again).size() >= said.size() - 1);
  t.end(*dead, link::EndReason::EndOfTurn);
  CHECK(again->ended);
  CHECK_FALSE(dead->ended);
}

TEST_CASE("requests that may be meant as two answers are two jobs") {
  TestHall t;
  static_cast<void>(t.ask("POST", "/v1/messages", body_of("hi", kStream)));
  static_cast<void>(t.ask("POST", "/v1/messages", body_of("hi", kStream), {{"x-stainless-retry-count", "0"}}));
  CHECK(t.engine.job_id == 2);
}

TEST_CASE("another key's, body's or agent's request is never joined") {
  TestHall t({.api_keys = {"a", "b"}, .cache_sharing = CacheSharing::All});
  const auto ask = [&](const std::string& key, const std::string& text, const std::string& agent) {
    return t.ask("POST", "/v1/messages", body_of(text, kGreedy),
                 {{"x-api-key", key}, {"x-claude-code-session-id", "s"}, {"x-claude-code-agent-id", agent}});
  };
  const auto first = ask("a", "hi", "1");
  const auto others = {ask("b", "hi", "1"), ask("a", "hi ", "1"), ask("a", "hi", "2")};
  CHECK(t.engine.job_id == 4);
  const auto same = ask("a", "hi", "1");
  CHECK(t.engine.job_id == 4);
}

TEST_CASE("jobs of batches take no place in the queue and teach nothing of how long requests take, but are counted") {
  const auto admission = std::make_shared<Admission>();
  auto running = admission->enter_batch(), waiting = admission->enter_batch();
  running.started(0);
  CHECK(admission->counts().running == 1);
  CHECK(admission->counts().waiting == 1);
  const auto request = admission->enter(1);
  REQUIRE(request);
  CHECK(admission->enter(1).error().message.starts_with("1 requests"));
  running.ended(3'600'000);
  CHECK(admission->retry_after_s(1) == 3);  // as before any has ended
  waiting = {};
  CHECK(admission->counts().waiting == 1);
}

TEST_CASE("over the bound of the queue a request is a 529 that says when to come again, and one that left makes room") {
  TestHall t;
  t.hall.desk().waiting_max = 1;  // and two may run
  const auto first = t.message("one", kStream);
  t.engine.start(0);
  first->run();
  const auto second = t.message("two", kStream);
  const auto third = t.message("three", kStream);
  const auto refused = t.message("four", kStream);
  CHECK(refused->status == 529);
  CHECK(refused->sent.contains("overloaded_error"));
  CHECK(std::stoi(refused->header("retry-after")) >= 1);
  third->disconnect();
  t.engine.end(link::EndReason::Cancelled);
  third->run();
  CHECK(t.message("five", kStream)->streaming);
}

TEST_CASE("the advice when to come again follows from how long jobs run") {
  const auto admission = std::make_shared<Admission>();
  CHECK(admission->retry_after_s(4) == 3);
  for (int i = 0; i < 40; ++i) {
    auto ticket = admission->enter(1);
    REQUIRE(ticket);
    CHECK_FALSE(admission->enter(1));
    ticket->started(1000);
    CHECK(admission->counts().running == 1);
    ticket->ended(41'000);
  }
  CHECK(admission->retry_after_s(4) == 10);
  CHECK(admission->retry_after_s(1) == 40);
  CHECK(admission->counts().waiting + admission->counts().running == 0);
}

TEST_CASE("a client may leave in every state, and its job ends with it") {
  enum class State { Tokenising, Queued, Started, Streaming, Restarted };
  for (const auto state : {State::Tokenising, State::Queued, State::Started, State::Streaming, State::Restarted}) {
    CAPTURE(static_cast<int>(state));
    TestHall t;
    t.engine.hold_tokenize = state == State::Tokenising;
    const auto exchange = t.message("hi", kStream);
    if (state >= State::Started) t.engine.start(0);
    if (state >= State::Streaming) t.say(*exchange, {"a"});
    if (state == State::Restarted) t.engine.start(0);
    exchange->run();
    exchange->disconnect();
    if (state == State::Tokenising) t.engine.held_tokenize();
    exchange->run();
    CHECK(t.engine.cancelled_jobs.size() == (state == State::Tokenising ? 0 : 1));
    CHECK(t.engine.job_id == (state == State::Tokenising ? 0 : 1));
    if (t.engine.listener) t.end(*exchange, link::EndReason::Cancelled);
    CHECK(t.hall.log().active_count() == 0);
    const auto counts = t.hall.models().all().front()->admission->counts();
    CHECK(counts.waiting + counts.running == 0);
  }
}

TEST_CASE("what waits its turn is not taken for a stall while the engine lives, and a paused one never is") {
  TestHall t({}, test_hello(), {.stall_timeout_ms = 30'000});
  const auto waiting = t.message("hi", kStream);
  for (int i = 0; i < 10; ++i) {
    t.engine.heard_ms = t.clock.now_ms();
    waiting->pass_ms(10'000);
  }
  CHECK_FALSE(waiting->ended);
  waiting->pass_ms(31'000);
  CHECK(waiting->ended);

  const auto slow = t.message("hi", kStream);
  slow->stop_reading();
  for (int i = 0; i < 5'000; ++i) t.say(*slow, {word(i)});
  slow->pass_ms(120'000);
  CHECK_FALSE(slow->ended);
}

}  // namespace hearth::server
