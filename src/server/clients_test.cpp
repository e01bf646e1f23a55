// The patience of real clients, as it was measured (each limit is a line of their own time-outs), over streams that say
// nothing for 700 s of the test's clock: in every state such a request is one request, not three.
#include <doctest/doctest.h>

#include <array>
#include <charconv>
#include <sstream>
#include <string_view>

#include "server/test_hall.h"

namespace hearth::server {
namespace {

// Seconds after which a client gives up and asks again; 0: never.
struct Patience {
  const char* name;
  std::int64_t headers_s;  // until the response's head
  std::int64_t bytes_s;    // between two bytes of any kind
  std::int64_t events_s;   // between two events that are no pings
};
constexpr std::array kClients = {
    Patience{"Claude Code 2.1.328", 360, 300, 600},  // a byte re-arms its 300 s watch a limited number of times
    Patience{"Claude Code 2.1.197", 300, 300, 300},  // pings do not count
    Patience{"OpenCode", 300, 300, 0},
    Patience{"pi 0.87", 300, 300, 0},
    Patience{"a proxy of nginx's kind", 60, 60, 0},
};

enum class State { Tokenising, LongPromptTokenising, Queued, Prefilling, Restarting, BetweenTokens };
constexpr std::array kStates = {State::Tokenising, State::LongPromptTokenising, State::Queued,
                                State::Prefilling, State::Restarting,           State::BetweenTokens};

std::size_t real_events(const std::string& sent) {
  std::size_t count = 0;
  for (std::size_t at = sent.find("event: "); at != std::string::npos; at = sent.find("event: ", at + 1))
    count += sent.compare(at, 12, "event: ping\n") == 0 ? 0 : 1;
  return count;
}

// A comment, "name{labels} value" or "name value".
bool is_metric_line(std::string_view line) {
  if (line.starts_with("# HELP ") || line.starts_with("# TYPE ")) return true;
  const std::size_t name_end = line.find_first_of("{ ");
  if (name_end == 0 || name_end == std::string_view::npos) return false;
  const std::size_t labels_end = line[name_end] == '{' ? line.rfind("} ") : name_end - 1;
  if (labels_end == std::string_view::npos) return false;
  const std::string_view value = line.substr(labels_end + 2);
  double number = 0;
  const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
  return read.ec == std::errc{} && read.ptr == value.data() + value.size();
}

// Watches an exchange as such a client would, second by second.
class Watch {
 public:
  explicit Watch(const Patience& patience) : patience_(patience) {}
  void look(const FakeExchange& exchange, std::int64_t now_s) {
    if (exchange.answer_count == 0) {
      gives_up(patience_.headers_s, now_s);
      return;
    }
    if (!std::exchange(has_head_, true)) byte_s_ = event_s_ = now_s;
    if (exchange.sent.size() != bytes_) byte_s_ = now_s;
    bytes_ = exchange.sent.size();
    if (const std::size_t events = real_events(exchange.sent); events != std::exchange(events_, events))
      event_s_ = now_s;
    gives_up(patience_.bytes_s, now_s - byte_s_);
    gives_up(patience_.events_s, now_s - event_s_);
  }
  [[nodiscard]] bool gave_up() const { return gave_up_; }

 private:
  void gives_up(std::int64_t limit_s, std::int64_t waited_s) {
    gave_up_ = gave_up_ || (limit_s > 0 && waited_s >= limit_s);
  }

  const Patience patience_;
  bool has_head_ = false, gave_up_ = false;
  std::size_t bytes_ = 0, events_ = 0;
  std::int64_t byte_s_ = 0, event_s_ = 0;
};

}  // namespace

TEST_CASE("no client's patience ends in 700 s, in any state a request can be in") {
  for (const Patience& patience : kClients) {
    for (const State state : kStates) {
      const bool is_proxy = patience.headers_s == 60;
      if (is_proxy && state == State::LongPromptTokenising) continue;  // its status is kept open for a minute
      CAPTURE(patience.name);
      CAPTURE(static_cast<int>(state));
      link::Hello hello = test_hello();
      if (state != State::LongPromptTokenising) hello.context_tokens = 65'536;  // certainly enough: headers at once
      TestHall t({}, hello);
      const bool tokenising = state == State::Tokenising || state == State::LongPromptTokenising;
      t.engine.hold_tokenize = tokenising;
      const std::string text(state == State::LongPromptTokenising ? 3700 : 2, 'x');
      const auto exchange = t.message(text, R"(,"stream":true)");
      if (state >= State::Prefilling) t.engine.start(0);
      if (state == State::BetweenTokens) t.say(*exchange, {"Hello"});
      if (state == State::Restarting) t.engine.engine_state = models::EngineState::Restarting;
      Watch watch(patience);
      for (std::int64_t second = 1; second <= 700 && !watch.gave_up(); ++second) {
        if (state == State::Prefilling && second % 20 == 0)
          t.engine.listener->on_progress({.job = 1, .prefilled_tokens = static_cast<std::uint32_t>(second)});
        exchange->pass_ms(1000);
        watch.look(*exchange, second);
      }
      CHECK_FALSE(watch.gave_up());
      if (tokenising) t.engine.held_tokenize();
      exchange->run();
      if (state != State::BetweenTokens) t.say(*exchange, {"Hello"});
      t.end(*exchange, link::EndReason::EndOfTurn);
      CHECK(exchange->answer_count == 1);
      CHECK(delta_text(exchange->sent, "text_delta", "text") == "Hello");
      CHECK(t.engine.job_id == 1);
    }
  }
}

TEST_CASE("the metrics have the field's names, and count what was served") {
  TestHall t;
  const auto exchange = t.message("hi", R"(,"stream":true)");
  t.engine.start(3);
  exchange->run();
  t.clock.advance_ms(30);
  t.say(*exchange, {"a"});
  t.clock.advance_ms(20);
  t.say(*exchange, {"b"});
  t.end(*exchange, link::EndReason::EndOfTurn);
  const auto metrics = t.ask("GET", "/metrics");
  CHECK(metrics->header("content-type").starts_with("text/plain; version=0.0.4"));
  const std::string& text = metrics->sent;
  CHECK(text.contains("vllm:num_requests_running{model_name=\"test-model\"} 0\n"));
  CHECK(text.contains("vllm:generation_tokens_total{model_name=\"test-model\"} 2\n"));
  CHECK(text.contains("vllm:prefix_cache_hits_total{model_name=\"test-model\"} 3\n"));
  CHECK(text.contains("vllm:request_success_total{model_name=\"test-model\",finished_reason=\"stop\"} 1\n"));
  CHECK(text.contains("vllm:inter_token_latency_seconds_bucket{model_name=\"test-model\",le=\"0.025\"} 1\n"));
  CHECK(text.contains("vllm:time_to_first_token_seconds_count{model_name=\"test-model\"} 1\n"));
  CHECK(text.contains("hearth_cache_hit_tokens_total{model_name=\"test-model\",tier=\"ram\"} 0\n"));
  CHECK(text.contains("hearth_engine_tokens_sampled{model_name=\"test-model\"} 3\n"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK(is_metric_line(line));
  }
  for (const char* bad : {"", "name{model_name=\"m\"}", "name{model_name=\"m\"} ", "name{model_name=\"m\"} 1x",
                          "name{model_name=\"m\" 1", "{model_name=\"m\"} 1", "name 1 2", "#HELP"})
    CHECK_FALSE(is_metric_line(bad));
}

TEST_CASE("with keys the metrics need one") {
  TestHall t({.api_keys = {"secret"}});
  CHECK(t.ask("GET", "/metrics")->status == 401);
  CHECK(t.ask("GET", "/metrics", "", {{"x-api-key", "secret"}})->status == 200);
}

}  // namespace hearth::server
