// EngineProcess: engines that hang, and engines that nobody uses (testing/scripted_engine.cpp).
#include <doctest/doctest.h>
#include <signal.h>

#include "models/testing/stage.h"

namespace hearth::models {
namespace {

TEST_CASE("an engine that hangs with its link open is killed and replaced, and its job goes on") {
  const Stage stage;
  const auto engine = stage.start({}, {.hang_limit_ms = 100});
  const int hung = engine->process_id();
  const Submitted run = submit(*engine, job_of(kHang));
  CHECK(run.recorder->wait_end().reason == EndReason::TokensMax);
  CHECK_EQ(engine->restart_count(), 1);
  CHECK(::kill(hung, 0) == -1);
}

TEST_CASE("an engine that hangs while it is loaded again is killed, and the next one is tried") {
  const Stage stage;
  const auto engine = stage.start({"--die-after", "3", "--die-in-lives", "1", "--mute-from", "2", "--mute-to", "2"},
                                  {.hang_limit_ms = 25});
  const Submitted run = submit(*engine, job_of(1));
  CHECK(run.recorder->wait_end().reason == EndReason::TokensMax);
}

TEST_CASE("an engine that hangs while it is loaded first is an error, not a wait without end") {
  const Stage stage;
  EngineSpec spec = stage.spec({"--mute-from", "1"});
  spec.limits.hang_limit_ms = 25;
  const auto engine = EngineProcess::start(std::move(spec), {});
  REQUIRE_FALSE(engine);
  CHECK(engine.error().message.contains("hung"));
}

TEST_CASE("an engine that dies while it loads is noticed though another process holds its link") {
  const Stage stage;
  const auto engine = stage.start({"--die-after", "3", "--die-in-lives", "1", "--die-loading-from", "2",
                                   "--die-loading-to", "2", "--die-how", "orphan"});
  const Submitted run = submit(*engine, job_of(1));
  CHECK(run.recorder->wait_end().reason == EndReason::TokensMax);
}

TEST_CASE("an engine whose jobs hang is killed though it goes on tokenising") {
  const Stage stage;
  const auto engine = stage.start({}, {.hang_limit_ms = 150});
  const Submitted run = submit(*engine, job_of(kSilent));
  wait_until([&] { return !tokenize(*engine, "text") || engine->restart_count() > 0; });
  CHECK(engine->restart_count() > 0);
  engine->cancel(run.id);
  run.recorder->wait_end();
}

TEST_CASE("a model that nobody uses is unloaded, and whatever needs it loads it again") {
  const Stage stage;
  const auto engine = stage.start({}, {.keep_alive_ms = 0});
  const int process_id = engine->process_id();
  submit(*engine, job_of(1, 5)).recorder->wait_end();
  wait_until([&] { return engine->state() == EngineState::Unloaded && engine->process_id() == 0; });
  CHECK(::kill(process_id, 0) == -1);
  CHECK(engine->hello()->name == "scripted");
  CHECK_FALSE(stats(*engine));  // a look does not load it
  CHECK(engine->state() == EngineState::Unloaded);
  CHECK(submit(*engine, job_of(1, 5)).recorder->wait_end().reason == EndReason::TokensMax);
  CHECK_EQ(engine->restart_count(), 0);
  wait_until([&] { return engine->state() == EngineState::Unloaded; });
  CHECK(tokenize(*engine, "text"));
  wait_until([&] { return engine->state() == EngineState::Unloaded; });
  engine->stop();
  CHECK_FALSE(tokenize(*engine, "text"));
}

TEST_CASE("a client that leaves while the model is loaded for it ends its job") {
  const Stage stage;
  const auto engine = stage.start({"--mute-from", "2"}, {.keep_alive_ms = 0});
  wait_until([&] { return engine->state() == EngineState::Unloaded; });
  const Submitted run = submit(*engine, job_of(1));
  engine->cancel(run.id);
  CHECK(run.recorder->wait_end().reason == EndReason::Cancelled);
  engine->stop();
}

}  // namespace
}  // namespace hearth::models
