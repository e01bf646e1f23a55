// MessageStream: one message on its way from a job to the client. Lives on its exchange's I/O thread. Reads what its job
// has said as fast as its client takes it, joins bytes to UTF-8, finds thinking, text, tool calls and stop sequences,
// keeps the connection alive while nothing comes, and sees that the answer ends exactly once.
//
// Life: begin() -> hear()... -> the end, by the job's end, a failure, or the client's leaving. What comes after is ignored.
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
#include "server/answer.h"
#include "server/call.h"
#include "server/keep_alive.h"
#include "server/served_models.h"
#include "server/shared_job.h"
#include "server/turn_recorder.h"
#include "wire/anthropic_events.h"
#include "wire/anthropic_request.h"

namespace hearth::server {

// Kept: folded, for a reader that waits on no connection.
enum class Delivery { Events, Folded, Kept };
enum class HeadersGo { AtOnce, WhenAdmitted };
// Whether the request marked anything with cache_control: only then does usage speak of the cache.
enum class CacheMarks { None, Some };

// How much of an answer may wait for a client that reads slowly. Over the bound the stream reads no more of its job.
struct OutputLimits {
  std::size_t stream_bytes_max = 256 * 1024;       // some thousand events: a hiccup of seconds
  std::size_t all_bytes_max = 64UL * 1024 * 1024;  // over it, in all streams together, each has only the next
  std::size_t pressed_bytes_max = 16 * 1024;
};

struct MessageStreamOptions {
  Delivery delivery = Delivery::Events;
  wire::AnswerKind kind = wire::AnswerKind::Fresh;
  std::string model;  // as the client named it
  std::vector<std::string> stop_sequences;
  std::uint32_t max_tokens = 0;
  CacheMarks cache_marks = CacheMarks::None;
  wire::ParallelTools parallel_tools = wire::ParallelTools::Allowed;
  KeepAliveRules keep_alive;
  OutputLimits output;
};

class MessageStream final : public JobHearer, public std::enable_shared_from_this<MessageStream> {
 public:
  // `job` expects this stream (SharedJob::reserve).
  MessageStream(std::shared_ptr<Call> call, std::shared_ptr<const ServedModel> model, std::shared_ptr<SharedJob> job,
                MessageStreamOptions options);

  void begin(HeadersGo headers_go);
  void hear() override;

 private:
  void fail(const Error& error);
  void begin_answer(const AnswerPlan& plan);
  void take_start(const link::JobStarted& started);
  void open();
  [[nodiscard]] bool waits_for_reader();
  void reader_caught_up();
  void take_said(const SharedJob::Said& said);
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
  void end_record();
  void check_keep_alive();
  void take_heartbeat();
  void take_ping();
  void schedule_keep_alive(std::int64_t delay_ms);
  [[nodiscard]] std::int64_t now_ms() const { return call_->clock().now_ms(); }

  const std::shared_ptr<Call> call_;
  const std::shared_ptr<const ServedModel> model_;
  const MessageStreamOptions options_;
  const std::shared_ptr<SharedJob> job_;
  const std::unique_ptr<Answer> answer_;

  // I/O thread only, all below.
  wire::MessageEncoder encoder_;
  Utf8Joiner joiner_;
  std::unique_ptr<chat::StreamParser> parser_;  // from the job's submission on
  std::optional<TurnRecorder> recorder_;        // from there on, while the turn may be remembered
  chat::StopMatcher stops_;
  chat::LoopDetector loops_;
  std::vector<wire::WireEvent> pending_;  // events of the step in hand, sent together
  KeepAliveTimes times_;
  std::int64_t begun_ms_ = 0;
  std::size_t heard_count_ = 0;  // tokens of the job that were read
  bool opened_ = false;          // the client has been given its headers, where this answer sends them early
  bool over_ = false;
  bool reader_slow_ = false;     // the client has not taken what was sent: nothing is read until it has
  bool job_ended_ = false;       // its last token was read
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
