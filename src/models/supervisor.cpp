// Supervisor: the lives of engines, on the link thread. run() is the whole story.
#include "models/supervisor.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <format>
#include <utility>

#include "base/log.h"

namespace hearth::models {
namespace {

using std::chrono::milliseconds;

// A death usually comes alone: the first restart is immediate, the later ones leave the machine air.
constexpr std::array<std::int64_t, 5> kBackoffMs = {0, 250, 1000, 2500, 5000};
// The end of the link is how a death is noticed; this often is looked for one that something else hides.
constexpr std::int64_t kLookAtChildMs = 1000;
// From the end of the link to the end of the process: what the kernel needs to take down a large address space.
constexpr milliseconds kLinkToProcessEnd{500};

ErrorKind error_kind(std::uint8_t number) {
  const bool known = number <= static_cast<std::uint8_t>(ErrorKind::Internal);
  return known ? static_cast<ErrorKind>(number) : ErrorKind::Internal;
}

// Whether prompts that were rendered and tokenised for one mean the same to the other. The context may differ: it can
// depend on the memory that is free.
bool same_model(const link::Hello& a, const link::Hello& b) {
  return a.architecture == b.architecture && a.parameter_count == b.parameter_count &&
         a.chat_template == b.chat_template && a.special_texts == b.special_texts && a.bos_text == b.bos_text &&
         a.eos_text == b.eos_text && a.adds_bos == b.adds_bos;
}

void tell(const std::vector<EndedJob>& jobs) {
  for (const EndedJob& job : jobs) job.listener->on_end(job.end);
}
void tell(std::vector<AnsweredAsk> asks) {
  for (AnsweredAsk& ask : asks) ask.done(std::move(ask.reply));
}

}  // namespace

void Supervisor::run() {
  Result<link::Hello> first = load();
  if (first) {
    become_ready(std::move(*first));
  } else {
    become_failed(first.error());
    discard_engine();
  }
  {
    const std::lock_guard lock(mutex_);
    first_load_ = first ? Result<void>() : std::unexpected(first.error());
    changed_.notify_all();
  }
  if (first) {
    while (true) {
      const Served why = serve();
      if (why == Served::Stop || wait_for_frame(0) == Woken::Stop) break;
      if (why == Served::Lost) bury();
      if (why == Served::Unused && !sleep_until_wanted()) break;
      if (!revive(why == Served::Lost ? Revival::AfterDeath : Revival::AfterSleep)) break;
    }
  }
  end_engine();
  end_everything();
}

// A new engine up to its Hello. On failure the caller discards what there is of it.
Result<link::Hello> Supervisor::load() {
  TRY_ASSIGN(auto ends, link::Channel::pair());
  TRY_ASSIGN(child_, ChildProcess::spawn(spec_.engine_program, spec_.arguments, ends.second->descriptor()));
  process_id_ = child_->process_id();
  ends.second.reset();  // with a second holder of that end we would never see the engine's death
  {
    const std::lock_guard lock(mutex_);
    link_ = std::move(ends.first);
  }
  last_heard_ms_ = clock_.now_ms();
  while (true) {
    const Woken woken = wait_for_frame(kLookAtChildMs);
    if (woken == Woken::Stop) return fail(ErrorKind::Unavailable, "stopped while the model was loading");
    if (woken == Woken::Nothing) {
      // As in serve(): dead without the end of its link, or not dead and without a word.
      if (child_->wait_for(milliseconds(0)) && wait_for_frame(0) == Woken::Nothing) return died_loading();
      if (hangs_loading())
        return fail(ErrorKind::Unavailable, std::format("the engine hung while it loaded {}", spec_.model_path));
      continue;
    }
    Result<link::EngineMessage> message = link_->receive_engine_message();
    if (message) heard_from(*message);
    if (!message && message.error().kind == ErrorKind::InvalidInput) return std::unexpected(message.error());
    if (!message) return died_loading();
    if (auto* hello = std::get_if<link::Hello>(&*message)) {
      if (hello->protocol_version == link::kProtocolVersion) return std::move(*hello);
      return fail(ErrorKind::Unavailable,
                  "hearth and hearth-engine are not from the same build; build or unpack Hearth again");
    }
    if (const auto* failed = std::get_if<link::LoadFailed>(&*message))
      return fail(error_kind(failed->kind), failed->message);
    const auto* progress = std::get_if<link::LoadProgress>(&*message);
    if (progress != nullptr && progress_ && restart_count_ == 0 && !hello_) progress_(progress->fraction);
  }
}

std::unexpected<Error> Supervisor::died_loading() {
  return fail(ErrorKind::Unavailable,
              std::format("the engine ended while it loaded {} ({}); the lines it wrote before say more. If memory is "
                          "short, try a smaller --ctx or a smaller quantisation of the model",
                          spec_.model_path, describe(discard_engine())));
}

// The engine gets everything that lives: first the open questions, then the jobs in order of submission.
void Supervisor::become_ready(link::Hello hello) {
  std::vector<EndedJob> ended;
  {
    const std::lock_guard lock(mutex_);
    hello_ = std::make_shared<const link::Hello>(std::move(hello));
    state_ = EngineState::Ready;
    wanted_ = false;
    used_ms_ = waiting_ms_ = clock_.now_ms();
    ended = jobs_.end_those_that_fill(hello_->context_tokens);
    if (cache_budget_) queue_locked(std::make_shared<link::FrontMessage>(*cache_budget_));
    for (Message& question : asks_.questions()) queue_locked(std::move(question));
    board_waiting_locked();
  }
  tell(ended);
}

// Until the engine is dead or unused, or we are to stop.
Supervisor::Served Supervisor::serve() {
  while (true) {
    const Woken woken = wait_for_frame(kLookAtChildMs);
    if (woken == Woken::Stop) return Served::Stop;
    if (woken == Woken::Nothing) {
      // Dead, but a process that it had started holds its end of the link.
      if (child_->wait_for(milliseconds(0)) && wait_for_frame(0) == Woken::Nothing) return Served::Lost;
      if (hangs()) return Served::Lost;
      if (falls_asleep()) return Served::Unused;
      continue;
    }
    Result<link::EngineMessage> message = link_->receive_engine_message();
    if (!message) {
      if (message.error().kind != ErrorKind::Unavailable) log_error("models", "{}", message.error().message);
      return Served::Lost;
    }
    heard_from(*message);
    handle(std::move(*message));
    // Here too: who looks at it again and again does not use it, and what it tokenises does not show that it works.
    if (hangs()) return Served::Lost;
    if (falls_asleep()) return Served::Unused;
  }
}

void Supervisor::bury() {
  {
    const std::lock_guard lock(mutex_);
    state_ = EngineState::Restarting;  // from here on submissions wait, and are not charged with this death
    outgoing_.clear();
  }
  const int process_id = process_id_;
  const ExitStatus status = discard_engine();
  const std::string how = std::exchange(hung_, false) ? "it hung and was killed" : describe(status);
  std::vector<EndedJob> ended;
  std::vector<AnsweredAsk> given_up;
  std::size_t live = 0;
  {
    const std::lock_guard lock(mutex_);
    ended = jobs_.engine_died(how);
    given_up = asks_.engine_died(how);
    live = jobs_.size();
  }
  log_warning("models", "the engine of {} (process {}) ended: {}; {} live requests go on with a new one, {} ended",
              spec_.model_path, process_id, how, live, ended.size());
  tell(ended);
  tell(std::move(given_up));
}

// False: we are to stop.
bool Supervisor::revive(Revival revival) {
  std::uint32_t failures = 0;
  if (revival == Revival::AfterSleep) troubles_ = 0;
  while (true) {
    const std::size_t step = std::min<std::size_t>(troubles_++, kBackoffMs.size() - 1);
    if (!wait(kBackoffMs[step])) return false;
    Result<link::Hello> hello = load();
    if (hello && !same_model(*hello_, *hello)) {
      hello = fail(ErrorKind::Unavailable, std::format("{} is another model now than when it was loaded; restart the "
                                                       "server to use it",
                                                       spec_.model_path));
    }
    if (hello) {
      if (revival == Revival::AfterDeath) ++restart_count_;
      become_ready(std::move(*hello));
      return true;
    }
    discard_engine();
    if (wait_for_frame(0) == Woken::Stop) return false;
    log_error("models", "the engine did not start again: {}", hello.error().message);
    if (++failures < spec_.limits.hello_failures_max) continue;
    become_failed(hello.error());
    if (!wait_for_retry()) return false;
    troubles_ = 0;
  }
}

void Supervisor::become_failed(const Error& why) {
  std::vector<EndedJob> ended;
  std::vector<AnsweredAsk> given_up;
  {
    const std::lock_guard lock(mutex_);
    state_ = EngineState::Failed;
    failed_at_ms_ = clock_.now_ms();
    // Whatever it was, for a client it is a server that cannot serve right now.
    failure_ = Error{ErrorKind::Unavailable, "the model's engine cannot be started: " + why.message};
    ended = jobs_.end_all(failure_);
    given_up = asks_.end_all(failure_);
  }
  tell(ended);
  tell(std::move(given_up));
}

bool Supervisor::wait_for_retry() {
  while (wait_for_frame(kLookAtChildMs) != Woken::Stop) {
    const std::lock_guard lock(mutex_);
    if (std::exchange(wanted_, false)) return true;
  }
  return false;
}

// REQUIRES: no engine. False: we are to stop.
bool Supervisor::wait(std::int64_t milliseconds_to_wait) {
  const std::int64_t until_ms = clock_.now_ms() + milliseconds_to_wait;
  while (true) {
    const std::int64_t left_ms = until_ms - clock_.now_ms();
    if (wait_for_frame(std::max<std::int64_t>(left_ms, 0)) == Woken::Stop) return false;
    if (left_ms <= 0) return true;
  }
}

// Posted calls are made here, so they run within a wait at the latest. Frame: a receive has something to return.
Supervisor::Woken Supervisor::wait_for_frame(std::int64_t limit_ms) {
  if (run_posted() == Woken::Stop) return Woken::Stop;
  if (link_ && link_->has_buffered_bytes()) return Woken::Frame;
  pollfd watched[2] = {{.fd = wake_.descriptor(), .events = POLLIN, .revents = 0},
                       {.fd = link_ ? link_->descriptor() : -1, .events = POLLIN, .revents = 0}};
  if (::poll(watched, 2, static_cast<int>(limit_ms)) <= 0) return Woken::Nothing;
  if (watched[0].revents != 0) wake_.clear();  // before the next run_posted, so that no wake is lost
  return watched[1].revents != 0 ? Woken::Frame : Woken::Nothing;
}

Supervisor::Woken Supervisor::run_posted() {
  std::vector<std::function<void()>> calls;
  bool stopping = false;
  {
    const std::lock_guard lock(mutex_);
    calls.swap(posted_);
    stopping = stopping_;
    if (stopping && !std::exchange(stop_noticed_, true)) changed_.notify_all();
  }
  for (const auto& call : calls) call();
  return stopping ? Woken::Stop : Woken::Nothing;
}

// The engine's end of the link is closed or is of no use any more: nobody waits for its process longer than this.
ExitStatus Supervisor::discard_engine() {
  if (!child_) return {.known = false};
  {
    const std::lock_guard lock(mutex_);
    if (link_) link_->shut_down();  // frees the send thread
    link_.reset();
    outgoing_.clear();  // nothing of it is for the next engine
  }
  const auto ended = child_->wait_for(kLinkToProcessEnd);
  const ExitStatus status = ended ? *ended : child_->end(milliseconds(0));
  child_.reset();
  process_id_ = 0;
  return status;
}

// The orderly end. Whatever the engine still says is not heard: its jobs end now.
void Supervisor::end_engine() {
  if (!child_) return;
  bool asked = false;
  {
    const std::lock_guard lock(mutex_);
    outgoing_.clear();
    asked = state_ == EngineState::Ready || state_ == EngineState::Unloaded;  // which it may just be about to be
    if (asked) outgoing_.push_back(std::make_shared<link::FrontMessage>(link::Shutdown{}));
    changed_.notify_all();
  }
  if (asked) await_engine_end();
  {
    const std::lock_guard lock(mutex_);
    state_ = EngineState::Stopped;
    if (link_) link_->shut_down();  // which ends one that works or loads at once; SIGTERM it ignores
  }
  if (!child_->wait_for(milliseconds(0))) child_->end(milliseconds(spec_.limits.term_limit_ms));
  discard_engine();
}

// Shutdown is on its way: time to follow it.
void Supervisor::await_engine_end() {
  const std::int64_t until_ms = clock_.now_ms() + spec_.limits.stop_limit_ms;
  while (true) {
    const std::int64_t left_ms = until_ms - clock_.now_ms();
    pollfd watched{.fd = link_->descriptor(), .events = POLLIN, .revents = 0};
    if (left_ms <= 0 || ::poll(&watched, 1, static_cast<int>(left_ms)) == 0) return;
    char unheard[4096];  // an engine that cannot write would not come to read
    const ssize_t got = ::recv(link_->descriptor(), unheard, sizeof unheard, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
      (void)child_->wait_for(milliseconds(std::max<std::int64_t>(until_ms - clock_.now_ms(), 0)));
      return;
    }
  }
}

void Supervisor::end_everything() {
  std::vector<EndedJob> ended;
  std::vector<AnsweredAsk> given_up;
  const Error reason{ErrorKind::Unavailable, "the server is stopping"};
  {
    const std::lock_guard lock(mutex_);
    stop_noticed_ = true;
    state_ = EngineState::Stopped;  // what comes now is answered by its own caller
    ended = jobs_.end_all(reason);
    given_up = asks_.end_all(reason);
    changed_.notify_all();
  }
  (void)run_posted();
  tell(ended);
  tell(std::move(given_up));
}

}  // namespace hearth::models
