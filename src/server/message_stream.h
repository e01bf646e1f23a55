// MessageStream: one message on its way from the engine to the client. Lives on its exchange's I/O thread: what the
// engine says arrives on the link thread and is posted over. Joins bytes to UTF-8, finds thinking, text, tool calls and
// stop sequences, keeps the connection alive while nothing comes, and sees that the answer ends exactly once.
//
// Life: begin() -> [fail() | run() -> tokens... -> end]. Whatever comes after the end is ignored.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "chat/loop_detector.h"
#include "chat/stop_matcher.h"
#include "chat/stream_parser.h"
#include "models/engine_process.h"
#include "server/answer.h"
#include "server/call.h"
#include "server/keep_alive.h"
#include "server/prepared_prompt.h"
#include "server/served_models.h"
#include "server/turn_recorder.h"
#include "wire/anthropic_events.h"
#include "wire/anthropic_request.h"

namespace hearth::server {

enum class Delivery { Events, Folded };
enum class HeadersGo { AtOnce, WhenAdmitted };
// Whether the request marked anything with cache_control: only then does usage speak of the cache.
enum class CacheMarks { None, Some };

struct MessageStreamOptions {
  Delivery delivery = Delivery::Events;
  wire::AnswerKind kind = wire::AnswerKind::Fresh;
  std::string model;  // as the client named it
  std::vector<std::string> stop_sequences;
  std::uint32_t max_tokens = 0;
  CacheMarks cache_marks = CacheMarks::None;
  wire::ParallelTools parallel_tools = wire::ParallelTools::Allowed;
  KeepAliveRules keep_alive;
};

// A request that passed every check.
struct AdmittedJob {
  link::Job job;  // tokens_max is what the request asked for, cut to the context
  chat::StreamParserOptions parser;
  std::optional<TurnPlace> turn;  // see PreparedPrompt
};

class MessageStream final : public models::JobListener, public std::enable_shared_from_this<MessageStream> {
 public:
  MessageStream(std::shared_ptr<Call> call, std::shared_ptr<const ServedModel> model, MessageStreamOptions options);

  // I/O thread:
  void begin(HeadersGo headers_go);
  void run(AdmittedJob admitted);
  void fail(const Error& error);
  [[nodiscard]] bool over() const { return over_; }

  // Link thread:
  void on_started(const link::JobStarted& started) override;
  void on_progress(const link::JobProgress& progress) override;
  void on_tokens(const std::vector<link::SampledToken>& tokens) override;
  void on_end(const link::JobEnd& end) override;

 private:
  void take_bytes(std::string_view bytes, const std::vector<link::Token>& tokens, std::int64_t arrived_us);
  void take_text(std::string_view text);
  void take_event(const chat::StreamEvent& event);
  void end_if_it_loops(const chat::StreamEvent& event);
  void take_stop_step(chat::StopMatcher::Step step);
  void take_end(const link::JobEnd& end);
  void end_message(wire::StopReason reason, std::optional<std::string> stop_sequence);
  [[nodiscard]] wire::StopReason stop_reason(link::EndReason reason) const;
  [[nodiscard]] wire::Usage usage() const;
  void start_message();
  void send(const std::vector<wire::WireEvent>& events);
  void client_gone();
  void cancel_job();
  void end_record();
  void check_keep_alive();
  void schedule_keep_alive(std::int64_t delay_ms);
  [[nodiscard]] std::int64_t now_ms() const { return call_->clock().now_ms(); }

  const std::shared_ptr<Call> call_;
  const std::shared_ptr<const ServedModel> model_;
  const MessageStreamOptions options_;
  const std::unique_ptr<Answer> answer_;

  // I/O thread only, all below.
  wire::MessageEncoder encoder_;
  Utf8Joiner joiner_;
  std::unique_ptr<chat::StreamParser> parser_;  // from run() on
  std::optional<TurnRecorder> recorder_;        // from run() on, while the turn may be remembered
  chat::StopMatcher stops_;
  chat::LoopDetector loops_;
  std::vector<wire::WireEvent> pending_;  // events of the step in hand, sent together
  KeepAliveTimes times_;
  std::int64_t begun_ms_ = 0;
  std::optional<link::JobId> job_;  // while the engine works for us
  bool over_ = false;
  bool max_tokens_cut_ = false;  // the context leaves less than max_tokens
  bool started_by_engine_ = false;
  std::uint32_t prompt_tokens_ = 0;
  std::uint32_t last_boundary_ = 0;  // prompt tokens before it are worth keeping
  std::uint32_t cached_tokens_ = 0;
  std::uint32_t output_tokens_ = 0;
  std::uint32_t thinking_tokens_ = 0;  // of them; a mark that was held back counts with what it turned out to begin
  bool in_thought_ = false;            // what came out last was a thought
};

}  // namespace hearth::server
