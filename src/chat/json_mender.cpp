// See json_mender.h. This file: containers, keys and what stands between values.
#include "chat/json_mender.h"

#include <algorithm>
#include <utility>

#include "chat/call_tags.h"

namespace hearth::chat {
namespace {

// Json::parse reads 256; a call's own wrapper needs a few.
constexpr std::size_t kDepthMax = 200;
// A key that has no end by then is none.
constexpr std::size_t kKeyBytesMax = 1024;
constexpr std::size_t kKeysUsual = 4;  // of an object: most calls have no more

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_key_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

// A key in quotes and its colon stand at the beginning of `text`.
Match quoted_key_at(std::string_view text) {
  const char quote = text.front();
  if (quote != '"' && quote != '\'') return Match::No;
  const std::size_t limit = std::min(text.size(), kKeyBytesMax);
  std::size_t end = 1;
  while (end < limit && text[end] != quote) end += text[end] == '\\' ? 2 : 1;
  if (end >= limit) return limit == kKeyBytesMax ? Match::No : Match::Maybe;
  const std::size_t colon = text.find_first_not_of(" \t\n\r", end + 1);
  if (colon == std::string_view::npos) return Match::Maybe;
  return text[colon] == ':' ? Match::Yes : Match::No;
}

}  // namespace

JsonMender::JsonMender(ArgumentSchema schema, Notation notation, RepairCounts& repairs, Around around)
    : root_(schema), notation_(notation), repairs_(repairs), around_(around) {}

void JsonMender::push(std::string_view text) {
  in_ += text;
  run();
}

void JsonMender::run() {
  while (mode_ != Mode::Done && mode_ != Mode::Broken && step()) {
  }
  in_.erase(0, at_);
  at_ = 0;
}

std::string JsonMender::take_output() { return std::exchange(sinks_.front(), {}); }
std::string JsonMender::take_rest() { return std::exchange(in_, {}); }

bool JsonMender::step() {
  switch (mode_) {
    case Mode::Value: return step_value();
    case Mode::String: return step_string();
    case Mode::Bare: return step_bare();
    case Mode::Key: return step_key();
    case Mode::Colon:
    case Mode::NoColon: return step_colon();
    case Mode::After: return step_after();
    case Mode::Done:
    case Mode::Broken: break;
  }
  return false;
}

std::size_t JsonMender::after_blank(std::size_t at) const {
  while (at < in_.size() && is_blank(in_[at])) ++at;
  return at;
}

ArgumentSchema JsonMender::value_schema() const {
  if (frames_.empty()) return root_;
  return in_object() ? value_schema_ : frames_.back().schema.item();
}

// White space is kept as it was written in JSON, and dropped where the notation is another's.
void JsonMender::write_gap() {
  if (notation_ != Notation::Json) {
    const bool comma = gap_.contains(',');
    gap_.clear();
    if (comma) gap_ = ",";
  }
  if (!frames_.empty() && !frames_.back().any) std::erase(gap_, ',');
  write(gap_);
  gap_.clear();
}

// Of a value: what separates it from the one before. A member's was written with its key.
void JsonMender::begin_item() {
  write_gap();
  if (!frames_.empty() && !in_object()) frames_.back().any = true;
}

void JsonMender::begin_capture(Capture what, std::string key) {
  captures_.push_back({.what = what, .depth = frames_.size(), .key = std::move(key)});
  sinks_.emplace_back();
}

bool JsonMender::step_value() {
  const std::size_t start = after_blank(at_);
  gap_.append(in_, at_, start - at_);
  at_ = start;
  if (at_ == in_.size()) return false;
  const char c = in_[at_];
  const bool root = frames_.empty();
  if (c == '{' || c == '[' || (c == '(' && notation_ == Notation::Python)) return open_container(c);
  if (c == '"' || c == '\'') {
    const std::string_view rest = std::string_view(in_).substr(at_);
    // In JSON three quotes are an empty text and one too many, but for who means Python's; four are a text that begins with three.
    if (notation_ == Notation::Json && c == '"' && !root) {
      const std::size_t quotes = std::min(rest.size(), rest.find_first_not_of('"'));
      if (quotes == rest.size() && quotes < 4 && !last_) return false;
      if (quotes == 3) return begin_string("\"\"\"", false);
    }
    if (notation_ == Notation::Python) {
      const std::string_view triple = c == '"' ? "\"\"\"" : "'''";
      if (!last_ && rest.size() < triple.size() && triple.starts_with(rest)) return false;
      if (rest.starts_with(triple)) return begin_string(triple, false);
    }
    return begin_string(c == '"' ? "\"" : "'", false);
  }
  if (notation_ != Notation::Json && c == '<') {
    constexpr std::string_view delimiter = "<|\"|>";
    const std::string_view rest = std::string_view(in_).substr(at_);
    if (rest.starts_with(delimiter)) return begin_string(delimiter, true);
    if (!last_ && rest.size() < delimiter.size() && delimiter.starts_with(rest)) return false;
  }
  if (notation_ == Notation::Python && (c == 'r' || c == 'b' || c == 'u' || c == 'f') && !root) {
    if (at_ + 1 == in_.size() && !last_) return false;
    if (at_ + 1 < in_.size() && (in_[at_ + 1] == '"' || in_[at_ + 1] == '\'')) {
      ++at_;
      return begin_string(in_[at_] == '"' ? "\"" : "'", c == 'r');
    }
  }
  if (!root && !in_object() && (c == ']' || c == ')' || c == '}')) return close_by(c);
  if (!root && !in_object() && c == ',') {
    count(Repair::ExtraComma);
    ++at_;
    return true;
  }
  if (c == ']' || c == '}' || c == ')' || c == ',' || c == ':' || c == '<') {
    if (c == '<' && !root && !in_object() && closer_at(at_) != Sight::No) {
      if (closer_at(at_) == Sight::Wait) return false;
      close_all();
      return false;
    }
    return break_off();
  }
  begin_item();
  bare_bytes_ = 0;
  mode_ = Mode::Bare;
  return true;
}

bool JsonMender::open_container(char c) {
  if (frames_.size() >= kDepthMax) return break_off();
  const ArgumentSchema schema = value_schema();
  const bool object = c == '{' || (c == '(' && frames_.empty());
  const JsonTypes types = schema.types();
  begin_item();
  const bool allowed = types.allow(object ? JsonTypes::Object : JsonTypes::List);
  if (!allowed && types.allow(JsonTypes::Text) && !frames_.empty()) begin_capture(Capture::ToText, {});
  write(object ? "{" : "[");
  frames_.push_back({.close = c == '{' ? '}' : c == '[' ? ']' : ')', .schema = schema});
  if (object) frames_.back().keys.reserve(kKeysUsual);
  // A tuple is a list; only at the root do round brackets hold keys.
  if (c == '(' && !object) frames_.back().close = ']';
  ++at_;
  mode_ = object ? Mode::Key : Mode::Value;
  return true;
}

bool JsonMender::step_key() {
  const std::size_t start = after_blank(at_);
  gap_.append(in_, at_, start - at_);
  at_ = start;
  if (at_ == in_.size()) return false;
  const char c = in_[at_];
  switch (c) {
    case '}':
    case ']':
    case ')': return close_by(c);
    case ',':
      count(Repair::ExtraComma);
      ++at_;
      return true;
    case '{':  // JSON never has two
      count(Repair::DoubledBrace);
      ++frames_.back().doubled;
      ++at_;
      return true;
    case '"':
    case '\'': return step_quoted_key(c);
    case '<':
      switch (match_tag(std::string_view(in_).substr(at_), "<|\"|>")) {
        case Match::Yes: return step_bare_key();
        case Match::Maybe:
          if (!last_) return false;
          break;
        case Match::No: break;
      }
      if (closer_at(at_) == Sight::Wait) return false;
      if (closer_at(at_) == Sight::No) return break_off();
      close_all();
      return false;
    default: return is_key_byte(c) ? step_bare_key() : break_off();
  }
}

bool JsonMender::step_quoted_key(char quote) {
  std::size_t end = at_ + 1;
  while (end < in_.size() && in_[end] != quote) end += in_[end] == '\\' ? 2 : 1;
  if (end - at_ > kKeyBytesMax) return break_off();
  if (end >= in_.size()) return last_ ? break_off() : false;
  const std::size_t next = after_blank(end + 1);
  if (next == in_.size() && !last_) return false;
  std::string key = in_.substr(at_ + 1, end - at_ - 1);
  if (next < in_.size() && in_[next] != ':' && in_[next] != '=') {
    // {"path: "/a"}: the key lost its closing quote.
    if (const std::size_t colon = key.find(':'); colon != std::string::npos) {
      count(Repair::BareKey);
      return take_key(key.substr(0, colon), at_ + 1 + colon);
    }
    // A value where a key should stand: Python's positional argument.
    if (notation_ == Notation::Python && frames_.size() == 1) return step_bare_key();
    const Sight lacks = lacks_colon(key, next);
    if (lacks == Sight::Wait) return false;
    if (lacks == Sight::No) return break_off();
    return take_key(std::move(key), end + 1, Mode::NoColon);
  }
  if (quote == '\'') {
    count(Repair::BareKey);
    std::string json;
    append_json_string(json, key);
    key = json.substr(1, json.size() - 2);
  }
  return take_key(std::move(key), end + 1);
}

// path: or path= or path": and Gemma's <|"|>path<|"|>: ; anything else at Python's root is a positional argument.
bool JsonMender::step_bare_key() {
  constexpr std::string_view delimiter = "<|\"|>";
  const std::string_view rest = std::string_view(in_).substr(at_);
  if (rest.starts_with(delimiter)) {
    const std::size_t end = rest.find(delimiter, delimiter.size());
    if (std::min(end, rest.size()) > kKeyBytesMax) return break_off();
    if (end == std::string_view::npos) return last_ ? break_off() : false;
    return take_key(std::string(rest.substr(delimiter.size(), end - delimiter.size())), at_ + end + delimiter.size());
  }
  std::size_t end = 0;
  while (end < rest.size() && is_key_byte(rest[end])) ++end;
  std::size_t next = after_blank(at_ + end);
  if (next < in_.size() && end > 0 && in_[next] == '"') next = after_blank(next + 1);
  if (next >= in_.size()) return last_ || rest.size() > kKeyBytesMax ? break_off() : false;
  const bool named = end > 0 && (in_[next] == ':' || in_[next] == '=');
  if (!named && notation_ == Notation::Python && frames_.size() == 1) {
    const std::string key = root_.property_at(frames_.back().keys.size());
    if (key.empty()) return break_off();
    write_gap();
    frames_.back().any = true;
    frames_.back().keys.push_back(key);
    append_json_string(sinks_.back(), key);
    write(":");
    value_schema_ = root_.member(key);
    mode_ = Mode::Value;
    return true;
  }
  if (!named) return break_off();
  if (notation_ == Notation::Json) count(Repair::BareKey);
  return take_key(std::string(rest.substr(0, end)), next);
}

// A value stands at `at`, right behind a key that the object may have and does not have yet; or behind a comma or semicolon
// where a declared key's colon should stand.
JsonMender::Sight JsonMender::lacks_colon(std::string_view key, std::size_t at) const {
  const Frame& frame = frames_.back();
  if (notation_ != Notation::Json || key.empty() || !std::ranges::all_of(key, is_key_byte)) return Sight::No;
  if (std::ranges::contains(frame.keys, key) || (frame.schema.declares_any() && !frame.schema.declares(key)))
    return Sight::No;
  if (in_[at] == ',' || in_[at] == ';') {
    at = after_blank(at + 1);
    if (!frame.schema.declares(key)) return Sight::No;
    if (at == in_.size()) return last_ ? Sight::No : Sight::Wait;
    // The next key: this one's value is missing.
    const Match is_key = quoted_key_at(std::string_view(in_).substr(at));
    if (is_key == Match::Maybe && !last_) return Sight::Wait;
    if (is_key == Match::Yes) return Sight::No;
  }
  // A word may be the rest of a sentence, unless the member is no text.
  const bool is_word =
      std::string_view("tfnTFN").contains(in_[at]) && !frame.schema.member(key).types().allow(JsonTypes::Text);
  return is_word || std::string_view("\"'{[-0123456789").contains(in_[at]) ? Sight::Yes : Sight::No;
}

// `key` as it stands in JSON, between its quotes; `end` is behind it.
bool JsonMender::take_key(std::string key, std::size_t end, Mode next) {
  at_ = end;
  Frame& frame = frames_.back();
  value_schema_ = frame.schema.member(key);
  const bool misplaced = frames_.size() > 1 && captures_.empty() && frame.schema.declares_any() &&
                         !frame.schema.declares(key) && !std::ranges::contains(frames_.front().keys, key) &&
                         std::ranges::contains(root_.required(), key);
  mode_ = next;
  if (misplaced) {
    gap_.clear();
    value_schema_ = root_.member(key);
    begin_capture(Capture::Hoist, std::move(key));
    return true;
  }
  if (std::ranges::contains(frame.keys, key)) count(Repair::DuplicateKey);
  write_gap();
  frame.any = true;
  write("\"");
  write(key);
  write("\"");
  frame.keys.push_back(std::move(key));
  return true;
}

bool JsonMender::step_colon() {
  const std::size_t start = after_blank(at_);
  gap_.append(in_, at_, start - at_);
  at_ = start;
  if (at_ == in_.size()) return false;
  const bool is_missing = mode_ == Mode::NoColon;
  if (is_missing) count(Repair::MissingColon);
  const bool stands = !is_missing || in_[at_] == ',' || in_[at_] == ';';  // the colon, or what does in its stead
  if (!is_missing && in_[at_] != ':' && in_[at_] != '=') return break_off();
  const bool hoists = !captures_.empty() && captures_.back().what == Capture::Hoist && sinks_.back().empty();
  if (hoists) {
    gap_.clear();
  } else if (is_missing) {
    write(":");  // the white space behind it is the value's
  } else {
    write_gap();
    write(":");
  }
  if (stands) ++at_;
  mode_ = Mode::Value;
  return true;
}

bool JsonMender::end_value() {
  while (!captures_.empty() && captures_.back().depth == frames_.size()) {
    Captured captured = std::move(captures_.back());
    captures_.pop_back();
    std::string text = std::move(sinks_.back());
    sinks_.pop_back();
    switch (captured.what) {
      case Capture::ToText:
        count(Repair::Coerced);
        append_json_string(sinks_.back(), text);
        break;
      case Capture::Coerce: write(coerced(text)); break;
      case Capture::Hoist:
        count(Repair::Hoisted);
        hoisted_[std::move(captured.key)] = std::move(text);
        break;
    }
  }
  mode_ = frames_.empty() ? Mode::Done : Mode::After;
  return mode_ != Mode::Done;
}

bool JsonMender::step_after() {
  const std::size_t start = after_blank(at_);
  gap_.append(in_, at_, start - at_);
  at_ = start;
  if (at_ == in_.size()) return false;
  const char c = in_[at_];
  if (c == ',') {
    gap_ += ',';
    ++at_;
    mode_ = in_object() ? Mode::Key : Mode::Value;
    return true;
  }
  if (c == '}' || c == ']' || c == ')') return close_by(c);
  if (const Sight closer = closer_at(at_); closer != Sight::No) {
    if (closer == Sight::Wait) return false;
    close_all();
    return false;
  }
  if (c == '"' || c == '\'' || c == '{' || c == '[' || c == '-' || is_key_byte(c)) {
    count(Repair::MissingComma);
    gap_.insert(0, ",");
    mode_ = in_object() ? Mode::Key : Mode::Value;
    return true;
  }
  return break_off();
}

// A closing bracket: of the innermost container, or of one around it, which the model forgot to close from the inside.
bool JsonMender::close_by(char c) {
  const auto opened = std::ranges::find_last_if(frames_, [&](const Frame& frame) { return frame.close == c; });
  if (opened.empty() && notation_ == Notation::Python) {
    close_all();  // the bracket is of the list around the call
    return false;
  }
  if (opened.empty()) {
    count(Repair::Unbalanced);
    ++at_;
    return true;
  }
  Frame& frame = frames_.back();
  if (frame.close == c && frame.doubled > 0) {
    const std::size_t next = after_blank(at_ + 1);
    if (next == in_.size() && !last_) return false;
    if (next < in_.size() && in_[next] == c) {
      --frame.doubled;
      ++at_;
      return true;
    }
  }
  if (gap_.contains(',')) {
    count(Repair::ExtraComma);
    std::erase(gap_, ',');
  }
  const auto depth = static_cast<std::size_t>(opened.begin() - frames_.begin());
  while (frames_.size() > depth + 1) {
    count(Repair::Unbalanced);
    close_frame();
  }
  ++at_;
  close_frame();
  return mode_ != Mode::Done;
}

void JsonMender::close_frame() {
  write_gap();
  const Frame& frame = frames_.back();
  if (frames_.size() == 1) {
    for (const auto& [key, value] : hoisted_) {
      if (std::ranges::contains(frame.keys, key)) continue;
      if (frames_.back().any) write(",");
      frames_.back().any = true;
      write("\"" + key + "\":" + value);
    }
  }
  write(frame.close == ']' ? "]" : "}");
  frames_.pop_back();
  static_cast<void>(end_value());
}

// The call's closing text has come, or the model has ended its turn: what is open is closed.
void JsonMender::close_all() {
  std::erase(gap_, ',');
  if (notation_ == Notation::Json) gap_.clear();
  while (!frames_.empty()) {
    count(Repair::Unbalanced);
    close_frame();
  }
}

bool JsonMender::break_off() {
  flush();
  mode_ = Mode::Broken;
  return false;
}

void JsonMender::finish(TurnEnd end) {
  last_ = true;
  cut_ = end == TurnEnd::Cut;
  run();
  if (done() || broken()) return;
  const bool between = mode_ == Mode::After || mode_ == Mode::Key;
  if (end == TurnEnd::Finished && between && !frames_.empty()) {
    const auto missing = [this](const std::string& key) {
      return !std::ranges::contains(frames_.front().keys, key) && !hoisted_.contains(key);
    };
    if (std::ranges::none_of(root_.required(), missing)) {
      close_all();
      return;
    }
  }
  // A quote and brackets that may end the arguments, or be the text's: with them the fragments would look whole.
  if (mode_ == Mode::String && around_ != Around::Nothing && in_.starts_with(delimiter_)) in_.clear();
  flush();
  sinks_.front() += in_;
  in_.clear();
  mode_ = Mode::Broken;
}

// Honest: what was held back, as it is.
void JsonMender::flush() {
  for (std::size_t i = 1; i < sinks_.size(); ++i) sinks_.front() += sinks_[i];
  sinks_.resize(1);
  captures_.clear();
}

}  // namespace hearth::chat
