// EngineProcess over the real engine program with its scripted model: the whole of two processes, link and loop.
#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>

#include <fstream>
#include <future>

#include "base/log.h"
#include "base/test_folder.h"
#include "models/engine_process.h"
#include "models/testing/recorder.h"

namespace hearth::models {
namespace {

using link::EndReason;

// "story" is said by script; "tale" is the same with an abort in the middle, twice; "crash" aborts before its first token,
// three times; anything else is babble drawn by seed.
constexpr const char* kScript = R"({
  "name": "scripted", "context_tokens": 20000,
  "rules": [
    {"when": {"last_user_contains": ["story"]}, "repeat": 50, "say": "Once upon a time a process died. 🔥 "},
    {"when": {"last_user_contains": ["tale"]}, "repeat": 50, "say": "Once upon a time a process died. 🔥 ",
     "crash_after_tokens": 137, "crash_times": 2},
    {"when": {"last_user_contains": ["crash"]}, "say": "abcdef", "crash_after_tokens": 0, "crash_times": 3}
  ]})";

class RealStage {
 public:
  RealStage() {
    std::ofstream(folder_.path() + "/script.json") << kScript;
    ::setenv("HEARTH_FAKE_STATE", (folder_.path() + "/state").c_str(), 1);
    set_log_level(LogLevel::Off);
    auto engine = EngineProcess::start({.engine_program = HEARTH_ENGINE_PROGRAM,
                                        .arguments = {"--model", "fake:" + folder_.path() + "/script.json"},
                                        .model_path = "fake:script.json"},
                                       {});
    if (!engine) MESSAGE(engine.error().message);
    REQUIRE(engine);
    engine_ = std::move(*engine);
  }
  ~RealStage() {
    engine_.reset();
    ::unsetenv("HEARTH_FAKE_STATE");
    set_log_level(LogLevel::Info);
  }
  EngineProcess& engine() { return *engine_; }

  link::Job job_saying(const std::string& words) {
    std::promise<Result<link::TokenizeReply>> reply;
    engine_->tokenize({{"<|im_start|>user\n", true}, {words, false}, {"<|im_end|>\n<|im_start|>assistant\n", true}},
                      false, [&](Result<link::TokenizeReply> result) { reply.set_value(std::move(result)); });
    auto tokens = reply.get_future().get();
    REQUIRE(tokens);
    CHECK_EQ(tokens->segment_ends.size(), 3);
    link::Job job{.prompt = std::move(tokens->tokens), .tokens_max = 1000};
    job.sampling.seed = 11;
    job.sampling.temperature = 1.0F;
    return job;
  }

 private:
  const testing::TestFolder folder_;
  std::unique_ptr<EngineProcess> engine_;
};

struct Told {
  std::string text;
  link::JobEnd end;
};
Told tell(RealStage& stage, const std::string& words, std::size_t kill_at = SIZE_MAX) {
  const auto recorder = std::make_shared<Recorder>();
  recorder->at_token(kill_at, [&] { ::kill(stage.engine().process_id(), SIGKILL); });
  REQUIRE(stage.engine().submit(stage.job_saying(words), recorder));
  const link::JobEnd end = recorder->wait_end();
  CHECK(recorder->in_order());
  return {recorder->text(), end};
}

TEST_CASE("the real engine killed in mid-stream gives byte for byte the undisturbed answer") {
  for (const char* words : {"a story, please", "what is not in the script"}) {
    RealStage calm;
    const Told expected = tell(calm, words);
    CHECK(expected.text.size() >= 3);
    for (const std::size_t kill_at : {1, 2, 3, 100, 999}) {
      CAPTURE(kill_at);
      RealStage stage;
      const Told told = tell(stage, words, kill_at);
      CHECK(told.text == expected.text);
      CHECK(told.end.reason == expected.end.reason);
      CHECK_EQ(told.end.prompt_tokens, expected.end.prompt_tokens);
      CHECK_EQ(told.end.sampled_tokens, expected.end.sampled_tokens);
    }
  }
}

TEST_CASE("the real engine aborting twice in mid-stream gives the undisturbed answer") {
  RealStage stage;
  const Told told = tell(stage, "a tale, please");
  CHECK_EQ(stage.engine().restart_count(), 2);
  CHECK(told.text == tell(stage, "a story, please").text);
  CHECK_EQ(told.end.sampled_tokens, 1000);
}

TEST_CASE("three crashes of the real engine on one job end it, its neighbour goes on") {
  RealStage calm;
  const Told expected = tell(calm, "a story, please");
  RealStage stage;
  const auto neighbour = std::make_shared<Recorder>();
  REQUIRE(stage.engine().submit(stage.job_saying("a story, please"), neighbour));
  const Told crashed = tell(stage, "crash");
  CHECK(crashed.end.reason == EndReason::Failed);
  CHECK(crashed.end.message.contains("died 3 times"));
  CHECK(neighbour->wait_end().reason == expected.end.reason);
  CHECK(neighbour->text() == expected.text);
  CHECK(tell(stage, "a story, please").text == expected.text);
}

TEST_CASE("the real engine goes on when all processes are asked to end, until the front ends it") {
  RealStage calm;
  const Told expected = tell(calm, "a story, please");
  RealStage stage;
  const auto recorder = std::make_shared<Recorder>();
  recorder->at_token(100, [&] {
    for (const int signal : {SIGINT, SIGTERM}) ::kill(stage.engine().process_id(), signal);
  });
  REQUIRE(stage.engine().submit(stage.job_saying("a story, please"), recorder));
  CHECK(recorder->wait_end().reason == expected.end.reason);
  CHECK(recorder->text() == expected.text);
  CHECK_EQ(stage.engine().restart_count(), 0);
}

TEST_CASE("an engine program that is given nonsense says what is wrong") {
  const auto engine = EngineProcess::start(
      {.engine_program = HEARTH_ENGINE_PROGRAM, .arguments = {"--model", "fake:/no/such.json"}, .model_path = "fake:"},
      {});
  REQUIRE_FALSE(engine);
  CHECK(engine.error().message.contains("/no/such.json"));
}

}  // namespace
}  // namespace hearth::models
