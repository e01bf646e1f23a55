// See answer.h.
#include "server/answer.h"

#include <limits>
#include <string>
#include <utility>

namespace hearth::server {
namespace {

// Before this, a folded answer keeps its status open for an error; after, silence is the greater danger.
constexpr std::int64_t kFoldedSilence_ms = 60'000;
constexpr std::int64_t kKeptSilence_ms = std::numeric_limits<std::int64_t>::max();

class EventAnswer final : public Answer {
 public:
  explicit EventAnswer(std::shared_ptr<Call> call) : call_(std::move(call)) {}

  [[nodiscard]] bool wants_heartbeats() const override { return true; }

  void open() override {
    if (std::exchange(opened_, true)) return;
    // x-accel-buffering: nginx in front must pass each event on as it comes.
    call_->exchange()->begin_stream(200, call_->headers({{"content-type", "text/event-stream; charset=utf-8"},
                                                         {"cache-control", "no-cache"},
                                                         {"x-accel-buffering", "no"}}));
    call_->record.times.headers_us = call_->since_received_us();
  }

  void send(const std::vector<wire::WireEvent>& events) override {
    if (events.empty()) return;
    open();
    std::string bytes;
    for (const auto& event : events) bytes += wire::to_sse(event);
    call_->exchange()->write(std::move(bytes));
  }

  bool ping(std::int64_t) override {
    open();
    call_->exchange()->write(wire::ping_sse());
    return true;
  }

  void finish() override {
    open();
    call_->exchange()->finish();
    call_->finish_record(200);
  }

  void fail(const Error& error) override {
    if (!opened_) return call_->respond_error(error);
    call_->exchange()->write(wire::error_sse(error, call_->request_id()));
    call_->exchange()->finish();
    call_->finish_record(wire::http_status(error.kind));
  }

 private:
  const std::shared_ptr<Call> call_;
  bool opened_ = false;
};

class FoldedAnswer final : public Answer {
 public:
  FoldedAnswer(std::shared_ptr<Call> call, std::int64_t silence_ms) : call_(std::move(call)), silence_ms_(silence_ms) {}

  [[nodiscard]] bool wants_heartbeats() const override { return false; }
  void open() override {}

  void send(const std::vector<wire::WireEvent>& events) override {
    for (const auto& event : events) fold_.add(event);
  }

  bool ping(std::int64_t waited_ms) override {
    if (waited_ms < silence_ms_) return false;
    if (!std::exchange(opened_, true)) {
      call_->exchange()->begin_stream(200, call_->headers({{"content-type", "application/json"}}));
      call_->record.times.headers_us = call_->since_received_us();
    }
    call_->exchange()->write(" ");
    return true;
  }

  void finish() override {
    if (!opened_) return call_->respond_json(200, fold_.message());
    call_->exchange()->write(fold_.message().dump());
    call_->exchange()->finish();
    call_->finish_record(200);
  }

  void fail(const Error& error) override {
    if (!opened_) return call_->respond_error(error);
    call_->exchange()->abort();
    call_->finish_record(wire::http_status(error.kind));
  }

 private:
  const std::shared_ptr<Call> call_;
  const std::int64_t silence_ms_;
  wire::MessageFold fold_;
  bool opened_ = false;
};

}  // namespace

std::unique_ptr<Answer> make_event_answer(std::shared_ptr<Call> call) {
  return std::make_unique<EventAnswer>(std::move(call));
}

std::unique_ptr<Answer> make_folded_answer(std::shared_ptr<Call> call) {
  return std::make_unique<FoldedAnswer>(std::move(call), kFoldedSilence_ms);
}

std::unique_ptr<Answer> make_kept_answer(std::shared_ptr<Call> call) {
  return std::make_unique<FoldedAnswer>(std::move(call), kKeptSilence_ms);
}

}  // namespace hearth::server
