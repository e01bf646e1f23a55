// See json_mender.h. This file: texts, where they really end, and words without quotes.
#include <algorithm>
#include <array>
#include <charconv>
#include <format>
#include <utility>

#include "chat/call_tags.h"
#include "chat/json_mender.h"

namespace hearth::chat {
namespace {

// A key that has no end by then is none.
constexpr std::size_t kKeyBytesMax = 1024;
constexpr std::size_t kEscapeBytes = 6;  // \uXXXX
// A longer word is none: it is asked of a growing one at each blank.
constexpr std::size_t kNumberBytesMax = 512;
// Fewer digits than any number's that is not exact.
constexpr std::size_t kPlainDigitsMax = 15;
// So far behind an escape one that is none may show that nothing was escaped. Held back meanwhile.
constexpr std::size_t kDoubtBytesMax = 256;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// The number in four hex digits, or -1.
int hex4(std::string_view text) {
  unsigned value = 0;
  if (text.size() < 4) return -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + 4, value, 16);
  return error == std::errc{} && end == text.data() + 4 ? static_cast<int>(value) : -1;
}
bool is_high_surrogate(int code) { return code >= 0xD800 && code < 0xDC00; }
bool is_low_surrogate(int code) { return code >= 0xDC00 && code < 0xE000; }

void append_control(std::string& out, char c) {
  switch (c) {
    case '\n': out += "\\n"; break;
    case '\r': out += "\\r"; break;
    case '\t': out += "\\t"; break;
    default: out += std::format("\\u{:04x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
  }
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

bool JsonMender::begin_string(std::string_view delimiter, bool raw) {
  begin_item();
  if (const JsonTypes types = value_schema().types(); !types.allow(JsonTypes::Text)) begin_capture(Capture::Coerce, {});
  if (delimiter != "\"" && notation_ == Notation::Json) count(Repair::PythonLiteral);
  write("\"");
  at_ += delimiter.size();
  delimiter_ = delimiter;
  raw_ = raw;
  path_ = path_space_ = wrong_escape_ = false;
  dirty_ = delimiter.size() == 3 && notation_ == Notation::Json;
  quoted_calls_ = text_open_ = text_excess_ = 0;
  text_begun_ = text_is_json_ = behind_brace_ = false;
  tail_.clear();
  mode_ = Mode::String;
  return true;
}

void JsonMender::end_string() {
  at_ += delimiter_.size();
  write("\"");
  static_cast<void>(end_value());
}

// A call that a text of Gemma's quotes: its delimiters, up to its own closing tag, are the text's.
JsonMender::Sight JsonMender::step_quoted_call(std::string_view rest) {
  constexpr std::string_view opening = "<|tool_call>call:";
  constexpr std::string_view closing = "<tool_call|>";
  const Match opens = match_tag(rest, opening);
  const Match closes = quoted_calls_ > 0 ? match_tag(rest, closing) : Match::No;
  if ((opens == Match::Maybe || closes == Match::Maybe) && !last_) return Sight::Wait;
  if (opens != Match::Yes && closes != Match::Yes) return Sight::No;
  quoted_calls_ += opens == Match::Yes ? 1 : -1;
  const std::size_t bytes = opens == Match::Yes ? opening.size() : closing.size();
  write(rest.substr(0, bytes));
  tail_.clear();
  at_ += bytes;
  return Sight::Yes;
}

void JsonMender::write_text(std::string_view text) {
  write(text);
  for (const char c : text) {
    if (is_blank(c)) continue;
    const bool opens = c == '{' || c == '[';
    const bool closes = c == '}' || c == ']';
    if (!std::exchange(text_begun_, true)) text_is_json_ = opens;
    behind_brace_ = closes;
    if (opens) ++text_open_;
    if (closes && text_open_ == 0) ++text_excess_;
    if (closes && text_open_ > 0) --text_open_;
  }
}

// Whether a path goes on with `c`. A space may belong to it (C:\Program Files) where a word follows as a name is written.
void JsonMender::read_path(char c) {
  const bool is_name = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '(';
  if (path_space_ && !is_name) path_ = false;
  path_space_ = c == ' ';
  if (c == ';' || c == ',' || c == '|' || c == '>' || c == '\'' || c == '&') path_ = false;
}

// What can neither end the text nor be mended.
void JsonMender::take_plain() {
  std::size_t end = at_;
  while (end < in_.size()) {
    const char c = in_[end];
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == delimiter_.front()) break;
    if (path_) read_path(c);
    if (c == '<' || c == '[' || c == ',' || c == ';') break;  // the next call may begin
    if (delimiter_.size() == 5 && (c == ',' || c == '}')) break;
    ++end;
  }
  if (end > at_) {
    write_text(std::string_view(in_).substr(at_, end - at_));
    tail_.append(in_, end - at_ > 3 ? end - 3 : at_, std::min<std::size_t>(end - at_, 3));
    if (tail_.size() > 3) tail_.erase(0, tail_.size() - 3);
    at_ = end;
  }
}

bool JsonMender::step_string() {
  take_plain();
  if (at_ == in_.size()) return false;
  const char c = in_[at_];
  const std::string_view rest = std::string_view(in_).substr(at_);
  if (delimiter_.size() == 5 && c == '<') {
    const Sight quoted = step_quoted_call(rest);
    if (quoted != Sight::No) return quoted == Sight::Yes;
  }
  if (const Sight next_call = next_call_at(at_); next_call != Sight::No) {
    if (next_call == Sight::Wait) return false;
    flush();
    next_call_follows_ = true;
    return break_off();
  }
  if (c == delimiter_.front() && quoted_calls_ == 0) {
    if (!last_ && rest.size() < delimiter_.size() && delimiter_.starts_with(rest)) return false;
    if (rest.starts_with(delimiter_)) {
      const Sight sight = delimiter_.size() == 5                                 ? delimiter_closes(at_ + 5)
                          : delimiter_.size() > 1 && notation_ != Notation::Json ? Sight::Yes
                                                                                 : closes(at_ + delimiter_.size());
      if (sight == Sight::Wait) return false;
      if (sight == Sight::Yes) {
        end_string();
        return mode_ != Mode::Done;
      }
      if (!dirty_) count(Repair::InnerQuote);
      dirty_ = true;
    }
  }
  if (delimiter_.size() == 5 && quoted_calls_ == 0 && (c == ',' || c == '}')) {
    // The closing delimiter was dropped where the next key, or the end of the call, follows.
    const Sight sight = c == ',' ? text_member_at(at_ + 1) : last_closer_at(at_ + 1);
    if (sight == Sight::Wait) return false;
    if (sight == Sight::Yes) {
      count(Repair::InnerQuote);
      write("\"");
      static_cast<void>(end_value());
      return mode_ != Mode::Done;
    }
  }
  if (c == '\\') return step_escape();
  behind_brace_ = behind_brace_ && c != '"';
  if (c == '"') {
    write("\\\"");
  } else if (static_cast<unsigned char>(c) < 0x20) {
    append_control(sinks_.back(), c);
    path_ = false;
    if (delimiter_ == "\"" && notation_ == Notation::Json) count(Repair::RawControl);
  } else {
    write_text(rest.substr(0, 1));
  }
  tail_ = c;
  ++at_;
  return true;
}

bool JsonMender::step_escape() {
  behind_brace_ = false;
  path_ = path_ && !path_space_;
  if (raw_) {
    write("\\\\");
    ++at_;
    return true;
  }
  if (at_ + 1 == in_.size()) return false;
  const char next = in_[at_ + 1];
  if (next == '\\') {
    write("\\\\");
    at_ += 2;
    tail_ = "\\";
    return true;
  }
  if (path_ && next == '"') {
    // "C:\dir\": the backslash before the closing quote is the path's.
    const Sight sight = closes(at_ + 2);
    if (sight == Sight::Wait) return false;
    if (sight == Sight::Yes) {
      write("\\\\");
      ++at_;
      return true;
    }
  }
  const bool known = std::string_view("\"/bfnrt").contains(next);
  if (known && (!path_ || next == '"')) {
    const Sight plain = is_plain_backslash(next);
    if (plain == Sight::Wait) return false;
    if (plain == Sight::Yes) {
      write_backslash();
      return true;
    }
    write(std::string_view(in_).substr(at_, 2));
    at_ += 2;
    tail_ = next == '"' || next == '/' ? next : ' ';
    return true;
  }
  if (next == 'u' && !path_) return step_unicode_escape();
  if (next == '\'') {
    write("'");
    at_ += 2;
    return true;
  }
  if (static_cast<unsigned char>(next) < 0x20) {
    // The model began an escape and then wrote the character itself.
    count(Repair::RawControl);
    append_control(sinks_.back(), next);
    at_ += 2;
    return true;
  }
  if (notation_ == Notation::Python && next == 'x' && in_.size() >= at_ + 4) {
    if (const int code = hex4("00" + in_.substr(at_ + 2, 2)); code >= 0) {
      write(std::format("\\u{:04x}", code));
      at_ += 4;
      return true;
    }
  }
  if (notation_ == Notation::Python && next == 'x' && in_.size() < at_ + 4 && !last_) return false;
  write_backslash();
  return true;
}

// A backslash that the model meant as one.
void JsonMender::write_backslash() {
  if (notation_ != Notation::Python) count(Repair::BadEscape);
  if (behind_drive()) path_ = true;
  path_space_ = false;
  wrong_escape_ = true;
  write("\\\\");
  ++at_;
  tail_ = "\\";
}

bool JsonMender::behind_drive() const {
  const std::size_t size = tail_.size();
  if (size < 2 || tail_[size - 1] != ':' || !is_letter(tail_[size - 2])) return false;
  return size == 2 || !is_letter(tail_[size - 3]);
}

// Of \b, \f, \n, \r, \t: whether they are C:\temp and \bword\b\s, and the model escaped nothing. Line ends and tabs are
// common in code, so of them only a path is doubted; the other two no file has.
JsonMender::Sight JsonMender::is_plain_backslash(char next) const {
  if (next == '"' || next == '/') return Sight::No;
  const bool usual_drive = behind_drive() && std::string_view("CDEcde").contains(tail_[tail_.size() - 2]);
  if (usual_drive) return wrong_escape_in_path();
  if ((next != 'b' && next != 'f') || notation_ != Notation::Json) return Sight::No;
  return wrong_escape_ ? Sight::Yes : wrong_escape_follows();
}

// C:\n... may be a line behind "C:". Any other escape behind a further name of the same word says that it is a path.
JsonMender::Sight JsonMender::wrong_escape_in_path() const {
  const std::size_t limit = std::min(in_.size(), at_ + kDoubtBytesMax);
  std::size_t name = at_;  // where one may begin
  for (std::size_t i = at_; i < limit; ++i) {
    const char c = in_[i];
    if (c == ' ' || c == '"' || static_cast<unsigned char>(c) < 0x20) return Sight::No;
    if (c != '\\') continue;
    if (i + 2 >= in_.size()) break;
    if (!is_letter(in_[i + 1])) return Sight::No;  // escaped, or a quote
    const bool named = i == at_ || i > name;
    if (in_[i + 1] != 'n' && named && is_letter(in_[i + 2])) return Sight::Yes;
    name = i + 2;
  }
  return last_ || limit == at_ + kDoubtBytesMax ? Sight::No : Sight::Wait;
}

JsonMender::Sight JsonMender::wrong_escape_follows() const {
  const std::size_t limit = std::min(in_.size(), at_ + kDoubtBytesMax);
  for (std::size_t i = at_ + 2; i < limit; ++i) {
    if (in_[i] == '"') return Sight::No;
    if (in_[i] != '\\') continue;
    if (i + 1 == in_.size()) break;
    if (in_[i + 1] == '\\') return Sight::No;  // this one is escaped
    if (!std::string_view("\"/bfnrtu'").contains(in_[++i])) return Sight::Yes;
  }
  return last_ || limit == at_ + kDoubtBytesMax ? Sight::No : Sight::Wait;
}

bool JsonMender::step_unicode_escape() {
  const std::string_view rest = std::string_view(in_).substr(at_);
  const std::size_t bad = rest.find_first_not_of("0123456789abcdefABCDEF", 2);
  if (rest.size() < kEscapeBytes && bad == std::string_view::npos && !last_) return false;
  const int code = hex4(rest.substr(2));
  if (code < 0) {
    write_backslash();
    return true;
  }
  tail_.clear();
  if (is_high_surrogate(code)) {
    const std::string_view second = rest.substr(kEscapeBytes);
    constexpr std::string_view opening = "\\u";
    const bool may_pair = second.size() < 2 ? opening.starts_with(second) : second.starts_with(opening);
    if (may_pair && second.size() < kEscapeBytes &&
        second.find_first_not_of("0123456789abcdefABCDEF", 2) == std::string_view::npos) {
      return false;
    }
    if (second.starts_with(opening) && is_low_surrogate(hex4(second.substr(2)))) {
      write(rest.substr(0, 2 * kEscapeBytes));
      at_ += 2 * kEscapeBytes;
      return true;
    }
  }
  if (is_high_surrogate(code) || is_low_surrogate(code)) {
    count(Repair::LoneSurrogate);
    write("\\ufffd");
  } else {
    write(rest.substr(0, kEscapeBytes));
  }
  at_ += kEscapeBytes;
  return true;
}

// A word without quotes, to its end or as far as it is certain.
JsonMender::Sight JsonMender::bare_end() {
  for (; at_ + bare_bytes_ < in_.size(); ++bare_bytes_) {
    const std::size_t end = at_ + bare_bytes_;
    const char c = in_[end];
    if (c == '}' || c == ']' || c == ')') return Sight::Yes;
    if (c == ',') {
      if (!in_object() || is_literal(std::string_view(in_).substr(at_, bare_bytes_))) return Sight::Yes;
      if (const Sight sight = key_at(end + 1); sight != Sight::No) return sight;
    }
    if (c == '\n' && notation_ == Notation::Json) return Sight::Yes;
    if (c == '<' || c == '`') {
      if (const Sight sight = closer_at(end); sight != Sight::No) return sight;
    }
    if (is_blank(c) && is_literal(std::string_view(in_).substr(at_, bare_bytes_))) return Sight::Yes;
  }
  return frames_.empty() && last_ ? Sight::Yes : Sight::Wait;
}

bool JsonMender::step_bare() {
  if (bare_end() == Sight::Wait) return false;
  const std::string word(trimmed(std::string_view(in_).substr(at_, bare_bytes_)));
  at_ += bare_bytes_;
  write_word(word);
  static_cast<void>(end_value());
  return mode_ != Mode::Done;
}

// The JSON of a word that needs no quotes; empty when there is none.
std::string_view JsonMender::literal(std::string_view word) {
  if (word == "true" || word == "True") return "true";
  if (word == "false" || word == "False") return "false";
  if (word == "null" || word == "None") return "null";
  if (word.empty() || word.size() > kNumberBytesMax) return {};
  if (word.front() != '-' && (word.front() < '0' || word.front() > '9')) return {};
  const bool is_plain = word.front() != '-' && word.front() != '0' && word.size() <= kPlainDigitsMax;
  if (is_plain && word.find_first_not_of("0123456789") == std::string_view::npos) return word;
  const Result<Json> number = Json::parse(word);
  return number && number->is_number() ? word : std::string_view{};
}

bool JsonMender::is_literal(std::string_view word) { return !literal(trimmed(word)).empty(); }

void JsonMender::write_word(std::string_view word) {
  const JsonTypes types = value_schema().types();
  if (const std::string_view json = literal(word); !json.empty()) {
    if (json != word && notation_ == Notation::Json) count(Repair::PythonLiteral);
    const JsonTypes::Type type = json.front() == 't' || json.front() == 'f' ? JsonTypes::Boolean : JsonTypes::Number;
    const bool allowed = json == "null" || types.allow(type);
    if (allowed || !types.allow(JsonTypes::Text)) return write(json);
    count(Repair::Coerced);
    return append_json_string(sinks_.back(), json);
  }
  count(Repair::BareValue);
  for (const std::string_view quote : {std::string_view("<|\"|>"), std::string_view("\"")}) {
    if (word.ends_with(quote)) word.remove_suffix(quote.size());
  }
  std::string text;
  append_json_string(text, word);
  write(types.allow(JsonTypes::Text) ? text : coerced(text));
}

// `json_text` is a JSON string where the schema wants something else: what it holds, if that is of an allowed type.
std::string JsonMender::coerced(const std::string& json_text) const {
  const Result<Json> text = Json::parse(json_text);
  if (!text || !text->is_string()) return json_text;
  const JsonTypes types = value_schema().types();
  const std::string_view inner = trimmed(text->as_string());
  std::string_view json = literal(inner);
  std::string lower(inner.substr(0, 5));
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (inner.size() == lower.size() && (lower == "true" || lower == "false")) json = lower;
  std::string container;
  if (json.empty() && (inner.starts_with('{') || inner.starts_with('['))) {
    JsonMender mender(value_schema(), Notation::Json, repairs_);
    mender.push(inner);
    mender.finish(TurnEnd::Cut);
    if (mender.done() && trimmed(mender.take_rest()).empty()) container = mender.take_output();
    json = container;
  }
  const Result<Json> value = json.empty() ? fail(ErrorKind::InvalidInput, "no JSON") : Json::parse(json);
  if (!value || !types.allow(type_of(*value))) return json_text;
  repairs_.add(Repair::Coerced);
  return std::string(json);
}

}  // namespace hearth::chat
