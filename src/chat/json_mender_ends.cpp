// See json_mender.h. This file: where a text ends. Well-formed JSON says so itself; where quotes inside are not escaped, what
// follows a quote tells. A text that was cut short must never pass for a whole one: better no call than half a command.
#include <algorithm>

#include "chat/call_tags.h"
#include "chat/json_mender.h"

namespace hearth::chat {
namespace {

// A key that has no end by then is none.
constexpr std::size_t kKeyBytesMax = 1024;
// Closing tags, opening tags and a name between the arguments of one call and those of the next.
constexpr std::size_t kBetweenCallsBytesMax = 256;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_key_byte(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '$'; }

}  // namespace

// The same of Gemma's delimiter: what goes on behind its end is a comma, a bracket, the call's end, or a key without its comma.
JsonMender::Sight JsonMender::delimiter_closes(std::size_t after) const {
  const std::size_t next = after_blank(after);
  if (frames_.empty()) return Sight::Yes;
  if (next == in_.size()) return last_ ? Sight::Yes : Sight::Wait;
  if (std::string_view(",}])").contains(in_[next])) return Sight::Yes;
  if (const Sight closer = closer_at(next); closer != Sight::No) return closer;
  return in_object() ? key_at(next) : Sight::No;
}

// Whether a quote whose next byte is at `after` ends its text. Well-formed JSON always answers Yes where it should: what
// follows an end there is one of the first cases, and a quote inside is escaped.
JsonMender::Sight JsonMender::closes(std::size_t after) const {
  if (frames_.empty()) return Sight::Yes;  // a lone text
  const std::size_t next = after_blank(after);
  if (next == in_.size()) return last_ ? Sight::Yes : Sight::Wait;
  const char c = in_[next];
  if (c == '}' || c == ']' || c == ')') return brackets_end(next);
  if (c == ',') return comma_ends(next + 1);
  if (c == '"' || c == '\'') {
    // A comma is missing where another member or item begins behind white space.
    if (next == after) return Sight::No;
    if (in_object()) return key_at(next);
    return dirty_ ? Sight::No : Sight::Yes;
  }
  return closer_at(next);
}

// The brackets at `at` are those of the containers around the text, and what stands behind them fits.
JsonMender::Sight JsonMender::brackets_end(std::size_t at) const {
  std::size_t depth = frames_.size();
  for (bool first = true; at < in_.size() && depth > 0; first = false) {
    const char c = in_[at];
    if (c != '}' && c != ']' && c != ')') break;
    std::size_t opened = depth;
    while (opened > 0 && frames_[opened - 1].close != c) --opened;
    // None of ours: one too many, or of the list around a call of Python's form.
    if (opened == 0 && first) {
      return c == ']' && notation_ == Notation::Python ? closer_at(after_blank(at + 1)) : Sight::No;
    }
    if (opened != 0) depth = opened - 1;
    at = after_blank(at + 1);
  }
  const bool is_cut_json = dirty_ && text_is_json_ && text_open_ > 0;
  if (at == in_.size()) {
    if (!last_) return Sight::Wait;
    // Cut here: the brackets may be the text's own. (A line that ends behind them is more than a text has.)
    const bool line_ends = around_ == Around::Call && in_.back() == '\n';
    if (depth == 0 && cut_ && around_ != Around::Nothing && !line_ends) return Sight::Wait;
    return is_cut_json ? Sight::No : Sight::Yes;
  }
  if (is_cut_json) return Sight::No;
  if (depth == 0) return behind_root(at);
  if (!dirty_) return is_letter(in_[at]) && notation_ == Notation::Json ? Sight::No : Sight::Yes;
  return in_[at] == ',' ? Sight::Yes : closer_at(at);
}

// All containers are closed, if the text was: does a call go on so?
JsonMender::Sight JsonMender::behind_root(std::size_t at) const {
  const char c = in_[at];
  if (c == '"') return Sight::No;
  if (c == '}' || c == ',') {
    if (around_ != Around::Wrapper) return Sight::Yes;
    const std::size_t next = after_blank(at + 1);
    if (next == in_.size()) return last_ ? Sight::Yes : Sight::Wait;
    const bool quote = in_[next] == '"' || in_[next] == '\'';
    return quote == (c == ',') ? Sight::Yes : Sight::No;
  }
  if (c == ']') return Sight::Yes;
  if (const Sight closer = closer_at(at); closer != Sight::No) return closer;
  if (dirty_) return Sight::No;
  // The wrapper's brace is missing: then at least a new line begins.
  return around_ != Around::Wrapper || in_[at - 1] == '\n' ? Sight::Yes : Sight::No;
}

// The text has closed what it never opened, and what stands at `at` ends the call and begins the next: the quote that ends
// the text was forgotten. Well-formed JSON never has an opening brace and a key with bare quotes inside a text.
JsonMender::Sight JsonMender::next_call_at(std::size_t at) const {
  if (text_excess_ == 0 || !behind_brace_ || notation_ != Notation::Json || frames_.empty()) return Sight::No;
  std::string_view rest = std::string_view(in_).substr(at);
  if (rest.front() != ',' && rest.front() != ';') {
    const Match end = call_end_at(rest);
    if (end == Match::No) return Sight::No;
    if (end == Match::Maybe) return last_ ? Sight::No : Sight::Wait;
  }
  rest = rest.substr(0, kBetweenCallsBytesMax);
  const Sight more = last_ || rest.size() == kBetweenCallsBytesMax ? Sight::No : Sight::Wait;
  const std::size_t brace = rest.find_first_of("{\"\\");
  if (brace == std::string_view::npos) return more;
  if (rest[brace] != '{') return Sight::No;
  const bool is_list = rest.front() == ',' || rest.front() == ';';
  if (is_list && rest.substr(1, brace - 1).find_first_not_of(" \t\r\n") != std::string_view::npos) return Sight::No;
  std::size_t next = rest.find_first_not_of(" \t\r\n", brace + 1);
  if (next == std::string_view::npos) return more;
  if (rest[next] != '"') return Sight::No;
  const std::size_t key = ++next;
  while (next < rest.size() && is_key_byte(rest[next])) ++next;
  if (next == rest.size()) return more;
  if (rest[next] != '"' || next == key || (is_list && rest.substr(key, next - key) != "name")) return Sight::No;
  const std::size_t colon = rest.find_first_not_of(" \t\r\n", next + 1);
  if (colon == std::string_view::npos) return more;
  return rest[colon] == ':' ? Sight::Yes : Sight::No;
}

JsonMender::Sight JsonMender::comma_ends(std::size_t after) const {
  const std::size_t next = after_blank(after);
  if (next == in_.size()) return last_ ? Sight::Yes : Sight::Wait;
  const char c = in_[next];
  if (c == '}' || c == ']' || c == ')' || c == ',') return dirty_ ? Sight::No : Sight::Yes;
  if (dirty_ && text_is_json_ && text_open_ > 0) return Sight::No;  // of the JSON in the text
  if (in_object()) return key_at(next);
  constexpr std::string_view value_starts = "\"'{[(-0123456789tfnTFN<";
  return value_starts.contains(c) ? Sight::Yes : Sight::No;
}

// A key and its colon stand at `at`. Keys without quotes, and keys in a text known to hold quotes, must be declared.
JsonMender::Sight JsonMender::key_at(std::size_t at) const {
  at = after_blank(at);
  if (at == in_.size()) return last_ ? Sight::Yes : Sight::Wait;
  const ArgumentSchema& schema = frames_.back().schema;
  const char quote = in_[at];
  const bool quoted = quote == '"' || quote == '\'';
  std::size_t end = quoted ? at + 1 : at;
  const std::size_t limit = std::min(in_.size(), at + kKeyBytesMax);
  if (quoted) {
    while (end < limit && in_[end] != quote && in_[end] != '\n') end += in_[end] == '\\' ? 2 : 1;
    end = std::min(end, in_.size());
  } else {
    while (end < limit && is_key_byte(in_[end])) ++end;
  }
  if (end == in_.size()) return last_ ? Sight::Yes : Sight::Wait;
  if (quoted && in_[end] != quote) return Sight::No;
  const std::string_view key = std::string_view(in_).substr(quoted ? at + 1 : at, end - at - (quoted ? 1 : 0));
  // [path": 1]: the opening quote was dropped.
  const std::size_t colon = after_blank(quoted || in_[end] == '"' ? end + 1 : end);
  if (colon >= in_.size()) return last_ ? Sight::Yes : Sight::Wait;
  if (in_[colon] != ':' && in_[colon] != '=') {
    // {"a": "x", "b" "y"}: behind a comma a member that is still to come, and at once its value.
    return quoted && !dirty_ && schema.declares(key) ? lacks_colon(key, colon) : Sight::No;
  }
  if (key.empty()) return Sight::No;
  if (quoted && !dirty_ && in_[colon] == ':') return Sight::Yes;
  if (dirty_ && std::ranges::contains(frames_.back().keys, key)) return Sight::No;
  if (schema.declares_any()) {
    return schema.declares(key) || root_.declares(key) ? Sight::Yes : Sight::No;
  }
  return quoted || notation_ != Notation::Json ? Sight::Yes : Sight::No;
}

// As closer_at(), and nothing but white space or a tag follows: in a text that speaks of calls, more text does.
JsonMender::Sight JsonMender::last_closer_at(std::size_t at) const {
  if (at >= in_.size()) return last_ ? Sight::No : Sight::Wait;
  const MarkerMatch closer = call_closer_at(std::string_view(in_).substr(at));
  if (closer.match == Match::No) return Sight::No;
  const std::size_t behind = at + closer.bytes;
  if (closer.match == Match::Maybe || behind == in_.size()) {
    return !last_ ? Sight::Wait : closer.match == Match::Yes ? Sight::Yes : Sight::No;
  }
  return is_blank(in_[behind]) || in_[behind] == '<' ? Sight::Yes : Sight::No;
}

// Gemma's key:<|"|> stands at `at`.
JsonMender::Sight JsonMender::text_member_at(std::size_t at) const {
  const std::size_t begin = at;
  while (at < in_.size() && is_key_byte(in_[at])) ++at;
  if (at < in_.size() && (at == begin || in_[at] != ':')) return Sight::No;
  constexpr std::string_view delimiter = "<|\"|>";
  const Match match = match_tag(std::string_view(in_).substr(std::min(in_.size(), at + 1)), delimiter);
  const std::size_t behind = at + 1 + delimiter.size();
  if (at >= in_.size() || match == Match::Maybe || (match == Match::Yes && behind == in_.size())) {
    return last_ || at - begin > kKeyBytesMax ? Sight::No : Sight::Wait;
  }
  // What a member or the end follows is this text's own closing delimiter.
  return match == Match::Yes && !std::string_view(",}]").contains(in_[behind]) ? Sight::Yes : Sight::No;
}

// A text that closes a call, or opens the next, stands at `at`.
JsonMender::Sight JsonMender::closer_at(std::size_t at) const {
  switch (call_end_at(std::string_view(in_).substr(at))) {
    case Match::Yes: return Sight::Yes;
    case Match::Maybe: return last_ ? Sight::No : Sight::Wait;
    case Match::No: break;
  }
  return Sight::No;
}

}  // namespace hearth::chat
