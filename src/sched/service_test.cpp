// The service over a real link, in one process: what the front hears, in which order, and how it all ends.
#include "sched/service.h"

#include <doctest/doctest.h>

#include <atomic>

#include "engine/fake_engine.h"
#include "engine/fake_tokenizer.h"

namespace hearth::sched {
namespace {

// A service on its own thread and the front's end of its link.
class TestService {
 public:
  explicit TestService(Service::LoadEngine load) {
    auto ends = link::Channel::pair();
    REQUIRE(ends);
    front = std::move(ends->first);
    engine_end_ = std::move(ends->second);
    thread_ = std::thread([this, load = std::move(load)] {
      Service service(*engine_end_, {}, [this] { link_ended = true; });
      exit_status = service.run(load);
    });
  }
  explicit TestService(engine::FakeScript script)
      : TestService([script = std::move(script)](const auto& progress) -> Result<std::unique_ptr<engine::Engine>> {
          for (int i = 0; i <= 1000; ++i) progress(static_cast<float>(i) / 1000);
          return std::make_unique<engine::FakeEngine>(engine::FakeOptions{.script = script});
        }) {}
  ~TestService() {
    front->shut_down();
    join();
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

  template <class T>
  T next() {
    while (true) {
      auto message = front->receive_engine_message();
      REQUIRE(message);
      if (auto* wanted = std::get_if<T>(&*message)) return std::move(*wanted);
      ++skipped;
    }
  }

  std::unique_ptr<link::Channel> front;
  std::atomic<bool> link_ended = false;
  std::atomic<int> exit_status = -1;
  int skipped = 0;

 private:
  std::unique_ptr<link::Channel> engine_end_;
  std::thread thread_;
};

engine::FakeScript script_saying(std::string text) {
  engine::FakeScript script;
  script.rules.push_back({.say = std::move(text)});
  return script;
}

link::Job job_of(link::JobId id, std::string_view prompt) {
  link::Job job{.id = id, .prompt = engine::FakeTokenizer().tokenize(prompt, true)};
  job.sampling.seed = 1;
  return job;
}

constexpr std::string_view kPrompt = "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n";

TEST_CASE("the front hears the load's progress, then what the model is") {
  TestService service(script_saying("x"));
  const auto hello = service.next<link::Hello>();
  CHECK(service.skipped >= 50);
  CHECK(service.skipped <= 101);
  CHECK(hello.name == "fake");
  CHECK(hello.memory_kind == "attention");
  CHECK(hello.parallel_jobs == 4);
  CHECK(hello.eos_text == "<|im_end|>");
  CHECK(hello.chat_template.contains("tool_response"));
  CHECK(!hello.sampling_defaults.temperature);
  CHECK(!hello.sampling_defaults.top_k);
}

TEST_CASE("a load that fails is told with its kind and ends the process with 1") {
  TestService service([](const auto&) -> Result<std::unique_ptr<engine::Engine>> {
    return fail(ErrorKind::NoMemory, "it needs 9 GiB; 2 GiB are free");
  });
  const auto failed = service.next<link::LoadFailed>();
  CHECK(failed.kind == static_cast<std::uint8_t>(ErrorKind::NoMemory));
  CHECK(failed.message == "it needs 9 GiB; 2 GiB are free");
  service.join();
  CHECK(service.exit_status == 1);
}

TEST_CASE("a job's answer comes over the link: started, tokens in order, one end") {
  TestService service(script_saying("Hello, you."));
  static_cast<void>(service.next<link::Hello>());
  REQUIRE(service.front->send(link::FrontMessage(job_of(5, kPrompt))));
  CHECK(service.next<link::JobStarted>().job == 5);
  std::string text;
  while (true) {
    auto message = service.front->receive_engine_message();
    REQUIRE(message);
    if (const auto* end = std::get_if<link::JobEnd>(&*message)) {
      CHECK(end->reason == link::EndReason::EndOfTurn);
      break;
    }
    for (const auto& token : std::get<link::TokenEvent>(*message).tokens) text += token.piece;
  }
  CHECK(text == "Hello, you.");
}

TEST_CASE("segments are tokenised one by one and their ends are told") {
  TestService service(script_saying("x"));
  static_cast<void>(service.next<link::Hello>());
  link::TokenizeRequest request{.id = 3, .segments = {{"<think>ab", true}, {"", true}, {"<think>", false}}};
  REQUIRE(service.front->send(link::FrontMessage(request)));
  const auto reply = service.next<link::TokenizeReply>();
  CHECK(reply.id == 3);
  CHECK(reply.segment_ends == std::vector<std::uint32_t>{3, 3, 10});
  CHECK(reply.count == 10);
  CHECK(reply.tokens.size() == 10);
  CHECK(reply.tokens[0] == engine::kFakeThinkOpen);
  CHECK(reply.tokens[3] == '<');
  request.segments[1] = {.text = "", .parse_special = false, .tokens = {7, 8, 9}};
  REQUIRE(service.front->send(link::FrontMessage(request)));
  const auto ready = service.next<link::TokenizeReply>();
  CHECK(ready.segment_ends == std::vector<std::uint32_t>{3, 6, 13});
  CHECK(std::vector<link::Token>(ready.tokens.begin() + 3, ready.tokens.begin() + 6) ==
        std::vector<link::Token>{7, 8, 9});
  request.segments[1] = {.text = "", .parse_special = true};
  request.count_only = true;
  REQUIRE(service.front->send(link::FrontMessage(request)));
  const auto count = service.next<link::TokenizeReply>();
  CHECK(count.count == 10);
  CHECK(count.tokens.empty());
  CHECK(count.pieces.empty());
  request = {.id = 4, .segments = {{"<|im_end|>a", true}}, .with_pieces = true};
  REQUIRE(service.front->send(link::FrontMessage(request)));
  CHECK(service.next<link::TokenizeReply>().pieces == std::vector<std::string>{"<|im_end|>", "a"});
}

TEST_CASE("a cancel is heard while the model thinks about its first token for an hour") {
  auto script = script_saying("x");
  script.rules[0].first_token_delay_ms = 3'600'000;
  TestService service(std::move(script));
  static_cast<void>(service.next<link::Hello>());
  REQUIRE(service.front->send(link::FrontMessage(job_of(5, kPrompt))));
  static_cast<void>(service.next<link::JobStarted>());
  REQUIRE(service.front->send(link::FrontMessage(link::Cancel{5})));
  CHECK(service.next<link::JobEnd>().reason == link::EndReason::Cancelled);
}

TEST_CASE("a text that takes long to read keeps nothing else waiting") {
  TestService service(script_saying("hello"));
  service.next<link::Hello>();
  link::TokenizeRequest request{.id = 1, .count_only = true};
  request.segments.push_back({std::string(48U << 20, 'x'), false});
  REQUIRE(service.front->send(link::FrontMessage(std::move(request))));
  REQUIRE(service.front->send(link::FrontMessage(link::StatsRequest{.id = 2})));
  bool told = false;  // the text's length
  for (bool answered = false; !answered;) {
    auto message = service.front->receive_engine_message();
    REQUIRE(message);
    told = told || std::holds_alternative<link::TokenizeReply>(*message);
    answered = std::holds_alternative<link::StatsReply>(*message);
  }
  CHECK_FALSE(told);
  CHECK(service.next<link::TokenizeReply>().count == 48U << 20);
}

TEST_CASE("probe and stats are answered, also without jobs") {
  TestService service(script_saying("abc"));
  static_cast<void>(service.next<link::Hello>());
  const auto job = job_of(5, kPrompt);
  REQUIRE(service.front->send(link::FrontMessage(job)));
  static_cast<void>(service.next<link::JobEnd>());
  REQUIRE(service.front->send(link::FrontMessage(link::Probe{.id = 8, .tokens = job.prompt})));
  const auto reply = service.next<link::ProbeReply>();
  CHECK(reply.id == 8);
  CHECK(reply.cached_tokens == job.prompt.size());
  REQUIRE(service.front->send(link::FrontMessage(link::StatsRequest{.id = 9})));
  const auto stats = service.next<link::StatsReply>();
  CHECK(stats.counters.at("tokens_sampled") == 4);
  CHECK(stats.counters.at("jobs_ended") == 1);
}

TEST_CASE("shutdown and the front's death both end the service") {
  for (const bool by_word : {true, false}) {
    TestService service(script_saying("x"));
    static_cast<void>(service.next<link::Hello>());
    if (by_word) {
      REQUIRE(service.front->send(link::FrontMessage(link::Shutdown{})));
    } else {
      service.front->shut_down();
    }
    service.join();
    CHECK(service.link_ended);
    CHECK(service.exit_status == 0);
  }
}

TEST_CASE("a front that dies during the load is noticed before the load ends") {
  std::promise<void> seen;
  TestService* running = nullptr;
  TestService service([&](const auto&) -> Result<std::unique_ptr<engine::Engine>> {
    seen.get_future().wait();
    while (!running->link_ended) std::this_thread::yield();
    return fail(ErrorKind::Unavailable, "nobody listens");
  });
  running = &service;
  seen.set_value();
  service.front->shut_down();
  service.join();
  CHECK(service.link_ended);
}

}  // namespace
}  // namespace hearth::sched
