// Supervisor: what callers may do, from any thread. Nothing here waits for the engine, except launch() and stop().
#include <format>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "models/supervisor.h"

namespace hearth::models {
namespace {

// Less than a frame by 4 M tokens, so that a job still fits when it comes again with all that it was given.
constexpr std::size_t kMessageBytesMax = link::kFrameBytesMax - (16U << 20);
constexpr std::size_t kSegmentOverheadBytes = 9;

std::size_t bytes_of(const std::vector<link::Segment>& segments) {
  std::size_t bytes = 0;
  for (const link::Segment& segment : segments)
    bytes += segment.text.size() + sizeof(link::Token) * segment.tokens.size() + kSegmentOverheadBytes;
  return bytes;
}

std::size_t bytes_of(const link::Job& job) {
  return sizeof(link::Token) * (job.prompt.size() + job.boundaries.size() + job.stop_tokens.size()) +
         sizeof(job.sampling.logit_bias[0]) * job.sampling.logit_bias.size();
}

}  // namespace

Supervisor::Supervisor(EngineSpec spec, Progress progress, WakePipe wake)
    : spec_(std::move(spec)),
      progress_(std::move(progress)),
      wake_(std::move(wake)),
      jobs_(spec_.limits.jobs_max),
      asks_(spec_.limits.asks_max, spec_.limits.ask_bytes_max) {}

Result<void> Supervisor::launch() {
  CHECK(!link_thread_.joinable());
  link_thread_ = std::thread([this] { run(); });
  send_thread_ = std::thread([this] { send_queued(); });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return first_load_.has_value(); });
  return *first_load_;
}

EngineState Supervisor::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::shared_ptr<const link::Hello> Supervisor::hello() const {
  const std::lock_guard lock(mutex_);
  return hello_;
}

Result<link::JobId> Supervisor::submit(link::Job job, std::shared_ptr<JobListener> listener) {
  CHECK(listener != nullptr);
  if (job.prompt.empty()) return fail(ErrorKind::InvalidInput, "the prompt is empty");
  if (bytes_of(job) > kMessageBytesMax)
    return fail(ErrorKind::TooLarge, std::format("the prompt has {} tokens, too many to pass on", job.prompt.size()));
  if (!job.sampling.seed) job.sampling.seed = random_u64();

  const std::lock_guard lock(mutex_);
  TRY(may_accept_locked(Need::Engine));
  if (jobs_.full()) {
    return fail(ErrorKind::Overloaded,
                std::format("{} requests are already waiting for this model; try again later", spec_.limits.jobs_max));
  }
  begin_waiting_locked();
  job.id = next_id_++;
  const link::JobId id = job.id;
  jobs_.add(std::move(job), std::move(listener));
  board_waiting_locked();
  return id;
}

void Supervisor::cancel(link::JobId job) {
  const std::lock_guard lock(mutex_);
  JobTable::CancelStep step = jobs_.cancel(job);
  if (step.tell_engine) queue_locked(std::make_shared<link::FrontMessage>(link::Cancel{.job = job}));
  if (!step.ended) return;
  board_waiting_locked();
  posted_.push_back([ended = std::move(*step.ended)] { ended.listener->on_end(ended.end); });
  wake_.wake();
}

void Supervisor::pause(link::JobId job) {
  const std::lock_guard lock(mutex_);
  if (jobs_.pause(job)) queue_locked(std::make_shared<link::FrontMessage>(link::Pause{.job = job}));
}

void Supervisor::resume(link::JobId job) {
  const std::lock_guard lock(mutex_);
  begin_waiting_locked();
  if (jobs_.resume(job)) queue_locked(std::make_shared<link::FrontMessage>(link::Resume{.job = job}));
  board_waiting_locked();  // it may have waited with its trial
}

void Supervisor::tokenize(std::vector<link::Segment> segments, bool count_only,
                          std::function<void(Result<link::TokenizeReply>)> done) {
  ask_tokens({.segments = std::move(segments), .count_only = count_only}, std::move(done));
}

void Supervisor::tokenize_with_pieces(std::vector<link::Segment> segments,
                                      std::function<void(Result<link::TokenizeReply>)> done) {
  ask_tokens({.segments = std::move(segments), .with_pieces = true}, std::move(done));
}

void Supervisor::ask_tokens(link::TokenizeRequest request, std::function<void(Result<link::TokenizeReply>)> done) {
  const std::uint64_t id = take_id();
  const std::size_t bytes = bytes_of(request.segments);
  request.id = id;
  ask(std::move(request), id, bytes, Need::Engine, [done = std::move(done)](Result<link::EngineMessage> reply) {
    if (!reply) return done(std::unexpected(std::move(reply).error()));
    done(std::get<link::TokenizeReply>(std::move(*reply)));
  });
}

void Supervisor::stats(std::function<void(Result<link::StatsReply>)> done) {
  const std::uint64_t id = take_id();
  ask(link::StatsRequest{.id = id}, id, 0, Need::Counters, [done = std::move(done)](Result<link::EngineMessage> reply) {
    if (!reply) return done(std::unexpected(std::move(reply).error()));
    done(std::get<link::StatsReply>(std::move(*reply)));
  });
}

void Supervisor::probe(link::Probe probe, std::function<void(Result<link::ProbeReply>)> done) {
  const std::uint64_t id = take_id();
  const std::size_t bytes = probe.tokens.size() * sizeof(link::Token);
  probe.id = id;
  ask(std::move(probe), id, bytes, Need::Engine, [done = std::move(done)](Result<link::EngineMessage> reply) {
    if (!reply) return done(std::unexpected(std::move(reply).error()));
    done(std::get<link::ProbeReply>(std::move(*reply)));
  });
}

void Supervisor::cache(link::CacheRequest request, std::function<void(Result<link::CacheReply>)> done) {
  const std::uint64_t id = take_id();
  const std::size_t bytes = request.bytes.size();
  request.id = id;
  // Who only looks does not use the model, and need not wait for it to load.
  const Need need = request.action == link::CacheAction::List ? Need::Counters : Need::Engine;
  ask(std::move(request), id, bytes, need, [done = std::move(done)](Result<link::EngineMessage> reply) {
    if (!reply) return done(std::unexpected(std::move(reply).error()));
    auto answer = std::get<link::CacheReply>(std::move(*reply));
    if (!answer.failed) return done(std::move(answer));
    const bool known = answer.error_kind <= static_cast<std::uint8_t>(ErrorKind::Internal);
    done(fail(known ? static_cast<ErrorKind>(answer.error_kind) : ErrorKind::Internal, answer.message));
  });
}

void Supervisor::set_cache_budget(link::CacheBudget budget) {
  const std::lock_guard lock(mutex_);
  cache_budget_ = budget;
  if (state_ == EngineState::Ready) queue_locked(std::make_shared<link::FrontMessage>(budget));
}

void Supervisor::ask(link::FrontMessage question, std::uint64_t id, std::size_t bytes, Need need, AskDone done) {
  const auto message = std::make_shared<const link::FrontMessage>(std::move(question));
  std::unique_lock lock(mutex_);
  Result<void> accepted = may_accept_locked(need);
  if (accepted) begin_waiting_locked();
  if (accepted && bytes > kMessageBytesMax)
    accepted = fail(ErrorKind::TooLarge, std::format("a text of {} bytes is too large to tokenise", bytes));
  if (accepted && !asks_.add(id, message, bytes, done))
    accepted = fail(ErrorKind::Overloaded, "too many requests are being tokenised; try again later");
  if (accepted) {
    if (state_ == EngineState::Ready) queue_locked(message);
    return;
  }
  if (state_ == EngineState::Stopped) {  // the link thread is no more
    lock.unlock();
    return done(std::unexpected(std::move(accepted).error()));
  }
  posted_.push_back([done = std::move(done), error = std::move(accepted).error()] { done(std::unexpected(error)); });
  wake_.wake();
}

std::uint64_t Supervisor::take_id() {
  const std::lock_guard lock(mutex_);
  return next_id_++;
}

void Supervisor::stop() {
  CHECK(std::this_thread::get_id() != link_thread_.get_id() || !link_thread_.joinable());
  std::call_once(stop_once_, [this] {
    if (!link_thread_.joinable()) return;
    {
      std::unique_lock lock(mutex_);
      stopping_ = true;
      wake_.wake();
      const auto limit = std::chrono::milliseconds(spec_.limits.stop_limit_ms);
      // Not noticed: the engine froze in the middle of a frame, and the link thread waits for the rest of it.
      if (!changed_.wait_for(lock, limit, [this] { return stop_noticed_; }) && link_) link_->shut_down();
    }
    link_thread_.join();
    {
      const std::lock_guard lock(mutex_);
      sender_ends_ = true;
      changed_.notify_all();
    }
    send_thread_.join();
  });
}

void Supervisor::send_queued() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return sender_ends_ || (link_ && !outgoing_.empty()); });
    if (sender_ends_) return;
    Message message = std::move(outgoing_.front());
    outgoing_.pop_front();
    std::shared_ptr<link::Channel> link = link_;
    lock.unlock();
    // The link thread learns of a dead link by reading; a link that only cannot be written is made dead for it.
    if (!link->send(*message)) link->shut_down();
    message.reset();
    link.reset();
    lock.lock();
  }
}

Result<void> Supervisor::may_accept_locked(Need need) {
  if (stopping_ || state_ == EngineState::Stopped) return fail(ErrorKind::Unavailable, "the server is stopping");
  if (need == Need::Engine) used_ms_ = clock_.now_ms();
  if (state_ != EngineState::Failed && state_ != EngineState::Unloaded) return {};
  if (state_ == EngineState::Unloaded && need == Need::Counters)
    return fail(ErrorKind::Unavailable,
                "the model is unloaded, because nobody used it; its next request loads it again");
  if (state_ == EngineState::Failed) {
    if (need == Need::Counters) return std::unexpected(failure_);  // who only looks does not try again
    if (clock_.now_ms() - failed_at_ms_ < spec_.limits.retry_after_ms) return std::unexpected(failure_);
    state_ = EngineState::Restarting;
  }
  wanted_ = true;
  wake_.wake();
  return {};
}

bool Supervisor::owes_answer_locked() const { return asks_.size() > 0 || jobs_.awaits_engine(); }

// Before something is asked of an engine that owes nothing: its silence begins to count.
void Supervisor::begin_waiting_locked() {
  if (!owes_answer_locked()) waiting_ms_ = clock_.now_ms();
}

void Supervisor::board_waiting_locked() {
  if (state_ != EngineState::Ready) return;
  for (link::Job& job : jobs_.admit()) {
    const link::JobId id = job.id;
    queue_locked(std::make_shared<link::FrontMessage>(std::move(job)));
    if (jobs_.paused(id)) queue_locked(std::make_shared<link::FrontMessage>(link::Pause{.job = id}));
  }
}

// An engine that is not Ready gets nothing: what must reach the next one is in the tables.
void Supervisor::queue_locked(Message message) {
  if (state_ != EngineState::Ready) return;
  outgoing_.push_back(std::move(message));
  changed_.notify_all();
}

}  // namespace hearth::models
