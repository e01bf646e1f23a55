// See stream_parser.h. One buffer and one state: each step looks at the front of the buffer and either consumes what is
// certain whatever may follow, or waits for more. At the end of the turn the same steps run with nothing more to come.
// This file: thoughts and text.
#include "chat/stream_parser.h"

#include <algorithm>
#include <utility>

#include "chat/stream_parser_state.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\r";
constexpr std::string_view kQuotes = "\"'`";

ThoughtMarks own_thoughts(const Dialect& dialect) {
  const bool harmony = dialect.writing == CallWriting::Harmony;
  return {.open = dialect.think_open.empty() || harmony ? "<think>" : dialect.think_open,
          .close = dialect.think_close.empty() || harmony ? "</think>" : dialect.think_close};
}

}  // namespace

std::size_t white_space_prefix(std::string_view text) {
  return std::min(text.size(), text.find_first_not_of(kWhiteSpace));
}
std::size_t without_trailing_white_space(std::string_view text) {
  const std::size_t last = text.find_last_not_of(kWhiteSpace);
  return last == std::string_view::npos ? 0 : last + 1;
}

void append_text(std::vector<StreamEvent>& events, std::string_view text) {
  if (text.empty()) return;
  if (events.empty() || !std::holds_alternative<TextDelta>(events.back())) events.emplace_back(TextDelta{});
  std::get<TextDelta>(events.back()).text += text;
}
void append_thinking(std::vector<StreamEvent>& events, std::string_view text) {
  if (text.empty()) return;
  if (events.empty() || !std::holds_alternative<ThinkingDelta>(events.back())) events.emplace_back(ThinkingDelta{});
  std::get<ThinkingDelta>(events.back()).text += text;
}
void append_call_json(std::vector<StreamEvent>& events, std::string_view json) {
  if (json.empty()) return;
  if (events.empty() || !std::holds_alternative<ToolCallDelta>(events.back())) events.emplace_back(ToolCallDelta{});
  std::get<ToolCallDelta>(events.back()).json += json;
}

StreamParser::State::State(StreamParserOptions options)
    : options_(std::move(options)),
      dialect_(options_.dialect == nullptr ? generic_dialect() : *options_.dialect),
      context_{.options = &options_, .dialect = &dialect_, .repairs = &repairs_, .turn_is_read = &turn_is_read_},
      harmony_(dialect_.writing == CallWriting::Harmony),
      think_open_(own_thoughts(dialect_).open),
      think_close_(own_thoughts(dialect_).close),
      at_(options_.thinking_opened ? At::ThinkingStart : At::Start) {
  const auto add = [this](std::string_view text) {
    if (!text.empty()) candidate_[static_cast<unsigned char>(text.front())] = true;
  };
  add(think_open_);
  add(think_close_);
  for (const std::string_view text : dialect_.turn_ends) add(text);
  for (const std::string_view text : dialect_.silent) add(text);
  channel_thought_ = harmony_ && options_.thinking_opened;
  if (options_.tool_names.empty()) return;
  for (const std::string_view text : {"<", "[", "]", "{", "`"}) add(text);
  add(written_opening(dialect_));
  if (dialect_.writing == CallWriting::Gemma) add("call:");
}

std::vector<StreamEvent> StreamParser::State::push(std::string_view text) {
  const std::string_view begun = dialect_.prompt_begins_answer;
  if (!std::exchange(begun_, begun_ || !text.empty()) && !text.empty() && !begun.empty()) {
    if (text.front() != begun.front() && !options_.thinking_opened) buffer_ = begun;
    injected_ = buffer_.size();
  }
  // White space behind white space decides nothing that the next word would not, and all that is held back is looked at
  // again for each piece.
  const bool decides = buffer_.empty() || white_space_prefix(text) < text.size() ||
                       without_trailing_white_space(std::string_view(buffer_).substr(buffer_.size() - 1)) != 0;
  buffer_ += text;
  if (!decides) return {};
  return run();
}

std::vector<StreamEvent> StreamParser::State::run() {
  events_.clear();
  while (step()) {
  }
  buffer_.erase(0, consumed_);
  consumed_ = 0;
  return std::move(events_);
}

bool StreamParser::State::step() {
  switch (at_) {
    case At::Start: return step_start();
    case At::ThinkingStart: return step_thinking_start();
    case At::Thinking: return step_thinking();
    case At::Text: return step_text();
    case At::Call: return step_call();
    case At::AfterCall: return step_after_call();
    case At::Trial: return step_trial();
    case At::OtherItem: return step_other_item();
    case At::BehindOtherItem: return step_behind_other_item();
  }
  return false;
}

void StreamParser::State::take_text(std::size_t count) {
  const std::string_view text = rest().substr(0, count);
  if (text.empty()) return;
  if (std::exchange(separate_text_, false) && last_kind_ == Kind::Text) append_text(events_, "\n\n");
  fence_.feed(text);
  append_text(events_, text);
  last_byte_ = text.back();
  last_kind_ = Kind::Text;
  consumed_ += count;
}

void StreamParser::State::take_thinking(std::size_t count) {
  const std::string_view text = rest().substr(0, count);
  if (text.empty()) return;
  if (std::exchange(separate_thought_, false) && last_kind_ == Kind::Thinking) append_thinking(events_, "\n\n");
  fence_.feed(text);
  append_thinking(events_, text);
  last_byte_ = text.back();
  last_kind_ = Kind::Thinking;
  consumed_ += count;
}

void StreamParser::State::begin_thought(std::size_t bytes) {
  consumed_ += bytes;
  channel_thought_ = false;
  separate_thought_ = true;
  fence_ = {};
  spoken_ = {};
  at_ = At::ThinkingStart;
}

bool StreamParser::State::step_start() {
  if (drops_blank_) consumed_ += white_space_prefix(rest());
  const std::size_t blank = white_space_prefix(rest());
  const std::string_view word = rest().substr(blank);
  if (word.empty()) return false;  // a message of white space only is nothing
  if (harmony_) {
    const HarmonyHeader header = harmony_header_at(word, text_end(), context_);
    if (header.match == Match::Maybe) return false;
    if (header.match == Match::Yes) return begin_channel(header, blank);
    if (header.cut && turn_ == TurnEnd::Cut) {
      consumed_ += rest().size();
      return false;
    }
  }
  if (word.front() == 'f' && seeks_calls()) {
    const CallOpening opening = call_opening_at(word, LineStart::Yes, text_end(), context_);
    if (waits(opening.match)) return false;
    if (opening.match == Match::Yes) return begin_call(opening, blank, At::Text);
  }
  const Match opens = thought_opens_at(word);
  if (waits(opens)) return false;
  if (opens == Match::Yes) {
    begin_thought(blank + think_open_.size());
    return true;
  }
  at_ = At::Text;
  return true;
}

// Marks that are not the dialect's own count before anything but thoughts was said, and until that thought ends.
Match StreamParser::State::thought_opens_at(std::string_view word) {
  Match best = match_tag(word, think_open_);
  if (best == Match::Yes || (last_kind_ != Kind::Nothing && last_kind_ != Kind::Thinking)) return best;
  for (const ThoughtMarks& marks : dialect_.other_thoughts) {
    const Match match = match_tag(word, marks.open);
    if (match == Match::Maybe) best = match;
    if (match != Match::Yes) continue;
    think_open_ = marks.open;
    think_close_ = marks.close;
    for (const std::string_view mark : {marks.open, marks.close}) {
      candidate_[static_cast<unsigned char>(mark.front())] = true;
    }
    return match;
  }
  return best;
}

bool StreamParser::State::step_thinking_start() {
  const std::size_t blank = white_space_prefix(rest());
  const std::string_view word = rest().substr(blank);
  if (word.empty() && !last_) return false;
  // Some models open the thought again that the prompt has opened.
  if (options_.thinking_opened && !thought_opened_twice_) {
    const Match opens = match_tag(word, think_open_);
    if (waits(opens)) return false;
    if (opens == Match::Yes) {
      thought_opened_twice_ = true;
      consumed_ += blank + think_open_.size();
      return true;
    }
  }
  consumed_ += blank;
  at_ = At::Thinking;
  return true;
}

std::size_t StreamParser::State::find_candidate(std::string_view text) const {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (candidate_[static_cast<unsigned char>(text[i])]) return i;
  }
  return std::string_view::npos;
}

bool StreamParser::State::step_thinking() {
  const std::size_t at = find_candidate(rest());
  if (at == std::string_view::npos) {
    // White space before the closing tag is not shown.
    take_thinking(last_ ? rest().size() : without_trailing_white_space(rest()));
    return false;
  }
  take_thinking(without_trailing_white_space(rest().substr(0, at)));
  const std::size_t blank = white_space_prefix(rest());
  const Look look = look_in_thought(rest().substr(blank), blank);
  if (look == Look::Plain) take_thinking(blank + 1);
  return look != Look::Wait;
}

StreamParser::State::Look StreamParser::State::look_in_thought(std::string_view tag, std::size_t blank) {
  if (const Look look = look_at_turn_end(tag, blank); look != Look::Plain) return look;
  if (channel_thought_) {
    const MarkerMatch end = harmony_end_at(tag, text_end(), context_);
    if (waits(end.match)) return Look::Wait;
    if (end.match == Match::Yes) return end_thought(blank + end.bytes);
  } else {
    FenceTracker ahead = fence_;
    ahead.feed(rest().substr(0, blank));
    const Match close = match_tag(tag, think_close_);
    if (waits(close)) return Look::Wait;
    if (close == Match::Yes) {
      const std::string_view behind = tag.substr(think_close_.size());
      const Match quoted = is_quoted(behind, blank);
      const Match spoken = closes_spoken_thought(behind, ahead);
      if (waits(quoted) || waits(spoken)) return Look::Wait;
      if (quoted != Match::Yes && spoken != Match::Yes) return end_thought(blank + think_close_.size());
      if (spoken == Match::Yes) --spoken_.count;
    }
    const Match opens = match_tag(tag, think_open_);
    const bool behind_quote = blank == 0 && last_kind_ == Kind::Thinking && kQuotes.contains(last_byte_);
    const bool is_spoken = ahead.code_id() != 0 || behind_quote;
    if (waits(opens) && (is_spoken || ahead.line_start())) return Look::Wait;
    if (opens == Match::Yes && is_spoken) {
      speak_of_thought(ahead, blank);
    } else if (opens == Match::Yes && ahead.line_start()) {
      repairs_.add(Repair::ReopenedThought);
      take_thinking(blank);
      consumed_ += think_open_.size();
      return Look::Took;
    }
  }
  return look_at_call_in_thought(tag, blank);
}

StreamParser::State::Look StreamParser::State::end_thought(std::size_t bytes) {
  consumed_ += bytes;
  think_open_ = own_thoughts(dialect_).open;
  think_close_ = own_thoughts(dialect_).close;
  fence_ = {};
  drops_blank_ = true;
  at_ = At::Start;
  return Look::Took;
}

void StreamParser::State::speak_of_thought(const FenceTracker& ahead, std::size_t blank) {
  const std::size_t code = ahead.code_id();
  const char quote = code != 0 || blank != 0 ? '\0' : last_byte_;
  const bool same = spoken_.code == code && spoken_.quote == quote && (code != 0 || spoken_.line == ahead.line());
  spoken_ = {.code = code, .line = ahead.line(), .quote = quote, .count = same ? spoken_.count + 1 : 1};
}

Match StreamParser::State::closes_spoken_thought(std::string_view behind, const FenceTracker& ahead) const {
  if (spoken_.count == 0) return Match::No;
  if (spoken_.code != 0) return spoken_.code == ahead.code_id() ? Match::Yes : Match::No;
  if (spoken_.line != ahead.line()) return Match::No;
  if (behind.empty()) return Match::Maybe;
  return behind.front() == spoken_.quote ? Match::Yes : Match::No;
}

Match StreamParser::State::is_quoted(std::string_view behind, std::size_t blank) const {
  if (blank != 0 || last_kind_ == Kind::Nothing || !kQuotes.contains(last_byte_)) return Match::No;
  if (behind.empty()) return Match::Maybe;
  return behind.front() == last_byte_ ? Match::Yes : Match::No;
}

bool StreamParser::State::step_text() {
  if (text_begins_) {
    consumed_ += white_space_prefix(rest());
    if (rest().empty()) return false;
    text_begins_ = false;
  }
  const std::size_t at = find_candidate(rest());
  if (at == std::string_view::npos) {
    // White space may stand before a call, where it is not shown.
    take_text(last_ ? rest().size() : without_trailing_white_space(rest()));
    return false;
  }
  take_text(without_trailing_white_space(rest().substr(0, at)));
  const std::size_t blank = white_space_prefix(rest());
  const Look look = look_in_text(rest().substr(blank), blank);
  if (look == Look::Plain) {
    // The prompt's own part of what turned out to be no call is not the answer's.
    if (injected_ > 0) {
      consumed_ += injected_;
    } else {
      take_text(blank + 1);
    }
  }
  if (look != Look::Wait && at_ != At::Call && at_ != At::Trial) injected_ = 0;
  return look != Look::Wait;
}

StreamParser::State::Look StreamParser::State::look_in_text(std::string_view tag, std::size_t blank) {
  if (const Look look = look_at_turn_end(tag, blank); look != Look::Plain) return look;
  FenceTracker ahead = fence_;
  ahead.feed(rest().substr(0, blank));
  const bool code = ahead.inside() || ahead.inline_code();
  if (!code) {
    for (const std::string_view silent : dialect_.silent) {
      const Match match = match_tag(tag, silent);
      if (waits(match)) return Look::Wait;
      if (match != Match::Yes) continue;
      take_text(last_kind_ == Kind::Text ? blank : 0);
      consumed_ += (last_kind_ == Kind::Text ? 0 : blank) + silent.size();
      drops_blank_ = drops_blank_ || last_kind_ != Kind::Text;
      if (last_kind_ != Kind::Text) at_ = At::Start;
      return Look::Took;
    }
    if (const Look look = look_at_thought(tag, blank, ahead.line_start()); look != Look::Plain) return look;
  }
  if (!seeks_calls()) return Look::Plain;
  if (code) return look_at_call_in_code(tag, blank);
  if (const MarkerMatch empty = empty_calls_at(tag, dialect_); empty.match != Match::No) {
    if (waits(empty.match)) return Look::Wait;
    if (empty.match == Match::Yes) return drop_empty_calls(blank + empty.bytes);
  }
  const LineStart line_start = ahead.line_start() ? LineStart::Yes : LineStart::No;
  const CallOpening opening = call_opening_at(tag, line_start, text_end(), context_);
  if (waits(opening.match)) return Look::Wait;
  if (opening.match != Match::Yes) return drop_if_cut(opening);
  const bool shows_itself =
      opening.announced == Announced::No && opening.body != CallBody::Tagged && !context_.writes_bare();
  if (opening.fence_length != 0) {
    begin_trial(CallTrial::Place::Fence, opening, blank);
  } else if (shows_itself) {
    begin_trial(CallTrial::Place::Line, opening, blank);
  } else {
    begin_call(opening, blank, At::Text);
  }
  return Look::Took;
}

StreamParser::State::Look StreamParser::State::look_at_thought(std::string_view tag, std::size_t blank,
                                                               bool line_start) {
  if (harmony_) {
    const MarkerMatch end = harmony_end_at(tag, text_end(), context_);
    if (waits(end.match)) return Look::Wait;
    if (end.match == Match::Yes) return end_thought(blank + end.bytes);
    if (last_ && turn_ == TurnEnd::Cut && harmony_header_at(tag, text_end(), context_).cut) {
      consumed_ += rest().size();
      return Look::Took;
    }
  }
  const bool sentence_over = blank == 0 && std::string_view(".!?").contains(last_byte_);
  const Match opens = match_tag(tag, think_open_);
  if (waits(opens)) return Look::Wait;
  if (opens == Match::Yes) {
    // No prose writes a control token; between spaces it is at least spoken of.
    const std::string_view behind = tag.substr(think_open_.size());
    const bool is_control = think_open_.starts_with("<|") || think_open_.starts_with('[');
    if (is_control && blank > 0 && behind.empty() && !last_) return Look::Wait;
    const bool control = is_control && (blank == 0 || !behind.starts_with(' '));
    if (!line_start && !sentence_over && !control) {
      ++tags_spoken_of_;
      return Look::Plain;
    }
    repairs_.add(Repair::ReopenedThought);
    begin_thought(blank + think_open_.size());
    return Look::Took;
  }
  const Match close = match_tag(tag, think_close_);
  if (waits(close)) return Look::Wait;
  if (close != Match::Yes) return Look::Plain;
  const std::string_view behind = tag.substr(think_close_.size());
  if (behind.empty() && !last_) return Look::Wait;
  const bool after_space = blank > 0 && !line_start && last_kind_ == Kind::Text;
  const bool before_space = !behind.empty() && std::string_view(" \t.,;:!?)").contains(behind.front());
  if ((after_space && before_space) || is_quoted(behind, blank) == Match::Yes) return Look::Plain;
  if (tags_spoken_of_ > 0) {
    --tags_spoken_of_;
    return Look::Plain;
  }
  repairs_.add(Repair::OrphanCloser);
  if (last_kind_ == Kind::Text) {
    consumed_ += blank + think_close_.size();
  } else {
    static_cast<void>(end_thought(blank + think_close_.size()));
  }
  return Look::Took;
}

StreamParser::State::Look StreamParser::State::look_at_turn_end(std::string_view tag, std::size_t blank) {
  for (std::size_t i = 0; i < dialect_.turn_ends.size() + dialect_.silent.size(); ++i) {
    const bool turn = i < dialect_.turn_ends.size();
    const std::string_view end = turn ? dialect_.turn_ends[i] : dialect_.silent[i - dialect_.turn_ends.size()];
    const Match match = match_tag(tag, end);
    if (waits(match)) return Look::Wait;
    if (match != Match::Yes || white_space_prefix(tag.substr(end.size())) + end.size() != tag.size()) continue;
    if (!last_ && turn) return Look::Wait;
    if (!last_ && at_ == At::Text && (fence_.inside() || fence_.inline_code())) return Look::Wait;
    if (!last_) continue;
    if (at_ == At::Text) take_text(blank);
    consumed_ += rest().size();
    return Look::Took;
  }
  return Look::Plain;
}

StreamParser::StreamParser(StreamParserOptions options) : state_(std::make_unique<State>(std::move(options))) {}
StreamParser::~StreamParser() = default;

std::vector<StreamEvent> StreamParser::push(std::string_view text) { return state_->push(text); }
std::vector<StreamEvent> StreamParser::finish(TurnEnd end) { return state_->finish(end); }
const RepairCounts& StreamParser::repairs() const { return state_->repairs(); }

}  // namespace hearth::chat
