// An engine for the front's unit tests: tokenises at once, one token per byte, keeps the jobs it is given, and says of
// them what the test tells it to. Single-threaded.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/engine_process.h"

namespace hearth::server {

class FakeEngineProcess final : public models::EngineProcess {
 public:
  explicit FakeEngineProcess(link::Hello hello) : hello_(std::make_shared<const link::Hello>(std::move(hello))) {}

  [[nodiscard]] models::EngineState state() const override { return engine_state; }
  [[nodiscard]] std::shared_ptr<const link::Hello> hello() const override { return hello_; }
  [[nodiscard]] int process_id() const override { return 4711; }
  [[nodiscard]] std::uint64_t restart_count() const override { return 0; }

  void tokenize(std::vector<link::Segment> segments, bool count_only,
                std::function<void(Result<link::TokenizeReply>)> done) override {
    link::TokenizeReply reply;
    prompt_text.clear();
    for (const auto& segment : segments) {
      for (const char c : segment.text) reply.tokens.push_back(c);
      reply.tokens.insert(reply.tokens.end(), segment.tokens.begin(), segment.tokens.end());
      prompt_text += segment.text;
      reply.segment_ends.push_back(static_cast<std::uint32_t>(reply.tokens.size()));
    }
    reply.count = static_cast<std::uint32_t>(reply.tokens.size());
    if (count_only) reply.tokens.clear();
    if (hold_tokenize) {
      held_tokenize = [done = std::move(done), reply = std::move(reply)] { done(reply); };
    } else {
      done(std::move(reply));
    }
  }

  void tokenize_with_pieces(std::vector<link::Segment> segments,
                            std::function<void(Result<link::TokenizeReply>)> done) override {
    tokenize(std::move(segments), false, std::move(done));
  }

  [[nodiscard]] Result<link::JobId> submit(link::Job submitted, std::shared_ptr<models::JobListener> by) override {
    if (submit_error) return std::unexpected(*submit_error);
    job = std::move(submitted);
    listener = std::move(by);
    return ++job_id;
  }
  void cancel(link::JobId cancelled) override { cancelled_jobs.push_back(cancelled); }
  void pause(link::JobId job_paused) override { paused_jobs.push_back(job_paused); }
  void resume(link::JobId resumed) override { resumed_jobs.push_back(resumed); }
  [[nodiscard]] std::int64_t last_heard_ms() const override { return heard_ms; }
  void set_cache_budget(link::CacheBudget budget) override { cache_budget = budget; }
  link::CacheBudget cache_budget;
  void stats(std::function<void(Result<link::StatsReply>)> done) override {
    done(link::StatsReply{.id = 1, .counters = {{"tokens_sampled", 3}}});
  }
  void probe(link::Probe asked, std::function<void(Result<link::ProbeReply>)> done) override {
    probed = std::move(asked);
    done(link::ProbeReply{.id = 1, .cached_tokens = 2, .spans = {{.end = 2, .tier = link::Tier::Ram}}});
  }
  void cache(link::CacheRequest request, std::function<void(Result<link::CacheReply>)> done) override {
    cache_request = std::move(request);
    done(cache_reply);
  }
  link::Probe probed;
  link::CacheRequest cache_request;
  Result<link::CacheReply> cache_reply;
  void stop() override {}

  // As after a restart that found less memory.
  void come_back_with_context(std::uint32_t context_tokens) {
    auto next = *hello_;
    next.context_tokens = context_tokens;
    hello_ = std::make_shared<const link::Hello>(std::move(next));
  }

  // What the engine says of its job.
  void start(std::uint32_t cached_tokens, std::optional<link::Explanation> explanation = {}) {
    listener->on_started({.job = job_id, .cached_tokens = cached_tokens, .explanation = std::move(explanation)});
  }
  void say(std::string_view bytes) {
    listener->on_tokens({link::SampledToken{.token = 1, .piece = std::string(bytes)}});
  }
  void end(link::EndReason reason, std::uint32_t sampled_tokens = 0, ErrorKind kind = ErrorKind::Internal,
           std::string message = "") {
    std::exchange(listener, nullptr)
        ->on_end({.job = job_id,
                  .reason = reason,
                  .sampled_tokens = sampled_tokens,
                  .error_kind = static_cast<std::uint8_t>(kind),
                  .message = std::move(message)});
  }

  models::EngineState engine_state = models::EngineState::Ready;
  std::optional<Error> submit_error;
  bool hold_tokenize = false;
  std::function<void()> held_tokenize;
  std::string prompt_text;
  link::Job job;
  link::JobId job_id = 0;
  std::shared_ptr<models::JobListener> listener;
  std::vector<link::JobId> cancelled_jobs, paused_jobs, resumed_jobs;
  std::int64_t heard_ms = 0;

 private:
  std::shared_ptr<const link::Hello> hello_;
};

}  // namespace hearth::server
