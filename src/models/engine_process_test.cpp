// EngineProcess over real processes that die on cue (testing/scripted_engine.cpp).
#include "models/engine_process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <thread>

#include "base/log.h"
#include "models/spawn.h"
#include "models/testing/recorder.h"
#include "models/testing/stage.h"

namespace hearth::models {
namespace {

TEST_CASE("start waits for Hello and reports progress on the way") {
  const Stage stage;
  std::vector<float> progress;
  auto engine = EngineProcess::start(stage.spec({}), [&](float fraction) { progress.push_back(fraction); });
  REQUIRE(engine);
  CHECK((*engine)->hello()->name == "scripted");
  CHECK((*engine)->state() == EngineState::Ready);
  CHECK(progress == std::vector<float>{0.5F, 1.0F});
}

TEST_CASE("an engine program that is missing is a clear error") {
  const auto engine = EngineProcess::start({.engine_program = "/nowhere/hearth-engine"}, {});
  REQUIRE_FALSE(engine);
  CHECK(engine.error().message.contains("/nowhere/hearth-engine"));
  CHECK(engine.error().message.contains("No such file"));
}

TEST_CASE("an engine's memory lies in large pages, unless the user has tuned it") {
  const std::vector<std::string> tuned = {"GOMP_SPINCOUNT=7", "GLIBC_TUNABLES=glibc.malloc.arena_max=1"};
  CHECK(engine_environment(tuned) == tuned);
}

TEST_CASE("an engine's threads give way soon when they wait, unless the user has said how they wait") {
  const std::string pages = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1";
  using Texts = std::vector<std::string>;
  CHECK(engine_environment({"HOME=/h"}) == Texts{"HOME=/h", "GOMP_SPINCOUNT=2000", pages});
  CHECK(engine_environment({"OMP_WAIT_POLICY=active"}) == Texts{"OMP_WAIT_POLICY=active", pages});
  CHECK(engine_environment({"A=b", "GOMP_SPINCOUNT=7"}) == Texts{"A=b", "GOMP_SPINCOUNT=7", pages});
}

TEST_CASE("an engine that dies while it loads is named with its signal and a next step") {
  const Stage stage;
  const auto engine = EngineProcess::start(stage.spec({"--die-loading-from", "1", "--die-loading-to", "1"}), {});
  REQUIRE_FALSE(engine);
  CHECK(engine.error().kind == ErrorKind::Unavailable);
  CHECK(engine.error().message.contains("tiny.gguf"));
  CHECK(engine.error().message.contains("signal 9"));
  CHECK(engine.error().message.contains("--ctx"));
}

TEST_CASE("a load that fails passes the engine's own words and kind on") {
  const Stage stage;
  const auto engine = EngineProcess::start(stage.spec({"--load-failed", "needs 9 GiB, 4 GiB are free"}), {});
  REQUIRE_FALSE(engine);
  CHECK(engine.error().kind == ErrorKind::NoMemory);
  CHECK(engine.error().message == "needs 9 GiB, 4 GiB are free");
}

TEST_CASE("the engine has a process group of its own and none of our descriptors") {
  const Stage stage;
  const int leaky = ::dup(2);  // not close-on-exec, as the HTTP library's sockets
  REQUIRE(leaky >= 0);
  const auto engine = stage.start({});
  CHECK_EQ(::getpgid(engine->process_id()), engine->process_id());
  CHECK_EQ(stats(*engine)->counters.at("open_descriptors"), 4);
  ::close(leaky);
}

TEST_CASE("a killed engine in mid-stream: every job's bytes are those of an undisturbed run") {
  const std::string expected_long = undisturbed_text(job_of(1, 200));
  const std::string expected_short = undisturbed_text(job_of(10, 30));
  for (const char* after : {"1", "2", "7", "59", "60", "61", "229"}) {
    CAPTURE(after);
    const Stage stage;
    const auto engine = stage.start({"--die-after", after, "--die-in-lives", "2"});
    const Submitted one = submit(*engine, job_of(1, 200));
    const Submitted two = submit(*engine, job_of(10, 30));
    const link::JobEnd end = one.recorder->wait_end();
    CHECK(end.reason == EndReason::TokensMax);
    CHECK_EQ(end.sampled_tokens, 200);
    CHECK_EQ(end.prompt_tokens, 6);
    CHECK_EQ(end.cached_tokens, 5);  // as the first start said, not the engine that found nothing cached
    two.recorder->wait_end();
    CHECK(one.recorder->text() == expected_long);
    CHECK(two.recorder->text() == expected_short);
    CHECK(one.recorder->in_order());
    CHECK(two.recorder->in_order());
    CHECK(engine->restart_count() >= 1);
  }
}

TEST_CASE("kill -9 from outside at any moment loses and repeats nothing") {
  const std::string expected = undisturbed_text(job_of(1, 5000));
  const Stage stage;
  const auto engine = stage.start({});
  std::vector<Submitted> runs;
  for (int index = 0; index < 3; ++index) runs.push_back({});
  for (std::size_t index = 0; index < runs.size(); ++index) {
    runs[index].recorder->at_token(100 + 900 * index, [&] { ::kill(engine->process_id(), SIGKILL); });
    REQUIRE(engine->submit(job_of(1, 5000), runs[index].recorder));
  }
  for (const Submitted& run : runs) {
    CHECK(run.recorder->wait_end().reason == EndReason::TokensMax);
    CHECK(run.recorder->text() == expected);
    CHECK(run.recorder->in_order());
  }
  CHECK(engine->restart_count() >= 1);
}

TEST_CASE("an engine lost in another way than by its death is replaced like a dead one") {
  const std::string expected = undisturbed_text(job_of(1));
  for (const char* how : {"garbage", "close", "orphan"}) {
    CAPTURE(how);
    const Stage stage;
    const auto engine = stage.start({"--die-after", "9", "--die-in-lives", "1", "--die-how", how});
    const int process_id = engine->process_id();
    const Submitted run = submit(*engine, job_of(1));
    CHECK(run.recorder->wait_end().reason == EndReason::TokensMax);
    CHECK(run.recorder->text() == expected);
    CHECK(::kill(process_id, 0) == -1);  // killed and reaped, not left behind
  }
}

TEST_CASE("a job that comes without a seed keeps the one it was given") {
  const Stage stage;
  const auto engine = stage.start({"--die-after", "5", "--die-in-lives", "2"});
  link::Job job = job_of(kTellSeed, 20);
  job.sampling.seed.reset();
  const Submitted run = submit(*engine, job);
  run.recorder->wait_end();
  const std::string text = run.recorder->text();
  const std::string first = text.substr(0, text.find(' ') + 1);
  std::string expected;
  for (int index = 0; index < 20; ++index) expected += first;
  CHECK(text == expected);
}

TEST_CASE("three deaths without a token end the job, and it alone") {
  for (const Token poison : {kPoison, kPoisonLate}) {
    const std::string expected = undisturbed_text(job_of(1, 3000));
    const Stage stage;
    const auto engine = stage.start({});
    const Submitted before = submit(*engine, job_of(1, 3000));
    const Submitted silent = submit(*engine, job_of(kSilent));  // never proves itself, and must not be blamed
    const Submitted poisonous = submit(*engine, job_of(poison));
    const Submitted after = submit(*engine, job_of(1, 3000));
    engine->cancel(silent.id);
    const link::JobEnd end = poisonous.recorder->wait_end();
    CHECK(end.reason == EndReason::Failed);
    CHECK(kind_of(end) == ErrorKind::Internal);
    CHECK(end.message.contains("died 3 times"));
    CHECK(end.message.contains("signal 9"));
    CHECK(before.recorder->wait_end().reason == EndReason::TokensMax);
    CHECK(after.recorder->wait_end().reason == EndReason::TokensMax);
    CHECK(before.recorder->text() == expected);
    CHECK(after.recorder->text() == expected);
    CHECK(silent.recorder->wait_end().reason == EndReason::Cancelled);
    CHECK(submit(*engine, job_of(1, 5)).recorder->wait_end().reason == EndReason::TokensMax);
  }
}

TEST_CASE("cancel of a running job ends it once, with the engine's word") {
  const Stage stage;
  const auto engine = stage.start({});
  const Submitted run = submit(*engine, job_of(kSilent));
  run.recorder->wait_started();
  engine->cancel(run.id);
  engine->cancel(run.id);
  engine->cancel(12345);
  CHECK(run.recorder->wait_end().reason == EndReason::Cancelled);
  CHECK(submit(*engine, job_of(1)).recorder->wait_end().reason == EndReason::TokensMax);
  CHECK(run.recorder->in_order());
}

TEST_CASE("cancel while the engine restarts ends the job at once") {
  const Stage stage;
  const auto engine = stage.start({"--die-after", "10", "--die-in-lives", "1", "--mute-from", "2"});
  const Submitted run = submit(*engine, job_of(1));
  wait_until([&] { return engine->state() == EngineState::Restarting; });
  engine->cancel(run.id);
  const link::JobEnd end = run.recorder->wait_end();
  CHECK(end.reason == EndReason::Cancelled);
  CHECK_EQ(end.prompt_tokens, 6);
  CHECK_EQ(end.sampled_tokens, 10);
  CHECK(run.recorder->in_order());
}

TEST_CASE("a question in flight is asked again of the next engine") {
  const Stage stage;
  const auto engine = stage.start({});
  const auto reply = tokenize(*engine, "once");
  REQUIRE(reply);
  CHECK(reply->tokens == std::vector<Token>{'o', 'n', 'c', 'e'});
  CHECK(reply->segment_ends == std::vector<std::uint32_t>{4});
  CHECK_EQ(stats(*engine)->counters.at("life"), 2);
}

TEST_CASE("a text that engines die on is given up and the next text is answered") {
  const Stage stage;
  const auto engine = stage.start({});
  const Submitted run = submit(*engine, job_of(1, 2000));
  const auto reply = tokenize(*engine, "poison");
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == ErrorKind::Internal);
  CHECK(tokenize(*engine, "fine"));
  CHECK(run.recorder->wait_end().reason == EndReason::TokensMax);
}

TEST_CASE("what is over the limits is refused as Overloaded or TooLarge") {
  const Stage stage;
  const auto engine = stage.start({}, {.jobs_max = 1, .asks_max = 1});
  const Submitted run = submit(*engine, job_of(kSilent));
  const auto second = engine->submit(job_of(1), std::make_shared<Recorder>());
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == ErrorKind::Overloaded);
  CHECK_FALSE(engine->submit(link::Job{}, std::make_shared<Recorder>()));

  std::promise<void> answered;
  engine->tokenize({{"silent", false}}, false, [&](const auto&) { answered.set_value(); });
  const auto refused = tokenize(*engine, "text");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::Overloaded);
  const auto too_large = tokenize(*engine, std::string(90U << 20, 'x'));
  REQUIRE_FALSE(too_large);
  CHECK(too_large.error().kind == ErrorKind::TooLarge);
  engine->stop();
  answered.get_future().wait();  // stop answers what is open
}

TEST_CASE("an engine that does not come back fails its jobs, and a later request tries again") {
  const Stage stage;
  const auto engine =
      stage.start({"--die-after", "3", "--die-in-lives", "1", "--die-loading-from", "2", "--die-loading-to", "3"},
                  {.hello_failures_max = 2, .retry_after_ms = 0});
  const Submitted run = submit(*engine, job_of(1));
  const link::JobEnd end = run.recorder->wait_end();
  CHECK(end.reason == EndReason::Failed);
  CHECK(kind_of(end) == ErrorKind::Unavailable);
  CHECK(end.message.contains("signal 9"));
  CHECK_EQ(end.sampled_tokens, 3);
  CHECK(engine->state() == EngineState::Failed);
  CHECK(submit(*engine, job_of(1)).recorder->wait_end().reason == EndReason::TokensMax);  // life 4 is healthy
  CHECK(engine->state() == EngineState::Ready);
}

TEST_CASE("a failed engine refuses at once until it is time to try again") {
  const Stage stage;
  const auto engine =
      stage.start({"--die-after", "3", "--die-in-lives", "1", "--die-loading-from", "2", "--die-loading-to", "9"},
                  {.hello_failures_max = 1, .retry_after_ms = 1'000'000});
  submit(*engine, job_of(1)).recorder->wait_end();
  const auto refused = engine->submit(job_of(1), std::make_shared<Recorder>());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::Unavailable);
  CHECK_FALSE(tokenize(*engine, "text"));
}

TEST_CASE("who only looks does not make a failed engine try again") {
  const Stage stage;
  const auto engine =
      stage.start({"--die-after", "3", "--die-in-lives", "1", "--die-loading-from", "2", "--die-loading-to", "2"},
                  {.hello_failures_max = 1, .retry_after_ms = 0});
  submit(*engine, job_of(1)).recorder->wait_end();
  REQUIRE(engine->state() == EngineState::Failed);
  std::promise<bool> answered;
  engine->stats([&](const auto& reply) { answered.set_value(reply.has_value()); });
  CHECK_FALSE(answered.get_future().get());
  CHECK(engine->state() == EngineState::Failed);
}

TEST_CASE("another model in the same file fails the jobs clearly") {
  const Stage stage;
  const auto engine =
      stage.start({"--die-after", "3", "--die-in-lives", "1", "--template-from", "2"}, {.hello_failures_max = 1});
  const link::JobEnd end = submit(*engine, job_of(1)).recorder->wait_end();
  CHECK(end.reason == EndReason::Failed);
  CHECK(end.message.contains("another model"));
}

TEST_CASE("a job that fills a context that became smaller ends as ContextFull") {
  const Stage stage;
  const auto engine =
      stage.start({"--die-after", "40", "--die-in-lives", "1", "--context", "20", "--context-from", "2"});
  const link::JobEnd end = submit(*engine, job_of(1)).recorder->wait_end();
  CHECK(end.reason == EndReason::ContextFull);
  CHECK_EQ(end.sampled_tokens, 40);
}

TEST_CASE("stop ends the process and every job, and later calls are answered") {
  const Stage stage;
  const auto engine = stage.start({});
  const Submitted run = submit(*engine, job_of(kSilent));
  run.recorder->wait_started();
  const int process_id = engine->process_id();
  engine->stop();
  CHECK(::kill(process_id, 0) == -1);
  CHECK_EQ(errno, ESRCH);
  const link::JobEnd end = run.recorder->wait_end();
  CHECK(end.reason == EndReason::Failed);
  CHECK(kind_of(end) == ErrorKind::Unavailable);
  CHECK(engine->state() == EngineState::Stopped);
  CHECK_FALSE(engine->submit(job_of(1), std::make_shared<Recorder>()));
  CHECK_FALSE(tokenize(*engine, "text"));
  engine->cancel(run.id);
  engine->stop();
}

TEST_CASE("an engine that is deaf to Shutdown and SIGTERM is killed") {
  const Stage stage;
  const auto engine = stage.start({"--deaf", "1"}, {.stop_limit_ms = 20, .term_limit_ms = 20});
  const int process_id = engine->process_id();
  engine->stop();
  CHECK(::kill(process_id, 0) == -1);
}

TEST_CASE("stop does not wait for an engine that is frozen") {
  const Stage stage;
  const auto engine = stage.start({}, {.stop_limit_ms = 20, .term_limit_ms = 20});
  ::kill(engine->process_id(), SIGSTOP);
  for (int index = 0; index < 20; ++index) submit(*engine, link::Job{.prompt = std::vector<Token>(100'000, 1)});
  engine->stop();
  CHECK_EQ(engine->process_id(), 0);
}

TEST_CASE("stop while the next engine is loading comes to an end") {
  const Stage stage;
  const auto engine = stage.start({"--die-after", "1", "--die-in-lives", "1", "--mute-from", "2"});
  const Submitted run = submit(*engine, job_of(1));
  wait_until([&] { return engine->state() == EngineState::Restarting; });
  engine->stop();
  CHECK(run.recorder->wait_end().reason == EndReason::Failed);
}

TEST_CASE("an engine that is not done when its time is over ends with its link, whatever it thinks of SIGTERM") {
  const Stage stage;
  const auto engine = stage.start({"--tarry", "1"}, {.stop_limit_ms = 20, .term_limit_ms = 60'000});
  const int process_id = engine->process_id();
  const auto began = std::chrono::steady_clock::now();
  engine->stop();
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(30));
  CHECK(::kill(process_id, 0) == -1);
}

TEST_CASE("a listener may submit and cancel from its own calls") {
  const Stage stage;
  const auto engine = stage.start({});
  const auto second = std::make_shared<Recorder>();
  const auto first = std::make_shared<Recorder>();
  first->at_token(3, [&] { REQUIRE(engine->submit(job_of(1), second)); });
  REQUIRE(engine->submit(job_of(1), first));
  first->wait_end();
  CHECK(second->wait_end().reason == EndReason::TokensMax);
}

TEST_CASE("a paused job gives no token until it is resumed, whatever happens to the engine meanwhile") {
  const Stage stage;
  const auto engine = stage.start({});
  const Submitted run = submit(*engine, job_of(1, 0));  // without an end
  engine->pause(run.id);
  engine->pause(run.id);
  // A question overtakes nothing: what the engine said before its answer is here with it.
  REQUIRE(tokenize(*engine, "a"));
  const std::string paused_at = run.recorder->text();
  REQUIRE(tokenize(*engine, "b"));
  CHECK(run.recorder->text() == paused_at);
  ::kill(engine->process_id(), SIGKILL);
  wait_until([&] { return engine->restart_count() == 1 && engine->state() == EngineState::Ready; });
  REQUIRE(tokenize(*engine, "c"));
  // How much it said before the second pause reached it, on a busy machine thousands of tokens, is no matter: now it says nothing.
  const std::string again_at = run.recorder->text();
  REQUIRE(tokenize(*engine, "d"));
  CHECK(run.recorder->text() == again_at);
  CHECK(again_at.starts_with(paused_at));
  engine->resume(run.id);
  wait_until([&] { return run.recorder->text().size() > again_at.size() + 1000; });
  engine->cancel(run.id);
  run.recorder->wait_end();
  CHECK(run.recorder->in_order());
  const std::string text = run.recorder->text();
  const auto tokens = static_cast<std::uint32_t>(std::ranges::count(text, ' '));
  CHECK(text == undisturbed_text(job_of(1, tokens)));
}

TEST_CASE("many threads submit, cancel and ask while engines die; every job ends once") {
  const Stage stage;
  const auto engine = stage.start({"--die-after", "400", "--die-in-lives", "3"});
  std::vector<std::vector<Submitted>> runs(4);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : runs) {
      threads.emplace_back([&] {
        for (int index = 0; index < 40; ++index) {
          mine.push_back(submit(*engine, job_of(1 + index, 20)));
          if (index % 3 == 0) engine->cancel(mine.back().id);
          if (index % 5 == 0) CHECK(tokenize(*engine, "abc"));
        }
      });
    }
  }
  for (const auto& mine : runs) {
    for (const Submitted& run : mine) {
      const link::JobEnd end = run.recorder->wait_end();
      CHECK((end.reason == EndReason::TokensMax || end.reason == EndReason::Cancelled));
      CHECK(run.recorder->in_order());
    }
  }
}

}  // namespace
}  // namespace hearth::models
