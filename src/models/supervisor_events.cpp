// Supervisor: what the engine says, on the link thread. The tables change under the mutex, listeners are called
// outside of it.
#include <utility>

#include "base/log.h"
#include "models/supervisor.h"

namespace hearth::models {

void Supervisor::handle(link::EngineMessage message) {
  if (const auto* tokens = std::get_if<link::TokenEvent>(&message)) return on(*tokens);
  if (const auto* progress = std::get_if<link::JobProgress>(&message)) return on(*progress);
  if (const auto* queued = std::get_if<link::JobQueued>(&message)) return on(*queued);
  if (const auto* started = std::get_if<link::JobStarted>(&message)) return on(*started);
  if (auto* end = std::get_if<link::JobEnd>(&message)) return on(std::move(*end));
  if (const auto* changed = std::get_if<link::ContextChanged>(&message)) return on(*changed);
  if (const auto* reply = std::get_if<link::TokenizeReply>(&message)) return answer(reply->id, std::move(message));
  if (const auto* reply = std::get_if<link::StatsReply>(&message)) return answer(reply->id, std::move(message));
  if (const auto* reply = std::get_if<link::ProbeReply>(&message)) return answer(reply->id, std::move(message));
  if (const auto* reply = std::get_if<link::CacheReply>(&message)) return answer(reply->id, std::move(message));
  log_warning("models", "the engine sent message {} at a time it has no meaning", message.index());
}

void Supervisor::on(const link::JobQueued& event) {
  std::shared_ptr<JobListener> listener;
  {
    const std::lock_guard lock(mutex_);
    listener = jobs_.queued(event);
  }
  if (listener) listener->on_queued(event);
}

void Supervisor::on(const link::JobStarted& event) {
  std::shared_ptr<JobListener> listener;
  {
    const std::lock_guard lock(mutex_);
    listener = jobs_.started(event);
  }
  if (listener) listener->on_started(event);
}

void Supervisor::on(const link::JobProgress& event) {
  std::shared_ptr<JobListener> listener;
  {
    const std::lock_guard lock(mutex_);
    listener = jobs_.listener(event.job);
  }
  if (listener) listener->on_progress(event);
}

void Supervisor::on(const link::TokenEvent& event) {
  troubles_ = 0;
  std::shared_ptr<JobListener> listener;
  {
    const std::lock_guard lock(mutex_);
    const bool passes = jobs_.on_trial(event.job);
    listener = jobs_.delivered(event);
    if (passes && jobs_.paused(event.job))
      queue_locked(std::make_shared<link::FrontMessage>(link::Pause{.job = event.job}));
    board_waiting_locked();  // a job on trial may just have passed
  }
  if (listener) listener->on_tokens(event.tokens);
}

void Supervisor::on(link::JobEnd end) {
  std::optional<EndedJob> ended;
  {
    const std::lock_guard lock(mutex_);
    ended = jobs_.ended(std::move(end));
    used_ms_ = clock_.now_ms();
    board_waiting_locked();
  }
  if (ended) ended->listener->on_end(ended->end);
}

void Supervisor::on(const link::ContextChanged& event) {
  const std::lock_guard lock(mutex_);
  link::Hello changed = *hello_;
  changed.context_tokens = event.context_tokens;
  changed.live_context_tokens = event.live_context_tokens;
  hello_ = std::make_shared<const link::Hello>(std::move(changed));
}

void Supervisor::answer(std::uint64_t id, link::EngineMessage reply) {
  std::optional<AnsweredAsk> answered;
  {
    const std::lock_guard lock(mutex_);
    if (!std::holds_alternative<link::StatsReply>(reply)) used_ms_ = clock_.now_ms();  // a look is no use
    answered = asks_.answered(id, std::move(reply));
  }
  if (answered) answered->done(std::move(answered->reply));
}

}  // namespace hearth::models
