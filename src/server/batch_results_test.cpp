// The results of a batch on their way to a client: in pieces, as fast as it reads, and cut when they are deleted meanwhile.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "server/batch_routes.h"
#include "server/test_batches.h"

namespace hearth::server {
namespace {

// A client that reads when the test says so; any thread.
class SlowReader final : public http::Exchange {
 public:
  explicit SlowReader(std::string path) { request_.path = std::move(path), request_.method = "GET"; }
  [[nodiscard]] const http::Request& request() const override { return request_; }
  void drop_body() override {}
  void respond(http::Response response) override {
    write(std::move(response.body));
    over_ = true;
  }
  void begin_stream(int, http::Headers) override {}
  void write(std::string bytes) override {
    const std::lock_guard lock(mutex_);
    unsent_ += bytes;
    unsent_most_ = std::max(unsent_most_, unsent_.size());
  }
  void finish() override { over_ = true; }
  void abort() override { over_ = aborted_ = true; }
  [[nodiscard]] std::size_t unsent_bytes() const override { return 0; }
  [[nodiscard]] std::size_t unsent_bytes_of_all() const override { return 0; }
  void when_unsent_at_most(std::size_t, std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    space_task_ = std::move(task);
  }
  void post(std::function<void()> task) override { task(); }
  void after_ms(std::int64_t, std::function<void()>) override {}
  void on_disconnect(std::function<void()>) override {}

  void wait_for_first() {
    while (!over_) {
      const std::lock_guard lock(mutex_);
      if (space_task_) return;
    }
  }
  // All that was sent, and then the next; false: the answer is over.
  bool read() {
    while (true) {
      std::function<void()> task;
      {
        const std::lock_guard lock(mutex_);
        text += std::exchange(unsent_, {});
        task = std::exchange(space_task_, nullptr);
      }
      if (task) return task(), true;
      if (over_) return false;
      std::this_thread::yield();
    }
  }
  [[nodiscard]] bool aborted() const { return aborted_; }
  [[nodiscard]] std::size_t unsent_most() const { return unsent_most_; }
  std::string text;

 private:
  http::Request request_;
  std::mutex mutex_;
  std::string unsent_;
  std::size_t unsent_most_ = 0;
  std::function<void()> space_task_;
  std::atomic<bool> over_ = false, aborted_ = false;
};

constexpr std::size_t kAnswer_bytes = 300'000;

std::string ended_batch(Stage& stage, int count) {
  const std::string id = stage.batches.create(stage.owner, requests(count))->id;
  for (int i = 0; i < count; ++i) stage.answer(200, R"({"text":")" + std::string(kAnswer_bytes, 'x') + "\"}");
  stage.wait_end(id);
  return id;
}

std::shared_ptr<SlowReader> get_results(Stage& stage, RequestLog& log, const std::string& id) {
  const std::string rest = id + "/results";
  const auto reader = std::make_shared<SlowReader>("/v1/messages/batches/" + rest);
  const auto call = std::make_shared<Call>(reader, log, stage.clock);
  call->record.owner = stage.owner.owner;
  answer_batch(call, stage.batches, rest);
  reader->wait_for_first();
  return reader;
}

}  // namespace

TEST_CASE("results of any size wait for their reader, and no more of them is in memory than it was sent") {
  const BatchFolder folder;
  Stage stage(folder.path);
  RequestLog log;
  const std::string id = ended_batch(stage, 12);
  const auto reader = get_results(stage, log, id);
  int reads = 1;
  while (reader->read()) ++reads;
  CHECK_FALSE(reader->aborted());
  CHECK(std::ranges::count(reader->text, '\n') == 12);
  CHECK(reader->text.size() > 12 * kAnswer_bytes);
  CHECK(reader->unsent_most() <= 64 * 1024);
  CHECK(reads > 12 * static_cast<int>(kAnswer_bytes) / (64 * 1024));
  while (log.active_count() > 0) std::this_thread::yield();
}

TEST_CASE("results that are deleted while they are read are cut, and do not look whole") {
  const BatchFolder folder;
  Stage stage(folder.path);
  RequestLog log;
  const std::string id = ended_batch(stage, 4);
  const auto reader = get_results(stage, log, id);
  REQUIRE(reader->read());
  REQUIRE(stage.batches.remove(stage.owner, id));
  while (reader->read()) {
  }
  CHECK(reader->aborted());
  CHECK(reader->text.size() < 4 * kAnswer_bytes);
}

TEST_CASE("results whose reader never comes back are let go when the server stops") {
  Stage stage("");
  RequestLog log;
  const auto reader = get_results(stage, log, ended_batch(stage, 2));
  stage.batches.stop();
  CHECK(reader->read());  // which asks for the next in vain
  CHECK(reader->aborted());
}

}  // namespace hearth::server
