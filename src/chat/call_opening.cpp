// See call_opening.h.
#include "chat/call_opening.h"

#include <algorithm>
#include <array>

#include "chat/call_tag.h"
#include "chat/tag_elements.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\r";
// "```tool_code" and the like.
constexpr std::size_t kFenceLineBytesMax = 24;
constexpr std::size_t kFenceBytes = 3;
// Openings behind each other; a model means one or two. All of them are read again for each piece of the text.
constexpr int kMarkersMax = 16;
constexpr std::string_view kPrint = "print(";
// The name as an element of its own, before the arguments' element.
constexpr std::array<std::string_view, 2> kNameElements = {"<name>", "<tool_name>"};
constexpr std::string_view kDsmlMark = "<｜DSML｜";
// Braces too many behind a call, with the white space between them.
constexpr std::size_t kBracesBytesMax = 256;

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}
std::size_t blank_at(std::string_view text, std::size_t at) {
  return std::min(text.size(), text.find_first_not_of(kWhiteSpace, at));
}

// White space of a marker may be any in the text, or none.
MarkerMatch match_loosely(std::string_view text, std::string_view marker) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < marker.size(); ++i) {
    const bool blank = kWhiteSpace.contains(marker[i]);
    if (blank) at = blank_at(text, at);
    if (at == text.size()) return {.match = Match::Maybe};
    if (!blank && text[at++] != marker[i]) return {};
  }
  return {.match = Match::Yes, .bytes = at, .kind = MarkerKind::ControlToken};
}

// The next call of a list whose calls are written in tags.
Match tagged_item_at(std::string_view text) {
  CallTag tag;
  const Match match = read_call_tag(text, tag);
  return match == Match::Yes && (tag.closing || !is_function_word(tag.word)) ? Match::No : match;
}

class OpeningReader {
 public:
  OpeningReader(std::string_view text, TextEnd end, const CallContext& context)
      : text_(text), end_(end), context_(context) {}

  CallOpening read(LineStart line_start) {
    line_start_ = line_start == LineStart::Yes;
    if (line_start_ && text_.starts_with('`') && !read_outer_fence()) return opening_;
    if (!read_markers()) return opening_;
    if (markers_ > kMarkersMax) return no();
    if (at_ == text_.size()) return more();
    return read_body();
  }

 private:
  CallOpening more() {
    opening_.ended_early = true;
    opening_.meant = opening_.meant || opening_.announced == Announced::Yes;
    opening_.match = end_ == TextEnd::Later ? Match::Maybe : Match::No;
    return opening_;
  }
  CallOpening no() {
    opening_.match = Match::No;
    return opening_;
  }
  CallOpening yes(CallBody body) {
    opening_.match = Match::Yes;
    opening_.body = body;
    opening_.bytes = at_;
    return opening_;
  }

  // False: a marker is not yet complete.
  bool read_markers() {
    for (;;) {
      MarkerMatch marker = call_marker_at(text_.substr(at_));
      if (marker.match != Match::Yes) {
        if (const std::string_view own = own_marker(*context_.dialect); !own.empty()) {
          const MarkerMatch match = match_loosely(text_.substr(at_), own);
          if (match.match == Match::Yes && own.contains("```")) opening_.fenced = true;
          if (match.match != Match::No) marker = match;
        }
      }
      if (marker.match == Match::Maybe && (end_ == TextEnd::Later || markers_ > 0)) {
        more();
        return false;
      }
      if (marker.match != Match::Yes || ++markers_ > kMarkersMax) return true;
      opening_.announced = Announced::Yes;
      if (marker.kind == MarkerKind::ControlToken) opening_.kind = MarkerKind::ControlToken;
      at_ = blank_at(text_, at_ + marker.bytes);
      if (at_ == text_.size()) return true;
    }
  }

  CallOpening read_body() {
    const bool announced = opening_.announced == Announced::Yes;
    const char c = text_[at_];
    const std::string_view rest = text_.substr(at_);
    if (c == '{') return announced || line_start_ ? yes(CallBody::Json) : no();
    if (c == '[' && (announced || line_start_)) return read_list();
    if (c == '<' || c == ']') return read_tag(rest);
    if (c == '`' && announced) return read_fence(rest);
    if (match_tag(rest, "call:") != Match::No && line_start_) {
      return match_tag(rest, "call:") == Match::Yes ? yes(CallBody::Named) : announced ? yes(CallBody::Named) : more();
    }
    if (!announced && opening_.fence_length != 0) return read_item(at_);
    return announced && is_name_byte(c) ? yes(CallBody::Named) : no();
  }

  CallOpening read_list() {
    const std::size_t item = blank_at(text_, at_ + 1);
    if (item == text_.size()) return more();
    if (text_[item] == '{') {
      at_ = item;
      opening_.list = true;
      return yes(CallBody::Json);
    }
    opening_.list = true;
    if (text_[item] == '<' && opening_.announced == Announced::Yes) {
      at_ = item;
      return read_tag(text_.substr(item));
    }
    return read_item(item);
  }

  CallOpening read_tag(std::string_view rest) {
    for (const std::string_view element : kNameElements) {
      if (opening_.announced == Announced::No || match_tag(rest, element) == Match::No) continue;
      return match_tag(rest, element) == Match::Yes ? yes(CallBody::Named) : more();
    }
    CallTag tag;
    const Match match = read_call_tag(rest, tag);
    if (match == Match::Maybe && (tag.word.empty() || is_function_prefix(tag.word))) {
      opening_.meant = rest.contains("function=") || rest.contains("name=");
      return more();
    }
    if (match != Match::No && !tag.closing && !is_function_word(tag.word) && reads_elements() &&
        context_.begins_tool(tag.word)) {
      return match == Match::Maybe ? more() : read_element(tag, rest.substr(tag.bytes));
    }
    if (match != Match::Yes || tag.closing || !is_function_word(tag.word)) return no();
    if (tag_name(tag).empty()) return read_nameless_tag(tag);
    if (rest.starts_with("]<]minimax[>[") || rest.starts_with("<｜DSML｜")) opening_.kind = MarkerKind::ControlToken;
    return yes(CallBody::Tagged);
  }
  // A call as an element of its tool's name. Without a marker only where the family's own calls are tags, or nothing is known.
  [[nodiscard]] bool reads_elements() const {
    const CallWriting own = context_.dialect->writing;
    const bool is_usual =
        own == CallWriting::Tagged || own == CallWriting::Elements || context_.dialect == &generic_dialect();
    return opening_.announced == Announced::Yes || (line_start_ && is_usual);
  }
  // <N><K>V</K></N> or <N K="V"/>: the tool and its first argument must be spelled as declared.
  CallOpening read_element(const CallTag& tag, std::string_view behind) {
    const auto tool = context_.tool_spelled(tag.word);
    if (!tool || !tag.complete) return no();
    const ArgumentSchema schema = context_.schema_of(*tool);
    const TagAttributes attributes = tag_attributes(tag);
    if (!attributes.whole) return no();
    const auto is_declared = [&](const TagAttributes::One& one) { return schema.declares(one.key); };
    if (std::ranges::any_of(attributes.all, is_declared)) return yes(CallBody::Tagged);
    if (tag.self_closing) return opening_.announced == Announced::Yes ? yes(CallBody::Tagged) : no();
    behind.remove_prefix(blank_at(behind, 0));
    CallTag first;
    const Match match = behind.empty() ? Match::Maybe : read_call_tag(behind, first);
    if (match == Match::Maybe) return more();
    if (match == Match::No) return no();
    const bool is_argument = !first.closing && (schema.declares(first.word) || is_parameter_word(first.word));
    const bool is_empty = first.closing && first.word == tag.word && opening_.announced == Announced::Yes;
    return is_argument || is_empty ? yes(CallBody::Tagged) : no();
  }
  // <function>{"name": N, ...}</function>: the tag is a marker like others.
  CallOpening read_nameless_tag(const CallTag& tag) {
    if (!tag.complete || (opening_.announced == Announced::No && !line_start_)) return no();
    at_ = blank_at(text_, at_ + tag.bytes);
    if (at_ == text_.size()) return more();
    if (text_[at_] != '{') return no();
    opening_.announced = Announced::Yes;
    return yes(CallBody::Json);
  }
  static bool is_function_prefix(std::string_view word) {
    return std::string_view("function").starts_with(word) || std::string_view("invoke").starts_with(word);
  }

  // The line of a fence that may hold nothing but a call. False: it is none, or not yet complete.
  bool read_outer_fence() {
    const std::size_t run = std::min(text_.size(), text_.find_first_not_of('`'));
    const std::size_t line = text_.find('\n');
    opening_.match = Match::No;
    if (line == std::string_view::npos) {
      const bool may = text_.size() <= kFenceLineBytesMax && text_.find('`', run) == std::string_view::npos;
      if (may && end_ == TextEnd::Later) opening_.match = Match::Maybe;
      return false;
    }
    if (run < kFenceBytes || line > kFenceLineBytesMax || text_.substr(run, line - run).contains('`')) return false;
    opening_.fence_length = run;
    at_ = blank_at(text_, line);
    return true;
  }

  CallOpening read_fence(std::string_view rest) {
    const std::size_t line = rest.find('\n');
    if (line == std::string_view::npos) return rest.size() <= kFenceLineBytesMax ? more() : no();
    if (line > kFenceLineBytesMax || !rest.starts_with("```")) return no();
    at_ = blank_at(text_, at_ + line);
    opening_.fenced = true;
    if (at_ == text_.size()) return more();
    if (text_[at_] == '[') return read_list();
    return text_[at_] == '{' ? yes(CallBody::Json) : read_item(at_);
  }

  // N( of a declared tool; in a fence also print(N(.
  CallOpening read_item(std::size_t item) {
    if (opening_.fence_length != 0 || opening_.fenced) {
      const Match print = match_tag(text_.substr(item), kPrint);
      if (print == Match::Maybe) return more();
      opening_.printed = print == Match::Yes;
      if (opening_.printed) item = blank_at(text_, item + kPrint.size());
    }
    std::size_t end = item;
    while (end < text_.size() && is_name_byte(text_[end])) ++end;
    if (end - item > kNameBytesMax) return no();
    const std::string_view name = text_.substr(item, end - item);
    if (end == text_.size()) {
      opening_.meant = opening_.meant || (context_.writes_bare() && !name.empty() && context_.may_be_name(name));
      return more();
    }
    // Of an announced list an item of another name is text, and the next one may be a call.
    const bool is_item = opening_.list && opening_.announced == Announced::Yes;
    const bool calls = end > item && text_[end] == '(' && (is_item || names_tool(name));
    at_ = item;
    return calls ? yes(CallBody::Named) : no();
  }

  // Without a marker a name in another case is a function of the code that is shown: glob(), read().
  [[nodiscard]] bool names_tool(std::string_view name) const {
    const auto tool = context_.tool_named(name);
    const bool is_call = opening_.announced == Announced::Yes || (context_.writes_bare() && opening_.fence_length == 0);
    return tool && (tool->is_exact || is_call);
  }

  static constexpr std::size_t kNameBytesMax = 256;

  const std::string_view text_;
  const TextEnd end_;
  const CallContext& context_;
  std::size_t at_ = 0;
  int markers_ = 0;
  bool line_start_ = false;
  CallOpening opening_;
};

}  // namespace

std::string_view written_opening(const Dialect& dialect) {
  const CallWords& words = dialect.words;
  std::string_view own = words.section_begin.empty() ? words.call_begin : words.section_begin;
  if (dialect.writing == CallWriting::Harmony) return {};
  own.remove_prefix(std::min(own.size(), own.find_first_not_of(kWhiteSpace)));
  while (!own.empty() && kWhiteSpace.contains(own.back())) own.remove_suffix(1);
  return own;
}

MarkerMatch empty_calls_at(std::string_view text, const Dialect& dialect) {
  MarkerMatch found{.match = control_opening_at(text, dialect)};
  if (found.match != Match::Yes) return found;
  std::size_t at = 0;
  for (int markers = 0;; ++markers) {
    const MarkerMatch marker = call_marker_at(text.substr(at));
    if (marker.match == Match::Maybe) return {.match = Match::Maybe};
    if (marker.match == Match::No) break;
    if (markers == kMarkersMax) return {};
    at = blank_at(text, at + marker.bytes);
    if (at == text.size()) return {.match = Match::Maybe};
  }
  if (at == 0) return {};
  if (text[at] == '[') {
    const std::size_t end = blank_at(text, at + 1);
    if (end == text.size()) return {.match = Match::Maybe};
    return {.match = text[end] == ']' ? Match::Yes : Match::No, .bytes = end + 1};
  }
  // What closes the section is skipped as it is behind a call.
  return {.match = call_closer_at(text.substr(at)).match, .bytes = at};
}

Match control_opening_at(std::string_view text, const Dialect& dialect) {
  Match best = Match::No;
  if (dialect.opening != OpeningKind::ControlToken) return best;
  for (std::string_view own : {dialect.words.section_begin, dialect.words.call_begin}) {
    own = own.substr(0, own.find_last_not_of(kWhiteSpace) + 1);
    // Of DSML's and MiniMax's tags only the mark before the word is one token, and the word differs from version to version.
    for (const std::string_view mark : {kDsmlMark, kElementMark})
      if (own.starts_with(mark)) own = mark;
    if (own.empty() || (own.front() != '<' && own.front() != '[' && own.front() != ']')) continue;
    const Match match = match_tag(text, own);
    if (match == Match::Yes || best == Match::No) best = match;
  }
  return best;
}

std::string_view own_marker(const Dialect& dialect) {
  const std::string_view own = written_opening(dialect);
  return own.empty() || call_marker_at(own).match == Match::Yes ? std::string_view{} : own;
}

CallOpening call_opening_at(std::string_view text, LineStart line_start, TextEnd end, const CallContext& context) {
  return OpeningReader(text, end, context).read(line_start);
}

std::unique_ptr<CallScanner> make_call_scanner(const CallOpening& opening, const CallContext& context) {
  switch (opening.body) {
    case CallBody::Json: return make_json_call_scanner(context, opening.announced);
    case CallBody::Named: return make_named_call_scanner(context);
    case CallBody::Tagged: return make_tagged_call_scanner(context);
  }
  return nullptr;
}

BehindCall skip_behind_call(std::string_view text, TextEnd end, CallOpening& opening, std::size_t& bytes) {
  const auto wait = [&] { return end == TextEnd::Later ? BehindCall::Wait : BehindCall::Other; };
  const auto cut_closer = [&] {  // where nothing more comes, it is nothing
    if (end == TextEnd::Here) bytes = text.size();
    return wait();
  };
  for (;;) {
    bytes = blank_at(text, bytes);
    if (bytes == text.size()) return wait();
    const std::string_view rest = text.substr(bytes);
    const MarkerMatch closer = call_closer_at(rest);
    if (closer.match == Match::Yes) {
      bytes += closer.bytes;
      continue;
    }
    if (closer.match == Match::Maybe) return cut_closer();
    const char c = rest.front();
    if (opening.list && (c == ',' || c == ']')) {
      if (c == ']') opening.list = false;
      ++bytes;
      continue;
    }
    if (c == '}') {
      // A brace too many, when nothing but closers stand behind it.
      const std::size_t behind = std::min(rest.size(), rest.find_first_not_of("} \t\r\n"));
      if (behind > kBracesBytesMax) return BehindCall::Other;
      if (behind == rest.size() && end == TextEnd::Later) return BehindCall::Wait;
      const bool list_ends = behind < rest.size() && opening.list && (rest[behind] == ']' || rest[behind] == ',');
      const Match closes = behind == rest.size() || list_ends ? Match::Yes : call_closer_at(rest.substr(behind)).match;
      if (closes == Match::Maybe && end == TextEnd::Later) return BehindCall::Wait;
      if (closes != Match::Yes) return BehindCall::Other;
      bytes += behind;
      continue;
    }
    if (opening.printed && c == ')') {
      opening.printed = false;
      ++bytes;
      continue;
    }
    if (c == ';') {
      // Llama joins calls so.
      const std::size_t next = blank_at(rest, 1);
      if (next == rest.size() && end == TextEnd::Later) return BehindCall::Wait;
      if (opening.body != CallBody::Json || next == rest.size() || rest[next] != '{') return BehindCall::Other;
      bytes += next;
      continue;
    }
    if (opening.fenced && rest.starts_with("```")) {
      opening.fenced = false;
      bytes += 3;
      continue;
    }
    if (opening.fenced && std::string_view("```").starts_with(rest)) return cut_closer();
    if (c == '{' && opening.body == CallBody::Json) return BehindCall::NextItem;
    if (opening.fence_length != 0 && opening.body == CallBody::Named && is_name_byte(c)) {
      const Match print = match_tag(rest, kPrint);
      if (print == Match::Maybe && end == TextEnd::Later) return BehindCall::Wait;
      opening.printed = print == Match::Yes;
      if (opening.printed) bytes += kPrint.size();
      return BehindCall::NextItem;
    }
    if (opening.list && opening.body == CallBody::Named && is_name_byte(c)) return BehindCall::NextItem;
    if (opening.list && opening.body == CallBody::Tagged) {
      const Match item = tagged_item_at(rest);
      if (item == Match::Yes) return BehindCall::NextItem;
      if (item == Match::Maybe && end == TextEnd::Later) return BehindCall::Wait;
    }
    return BehindCall::Other;
  }
}

}  // namespace hearth::chat
