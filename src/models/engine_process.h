// EngineProcess: one loaded model, as a process of its own that may die at any moment without a stream noticing more
// than a pause. Starts it, speaks the link with it, restarts it, and resubmits every live job as
// prompt + tokens already delivered.
//
// Threads: any thread may call; listeners and callbacks are called on the link thread, in order, and must not block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "link/messages.h"

namespace hearth::models {

// What one engine process may be asked for at once, and how it is started again.
struct EngineLimits {
  std::size_t jobs_max = 4096;             // live jobs, waiting ones included
  std::size_t asks_max = 4096;             // tokenise and stats requests in flight
  std::size_t ask_bytes_max = 512U << 20;  // of their text: several of the largest bodies (64 MiB) at once
  std::uint32_t hello_failures_max = 3;    // restarts in a row that do not come to Hello; then the state is Failed
  std::uint32_t retry_after_ms = 5000;     // when Failed, a request may cause one more attempt this often
  std::uint32_t stop_limit_ms = 15'000;    // after Shutdown, before the link ends: its cache goes to the disk meanwhile
  std::uint32_t term_limit_ms = 2000;      // after the link's end and SIGTERM, before SIGKILL
  std::int64_t keep_alive_ms = -1;         // unused for so long, the engine is ended until it is wanted; -1 = never
  std::int64_t hang_limit_ms = 0;  // silent so long when it owes an answer (loading: 4 times): replaced; 0 = never
};

struct EngineSpec {
  std::string engine_program;          // path of hearth-engine
  std::vector<std::string> arguments;  // as on its command line: --model FILE --ctx N ...
  std::string model_path;              // for messages to people
  EngineLimits limits = {};
};

// What a stream hears of its job. on_end is called exactly once for every accepted job, whatever happens.
class JobListener {
 public:
  virtual ~JobListener() = default;
  virtual void on_queued(const link::JobQueued&) {}    // its place in the engine's queue, and again when that changes
  virtual void on_started(const link::JobStarted&) {}  // again after a restart; only the first one counts for usage
  virtual void on_progress(const link::JobProgress&) {}
  virtual void on_tokens(const std::vector<link::SampledToken>& tokens) = 0;
  virtual void on_end(const link::JobEnd& end) = 0;
};

// Unloaded: ended because nobody used it. Whatever needs the engine loads it again (and waits); the Hello stays.
enum class EngineState { Loading, Ready, Restarting, Failed, Stopped, Unloaded };

class EngineProcess {
 public:
  using Progress = std::function<void(float fraction)>;
  // Blocks until the engine said Hello, or LoadFailed / death (its error is then returned; no retry on first load).
  [[nodiscard]] static Result<std::unique_ptr<EngineProcess>> start(EngineSpec spec, Progress progress);
  virtual ~EngineProcess() = default;  // stops

  [[nodiscard]] virtual EngineState state() const = 0;
  [[nodiscard]] virtual std::shared_ptr<const link::Hello> hello() const = 0;
  [[nodiscard]] virtual int process_id() const = 0;               // of the present engine; for status and tests
  [[nodiscard]] virtual std::uint64_t restart_count() const = 0;  // after deaths
  // When the engine last said anything, while it loads too; on the steady clock.
  [[nodiscard]] virtual std::int64_t last_heard_ms() const = 0;

  // A request in flight when the engine dies is asked again of the next one. `done` is called exactly once, on the link
  // thread (after stop(): at once, on the caller's).
  virtual void tokenize(std::vector<link::Segment> segments, bool count_only,
                        std::function<void(Result<link::TokenizeReply>)> done) = 0;
  // The same, and how each token is written.
  virtual void tokenize_with_pieces(std::vector<link::Segment> segments,
                                    std::function<void(Result<link::TokenizeReply>)> done) = 0;
  // Overloaded when too many jobs wait (jobs_max). job.id is chosen here; job.sampling.seed is set when absent.
  // Three engine deaths in a row without a token for this job: on_end with Failed.
  [[nodiscard]] virtual Result<link::JobId> submit(link::Job job, std::shared_ptr<JobListener> listener) = 0;
  // on_end(Cancelled) follows, from the engine or, while it restarts, at once. A job that has ended is ignored.
  virtual void cancel(link::JobId job) = 0;
  // A paused job gets no token beyond those of the batch at work until it is resumed; what was computed stays. Holds over
  // restarts. A job that has ended is ignored.
  virtual void pause(link::JobId job) = 0;
  virtual void resume(link::JobId job) = 0;
  // Unavailable, without loading it, while the model is unloaded.
  virtual void stats(std::function<void(Result<link::StatsReply>)> done) = 0;
  // Where a prompt would come from now, and what people want of the cache. The id is chosen here.
  virtual void probe(link::Probe probe, std::function<void(Result<link::ProbeReply>)> done) = 0;
  virtual void cache(link::CacheRequest request, std::function<void(Result<link::CacheReply>)> done) = 0;
  // Holds for the engines that are started later, too.
  virtual void set_cache_budget(link::CacheBudget budget) = 0;
  // Ends the engine and every job (Failed, Unavailable), and waits for both. Never from a listener or callback.
  virtual void stop() = 0;
};

}  // namespace hearth::models
