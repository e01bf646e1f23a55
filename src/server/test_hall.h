// A hall with one fake model, for unit tests: requests in, what was sent out.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/log.h"
#include "server/fake_engine_process.h"
#include "server/fake_exchange.h"
#include "server/server.h"

namespace hearth::server {

// A ChatML template that knows a switch for thinking.
inline constexpr const char* kTestTemplate =
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% if enable_thinking is defined and not enable_thinking %}"
    "<think>\n\n</think>\n\n{% endif %}{% endif %}";

inline link::Hello test_hello() {
  link::Hello hello;
  hello.name = "test model";
  hello.architecture = "fake";
  hello.chat_template = kTestTemplate;
  hello.context_tokens = 4000;
  hello.parallel_jobs = 2;
  hello.special_texts = {"<|im_start|>", "<|im_end|>"};
  return hello;
}

struct TestHall {
  ManualClock clock;
  FakeEngineProcess engine;
  Hall hall;

  explicit TestHall(AccessRules access = {}, link::Hello hello = test_hello(), KeepAliveRules keep_alive = {})
      : engine(std::move(hello)), hall(std::move(access), keep_alive, clock) {
    set_log_level(LogLevel::Off);
    hall.batches().load();  // which answers from a thread of its own
    auto model = serve_model("test-model", 1'700'000'000, engine);
    if (model) hall.models().add(std::move(*model));
    hall.models().set_loading({.loading = false, .name = "", .fraction = 1});
  }

  // As in the program: the engine lets go of its streams before the hall they report to ends.
  ~TestHall() {
    engine.listener = nullptr;
    engine.held_tokenize = nullptr;
  }
  TestHall(const TestHall&) = delete;
  TestHall& operator=(const TestHall&) = delete;

  std::shared_ptr<FakeExchange> ask(std::string method, std::string path, std::string body = "",
                                    http::Headers headers = {}) {
    http::Request request;
    request.method = std::move(method);
    const auto query = path.find('?');
    if (query != std::string::npos) request.query = path.substr(query + 1);
    request.path = path.substr(0, query);
    request.headers = std::move(headers);
    request.body = std::move(body);
    request.received_us = clock.now_us();
    auto exchange = std::make_shared<FakeExchange>(std::move(request), clock);
    const bool of_batches = exchange->request().path.starts_with("/v1/messages/batches");
    hall.handle(exchange);
    do exchange->run();
    while (of_batches && exchange->answer_count == 0);
    return exchange;
  }

  // POST /v1/messages of one user message; `more` is further members, each with a comma before it.
  std::shared_ptr<FakeExchange> message(const std::string& text, const std::string& more = "") {
    return ask(
        "POST", "/v1/messages",
        R"({"model":"any","max_tokens":100,"messages":[{"role":"user","content":")" + text + "\"}]" + more + "}");
  }

  void say(FakeExchange& exchange, const std::vector<std::string>& pieces) {
    for (const auto& piece : pieces) engine.say(piece);
    exchange.run();
  }
  void end(FakeExchange& exchange, link::EndReason reason, std::uint32_t sampled_tokens = 0) {
    engine.end(reason, sampled_tokens);
    exchange.run();
  }
};

// The data of each event sent, in order; pings are {"type":"ping"}.
inline std::vector<Json> events_of(const std::string& sent) {
  std::vector<Json> events;
  for (std::size_t at = sent.find("data: "); at != std::string::npos; at = sent.find("data: ", at + 1)) {
    auto event = Json::parse(sent.substr(at + 6, sent.find('\n', at) - at - 6));
    if (event) events.push_back(std::move(*event));
  }
  return events;
}

inline std::string types_of(const std::string& sent) {
  std::string types;
  for (const auto& event : events_of(sent)) types += (types.empty() ? "" : " ") + event.string_at("type");
  return types;
}

// All deltas of that kind, joined: delta_text(sent, "text_delta", "text").
inline std::string delta_text(const std::string& sent, std::string_view type, std::string_view key) {
  std::string text;
  for (const auto& event : events_of(sent)) {
    const Json* delta = event.find("delta");
    if (delta && delta->string_at("type") == type) text += delta->string_at(key);
  }
  return text;
}

inline Json last_event(const std::string& sent, std::string_view type) {
  Json found;
  for (const auto& event : events_of(sent)) {
    if (event.string_at("type") == type) found = event;
  }
  return found;
}

}  // namespace hearth::server
