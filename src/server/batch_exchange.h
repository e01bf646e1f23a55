// BatchExchange: the exchange of one request of a batch: no socket, but the same answer. Its tasks run on the batches'
// thread, which is for it what the I/O thread is for others.
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/log.h"
#include "http/http.h"
#include "server/batch_line.h"

namespace hearth::server {

class BatchExchange final : public http::Exchange, public std::enable_shared_from_this<BatchExchange> {
 public:
  // `done` is called once, on the batches' thread, with the status and the body; 0: it was cut short.
  using Done = std::function<void(int status, std::string body)>;

  // `line` outlives the exchange.
  BatchExchange(http::Request request, BatchLine& line, Done done)
      : request_(std::move(request)), line_(line), done_(std::move(done)) {}
  ~BatchExchange() override { end(0, ""); }

  [[nodiscard]] const http::Request& request() const override { return request_; }
  void drop_body() override { std::string().swap(request_.body); }
  void respond(http::Response response) override { end(response.status, std::move(response.body)); }
  // A request of a batch never asks for a stream (wire/anthropic_batches.h): one that is answered by one is cut short.
  void begin_stream(int, http::Headers) override { abort(); }
  void write(std::string) override {}
  void finish() override {}
  void abort() override { end(0, ""); }
  [[nodiscard]] std::size_t unsent_bytes() const override { return 0; }
  [[nodiscard]] std::size_t unsent_bytes_of_all() const override { return 0; }
  void when_unsent_at_most(std::size_t, std::function<void()> task) override { post(std::move(task)); }
  void post(std::function<void()> task) override { line_.post(guarded(std::move(task))); }
  void after_ms(std::int64_t delay_ms, std::function<void()> task) override {
    line_.after_ms(delay_ms, guarded(std::move(task)));
  }
  void on_disconnect(std::function<void()> task) override {
    if (gone_) return post(std::move(task));
    on_disconnect_ = std::move(task);
  }

  // As if the client had gone away. Batches' thread.
  void disconnect() {
    gone_ = true;
    done_ = nullptr;
    if (const auto task = std::exchange(on_disconnect_, nullptr)) task();
  }

 private:
  // What a task throws is its request's misfortune: its job is let go, and it comes back as cut short.
  std::function<void()> guarded(std::function<void()> task) {
    return [weak = weak_from_this(), task = std::move(task)] {
      try {
        task();
      } catch (const std::exception& error) {
        log_error("server", "a request of a batch threw: {}", error.what());
        const auto self = weak.lock();
        if (self == nullptr) return;
        auto let_go = std::exchange(self->on_disconnect_, nullptr);
        self->end(0, "");
        if (let_go) self->line_.post(std::move(let_go));
      }
    };
  }
  void end(int status, std::string body) {
    on_disconnect_ = nullptr;
    const auto done = std::exchange(done_, nullptr);
    if (done) line_.post([done, status, body = std::move(body)] { done(status, body); });
  }

  http::Request request_;
  BatchLine& line_;
  Done done_;
  std::function<void()> on_disconnect_;
  bool gone_ = false;
};

}  // namespace hearth::server
