// The two halves of an exchange. Turn's methods run from the mailbox's drain and from its connection, never from inside a
// handler's task, so nothing here is re-entered; tasks are destroyed with the exchange because they often hold it alive.
#include "http/exchange.h"

#include <ctime>
#include <exception>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/response_head.h"

namespace hearth::http {

void run_guarded(Task& task) {
  try {
    task();
  } catch (const std::exception& error) {
    log_error("http", "a task on the I/O thread threw: {}", error.what());
  }
}

void Mailbox::post(Task task) {
  const std::lock_guard lock(mutex_);
  // A refused task dies with the parameter, after the lock: its captures may post when they are destroyed.
  if (closed_) return;
  tasks_.push_back(std::move(task));
  if (tasks_.size() == 1) wake_();
}

void Mailbox::drain() {
  std::vector<Task> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (Task& task : tasks) {
    run_guarded(task);
    task = nullptr;
  }
}

void Mailbox::close() {
  std::vector<Task> tasks;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  wake_ = nullptr;
  tasks.swap(tasks_);
}

Turn::Turn(RequestTraits traits, TimerQueue& timers, std::shared_ptr<ExchangeState> state,
           std::function<void()> touched)
    : traits_(traits), timers_(timers), state_(std::move(state)), touched_(std::move(touched)) {}

Turn::~Turn() {
  end(ExchangeState::End::ClientGone);
  state_->take(out_.size());
}

std::string Turn::head(int status, const Headers& headers, std::size_t body_bytes, bool is_stream) {
  if (asks_to_close(headers)) traits_.keep_alive = false;
  Framing framing = Framing::Length;
  if (status_has_no_body(status)) {
    framing = Framing::NoBody;
  } else if (is_stream && !traits_.is_http_1_0) {
    framing = Framing::Chunked;
  } else if (is_stream) {
    framing = Framing::UntilClose;
    traits_.keep_alive = false;
  }
  chunked_ = framing == Framing::Chunked;
  body_wanted_ = !traits_.is_head && framing != Framing::NoBody;
  const Reuse reuse = !traits_.keep_alive ? Reuse::Close : traits_.is_http_1_0 ? Reuse::KeepAlive10 : Reuse::KeepAlive;
  return response_head(status, headers, framing, body_bytes, reuse, std::time(nullptr));
}

void Turn::queue(std::string bytes) {
  state_->add(bytes.size());
  out_.append(std::move(bytes));
}

void Turn::respond(Response response) {
  if (phase_ == Phase::Over) return;
  CHECK(phase_ == Phase::Waiting);
  queue(head(response.status, response.headers, response.body.size(), false));
  if (body_wanted_) queue(std::move(response.body));
  end(ExchangeState::End::Complete);
  touched_();
}

void Turn::begin_stream(int status, const Headers& headers) {
  if (phase_ == Phase::Over) return;
  CHECK(phase_ == Phase::Waiting);
  phase_ = Phase::Streaming;
  queue(head(status, headers, 0, true));
  touched_();
}

void Turn::write(std::string bytes) {
  state_->take(bytes.size());  // out of the mailbox; queue() counts them again
  if (phase_ == Phase::Over) return;
  CHECK(phase_ == Phase::Streaming);
  if (!bytes.empty() && body_wanted_) {  // an empty chunk would end the stream
    if (chunked_) queue(chunk_head(bytes.size()));
    queue(std::move(bytes));
    if (chunked_) queue("\r\n");
  }
  touched_();
}

void Turn::finish() {
  if (phase_ == Phase::Over) return;
  CHECK(phase_ == Phase::Streaming);
  if (chunked_ && body_wanted_) queue("0\r\n\r\n");
  end(ExchangeState::End::Complete);
  touched_();
}

void Turn::abort() {
  if (phase_ == Phase::Over) return;
  cut_ = true;
  end(ExchangeState::End::Complete);
  touched_();
}

void Turn::dropped(const std::function<Response()>& fallback) {
  if (phase_ == Phase::Over) return;
  log_error("http", "a handler let go of its exchange before the answer was complete");
  if (phase_ == Phase::Waiting) return respond(fallback());
  abort();
}

void Turn::after(std::int64_t due_us, Task task) {
  if (phase_ == Phase::Over) return;
  timer_keys_.push_back(timers_.add(due_us, [this, run = std::move(task)](const TimerQueue::Key& key) mutable {
    std::erase(timer_keys_, key);
    run_guarded(run);
  }));
}

void Turn::on_disconnect(Task task) {
  if (phase_ != Phase::Over) disconnect_task_ = std::move(task);
}

void Turn::client_gone() {
  if (phase_ == Phase::Over) return;
  Task task = std::move(disconnect_task_);
  end(ExchangeState::End::ClientGone);
  if (task) run_guarded(task);
}

void Turn::when_unsent_at_most(std::size_t bytes, Task task) {
  if (phase_ == Phase::Over) return;
  space_bytes_ = bytes;
  space_task_ = std::move(task);
  touched_();  // the connection's next flush looks whether it is so already
}

void Turn::took(std::size_t bytes) {
  out_.consume(bytes);
  state_->take(bytes);
}

void Turn::tell_of_space() {
  if (!space_task_ || state_->unsent_bytes() > space_bytes_) return;
  Task task = std::move(space_task_);
  space_task_ = nullptr;
  run_guarded(task);
}

void Turn::end(ExchangeState::End how) {
  if (phase_ == Phase::Over) return;
  phase_ = Phase::Over;
  state_->end = how;
  disconnect_task_ = nullptr;
  space_task_ = nullptr;
  for (const TimerQueue::Key& key : std::exchange(timer_keys_, {})) timers_.remove(key);
}

LiveExchange::~LiveExchange() {
  if (line_.turn.expired()) return;
  line_.mailbox->post([turn = line_.turn, fallback = line_.fallback] {
    if (const auto live = turn.lock()) live->dropped(fallback);
  });
}

void LiveExchange::respond(Response response) {
  line_.mailbox->post([turn = line_.turn, response = std::move(response)]() mutable {
    if (const auto live = turn.lock()) live->respond(std::move(response));
  });
}

void LiveExchange::begin_stream(int status, Headers headers) {
  line_.mailbox->post([turn = line_.turn, status, headers = std::move(headers)] {
    if (const auto live = turn.lock()) live->begin_stream(status, headers);
  });
}

void LiveExchange::write(std::string bytes) {
  if (line_.state->end.load() != ExchangeState::End::Open) return;
  line_.state->add(bytes.size());
  line_.mailbox->post([turn = line_.turn, state = line_.state, bytes = std::move(bytes)]() mutable {
    if (const auto live = turn.lock()) return live->write(std::move(bytes));
    state->take(bytes.size());
  });
}

void LiveExchange::finish() {
  line_.mailbox->post([turn = line_.turn] {
    if (const auto live = turn.lock()) live->finish();
  });
}

void LiveExchange::abort() {
  line_.mailbox->post([turn = line_.turn] {
    if (const auto live = turn.lock()) live->abort();
  });
}

void LiveExchange::post(std::function<void()> task) { line_.mailbox->post(std::move(task)); }

void LiveExchange::after_ms(std::int64_t delay_ms, std::function<void()> task) {
  const std::int64_t due_us = SteadyClock().now_us() + delay_ms * 1000;
  line_.mailbox->post([turn = line_.turn, due_us, task = std::move(task)]() mutable {
    if (const auto live = turn.lock()) live->after(due_us, std::move(task));
  });
}

void LiveExchange::when_unsent_at_most(std::size_t bytes, std::function<void()> task) {
  line_.mailbox->post([turn = line_.turn, bytes, task = Task(std::move(task))]() mutable {
    if (const auto live = turn.lock()) live->when_unsent_at_most(bytes, std::move(task));
  });
}

void LiveExchange::on_disconnect(std::function<void()> task) {
  line_.mailbox->post([turn = line_.turn, state = line_.state, task = Task(std::move(task))]() mutable {
    const auto live = turn.lock();
    if (live && !live->over()) return live->on_disconnect(std::move(task));
    if (state->end.load() == ExchangeState::End::ClientGone) run_guarded(task);
  });
}

}  // namespace hearth::http
