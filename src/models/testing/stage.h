// What the tests of EngineProcess share: a scripted engine (scripted_engine.cpp) in a folder of its own, and calls that wait.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/test_folder.h"
#include "base/test_log.h"
#include "models/engine_process.h"
#include "models/testing/recorder.h"

namespace hearth::models {

using link::EndReason;
using link::Token;

inline constexpr Token kPoison = 666, kPoisonLate = 667, kSilent = 668, kTellSeed = 669, kHang = 670;

// A folder for the file that counts lives; gone at the end.
class Stage {
 public:
  EngineSpec spec(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--lives", folder_.path() + "/lives"});
    return {.engine_program = HEARTH_SCRIPTED_ENGINE, .arguments = std::move(arguments), .model_path = "tiny.gguf"};
  }
  std::unique_ptr<EngineProcess> start(std::vector<std::string> arguments, EngineLimits limits = {}) const {
    EngineSpec with_limits = spec(std::move(arguments));
    with_limits.limits = limits;
    auto engine = EngineProcess::start(with_limits, {});
    REQUIRE(engine);
    return std::move(*engine);
  }

 private:
  const hearth::testing::TestFolder folder_;
  const hearth::testing::Quiet quiet_;  // deaths are the point here
};

inline link::Job job_of(Token first, std::uint32_t tokens_max = 50) {
  link::Job job{.prompt = {first, 2, 3, 4, 5, 6}, .tokens_max = tokens_max};
  job.sampling.seed = 7;
  return job;
}

struct Submitted {
  std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
  link::JobId id = 0;
};
inline Submitted submit(EngineProcess& engine, link::Job job) {
  Submitted submitted;
  const auto id = engine.submit(std::move(job), submitted.recorder);
  REQUIRE(id);
  submitted.id = *id;
  return submitted;
}

inline std::string undisturbed_text(link::Job job) {
  const Stage stage;
  const auto engine = stage.start({});
  const Submitted run = submit(*engine, std::move(job));
  CHECK(run.recorder->wait_end().reason == EndReason::TokensMax);
  return run.recorder->text();
}

inline Result<link::TokenizeReply> tokenize(EngineProcess& engine, std::string text) {
  std::promise<Result<link::TokenizeReply>> reply;
  engine.tokenize({{std::move(text), false}}, false,
                  [&](Result<link::TokenizeReply> result) { reply.set_value(std::move(result)); });
  return reply.get_future().get();
}
inline Result<link::StatsReply> stats(EngineProcess& engine) {
  std::promise<Result<link::StatsReply>> reply;
  engine.stats([&](Result<link::StatsReply> result) { reply.set_value(std::move(result)); });
  return reply.get_future().get();
}

inline void wait_until(const std::function<bool()>& holds) {
  while (!holds()) ::usleep(1000);  // for states that nobody is told of
}

inline ErrorKind kind_of(const link::JobEnd& end) { return static_cast<ErrorKind>(end.error_kind); }

}  // namespace hearth::models
