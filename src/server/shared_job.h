// SharedJob: one job of the engine and the streams that hear it: nearly always one; two when a client asks again while
// its first request is still open (retry_key.h). It keeps what the engine said from the start, so that each stream reads
// at the pace of its client and one that comes later misses nothing.
//
//   said   [0 .............................. size)      the engine writes here
//           [0 ...... read by the slow one)
//           [0 ................... read by the other)    when all of them are slow, the engine pauses
//
// Life: Preparing -> run() -> Submitted -> Started -> Ended, or fail() from Preparing. The last stream that leaves ends it.
// I/O thread of `poster`, but for reserve() and the engine's calls, which are posted over.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/stream_parser.h"
#include "models/engine_process.h"
#include "server/admission.h"
#include "server/cache_verdict.h"
#include "server/call.h"
#include "server/metrics.h"
#include "server/prepared_prompt.h"
#include "server/served_models.h"

namespace hearth::server {

// A request that passed every check.
struct AdmittedJob {
  link::Job job;  // tokens_max is what the request asked for, cut to the context
  chat::StreamParserOptions parser;
  std::optional<TurnPlace> turn;  // see PreparedPrompt
};

// What each stream of a job must know of it.
struct AnswerPlan {
  std::uint32_t prompt_tokens = 0;
  std::uint32_t last_boundary = 0;  // prompt tokens before it are worth keeping
  std::uint32_t tokens_max = 0;
  PromptPlaces places;
  chat::StreamParserOptions parser;
  std::optional<TurnPlace> turn;
};

class JobHearer {
 public:
  virtual ~JobHearer() = default;
  // The job has gone on: read what is new.
  virtual void hear() = 0;
};

class SharedJob final : public models::JobListener, public std::enable_shared_from_this<SharedJob> {
 public:
  // One stream is expected from the start. `call` is the first one's: its exchange carries the tasks, its id names the
  // job in the log. `metrics` outlives the job.
  SharedJob(std::shared_ptr<Call> call, std::shared_ptr<const ServedModel> model, Ticket ticket, Metrics& metrics);

  // Any thread: one stream more is expected. False when the last has left, or the job has failed: it is over.
  [[nodiscard]] bool reserve();
  // Each stream that is expected joins once, or not, and leaves once.
  void join(const std::shared_ptr<JobHearer>& hearer);
  void leave(const JobHearer& hearer);
  // A slow stream cannot take more now: when all are slow the engine pauses.
  void set_slow(const JobHearer& hearer, bool slow);

  void run(AdmittedJob admitted);
  void fail(Error error);
  // Nobody is left to hear it.
  [[nodiscard]] bool abandoned() const { return expected_ == 0; }

  // What is known so far; the engine's words in the order they came.
  [[nodiscard]] const std::optional<AnswerPlan>& plan() const { return plan_; }
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  [[nodiscard]] const std::optional<link::JobStarted>& started() const { return started_; }
  [[nodiscard]] const std::optional<link::JobEnd>& end() const { return end_; }
  [[nodiscard]] std::size_t said_count() const { return tokens_.size(); }
  struct Said {
    std::vector<link::Token> tokens;
    std::string_view bytes;  // until the next call that changes the job
  };
  // REQUIRES: from < said_count(). At most count_max tokens from there on.
  [[nodiscard]] Said said(std::size_t from, std::size_t count_max) const;
  [[nodiscard]] std::int64_t last_work_ms() const { return last_work_ms_; }
  [[nodiscard]] bool paused() const { return paused_; }

  struct Times {  // microseconds on the call's clock; -1: not yet
    std::int64_t submitted_us = -1, started_us = -1, first_token_us = -1, last_token_us = -1;
  };
  [[nodiscard]] const Times& times() const { return times_; }

  // Link thread:
  void on_queued(const link::JobQueued& queued) override;
  void on_started(const link::JobStarted& started) override;
  void on_progress(const link::JobProgress& progress) override;
  void on_tokens(const std::vector<link::SampledToken>& tokens) override;
  void on_end(const link::JobEnd& end) override;

 private:
  struct Ear {
    std::shared_ptr<JobHearer> hearer;  // kept alive until it leaves: it may wait for its client when the job has ended
    bool slow = false;
  };
  void tell();
  void pause_or_resume();
  void count() const;
  void worked() { last_work_ms_ = call_->clock().now_ms(); }

  const std::shared_ptr<Call> call_;
  const std::shared_ptr<const ServedModel> model_;
  Metrics& metrics_;
  std::atomic<int> expected_ = 1;
  std::atomic<bool> failed_ = false;  // who asks again wants another try, not this end once more

  Ticket ticket_;
  std::vector<Ear> ears_;
  std::optional<link::JobId> job_;  // while the engine works on it
  bool paused_ = false;
  bool gap_broken_ = false;  // a pause lies between the last token and the next
  bool was_paused_ = false;  // its run time says nothing about others'
  bool wait_told_ = false;   // in the log
  std::optional<AnswerPlan> plan_;
  std::optional<Error> failure_;
  std::optional<link::JobStarted> started_;
  std::optional<link::JobEnd> end_;
  // Token i's bytes are [ends_[i - 1], ends_[i]) of bytes_.
  std::vector<link::Token> tokens_;
  std::vector<std::size_t> ends_;
  std::string bytes_;
  std::int64_t last_work_ms_ = 0;
  Times times_;
};

}  // namespace hearth::server
