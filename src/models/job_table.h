// JobTable: every job that was accepted and has not ended, with what is needed to start it again on another engine,
// and the judgement over jobs that engines die on. A value without threads, sockets or time; its owner has the mutex.
//
// A job is either waiting (not known to the present engine) or aboard. One engine death moves all to waiting and
// charges one death to each that was aboard, but for those of which the engine had said that they wait for their turn:
// they were read and not begun, so they did nothing. A new token clears a job's deaths.
//
// Quarantine: a job with kTrialDeaths deaths goes aboard again only on trial: before its first new token nothing else
// is sent to the engine. So a job that kills the engine dies alone, and those that were near it go on. A paused job has
// no trial: it waits until it is resumed, or it would hold up all others. When it is, others may be aboard that have
// not shown yet that they do no harm: if the engine dies then, the job on trial is not charged, and tried again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "link/messages.h"
#include "models/engine_process.h"

namespace hearth::models {

// An engine dies for many reasons; twice over the same job begins to be the job's fault, three times is.
inline constexpr unsigned kTrialDeaths = 2;
inline constexpr unsigned kDeathsMax = 3;

// A job that left the table. The caller tells the listener, outside of its mutex.
struct EndedJob {
  std::shared_ptr<JobListener> listener;
  link::JobEnd end;
};

class JobTable {
 public:
  explicit JobTable(std::size_t jobs_max) : jobs_max_(jobs_max) {}

  [[nodiscard]] bool full() const { return jobs_.size() >= jobs_max_; }
  [[nodiscard]] std::size_t size() const { return jobs_.size(); }
  // REQUIRES: !full(), and ids that ascend: their order is the order of submission.
  void add(link::Job job, std::shared_ptr<JobListener> listener);

  // The jobs that may go to the present engine now, in order of submission, as they must be sent (prompt and what was
  // delivered). They are aboard from here on. Call after every change that may free the way.
  [[nodiscard]] std::vector<link::Job> admit();

  // What the engine says. nullptr or nullopt: no such job (it ended before).
  [[nodiscard]] std::shared_ptr<JobListener> queued(const link::JobQueued& event);
  [[nodiscard]] std::shared_ptr<JobListener> started(const link::JobStarted& event);
  [[nodiscard]] std::shared_ptr<JobListener> listener(link::JobId id) const;
  [[nodiscard]] std::shared_ptr<JobListener> delivered(const link::TokenEvent& event);
  [[nodiscard]] std::optional<EndedJob> ended(link::JobEnd end);
  [[nodiscard]] bool on_trial(link::JobId id) const { return trial_ == id; }

  struct CancelStep {
    bool tell_engine = false;       // it is aboard: the engine ends it
    std::optional<EndedJob> ended;  // it was waiting: ended here
  };
  [[nodiscard]] CancelStep cancel(link::JobId id);

  // True: the engine must be told. A job on trial is paused when it has passed: the others wait for its next token.
  [[nodiscard]] bool pause(link::JobId id);
  [[nodiscard]] bool resume(link::JobId id);
  // Whether the engine must be told so: after it was sent again, and when it has passed its trial.
  [[nodiscard]] bool paused(link::JobId id) const;
  // Whether the engine owes a sign of life for any job.
  [[nodiscard]] bool awaits_engine() const;

  // The engine died (`how`, for people). Returns the jobs that end by it: cancelled ones, finished ones whose end was
  // lost, and those with kDeathsMax deaths.
  [[nodiscard]] std::vector<EndedJob> engine_died(std::string_view how);
  // Waiting jobs that have used up this context end as the engine would have ended them.
  [[nodiscard]] std::vector<EndedJob> end_those_that_fill(std::uint32_t context_tokens);
  [[nodiscard]] std::vector<EndedJob> end_all(const Error& reason);

  // Ends the process when the table contradicts itself.
  void check_invariants() const;

 private:
  struct LiveJob {
    link::Job job;  // as it was submitted
    std::shared_ptr<JobListener> listener;
    std::vector<link::Token> delivered;
    std::optional<std::uint32_t> first_cached_tokens;  // of the first start; that is what the client was told
    unsigned deaths = 0;                               // since the last token
    bool aboard = false;
    bool queued = false;  // aboard, and waiting for its turn there
    bool proven = false;  // aboard, and a token came since
    bool cancelled = false;
    bool paused = false;
  };
  using Jobs = std::map<link::JobId, LiveJob>;

  [[nodiscard]] static link::Job to_send(const LiveJob& live);
  [[nodiscard]] static link::JobEnd end_of(const LiveJob& live, link::EndReason reason);
  [[nodiscard]] EndedJob remove(Jobs::iterator at, link::JobEnd end);

  const std::size_t jobs_max_;
  Jobs jobs_;
  std::set<link::JobId> waiting_;     // exactly the jobs that are not aboard
  std::optional<link::JobId> trial_;  // the job aboard that has to prove itself
};

}  // namespace hearth::models
