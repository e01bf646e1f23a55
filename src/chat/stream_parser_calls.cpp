// See stream_parser_state.h. This file: where a call begins, its scanner, and what stands behind it.
#include <algorithm>
#include <iterator>
#include <utility>

#include "chat/stream_parser_state.h"

namespace hearth::chat {

bool StreamParser::State::begin_channel(const HarmonyHeader& header, std::size_t blank) {
  drops_blank_ = true;
  switch (header.channel) {
    case HarmonyChannel::Thought:
      begin_thought(blank + header.bytes);
      channel_thought_ = true;
      return true;
    case HarmonyChannel::Answer:
      consumed_ += blank + header.bytes;
      text_begins_ = true;
      separate_text_ = true;
      at_ = At::Text;
      return true;
    case HarmonyChannel::Call: break;
  }
  CallOpening opening{.match = Match::Yes, .bytes = header.bytes, .body = CallBody::Named};
  opening.announced = Announced::Yes;
  return begin_call(opening, blank, At::Text);
}

StreamParser::State::Look StreamParser::State::look_at_call_in_thought(std::string_view tag, std::size_t blank) {
  if (!seeks_calls()) return Look::Plain;
  FenceTracker ahead = fence_;
  ahead.feed(rest().substr(0, blank));
  const CallOpening opening = call_opening_at(tag, LineStart::No, text_end(), context_);
  if (waits(opening.match)) return Look::Wait;
  if (opening.match != Match::Yes) return Look::Plain;
  if (opening.kind == MarkerKind::ControlToken) {
    repairs_.add(Repair::CallInThought);
    begin_call(opening, blank, At::Thinking);
    return Look::Took;
  }
  if (!ahead.line_start() || ahead.inside()) return Look::Plain;
  begin_trial(CallTrial::Place::Thought, opening, blank);
  return Look::Took;
}

StreamParser::State::Look StreamParser::State::look_at_call_in_code(std::string_view tag, std::size_t blank) {
  if (harmony_) {
    // Of a header only its call is sought: any other is quoted.
    const MarkerMatch end = harmony_end_at(tag, text_end(), context_);
    if (waits(end.match)) return Look::Wait;
    if (end.match != Match::Yes) return Look::Plain;
    const std::string_view behind = tag.substr(end.bytes);
    if (behind.empty() && !last_) return Look::Wait;
    const HarmonyHeader header = harmony_header_at(behind, text_end(), context_);
    if (waits(header.match)) return Look::Wait;
    const bool calls = header.match == Match::Yes && header.channel == HarmonyChannel::Call;
    return calls ? end_thought(blank + end.bytes) : Look::Plain;
  }
  for (const std::string_view silent : dialect_.silent) {
    // The end of the answer's text, and of the code that it left open, when a call follows.
    const Match ends = match_tag(tag, silent);
    if (waits(ends)) return Look::Wait;
    if (ends != Match::Yes) continue;
    const std::string_view behind = tag.substr(silent.size() + white_space_prefix(tag.substr(silent.size())));
    const Match call = behind.empty() ? Match::Maybe : control_opening_at(behind, dialect_);
    if (waits(call)) return Look::Wait;
    if (call != Match::Yes) return Look::Plain;
    consumed_ += blank + silent.size();
    fence_ = {};
    return Look::Took;
  }
  const Match own = control_opening_at(tag, dialect_);
  if (waits(own)) return Look::Wait;
  if (own != Match::Yes) return Look::Plain;
  const CallOpening opening = call_opening_at(tag, LineStart::No, text_end(), context_);
  if (waits(opening.match)) return Look::Wait;
  if (opening.match != Match::Yes) return drop_if_cut(opening);
  begin_trial(CallTrial::Place::Code, opening, blank);
  return Look::Took;
}

StreamParser::State::Look StreamParser::State::drop_empty_calls(std::size_t bytes) {
  consumed_ += bytes;
  opening_ = {};
  return_to_ = At::Text;
  fence_ = {};
  drops_blank_ = true;
  at_ = At::AfterCall;
  return Look::Took;
}

StreamParser::State::Look StreamParser::State::drop_if_cut(const CallOpening& opening) {
  const bool cut = last_ && turn_ == TurnEnd::Cut && opening.ended_early && opening.meant;
  if (!cut) return Look::Plain;
  repairs_.add(Repair::CutCall);
  consumed_ += rest().size();
  return Look::Took;
}

bool StreamParser::State::begin_call(const CallOpening& opening, std::size_t blank, At return_to) {
  opening_ = opening;
  scanner_ = make_call_scanner(opening, context_);
  call_opening_bytes_ = blank + opening.bytes;
  call_scanned_bytes_ = scanner_bytes_ = 0;
  return_to_ = return_to;
  at_ = At::Call;
  return true;
}

bool StreamParser::State::step_call() {
  const bool was_undecided = scanner_->state() == CallState::Undecided;
  while (scanner_->state() != CallState::Rejected && scanner_->state() != CallState::Ended) {
    const std::string_view fresh =
        rest().substr(call_opening_bytes_ + call_scanned_bytes_, call_piece_bytes(scanner_bytes_));
    if (fresh.empty()) break;
    call_scanned_bytes_ += fresh.size();
    scanner_bytes_ += fresh.size();
    scanner_->push(fresh, events_);
  }
  if (last_ && scanner_->state() == CallState::Undecided) {
    scanner_->finish(turn_, events_);
    if (scanner_->state() == CallState::Rejected && turn_ == TurnEnd::Cut && call_was_meant()) {
      repairs_.add(Repair::CutCall);
      consumed_ += rest().size();
      return false;
    }
  }
  if (scanner_->state() == CallState::Undecided) return false;
  if (scanner_->state() == CallState::Rejected) {
    if (scanner_bytes_ > kLongFailureBytes) ++long_failures_;
    return begin_other_item() || reject_call();
  }
  if (was_undecided) count_form();
  injected_ = 0;
  last_kind_ = Kind::Call;
  consumed_ += call_opening_bytes_ + call_scanned_bytes_;
  call_opening_bytes_ = call_scanned_bytes_ = 0;
  if (scanner_->state() != CallState::Ended) {
    if (last_) scanner_->finish(turn_, events_);
    if (scanner_->state() != CallState::Ended) return false;
  }
  if (const std::string behind = scanner_->take_rest(); behind.size() <= consumed_) {
    consumed_ -= behind.size();
  } else {
    // The scanner has held back more than this buffer still has.
    buffer_.replace(0, consumed_, behind);
    consumed_ = 0;
  }
  scanner_.reset();
  end_calls(At::AfterCall);
  return true;
}

bool StreamParser::State::call_was_meant() const {
  if (opening_.body == CallBody::Tagged) return true;
  const bool is_announced = opening_.announced == Announced::Yes;
  if (!is_announced && !context_.writes_bare()) return false;
  if (is_announced && (opening_.body == CallBody::Json || opening_.kind == MarkerKind::ControlToken)) return true;
  std::string_view head = rest().substr(call_opening_bytes_);
  if (opening_.body == CallBody::Json) {
    // {"name": "Ba
    for (const std::string_view part : {"{", "\"name\"", ":", "\""}) {
      head.remove_prefix(white_space_prefix(head));
      if (!head.starts_with(part)) return false;
      head.remove_prefix(part.size());
    }
  }
  return context_.may_be_name(head);
}

void StreamParser::State::end_calls(At at) {
  fence_ = {};
  drops_blank_ = true;
  last_kind_ = Kind::Call;
  at_ = at;
}

void StreamParser::State::count_form() {
  const CallWriting own = dialect_.writing;
  const bool json = own == CallWriting::Json || own == CallWriting::JsonList;
  const bool tagged =
      own == CallWriting::Tagged || own == CallWriting::Elements || dialect_.words.name_begin.starts_with("<function=");
  const bool json_written = opening_.body == CallBody::Json;
  const bool tagged_written = opening_.body == CallBody::Tagged;

  if ((json && !json_written) || (tagged && json_written) || (!json && !tagged && (json_written || tagged_written))) {
    repairs_.add(Repair::ForeignForm);
  }
  // Calls of a section follow each other without its opening.
  if (opening_.announced == Announced::Yes || context_.writes_bare() || last_kind_ == Kind::Call) return;
  repairs_.add(tagged_written ? Repair::DroppedOpener : Repair::BareCall);
}

bool StreamParser::State::reject_call() {
  scanner_.reset();
  at_ = return_to_;
  if (const std::size_t injected = std::exchange(injected_, 0); injected > 0) {
    consumed_ += injected;
    return true;
  }
  // The first bracket goes out as text, so that the same call is not tried again; what follows is read anew.
  const std::size_t count = white_space_prefix(rest()) + 1;
  if (at_ == At::Thinking) {
    take_thinking(count);
  } else {
    take_text(count);
  }
  return true;
}

// False: what was no call is no item of a list either.
bool StreamParser::State::begin_other_item() {
  const bool in_list = opening_.list && (opening_.announced == Announced::Yes || last_kind_ == Kind::Call);
  if (!in_list || return_to_ != At::Text || injected_ > 0) return false;
  scanner_.reset();
  called_in_list_ = last_kind_ == Kind::Call;
  take_text(call_opening_bytes_);
  item_ = {};
  at_ = At::OtherItem;
  return true;
}

// All of it is text; the list goes on behind it.
bool StreamParser::State::step_other_item() {
  take_text(item_.read(rest()));
  if (!item_.ended() && !item_.broken()) return false;
  at_ = item_.ended() ? At::BehindOtherItem : At::Text;
  return true;
}

// The comma before a call is nothing; before anything else it is text too.
bool StreamParser::State::step_behind_other_item() {
  const std::size_t blank = white_space_prefix(rest());
  const std::string_view behind = rest().substr(blank);
  if (behind.empty() && !last_) return false;
  if (behind.starts_with(',')) {
    const std::size_t next = blank + 1 + white_space_prefix(behind.substr(1));
    if (next == rest().size() && !last_) return false;
    const char c = next < rest().size() ? rest()[next] : '\0';
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (opening_.body == CallBody::Json ? c == '{' : is_letter) {
      opening_.bytes = 0;
      return begin_call(opening_, next, At::Text);
    }
  }
  at_ = called_in_list_ ? At::AfterCall : At::Text;
  return true;
}

bool StreamParser::State::step_after_call() {
  std::size_t bytes = 0;
  const BehindCall behind = skip_behind_call(rest(), text_end(), opening_, bytes);
  consumed_ += bytes;
  if (behind == BehindCall::Wait) return false;
  if (behind == BehindCall::NextItem) {
    opening_.bytes = 0;
    return begin_call(opening_, 0, return_to_);
  }
  at_ = At::Start;
  if (return_to_ == At::Thinking) {  // which nothing has closed
    separate_thought_ = true;
    spoken_ = {};
    at_ = At::ThinkingStart;
  }
  return true;
}

void StreamParser::State::begin_trial(CallTrial::Place place, const CallOpening& opening, std::size_t blank) {
  opening_ = opening;
  trial_blank_ = blank;
  return_to_ = place == CallTrial::Place::Thought ? At::Thinking : At::Text;
  trial_.emplace(place, opening, think_close_, context_);
  at_ = At::Trial;
}

bool StreamParser::State::step_trial() {
  const CallTrial::Verdict verdict = trial_->look(rest().substr(trial_blank_), text_end(), turn_);
  if (verdict == CallTrial::Verdict::Wait) return false;
  if (verdict == CallTrial::Verdict::NoCalls) {
    if (trial_->was_long()) ++long_failures_;
    const std::size_t quoted = trial_->quoted_bytes();
    trial_.reset();
    if (quoted == 0) return reject_call();
    at_ = At::Text;
    take_text(trial_blank_ + quoted);
    return true;
  }
  if (!trial_->in_code()) {
    repairs_.add(return_to_ == At::Thinking   ? Repair::CallInThought
                 : opening_.fence_length != 0 ? Repair::FencedCall
                                              : Repair::BareCall);
  }
  repairs_.add(trial_->repairs());
  std::vector<StreamEvent> events = trial_->take_events();
  std::ranges::move(events, std::back_inserter(events_));
  consumed_ += trial_blank_ + trial_->bytes();
  trial_.reset();
  end_calls(At::Start);
  return true;
}

}  // namespace hearth::chat
