// See call_trial.h.
#include "chat/call_trial.h"

#include <algorithm>
#include <utility>

namespace hearth::chat {
namespace {

CallContext on_trial(CallContext context, RepairCounts& repairs) {
  context.turn_is_read = nullptr;
  context.repairs = &repairs;
  return context;
}

std::string_view after_white_space(std::string_view text) {
  return text.substr(std::min(text.size(), text.find_first_not_of(" \t\n\r")));
}

}  // namespace

CallTrial::CallTrial(Place place, CallOpening opening, std::string_view think_close, const CallContext& context)
    : place_(place),
      think_close_(think_close),
      context_(on_trial(context, repairs_)),
      opening_(opening),
      scanner_(make_call_scanner(opening, context_)),
      at_(opening.bytes) {}

void CallTrial::begin_next() {
  scanner_ = make_call_scanner(opening_, context_);
  scanner_bytes_ = 0;
}

CallTrial::Verdict CallTrial::look(std::string_view text, TextEnd end, TurnEnd turn) {
  for (;;) {
    if (scanner_ == nullptr) return look_behind(text, end, turn);
    CallState state = scanner_->state();
    while (at_ < text.size() && state != CallState::Rejected && state != CallState::Ended) {
      const std::string_view fresh = text.substr(at_, call_piece_bytes(scanner_bytes_));
      at_ += fresh.size();
      scanner_bytes_ += fresh.size();
      scanner_->push(fresh, events_);
      state = scanner_->state();
    }
    if (end == TextEnd::Here && state != CallState::Rejected && state != CallState::Ended) {
      scanner_->finish(turn, events_);
      state = scanner_->state();
    }
    if (state == CallState::Rejected) return Verdict::NoCalls;
    if (state != CallState::Ended && end == TextEnd::Later) return Verdict::Wait;
    if (state == CallState::Ended) at_ -= scanner_->take_rest().size();
    const auto* call_end = events_.empty() ? nullptr : std::get_if<ToolCallEnd>(&events_.back());
    if (call_end == nullptr || !call_end->whole) return Verdict::NoCalls;
    scanner_.reset();
  }
}

CallTrial::Verdict CallTrial::look_behind(std::string_view text, TextEnd end, TurnEnd turn) {
  if (place_ == Place::Line) return look_behind_on_line(text, end, turn);
  std::size_t bytes = 0;
  const BehindCall behind = skip_behind_call(text.substr(at_), end, opening_, bytes);
  at_ += bytes;
  if (behind == BehindCall::Wait) return Verdict::Wait;
  if (behind == BehindCall::NextItem) {
    begin_next();
    return look(text, end, turn);
  }
  const std::string_view rest = text.substr(at_);
  if (place_ == Place::Code) {
    const CallOpening next = rest.empty() ? CallOpening{} : call_opening_at(rest, LineStart::No, end, context_);
    if (next.match == Match::Maybe) return Verdict::Wait;
    if (next.match == Match::No) return behind_in_code(rest, end);
    opening_ = next;
    at_ += next.bytes;
    begin_next();
    return look(text, end, turn);
  }
  return place_ == Place::Thought ? behind_in_thought(rest, end) : behind_in_fence(rest, end, turn);
}

// A line of its own: nothing but white space, a separator, a tag or another call may stand behind.
CallTrial::Verdict CallTrial::look_behind_on_line(std::string_view text, TextEnd end, TurnEnd turn) {
  for (;;) {
    const std::size_t next = std::min(text.size(), text.find_first_not_of(" \t", at_));
    if (next == text.size()) return end == TextEnd::Here ? Verdict::Calls : Verdict::Wait;
    const char c = text[next];
    if (opening_.list && c == ']') {
      opening_.list = false;
      at_ = next + 1;
      continue;
    }
    if (!opening_.list) {
      return std::string_view("\r\n;,<[{}").contains(c) ? Verdict::Calls : Verdict::NoCalls;
    }
    if (c == '\n' || c == '\r' || c == ',') {
      at_ = next + 1;
      continue;
    }
    at_ = next;
    begin_next();
    return look(text, end, turn);
  }
}

// The message, or its next call, or only the thought's closing tag must follow.
CallTrial::Verdict CallTrial::behind_in_thought(std::string_view text, TextEnd end) {
  if (text.empty()) return Verdict::Calls;
  const Match close = match_tag(text, think_close_);
  if (close == Match::Maybe && end == TextEnd::Later) return Verdict::Wait;
  if (close == Match::Yes) {
    const std::string_view behind = after_white_space(text.substr(think_close_.size()));
    if (behind.empty() && end == TextEnd::Later) return Verdict::Wait;
    if (!behind.empty()) {
      const CallOpening next = call_opening_at(behind, LineStart::No, end, context_);
      if (next.match == Match::Maybe) return Verdict::Wait;
      if (next.match == Match::No) return Verdict::NoCalls;
    }
    at_ += text.size() - behind.size();
    return Verdict::Calls;
  }
  const CallOpening next = call_opening_at(text, LineStart::Yes, end, context_);
  if (next.match == Match::Maybe) return Verdict::Wait;
  return next.match == Match::Yes ? Verdict::Calls : Verdict::NoCalls;
}

// The turn must end: code that goes on, or ends, behind a call has quoted it.
CallTrial::Verdict CallTrial::behind_in_code(std::string_view text, TextEnd end) const {
  if (text.empty()) return Verdict::Calls;
  for (const std::string_view over : context_.dialect->turn_ends) {
    const Match match = match_tag(text, over);
    if (match == Match::No) continue;
    if (match == Match::Maybe && end == TextEnd::Here) continue;
    const bool ends = match == Match::Maybe || after_white_space(text.substr(over.size())).empty();
    if (ends) return end == TextEnd::Here ? Verdict::Calls : Verdict::Wait;
  }
  return Verdict::NoCalls;
}

// The fence must close, and nothing but another fence follow.
CallTrial::Verdict CallTrial::behind_in_fence(std::string_view text, TextEnd end, TurnEnd turn) {
  if (text.empty()) return turn == TurnEnd::Finished ? Verdict::Calls : Verdict::NoCalls;
  const std::string fence(opening_.fence_length, '`');
  const Match close = match_tag(text, fence);
  if (close == Match::Maybe && end == TextEnd::Later) return Verdict::Wait;
  if (close != Match::Yes) return Verdict::NoCalls;
  const std::string_view behind = after_white_space(text.substr(fence.size()));
  if (behind.empty() && end == TextEnd::Later) return Verdict::Wait;
  const Match next = match_tag(behind, "```");
  if (next == Match::Maybe && !behind.empty() && end == TextEnd::Later) return Verdict::Wait;
  if (!behind.empty() && next != Match::Yes) return Verdict::NoCalls;
  at_ += text.size() - behind.size();
  return Verdict::Calls;
}

}  // namespace hearth::chat
