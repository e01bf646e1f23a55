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

std::unique_ptr<Answer> make_answer(Delivery delivery, std::shared_ptr<Call> call) {
  return delivery == Delivery::Events ? make_event_answer(std::move(call)) : make_folded_answer(std::move(call));
}

void append(std::vector<wire::WireEvent>& to, std::vector<wire::WireEvent> events) {
  to.insert(to.end(), std::make_move_iterator(events.begin()), std::make_move_iterator(events.end()));
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
                             MessageStreamOptions options)
    : call_(std::move(call)),
      model_(std::move(model)),
      options_(std::move(options)),
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
  if (headers_go == HeadersGo::AtOnce) answer_->open();
  schedule_keep_alive(std::min(options_.keep_alive.ping_ms, options_.keep_alive.first_heartbeat_ms));
}

void MessageStream::run(AdmittedJob admitted) {
  if (over_) return;
  const std::int64_t submit_from_us = call_->clock().now_us();
  prompt_tokens_ = static_cast<std::uint32_t>(admitted.job.prompt.size());
  last_boundary_ = admitted.job.boundaries.empty() ? 0 : admitted.job.boundaries.back();
  max_tokens_cut_ = admitted.job.tokens_max < options_.max_tokens;
  call_->record.prompt_tokens = prompt_tokens_;
  call_->record.places = places_of(admitted.job.boundaries, prompt_tokens_);
  parser_ = std::make_unique<chat::StreamParser>(std::move(admitted.parser));
  if (admitted.turn) recorder_.emplace(std::move(*admitted.turn));

  auto job = model_->engine->submit(std::move(admitted.job), shared_from_this());
  if (!job) return fail(job.error());
  job_ = *job;
  ++*model_->live_jobs;
  call_->record.times.submit_us = call_->clock().now_us() - submit_from_us;
  // A prompt that the context must grow for may still be refused, and too long must be a 400.
  if (prompt_tokens_ < model_->live_context_tokens()) answer_->open();
}

void MessageStream::fail(const Error& error) {
  if (std::exchange(over_, true)) return;
  cancel_job();
  end_record();
  answer_->fail(error);
}

void MessageStream::on_started(const link::JobStarted& started) {
  call_->exchange()->post(
      [self = shared_from_this(), cached = started.cached_tokens, explanation = started.explanation]() mutable {
        if (self->over_ || std::exchange(self->started_by_engine_, true)) return;  // a restarted engine starts it again
        self->cached_tokens_ = std::min(cached, self->prompt_tokens_);
        self->call_->record.places.cached_tokens = self->cached_tokens_;
        self->call_->record.explanation = std::move(explanation);
        self->times_.last_work_ms = self->now_ms();
        self->answer_->open();
      });
}

void MessageStream::on_progress(const link::JobProgress&) {
  call_->exchange()->post([self = shared_from_this()] { self->times_.last_work_ms = self->now_ms(); });
}

void MessageStream::on_tokens(const std::vector<link::SampledToken>& tokens) {
  std::string bytes;
  std::vector<link::Token> ids;
  for (const auto& token : tokens) {
    bytes += token.piece;
    ids.push_back(token.token);
  }
  const std::int64_t arrived_us = call_->clock().now_us();
  call_->exchange()->post([self = shared_from_this(), bytes = std::move(bytes), ids = std::move(ids), arrived_us] {
    self->take_bytes(bytes, ids, arrived_us);
  });
}

void MessageStream::on_end(const link::JobEnd& end) {
  --*model_->live_jobs;
  call_->exchange()->post([self = shared_from_this(), end] { self->take_end(end); });
}

void MessageStream::take_bytes(std::string_view bytes, const std::vector<link::Token>& tokens,
                               std::int64_t arrived_us) {
  if (over_ || tokens.empty()) return;
  const bool first = output_tokens_ == 0;
  output_tokens_ += static_cast<std::uint32_t>(tokens.size());
  if (recorder_) recorder_->sampled(tokens, bytes);
  times_.last_token_ms = times_.last_work_ms = now_ms();
  start_message();
  if (!over_) take_text(joiner_.push(bytes));
  if (in_thought_) thinking_tokens_ += static_cast<std::uint32_t>(tokens.size());
  if (!over_) send(std::exchange(pending_, {}));
  if (first) {
    call_->record.times.first_token_us = arrived_us - call_->request().received_us;
    call_->record.times.first_event_us = call_->clock().now_us() - arrived_us;
  }
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
    if (call_end && options_.parallel_tools == wire::ParallelTools::Disabled && job_) {
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
  if (over_) return;
  job_.reset();
  output_tokens_ = std::max(output_tokens_, end.sampled_tokens);
  if (end.reason == link::EndReason::Failed || end.reason == link::EndReason::Cancelled) return fail(error_of(end));
  start_message();
  take_text(joiner_.finish());
  if (over_) return;
  // Only a turn the model ended itself may lack a closing text, and is remembered: of another, what was sampled is more
  // than what was sent.
  const bool whole = end.reason == link::EndReason::EndOfTurn || end.reason == link::EndReason::StopToken;
  for (const auto& event : parser_->finish(whole ? chat::TurnEnd::Finished : chat::TurnEnd::Cut)) {
    take_event(event);
    if (over_) return;
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
  cancel_job();
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
  cancel_job();
  end_record();
  call_->finish_record(kStatusClientGone);
}

void MessageStream::cancel_job() {
  if (auto job = std::exchange(job_, std::nullopt)) model_->engine->cancel(*job);
}

void MessageStream::end_record() {
  call_->record.cached_tokens = cached_tokens_;
  call_->record.output_tokens = output_tokens_;
  if (parser_) call_->record.repairs.add(parser_->repairs());
}

void MessageStream::check_keep_alive() {
  if (over_) return;
  const auto decision = decide_keep_alive(options_.keep_alive, times_, now_ms());
  switch (decision.action) {
    case KeepAliveAction::Nothing: break;
    case KeepAliveAction::Stalled:
      return fail({ErrorKind::Unavailable, std::format("the engine gave no sign of work for {} s; ask again",
                                                       options_.keep_alive.stall_timeout_ms / 1000)});
    case KeepAliveAction::Heartbeat:
      if (answer_->wants_heartbeats()) {
        start_message();
        append(pending_, encoder_.heartbeat());
        send(std::exchange(pending_, {}));
      }
      times_.last_event_ms = now_ms();
      [[fallthrough]];  // clients that count pings see them at an even pace
    case KeepAliveAction::Ping:
      static_cast<void>(answer_->ping(now_ms() - begun_ms_));
      times_.last_byte_ms = now_ms();
      break;
  }
  schedule_keep_alive(decision.next_check_ms);
}

void MessageStream::schedule_keep_alive(std::int64_t delay_ms) {
  call_->exchange()->after_ms(delay_ms, [weak = weak_from_this()] {
    if (auto stream = weak.lock()) stream->check_keep_alive();
  });
}

}  // namespace hearth::server
