// Supervisor: engines that nobody uses are ended until they are wanted, and engines that hang are killed. Link thread.
#include <signal.h>

#include <algorithm>

#include "base/log.h"
#include "models/supervisor.h"

namespace hearth::models {
namespace {

// Even with a keep-alive of 0: between its tokens being counted and its job being submitted a request is not seen here.
constexpr std::int64_t kUnusedLeastMs = 2000;
constexpr std::int64_t kLookForWishesMs = 1000;
// An engine that loads tells each hundredth of the weights, but not how far it is with what follows: the first pass through
// a mapped file reads all of it from the disk.
constexpr std::int64_t kHangLimitsOfLoading = 4;

}  // namespace

// The engine tokenises on another thread than the one that runs jobs: while a job is owed, that proves nothing of it.
void Supervisor::heard_from(const link::EngineMessage& message) {
  if (std::holds_alternative<link::TokenizeReply>(message)) {
    const std::lock_guard lock(mutex_);
    if (jobs_.awaits_engine()) return;
  }
  last_heard_ms_ = clock_.now_ms();
}

// Looked at and decided in one: what is asked from here on waits for the next engine.
bool Supervisor::falls_asleep() {
  const std::int64_t limit_ms = spec_.limits.keep_alive_ms;
  if (limit_ms < 0) return false;
  const std::lock_guard lock(mutex_);
  if (state_ != EngineState::Ready || jobs_.size() > 0 || asks_.size() > 0) return false;
  if (clock_.now_ms() - used_ms_ < std::max(limit_ms, kUnusedLeastMs)) return false;
  state_ = EngineState::Unloaded;
  outgoing_.clear();
  outgoing_.push_back(std::make_shared<link::FrontMessage>(link::Shutdown{}));
  changed_.notify_all();
  return true;
}

// The engine was asked to end, so that it can put away what it wants to find again. False: we are to stop.
bool Supervisor::sleep_until_wanted() {
  log_info("models", "{} was not used for {} s and is unloaded; the next request loads it again", spec_.model_path,
           spec_.limits.keep_alive_ms / 1000);
  await_engine_end();
  discard_engine();
  while (wait_for_frame(kLookForWishesMs) != Woken::Stop) {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(wanted_, false)) continue;
    state_ = EngineState::Loading;
    log_info("models", "{} is loaded again", spec_.model_path);
    return true;
  }
  return false;
}

// A death is noticed by the end of the link; this is for an engine that lives and says nothing, in a driver's dead lock
// for one. Its silence while it owes nothing means nothing.
bool Supervisor::hangs() {
  const std::int64_t limit_ms = spec_.limits.hang_limit_ms;
  if (limit_ms <= 0) return false;
  {
    const std::lock_guard lock(mutex_);
    if (state_ != EngineState::Ready || !owes_answer_locked()) return false;
    if (clock_.now_ms() - std::max(waiting_ms_, last_heard_ms_.load()) < limit_ms) return false;
  }
  log_error("models", "the engine of {} gave no sign of life for {} s and is killed", spec_.model_path,
            limit_ms / 1000);
  hung_ = true;
  child_->send_signal(SIGKILL);
  return true;
}

bool Supervisor::hangs_loading() {
  const std::int64_t limit_ms = spec_.limits.hang_limit_ms * kHangLimitsOfLoading;
  if (limit_ms <= 0 || clock_.now_ms() - last_heard_ms_ < limit_ms) return false;
  log_error("models", "the engine that loads {} gave no sign of life for {} s and is killed", spec_.model_path,
            limit_ms / 1000);
  child_->send_signal(SIGKILL);
  return true;
}

}  // namespace hearth::models
