// One request's answer, in two halves. LiveExchange is what a handler holds: any thread, methods only post. Turn is what the
// connection holds: I/O thread only, and gone as soon as the exchange is over; every method of a LiveExchange without a
// Turn is a no-op. Mailbox carries tasks from any thread to the I/O thread and outlives the server for late callers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "http/exchange_state.h"
#include "http/http.h"
#include "http/outgoing.h"
#include "http/timer_queue.h"

namespace hearth::http {

using Task = std::move_only_function<void()>;

// Runs a handler's task; what it throws is logged, because the other streams on this thread go on.
void run_guarded(Task& task);

class Mailbox {
 public:
  // `wake` makes the I/O thread call drain() soon; it is called with the lock held and never after close().
  explicit Mailbox(std::function<void()> wake) : wake_(std::move(wake)) {}
  // Any thread. After close() the task is destroyed instead.
  void post(Task task);
  // I/O thread: runs what was posted before the call, in order.
  void drain();
  void close();

 private:
  std::mutex mutex_;
  std::function<void()> wake_;  // guarded by mutex_
  std::vector<Task> tasks_;     // guarded by mutex_
  bool closed_ = false;         // guarded by mutex_
};

struct RequestTraits {
  bool is_head = false;
  bool is_http_1_0 = false;
  bool keep_alive = false;
};

class Turn {
 public:
  // `touched` is called when there is something new to send, or the line must be cut.
  Turn(RequestTraits traits, TimerQueue& timers, std::shared_ptr<ExchangeState> state, std::function<void()> touched);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  void respond(Response response);
  void begin_stream(int status, const Headers& headers);
  void write(std::string bytes);
  void finish();
  void abort();
  // The handler let go of the exchange; `fallback` answers when nothing else did.
  void dropped(const std::function<Response()>& fallback);
  void after(std::int64_t due_us, Task task);
  void on_disconnect(Task task);
  void when_unsent_at_most(std::size_t bytes, Task task);

  // The connection's side.
  void client_gone();
  void took(std::size_t bytes);
  // After a round of sending: tells the handler that waits for it.
  void tell_of_space();
  [[nodiscard]] const Outgoing& out() const { return out_; }
  [[nodiscard]] bool streaming() const { return phase_ == Phase::Streaming; }
  [[nodiscard]] bool over() const { return phase_ == Phase::Over; }
  [[nodiscard]] bool wants_cut() const { return cut_; }
  // After the answer: may the connection take another request?
  [[nodiscard]] bool keep_alive() const { return traits_.keep_alive; }

 private:
  enum class Phase { Waiting, Streaming, Over };
  void end(ExchangeState::End how);
  void queue(std::string bytes);
  [[nodiscard]] std::string head(int status, const Headers& headers, std::size_t body_bytes, bool is_stream);

  RequestTraits traits_;
  TimerQueue& timers_;
  const std::shared_ptr<ExchangeState> state_;
  const std::function<void()> touched_;
  Phase phase_ = Phase::Waiting;
  bool chunked_ = false;
  bool body_wanted_ = true;
  bool cut_ = false;
  Outgoing out_;
  std::vector<TimerQueue::Key> timer_keys_;
  Task disconnect_task_;
  Task space_task_;
  std::size_t space_bytes_ = 0;  // unsent_bytes at which space_task_ runs
};

class LiveExchange final : public Exchange {
 public:
  struct Line {
    std::shared_ptr<Mailbox> mailbox;
    std::weak_ptr<Turn> turn;
    std::shared_ptr<ExchangeState> state;
    std::function<Response()> fallback;  // for a handler that never answers
  };
  LiveExchange(Request request, Line line) : request_(std::move(request)), line_(std::move(line)) {}
  ~LiveExchange() override;
  [[nodiscard]] const Request& request() const override { return request_; }
  void drop_body() override {
    std::string().swap(request_.body);
    request_.body_room.reset();
  }
  void respond(Response response) override;
  void begin_stream(int status, Headers headers) override;
  void write(std::string bytes) override;
  void finish() override;
  void abort() override;
  [[nodiscard]] std::size_t unsent_bytes() const override { return line_.state->unsent_bytes(); }
  [[nodiscard]] std::size_t unsent_bytes_of_all() const override { return line_.state->unsent_bytes_of_all(); }
  void when_unsent_at_most(std::size_t bytes, std::function<void()> task) override;
  void post(std::function<void()> task) override;
  void after_ms(std::int64_t delay_ms, std::function<void()> task) override;
  void on_disconnect(std::function<void()> task) override;

 private:
  Request request_;  // constant, but for drop_body()
  const Line line_;
};

}  // namespace hearth::http
