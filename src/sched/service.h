// Service: the engine process between its link and its loop.
//
//   I/O thread    reads frames; tokenises; hands everything else to the loop through a bounded queue
//   loop thread   (the caller of run) loads the engine, owns it and the Loop, and sends what happens
//
// While jobs run the queue is looked at between two steps; without jobs the loop thread sleeps in it.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "base/queue.h"
#include "engine/engine.h"
#include "link/channel.h"
#include "sched/loop.h"
#include "sched/segment_tokens.h"

namespace hearth::sched {

class Service {
 public:
  using LoadEngine = std::function<Result<std::unique_ptr<engine::Engine>>(std::function<void(float)> progress)>;

  // `on_link_end` is called on the I/O thread when the front is gone: the engine process ends itself there, in the middle of
  // whatever it does, because nobody is left to hear of it. After Shutdown it is called once the loop has ended and its cache
  // is on the disk, or when the time for that is over. Where it returns, run() returns too.
  Service(link::Channel& channel, LoopOptions options, std::function<void()> on_link_end);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Loads, says Hello (or LoadFailed) and serves. Returns the process's exit status.
  [[nodiscard]] int run(const LoadEngine& load);

 private:
  using TokenizerPointer = std::shared_ptr<const engine::Tokenizer>;

  void read_link(const std::shared_future<TokenizerPointer>& tokenizer, const std::shared_future<void>& served);
  void hand_over(link::FrontMessage&& message);
  void read_texts(const engine::Tokenizer& tokenizer);
  void tokenize(const engine::Tokenizer& tokenizer, const link::TokenizeRequest& request);
  [[nodiscard]] bool handle(Loop& loop, link::FrontMessage&& message);
  void serve(engine::Engine& engine);
  void set_cache_budget(Loop& loop, std::uint64_t bytes);
  void send(const link::EngineMessage& message);

  link::Channel& channel_;
  const LoopOptions options_;
  const SteadyClock clock_;
  const std::function<void()> on_link_end_;

  BoundedQueue<link::FrontMessage> queue_;
  std::promise<void> served_promise_;                 // run() is done with the loop
  std::promise<TokenizerPointer> tokenizer_promise_;  // fulfilled once: by the loaded engine, or null
  std::uint64_t cache_bytes_most_ = 0;                // loop thread; the budget is this or less (cache_budget.h)
  BoundedQueue<link::TokenizeRequest> texts_;         // to text_reader_
  SegmentTokens segment_tokens_;                      // text_reader_'s
  std::thread reader_, text_reader_;                  // the second is begun, and known, by the first
};

// What the front hears first of an engine that can work.
[[nodiscard]] link::Hello hello_of(const engine::Engine& engine, std::uint32_t parallel_jobs);

}  // namespace hearth::sched
