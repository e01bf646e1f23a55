// See tag_value.h.
#include "chat/tag_value.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "chat/json_mender.h"
#include "chat/tag_elements.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\r";
constexpr std::string_view kCdataOpen = "<![CDATA[";
constexpr std::string_view kCdataClose = "]]>";
// A key that is longer is none.
constexpr std::size_t kKeyBytesMax = 512;

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kWhiteSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kWhiteSpace) - begin + 1);
}

}  // namespace

TagValue::TagValue(TagValueRules rules, ArgumentSchema tool, const std::vector<std::string>& keys,
                   const CallContext& context)
    : rules_(std::move(rules)),
      tool_(tool),
      schema_(tool.member(rules_.key)),
      keys_(keys),
      context_(context),
      repairs_(*context.repairs),
      inner_(rules_.open_word) {
  const JsonTypes types = schema_.types();
  is_text_ = types.known() ? types.allow(JsonTypes::Text) && rules_.dsml_type != "false" : rules_.dsml_type == "true";
  is_word_ = types.known() && !types.allow(JsonTypes::Text) && !types.allow(JsonTypes::List) &&
             !types.allow(JsonTypes::Object);
  drop_last_ = rules_.last_line_end == LineEnd::Drop;
}

bool TagValue::begin(std::string& pending, TextEnd end, CallWriter& writer, std::vector<StreamEvent>& events) {
  if (pending.empty() || (pending == "\r" && end == TextEnd::Later)) return false;
  std::size_t skip = 0;
  if (rules_.first_line_end == LineEnd::Drop) {
    skip = pending.starts_with("\r\n") ? 2 : pending.front() == '\n' ? 1 : 0;
  }
  const Match cdata = match_tag(std::string_view(pending).substr(skip), kCdataOpen);
  if (cdata == Match::Maybe && end == TextEnd::Later) return false;
  if (skip > 0 && rules_.last_line_end == LineEnd::DropIfFirst) drop_last_ = true;
  cdata_ = cdata == Match::Yes;
  if (cdata_) skip += kCdataOpen.size();
  pending.erase(0, skip);
  begun_ = true;
  if (is_text_) writer.fragment("\"", events);
  return true;
}

// A list or object that the schema wants, and no text: nothing but JSON can come of it. False: its first byte is not there yet.
bool TagValue::choose_mender(std::string& pending, TextEnd end) {
  const std::size_t first = pending.find_first_not_of(kWhiteSpace);
  if (first == std::string::npos && end == TextEnd::Later) return false;
  chosen_ = true;
  const JsonTypes types = schema_.types();
  if (first == std::string::npos || cdata_ || !types.known() || types.allow(JsonTypes::Text)) return true;
  const bool wanted = (pending[first] == '[' && types.allow(JsonTypes::List)) ||
                      (pending[first] == '{' && types.allow(JsonTypes::Object));
  if (!wanted) return true;
  pending.erase(0, first);
  mender_.emplace(schema_, Notation::Json, repairs_);
  return true;
}

TagValue::Step TagValue::read(std::string& pending, TextEnd end, CallWriter& writer, std::vector<StreamEvent>& events) {
  if (!begun_ && !begin(pending, end, writer, events)) return Step::Wait;
  if (!is_text_ && !chosen_ && !choose_mender(pending, end)) return Step::Wait;
  for (;;) {
    const std::string_view text = pending;
    const std::size_t tag = std::min(text.size(), text.find_first_of("<]", looked_));
    inner_.text(text.substr(looked_, tag - looked_));
    look_on(text, tag - looked_);
    const std::size_t line = text.substr(0, tag).find_last_not_of(" \t");
    const bool line_start = line == std::string_view::npos ? line_start_ : text[line] == '\n';
    const End found = tag == text.size() ? End{.match = Match::Maybe}
                      : doubt_           ? settle_doubt(text.substr(tag), end)
                                         : doubted(end_at(text.substr(tag), line_start, end), text, tag, end);
    if (found.match == Match::No) {
      if (found.bytes == 0) inner_.text(text.substr(tag, 1));
      look_on(text, std::max<std::size_t>(found.bytes, 1));
      continue;
    }
    if (found.match == Match::Maybe) {
      send_certain(pending, tag, writer, events);
      return Step::Wait;
    }
    if (found.malformed) repairs_.add(Repair::MalformedTag);
    std::string_view value = text.substr(0, tag);
    if (cdata_ && trimmed(value).ends_with(kCdataClose)) {
      value = value.substr(0, value.rfind(kCdataClose));
    } else if (!mender_ && (drop_last_ || found.bytes == 0)) {
      value = value.substr(0, without_line_end(value));
    }
    const Step step = finish_value(value, writer, events);
    pending.erase(0, tag + found.bytes);
    return step;
  }
}

// Of what stands before a tag that may be the value's end.
void TagValue::send_certain(std::string& pending, std::size_t tag, CallWriter& writer,
                            std::vector<StreamEvent>& events) {
  if (!is_text_ && !mender_) return;
  const std::string_view before = std::string_view(pending).substr(0, tag);
  const std::size_t certain = mender_ ? tag : cdata_ ? without_cdata_end(before) : without_line_end(before);
  if (mender_) {
    brackets_.read(before);
    brackets_.forget(certain);
    mender_->push(before);
    writer.fragment(mender_->take_output(), events);
  } else {
    send(before.substr(0, certain), writer, events);
  }
  if (certain > 0) {
    const std::size_t last = before.substr(0, certain).find_last_not_of(" \t");
    line_start_ = last == std::string_view::npos ? line_start_ : before[last] == '\n';
  }
  pending.erase(0, certain);
  looked_ -= certain;
}

TagValue::Step TagValue::finish_value(std::string_view value, CallWriter& writer, std::vector<StreamEvent>& events) {
  if (is_text_) {
    send(value, writer, events);
    writer.fragment("\"", events);
  } else if (mender_) {
    mender_->push(value);
    mender_->finish(TurnEnd::Finished);  // its closing tag has come: only brackets may be missing
    writer.fragment(mender_->take_output(), events);
    const std::string behind = mender_->take_rest();
    if (mender_->done() && trimmed(behind).empty()) return Step::Ended;
    writer.fragment(behind, events);
    return Step::Broken;
  } else {
    writer.fragment(typed(std::string(value)), events);
  }
  return Step::Ended;
}

void TagValue::look_on(std::string_view text, std::size_t bytes) {
  code_.feed(text.substr(looked_, bytes));
  looked_ += bytes;
}

void TagValue::flush(std::string& pending, CallWriter& writer, std::vector<StreamEvent>& events) {
  if (is_text_ && begun_) {
    send(pending, writer, events);
  } else if (mender_) {
    mender_->push(pending);
    mender_->finish(TurnEnd::Cut);
    writer.fragment(mender_->take_output() + mender_->take_rest(), events);
  } else {
    writer.fragment(pending, events);
  }
  pending.clear();
}

// What stands behind a text's end that is the call's too may show that it was none. Of JSON this is asked where it is not
// complete, and not of numbers and words.
TagValue::End TagValue::doubted(End found, std::string_view text, std::size_t tag, TextEnd end) {
  if (found.match != Match::Yes || ended_by_next_key_ || context_.turn_is_read == nullptr || *context_.turn_is_read) {
    return found;
  }
  if (!is_text_) {
    const std::size_t begin = text.find_first_not_of(kWhiteSpace);
    const bool is_json = mender_ || (begin < tag && (text[begin] == '{' || text[begin] == '['));
    if (is_json) brackets_.read(text.substr(0, tag));
    if (is_json ? brackets_.balanced() : schema_.types().known()) return found;
  }
  if (found.bytes != 0 && argument_follows(text.substr(tag + found.bytes))) return found;
  CallTag ending;
  static_cast<void>(read_call_tag(text.substr(tag), ending));
  doubt_.emplace(rules_.open_word, rules_.call_word, ending.bytes, found.bytes, code_);
  doubt_malformed_ = found.malformed;
  return settle_doubt(text.substr(tag), end);
}

// Another argument's opening: it was read whole before the value was found to end.
bool TagValue::argument_follows(std::string_view text) const {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(kWhiteSpace)));
  CallTag tag;
  if (read_call_tag(text, tag) != Match::Yes || tag.closing) return false;
  return is_parameter_word(tag.word) || tag.word == "arg_key" || tool_.declares(tag.word) ||
         (text.starts_with(kElementMark) && !is_function_word(tag.word) && !is_wrapper_word(tag.word));
}

TagValue::End TagValue::settle_doubt(std::string_view text, TextEnd end) {
  switch (doubt_->look(text, end)) {
    case DoubtfulEnd::Verdict::Wait: return {.match = Match::Maybe};
    case DoubtfulEnd::Verdict::Text: {
      const std::size_t quoted = doubt_->next_closer();
      doubt_.reset();
      return {.match = Match::No, .bytes = quoted};
    }
    case DoubtfulEnd::Verdict::Ends: break;
  }
  // What follows, to the end of the turn, closes nothing that it does not open: no later call's end is in doubt.
  *context_.turn_is_read = true;
  return {.match = Match::Yes, .bytes = doubt_->bytes(), .malformed = doubt_malformed_};
}

// The value ends with the closing tag of its own kind that the call goes on behind; with a mismatched one, or with none,
// where what stands there can only be the call's.
TagValue::End TagValue::end_at(std::string_view text, bool line_start, TextEnd end) {
  CallTag tag;
  const Match match = read_call_tag(text, tag);
  if (match == Match::No) return {};
  if (match == Match::Maybe) {
    if (end == TextEnd::Here) return {};
    const bool may = tag.word.empty() || may_be_call_word(tag.word) || rules_.key.starts_with(tag.word) ||
                     may_be_own(tag.word) || tool_.declares(tag.word) || text.starts_with(kElementMark) ||
                     rules_.call_word.starts_with(tag.word) ||
                     (tag.closing && (inner_.may_close(tag.word) || std::string_view("value").starts_with(tag.word)));
    return {.match = may ? Match::Maybe : Match::No};
  }
  if (!is_text_ && text.starts_with(kElementMark) && tag.word == rules_.open_word && (!tag.closing || nested_ > 0)) {
    nested_ += tag.closing ? -1 : 1;
    return {.match = Match::No, .bytes = tag.bytes};
  }
  if (tag.closing) return closing_at(text, tag, line_start, end);
  const Match next_key = next_key_at(text, tag, line_start, end);
  if (next_key == Match::No) {
    const bool element = is_text_ && text.starts_with(kElementMark);
    return {.match = Match::No, .bytes = inner_.open(tag, element) ? tag.bytes : 0};
  }
  if (next_key == Match::Yes) {
    ended_by_next_key_ = true;
  }
  return {.match = next_key, .malformed = true};
}

TagValue::End TagValue::closing_at(std::string_view text, const CallTag& tag, bool line_start, TextEnd end) {
  const std::string_view behind = text.substr(tag.bytes);
  const InnerCalls::Closes inner = inner_.closes(tag);
  if (inner == InnerCalls::Closes::Text) return {};
  if (inner != InnerCalls::Closes::Nothing) {
    const Match ends = inner == InnerCalls::Closes::Inner ? Match::No : turn_ends_at(behind, end);
    if (ends == Match::No) inner_.close(tag);
    return {.match = ends, .bytes = tag.bytes};
  }
  const bool own = tag.word == rules_.open_word;
  const bool kin = is_parameter_word(tag.word) || tag.word == rules_.key || tag.word == "arg_value" ||
                   tag.word == "arg_key" || tag.word == "value" || (is_text_ && text.starts_with(kElementMark));
  const bool ends_call = is_function_word(tag.word) || is_wrapper_word(tag.word);
  if (own || (kin && !ends_call)) {
    const Match next = goes_on_at(behind, end);
    return {.match = next, .bytes = next == Match::Yes ? tag.bytes : 0, .malformed = !own};
  }
  const bool outer = is_function_word(tag.word) || tag.word == rules_.call_word ||
                     (is_wrapper_word(tag.word) && tag.word.starts_with("tool_call"));
  // In a line of text it may be the text's; a number or a word holds none.
  if (!outer || (!line_start && !is_word_ && tag.word != rules_.call_word)) return {};
  const std::string_view next = trimmed(behind);
  if (next.empty() && end == TextEnd::Later) return {.match = Match::Maybe};
  if (next.empty()) return {.match = turn_is_over_ ? Match::Yes : Match::No};
  const Match closes = call_end_at(next);
  return {.match = closes == Match::Maybe && end == TextEnd::Here ? Match::No : closes, .malformed = true};
}

// The opening of another argument, where this one's closing tag is missing. Not inside a call that the value quotes.
Match TagValue::next_key_at(std::string_view text, const CallTag& tag, bool line_start, TextEnd end) const {
  if (!line_start || !inner_.none()) return Match::No;
  const auto is_new = [&](std::string_view key) { return tool_.declares(key) && !std::ranges::contains(keys_, key); };
  if (is_parameter_word(tag.word)) {
    const std::string_view name = tag_name(tag);  // or NAME=VALUE
    return is_new(name.substr(0, name.find('='))) || is_new(read_garbled_opening(tag).name) ? Match::Yes : Match::No;
  }
  if (tag.word != "arg_key" || rules_.open_word != "arg_value") return Match::No;
  if (!tool_.declares_any()) return Match::Yes;
  const std::string_view behind = text.substr(tag.bytes);
  const std::size_t key_end = behind.substr(0, kKeyBytesMax).find('<');
  if (key_end != std::string_view::npos) return is_new(trimmed(behind.substr(0, key_end))) ? Match::Yes : Match::No;
  return behind.size() < kKeyBytesMax && end == TextEnd::Later ? Match::Maybe : Match::No;
}

// Nothing but closing tags of calls, and the end of a turn that the model ended itself.
Match TagValue::turn_ends_at(std::string_view text, TextEnd end) const {
  const Match over = end == TextEnd::Later ? Match::Maybe : turn_is_over_ ? Match::Yes : Match::No;
  bool closed = false;
  for (;;) {
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(kWhiteSpace)));
    if (text.empty()) return over == Match::Maybe || closed ? over : Match::No;
    const MarkerMatch closer = call_closer_at(text);
    if (closer.match == Match::No && call_marker_at(text).match == Match::No && !text.starts_with('`')) {
      const Match ends = call_end_at(text);  // the turn's own
      if (ends != Match::Yes) return ends == Match::Maybe ? over : Match::No;
      text.remove_prefix(std::min(text.size(), text.find_first_of(">[", 1) + 1));
      continue;
    }
    if (closer.match == Match::No && call_marker_at(text).match == Match::Maybe) return over;
    if (closer.match != Match::Yes) return closer.match == Match::Maybe ? over : Match::No;
    closed = true;
    text.remove_prefix(closer.bytes);
  }
}

// `word` is the beginning of the opening tag's, or that with the beginning of a family's suffix.
bool TagValue::may_be_own(std::string_view word) const {
  return rules_.open_word.starts_with(word) || word.starts_with(rules_.open_word);
}

// Behind a closing tag: another argument, or the end of the call.
Match TagValue::goes_on_at(std::string_view text, TextEnd end) const {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(kWhiteSpace)));
  if (rules_.arguments_in == ArgumentsIn::Json)
    text.remove_prefix(std::min(text.size(), text.find_first_not_of("} \t\n\r")));
  if (text.empty()) return end == TextEnd::Here ? Match::Yes : Match::Maybe;
  const Match closes = call_end_at(text);
  if (closes == Match::Yes) return Match::Yes;
  CallTag tag;
  const Match match = read_call_tag(text, tag);
  const bool known =
      match == Match::Yes &&
      (is_parameter_word(tag.word) || tag.word == "arg_key" || is_function_word(tag.word) ||
       is_wrapper_word(tag.word) || (!tag.closing && tool_.declares(tag.word)) || tag.word == rules_.open_word ||
       (tag.closing && tag.word == rules_.call_word) || text.starts_with(kElementMark));
  if (known) return Match::Yes;
  const bool may = match == Match::Maybe && (tag.word.empty() || may_be_call_word(tag.word) || may_be_own(tag.word) ||
                                             rules_.call_word.starts_with(tag.word) || text.starts_with(kElementMark) ||
                                             kElementMark.starts_with(text) || tool_.declares_any());
  if (!may && closes != Match::Maybe) return Match::No;
  return end == TextEnd::Here ? Match::Yes : Match::Maybe;
}

// The size of `text` without what may belong to the closing tag.
std::size_t TagValue::without_cdata_end(std::string_view text) {
  const std::size_t last = text.find_last_not_of("]> \t\r\n");
  return last == std::string_view::npos ? 0 : last + 1;
}
std::size_t TagValue::without_line_end(std::string_view text) {
  std::size_t size = text.size();
  if (size > 0 && text[size - 1] == '\n') --size;
  if (size > 0 && text[size - 1] == '\r') --size;
  return size;
}

void TagValue::send(std::string_view text, CallWriter& writer, std::vector<StreamEvent>& events) const {
  if (text.empty()) return;
  std::string json;
  append_json_string(json, text);
  writer.fragment(std::string_view(json).substr(1, json.size() - 2), events);
}

// A value that is not (known to be) text. What is no JSON is a text all the same: the model meant something, and the
// client's own check will name the type.
std::string TagValue::typed(std::string raw) {
  const std::string_view text = trimmed(raw);
  const JsonTypes types = schema_.types();
  std::string json;
  if (text.starts_with(kElementMark) || text.empty()) return elements_to_json(text, schema_);
  if (text == "True" || text == "False" || text == "None") {
    repairs_.add(Repair::PythonLiteral);
    return text == "True" ? "true" : text == "False" ? "false" : "null";
  }
  if (types.known() && (text.starts_with('{') || text.starts_with('['))) {
    JsonMender mender(schema_, Notation::Json, repairs_);
    mender.push(text);
    mender.finish(TurnEnd::Finished);  // its closing tag has come: only brackets may be missing
    if (mender.done() && trimmed(mender.take_rest()).empty()) json = mender.take_output();
    if (!json.empty() && Json::parse(json)) return json;
    json.clear();
  }
  const Result<Json> value = Json::parse(text);
  const bool keeps = value && (types.known() ? types.allow(type_of(*value)) || value->is_null() : !value->is_string());
  if (keeps) return std::string(text);
  std::string lower(text.substr(0, 5));
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  if (types.known() && types.allow(JsonTypes::Boolean) && (text == "TRUE" || text == "FALSE")) return lower;
  // A quoted value of a type that is no text: "5".
  if (value && value->is_string() && types.known()) {
    const Result<Json> inner = Json::parse(value->as_string());
    if (inner && types.allow(type_of(*inner))) {
      repairs_.add(Repair::Coerced);
      return inner->dump();
    }
  }
  append_json_string(json, types.known() ? text : std::string_view(raw));
  return json;
}

}  // namespace hearth::chat
