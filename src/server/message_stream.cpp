// See message_stream.h.
#include "server/message_stream.h"

#include <algorithm>
#include <format>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"

namespace hearth::server {
namespace {

// What is read of a job at a time, between two looks at how much the client has taken: some 10 KB of events.
constexpr std::size_t kTokensAtOnce = 64;

std::unique_ptr<Answer> make_answer(Delivery delivery, std::shared_ptr<Call> call) {
  if (delivery == Delivery::Events) return make_event_answer(std::move(call));
  return delivery == Delivery::Folded ? make_folded_answer(std::move(call)) : make_kept_answer(std::move(call));
}

void append(std::vector<wire::WireEvent>& to, std::vector<wire::WireEvent> events) {
  to.insert(to.end(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
}

// As Prometheus' users know it.
std::string_view why_name(wire::StopReason reason) {
  switch (reason) {
    case wire::StopReason::EndTurn:
    case wire::StopReason::StopSequence: return "stop";
    case wire::StopReason::MaxTokens:
    case wire::StopReason::ContextWindowExceeded: return "length";
    case wire::StopReason::ToolUse: return "tool_calls";
  }
  return "stop";
}

Error error_of(const link::JobEnd& end) {
  if (end.reason == link::EndReason::Cancelled) {
    return {ErrorKind::Unavailable, "the server stopped before the answer was complete; ask again"};
  }
  const bool known = end.error_kind <= static_cast<std::uint8_t>(ErrorKind::Internal);
  return {known ? static_cast<ErrorKind>(end.error_kind) : ErrorKind::Internal, end.message};
}

}  // namespace

MessageStream::MessageStream(std::shared_ptr<Call> call, std::shared_ptr<const ServedModel> model,
                             std::shared_ptr<SharedJob> job, MessageStreamOptions options)
    : call_(std::move(call)),
      model_(std::move(model)),
      options_(std::move(options)),
      job_(std::move(job)),
      answer_(make_answer(options_.delivery, call_)),
      encoder_(random_id("msg_"), options_.model, options_.kind),
      stops_(options_.stop_sequences) {}

void MessageStream::begin(HeadersGo headers_go) {
  if (over_) return;
  begun_ms_ = now_ms();
  times_ = {
      .last_byte_ms = begun_ms_, .last_event_ms = begun_ms_, .last_token_ms = begun_ms_, .last_work_ms = begun_ms_};
  call_->exchange()->on_disconnect([weak = weak_from_this()] {
    if (auto stream = weak.lock()) stream->client_gone();
  });
  if (over_) return;
  if (headers_go == HeadersGo::AtOnce) open();
  schedule_keep_alive(std::min(options_.keep_alive.ping_ms, options_.keep_alive.first_heartbeat_ms));
  job_->join(shared_from_this());
}

// The job has gone on: all that is new, in order, as far as the client can take it.
void MessageStream::hear() {
  if (over_) return;
  if (job_->failure()) return fail(*job_->failure());
  if (job_->plan() && !parser_) begin_answer(*job_->plan());
  if (job_->started() && !started_by_engine_) take_start(*job_->started());
  while (!over_ && heard_count_ < job_->said_count()) {
    if (waits_for_reader()) return;
    const SharedJob::Said said = job_->said(heard_count_, kTokensAtOnce);
    heard_count_ += said.tokens.size();
    take_said(said);
  }
  if (!over_ && job_->end()) take_end(*job_->end());
}

void MessageStream::begin_answer(const AnswerPlan& plan) {
  prompt_tokens_ = plan.prompt_tokens;
  last_boundary_ = plan.last_boundary;
  max_tokens_cut_ = plan.tokens_max < options_.max_tokens;
  call_->record.prompt_tokens = prompt_tokens_;
  call_->record.places = plan.places;
  parser_ = std::make_unique<chat::StreamParser>(plan.parser);
  if (plan.turn) recorder_.emplace(*plan.turn);
  // A prompt that the context must grow for may still be refused, and too long must be a 400.
  if (prompt_tokens_ < model_->live_context_tokens()) open();
}

void MessageStream::take_start(const link::JobStarted& started) {
  started_by_engine_ = true;
  cached_tokens_ = std::min(started.cached_tokens, prompt_tokens_);
  call_->record.places.cached_tokens = cached_tokens_;
  call_->record.ram_tokens = started.ram_tokens;
  call_->record.disk_tokens = started.disk_tokens;
  call_->record.explanation = started.explanation;
  open();
}

// From here on an error is no status any more.
void MessageStream::open() {
  opened_ = true;
  answer_->open();
}

// True: what was sent has to leave first. A stream that has nothing unsent always goes on, however much the others have.
bool MessageStream::waits_for_reader() {
  if (reader_slow_) return true;
  const auto& exchange = call_->exchange();
  const bool pressed = exchange->unsent_bytes_of_all() > options_.output.all_bytes_max;
  const std::size_t bound = pressed ? options_.output.pressed_bytes_max : options_.output.stream_bytes_max;
  if (exchange->unsent_bytes() <= bound) return false;
  reader_slow_ = true;
  job_->set_slow(*this, true);
  exchange->when_unsent_at_most(bound / 4, [weak = weak_from_this()] {
    if (auto stream = weak.lock()) stream->reader_caught_up();
  });
  return true;
}

void MessageStream::reader_caught_up() {
  if (over_ || !std::exchange(reader_slow_, false)) return;
  times_.last_byte_ms = times_.last_event_ms = times_.last_token_ms = now_ms();
  job_->set_slow(*this, false);
  hear();
}

void MessageStream::fail(const Error& error) {
  if (std::exchange(over_, true)) return;
  call_->record.why = "error";
  job_->leave(*this);
  end_record();
  answer_->fail(error);
}

void MessageStream::take_said(const SharedJob::Said& said) {
  const bool first = output_tokens_ == 0;
  output_tokens_ += static_cast<std::uint32_t>(said.tokens.size());
  if (recorder_) recorder_->sampled(said.tokens, said.bytes);
  times_.last_token_ms = now_ms();
  start_message();
  if (!over_) take_text(joiner_.push(said.bytes));
  if (in_thought_) thinking_tokens_ += static_cast<std::uint32_t>(said.tokens.size());
  if (!over_) send(std::exchange(pending_, {}));
  if (first) call_->record.times.first_event_us = call_->clock().now_us() - job_->times().first_token_us;
}

void MessageStream::take_text(std::string_view text) {
  if (text.empty()) return;
  for (const auto& event : parser_->push(text)) {
    in_thought_ = std::holds_alternative<chat::ThinkingDelta>(event);
    take_event(event);
    if (over_) return;
    end_if_it_loops(event);
    if (over_) return;
  }
}

// A model that says the same without end would say it until the limit: it is told that it has reached it.
void MessageStream::end_if_it_loops(const chat::StreamEvent& event) {
  chat::Loop loop = chat::Loop::None;
  if (const auto* text = std::get_if<chat::TextDelta>(&event)) loop = loops_.feed(text->text, chat::LoopPlace::Speech);
  if (const auto* thought = std::get_if<chat::ThinkingDelta>(&event))
    loop = loops_.feed(thought->text, chat::LoopPlace::Speech);
  if (const auto* fragment = std::get_if<chat::ToolCallDelta>(&event))
    loop = loops_.feed(fragment->json, chat::LoopPlace::Arguments);
  if (loop == chat::Loop::None) return;
  log_warning("chat", "{}: the answer repeats itself ({}) and was ended after {} tokens", call_->record.request_id,
              loop == chat::Loop::Exact ? "word for word" : "but for its numbers", output_tokens_);
  call_->record.repairs.add(chat::Repair::LoopCut);
  recorder_.reset();
  end_message(wire::StopReason::MaxTokens, std::nullopt);
}

// Stop sequences are looked for in visible text only. What the matcher holds back comes out before another kind begins.
void MessageStream::take_event(const chat::StreamEvent& event) {
  const auto* text = std::get_if<chat::TextDelta>(&event);
  if (!text) {
    take_stop_step(stops_.finish());
    if (over_) return;
    append(pending_, encoder_.add(event));
    const auto* call_end = std::get_if<chat::ToolCallEnd>(&event);
    if (call_end && !call_end->whole) recorder_.reset();
    if (call_end && options_.parallel_tools == wire::ParallelTools::Disabled && !job_ended_) {
      end_message(wire::StopReason::ToolUse, std::nullopt);  // one call was asked for, and here it is
    }
    return;
  }
  take_stop_step(stops_.push(text->text));
}

void MessageStream::take_stop_step(chat::StopMatcher::Step step) {
  if (!step.text.empty()) append(pending_, encoder_.add(chat::TextDelta{std::move(step.text)}));
  if (step.matched) end_message(wire::StopReason::StopSequence, std::move(step.matched));
}

void MessageStream::take_end(const link::JobEnd& end) {
  job_ended_ = true;
  output_tokens_ = std::max(output_tokens_, end.sampled_tokens);
  if (end.reason == link::EndReason::Failed || end.reason == link::EndReason::Cancelled) {
    if (end.retry_after_ms > 0) call_->set_retry_after_s((end.retry_after_ms + 999) / 1000);
    return fail(error_of(end));
  }
  start_message();
  take_text(joiner_.finish());
  if (over_) return;
  // Only a turn the model ended itself may lack a closing text, and is remembered: of another, what was sampled is more
  // than what was sent.
  const bool whole = end.reason == link::EndReason::EndOfTurn || end.reason == link::EndReason::StopToken;
  const auto events = parser_->finish(whole ? chat::TurnEnd::Finished : chat::TurnEnd::Cut);
  for (std::size_t i = 0; i < events.size(); ++i) {
    take_event(events[i]);
    if (over_) return;
    // The parser holds some calls back to the end of the turn. One was asked for: the others are neither said nor remembered.
    const bool called = std::holds_alternative<chat::ToolCallEnd>(events[i]);
    if (!called || options_.parallel_tools != wire::ParallelTools::Disabled || i + 1 == events.size()) continue;
    recorder_.reset();
    break;
  }
  take_stop_step(stops_.finish());
  if (over_) return;
  end_message(stop_reason(end.reason), std::nullopt);
  if (recorder_ && whole) std::move(*recorder_).remember(*model_->turns, *model_->specials);
  recorder_.reset();
}

void MessageStream::end_message(wire::StopReason reason, std::optional<std::string> stop_sequence) {
  CHECK(!over_);
  start_message();
  append(pending_, encoder_.end(reason, std::move(stop_sequence), usage()));
  send(std::exchange(pending_, {}));
  over_ = true;
  call_->record.why = why_name(reason);
  job_->leave(*this);
  end_record();
  answer_->finish();
}

wire::StopReason MessageStream::stop_reason(link::EndReason reason) const {
  switch (reason) {
    case link::EndReason::TokensMax:
      // The limit that was reached is the context's, not the request's.
      return max_tokens_cut_ ? wire::StopReason::ContextWindowExceeded : wire::StopReason::MaxTokens;
    case link::EndReason::ContextFull: return wire::StopReason::ContextWindowExceeded;
    default: return encoder_.has_tool_call() ? wire::StopReason::ToolUse : wire::StopReason::EndTurn;
  }
}

// The prompt [0, cached) was read from the cache, [cached, last boundary) was kept for the next one, and the rest was
// computed and will be another time. As with Anthropic, only a request that marked something with cache_control is told.
wire::Usage MessageStream::usage() const {
  wire::Usage usage{.cache_read_tokens = cached_tokens_,
                    .output_tokens = output_tokens_,
                    .thinking_tokens = std::min(thinking_tokens_, output_tokens_)};
  usage.cache_counts = options_.cache_marks == CacheMarks::Some ? wire::CacheCounts::Shown : wire::CacheCounts::Hidden;
  if (started_by_engine_) {
    usage.cache_creation_tokens = std::max(last_boundary_, cached_tokens_) - cached_tokens_;
  }
  usage.input_tokens = prompt_tokens_ - usage.cache_read_tokens - usage.cache_creation_tokens;
  return usage;
}

void MessageStream::start_message() {
  if (encoder_.started()) return;
  append(pending_, encoder_.start(usage()));
}

void MessageStream::send(const std::vector<wire::WireEvent>& events) {
  if (events.empty()) return;
  answer_->send(events);
  if (recorder_) recorder_->sent(events);
  times_.last_byte_ms = times_.last_event_ms = now_ms();
}

void MessageStream::client_gone() {
  if (std::exchange(over_, true)) return;
  job_->leave(*this);
  end_record();
  call_->finish_record(kStatusClientGone);
}

void MessageStream::end_record() {
  RequestRecord& record = call_->record;
  record.cached_tokens = cached_tokens_;
  record.output_tokens = output_tokens_;
  if (parser_) record.repairs.add(parser_->repairs());
  const SharedJob::Times& job = job_->times();
  if (job.submitted_us >= 0 && job.started_us >= 0) record.times.queue_us = job.started_us - job.submitted_us;
  if (job.first_token_us < 0) return;
  record.times.first_token_us = job.first_token_us - call_->request().received_us;
  if (job.started_us >= 0) record.times.prefill_us = job.first_token_us - job.started_us;
  record.times.decode_us = job.last_token_us - job.first_token_us;
}

// Work is a sign of life of the job itself; of one that waits, for its turn or for the model to be loaded again, that the
// engine says anything at all.
void MessageStream::check_keep_alive() {
  if (over_) return;
  times_.last_work_ms = std::max(times_.last_work_ms, job_->last_work_ms());
  if (!job_->started() || model_->engine->state() != models::EngineState::Ready)
    times_.last_work_ms = std::max(times_.last_work_ms, model_->engine->last_heard_ms());
  if (reader_slow_) times_.last_work_ms = now_ms();  // it is we who wait
  const auto decision = decide_keep_alive(options_.keep_alive, times_, now_ms());
  switch (decision.action) {
    case KeepAliveAction::Nothing: break;
    case KeepAliveAction::Stalled:
      return fail({ErrorKind::Unavailable, std::format("the engine gave no sign of work for {} s; ask again",
                                                       options_.keep_alive.stall_timeout_ms / 1000)});
    case KeepAliveAction::Heartbeat: take_heartbeat(); [[fallthrough]];  // who counts pings sees them at an even pace
    case KeepAliveAction::Ping: take_ping(); break;
  }
  schedule_keep_alive(decision.next_check_ms);
}

// A client that has not read what it was sent needs no more to know that we live.
void MessageStream::take_heartbeat() {
  if (answer_->wants_heartbeats() && !reader_slow_) {
    start_message();
    append(pending_, encoder_.heartbeat());
    send(std::exchange(pending_, {}));
  }
  times_.last_event_ms = now_ms();
}

// While the prompt may yet turn out to be too long its status is kept open; no client waits less than 300 s for headers.
void MessageStream::take_ping() {
  const std::int64_t waited_ms = now_ms() - begun_ms_;
  const bool hold = !opened_ && waited_ms < options_.keep_alive.first_heartbeat_ms;
  if (!reader_slow_ && !hold) static_cast<void>(answer_->ping(waited_ms));
  times_.last_byte_ms = now_ms();
}

void MessageStream::schedule_keep_alive(std::int64_t delay_ms) {
  call_->exchange()->after_ms(delay_ms, [weak = weak_from_this()] {
    if (auto stream = weak.lock()) stream->check_keep_alive();
  });
}

}  // namespace hearth::server
