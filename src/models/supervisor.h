// Supervisor: the EngineProcess that has a real process behind it. engine_process.h says what it promises.
//
// Two threads beside the callers:
//   link thread    starts engines, reads their frames, calls every listener and callback, buries and revives
//   send thread    writes queued messages, so that no caller waits for an engine that is slow to read
// Callers only change the guarded state and queue messages. A message is queued for the engine that is Ready; when it
// dies the queue is emptied, and the next one gets everything that still lives from the tables. Frames of a dead
// engine's link are never read again, so no token comes twice.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "link/channel.h"
#include "models/ask_table.h"
#include "models/engine_process.h"
#include "models/job_table.h"
#include "models/spawn.h"
#include "models/wake_pipe.h"

namespace hearth::models {

class Supervisor final : public EngineProcess {
 public:
  Supervisor(EngineSpec spec, Progress progress, WakePipe wake);
  ~Supervisor() override { stop(); }
  // Starts the threads and waits for the first engine's Hello or its failure. Once.
  [[nodiscard]] Result<void> launch();

  [[nodiscard]] EngineState state() const override;
  [[nodiscard]] std::shared_ptr<const link::Hello> hello() const override;
  [[nodiscard]] int process_id() const override { return process_id_.load(); }
  [[nodiscard]] std::uint64_t restart_count() const override { return restart_count_.load(); }
  void tokenize(std::vector<link::Segment> segments, bool count_only,
                std::function<void(Result<link::TokenizeReply>)> done) override;
  void tokenize_with_pieces(std::vector<link::Segment> segments,
                            std::function<void(Result<link::TokenizeReply>)> done) override;
  [[nodiscard]] Result<link::JobId> submit(link::Job job, std::shared_ptr<JobListener> listener) override;
  void cancel(link::JobId job) override;
  void pause(link::JobId job) override;
  void resume(link::JobId job) override;
  [[nodiscard]] std::int64_t last_heard_ms() const override { return last_heard_ms_.load(); }
  void set_cache_budget(link::CacheBudget budget) override;
  void stats(std::function<void(Result<link::StatsReply>)> done) override;
  void probe(link::Probe probe, std::function<void(Result<link::ProbeReply>)> done) override;
  void cache(link::CacheRequest request, std::function<void(Result<link::CacheReply>)> done) override;
  void stop() override;

 private:
  using Message = std::shared_ptr<const link::FrontMessage>;
  enum class Woken { Frame, Nothing, Stop };
  enum class Served { Lost, Unused, Stop };
  enum class Revival { AfterDeath, AfterSleep };
  enum class Need { Engine, Counters };  // whether it is worth loading an unloaded model

  // Link thread: one engine's life after the other (supervisor.cpp).
  void run();
  Result<link::Hello> load();
  std::unexpected<Error> died_loading();
  void become_ready(link::Hello hello);
  Served serve();
  void bury();
  bool revive(Revival revival);
  void become_failed(const Error& why);
  bool wait_for_retry();
  bool wait(std::int64_t milliseconds);
  void end_engine();
  void await_engine_end();
  void end_everything();
  ExitStatus discard_engine();
  Woken wait_for_frame(std::int64_t limit_ms);
  Woken run_posted();

  // Link thread: engines that nobody uses, and engines that hang (supervisor_idle.cpp).
  [[nodiscard]] bool falls_asleep(), hangs(), hangs_loading();
  bool sleep_until_wanted();
  void heard_from(const link::EngineMessage& message);

  // Link thread: what the engine says (supervisor_events.cpp).
  void handle(link::EngineMessage message);
  void on(const link::JobQueued& event);
  void on(const link::JobStarted& event);
  void on(const link::JobProgress& event);
  void on(const link::TokenEvent& event);
  void on(link::JobEnd end);
  void on(const link::ContextChanged& event);
  void answer(std::uint64_t id, link::EngineMessage reply);

  void send_queued();  // send thread

  // Any thread (supervisor_calls.cpp).
  void ask_tokens(link::TokenizeRequest request, std::function<void(Result<link::TokenizeReply>)> done);
  void ask(link::FrontMessage question, std::uint64_t id, std::size_t bytes, Need need, AskDone done);
  std::uint64_t take_id();
  void post(std::function<void()> call);

  // REQUIRES: mutex_ is held.
  Result<void> may_accept_locked(Need need);
  [[nodiscard]] bool owes_answer_locked() const;
  void begin_waiting_locked();
  void board_waiting_locked();
  void queue_locked(Message message);

  // Constant.
  const EngineSpec spec_;
  const Progress progress_;
  const WakePipe wake_;
  const SteadyClock clock_;
  // Link thread only.
  std::unique_ptr<ChildProcess> child_;
  bool hung_ = false;      // the engine was killed for its silence
  unsigned troubles_ = 0;  // deaths and failed loads since the last token: how long to pause before the next try

  std::atomic<int> process_id_ = 0;
  std::atomic<std::uint64_t> restart_count_ = 0;
  std::atomic<std::int64_t> last_heard_ms_ = 0;
  // Guarded by mutex_.
  mutable std::mutex mutex_;
  std::condition_variable changed_;                // for launch(), stop() and the send thread
  std::optional<link::CacheBudget> cache_budget_;  // the operator's, for this engine and the next
  EngineState state_ = EngineState::Loading;
  std::shared_ptr<const link::Hello> hello_;
  std::shared_ptr<link::Channel> link_;  // changed by the link thread only, which therefore reads it without the mutex
  JobTable jobs_;
  AskTable asks_;
  std::deque<Message> outgoing_;               // for the Ready engine; bounded by the tables
  std::vector<std::function<void()>> posted_;  // calls that the link thread makes for others
  std::optional<Result<void>> first_load_;
  Error failure_;  // why the state is Failed
  std::int64_t failed_at_ms_ = 0;
  bool wanted_ = false;          // somebody asked of an engine that is Failed or Unloaded
  std::int64_t used_ms_ = 0;     // the last time that somebody wanted the engine or had an answer
  std::int64_t waiting_ms_ = 0;  // since when the engine owes an answer; means nothing while it owes none
  bool stopping_ = false, stop_noticed_ = false, sender_ends_ = false;
  std::uint64_t next_id_ = 1;
  std::once_flag stop_once_;
  std::thread link_thread_, send_thread_;
};

}  // namespace hearth::models
