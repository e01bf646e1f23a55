// See call_tag.h.
#include "chat/call_tag.h"

#include <algorithm>
#include <array>

namespace hearth::chat {
namespace {

// A tag that is longer is none.
constexpr std::size_t kTagBytesMax = 512;
constexpr std::string_view kMinimax = "]<]minimax[>[";
constexpr std::string_view kDsml = "｜DSML｜";
constexpr std::array<std::string_view, 3> kPrefixes = {"seed:", "minimax:", "antml:"};
constexpr std::string_view kSuffix = ":opensource";
constexpr std::array<std::string_view, 2> kFunctionWords = {"function", "invoke"};
constexpr std::array<std::string_view, 2> kParameterWords = {"parameter", "param"};
constexpr std::array<std::string_view, 8> kWrapperWords = {
    "tool_call", "tool_calls", "function_call", "function_calls", "parameters", "arguments", "args", "tool_sep"};
constexpr std::array<std::string_view, 2> kKeyWords = {"arg_key", "arg_value"};
constexpr std::string_view kBlank = " \t\r\n";

bool is_word_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == ':' || c == '.' || static_cast<unsigned char>(c) >= 0x80;
}

std::string_view plain_word(std::string_view word) {
  for (const std::string_view prefix : kPrefixes) {
    if (word.starts_with(prefix)) word.remove_prefix(prefix.size());
  }
  if (word.ends_with(kSuffix)) word.remove_suffix(kSuffix.size());
  return word;
}

std::string_view after_blank(std::string_view text) {
  return text.substr(std::min(text.size(), text.find_first_not_of(kBlank)));
}
// A key of a tag's attributes and its equals sign stand at the beginning of `text`: what follows; empty data when not.
std::string_view after_assigned(std::string_view text, std::string_view key) {
  if (!text.starts_with(key)) return {};
  text = after_blank(text.substr(key.size()));
  return text.starts_with('=') ? text.substr(1) : std::string_view{};
}

// The value of a garbled opening, without the quotes around it. A single quote is the stray one.
void take_value(std::string_view text, char stray_quote, GarbledOpening& opening) {
  text = after_blank(text);
  if (const std::size_t closing = text.find("</"); closing != std::string_view::npos) {
    opening.closing = text.substr(closing);
    text = text.substr(0, closing);
  }
  opening.has_value = true;
  if (text.starts_with('"') || text.starts_with('\'')) {
    const char quote = text.front();
    text = text.substr(0, text.find_last_not_of(kBlank) + 1);
    opening.is_quoted = text.size() > 1 && text.ends_with(quote) && std::ranges::count(text, quote) % 2 == 0;
    text.remove_prefix(1);
    if (opening.is_quoted) text.remove_suffix(1);
  } else if (stray_quote != 0 && text.ends_with(stray_quote) && std::ranges::count(text, stray_quote) == 1) {
    opening.is_quoted = true;  // the name's own, behind the value
    text.remove_suffix(1);
  }
  opening.value = text;
}

std::string_view trimmed(std::string_view text, std::string_view what) {
  const std::size_t begin = text.find_first_not_of(what);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(what) - begin + 1);
}

}  // namespace

Match read_call_tag(std::string_view text, CallTag& tag) {
  tag = {};
  std::size_t at = 0;
  switch (match_tag(text, kMinimax)) {
    case Match::Maybe: return Match::Maybe;
    case Match::Yes: at = kMinimax.size(); break;
    case Match::No: break;
  }
  if (at == text.size()) return Match::Maybe;
  if (text[at] != '<') return Match::No;
  ++at;
  if (at < text.size() && text[at] == '/') {
    tag.closing = true;
    ++at;
  }
  switch (match_tag(text.substr(at), kDsml)) {
    case Match::Maybe: return Match::Maybe;
    case Match::Yes: at += kDsml.size(); break;
    case Match::No: break;
  }
  const std::size_t begin = at;
  while (at < text.size() && at < kTagBytesMax && is_word_byte(text[at])) ++at;
  tag.word = text.substr(begin, at - begin);
  if (at == text.size()) return text.size() < kTagBytesMax ? Match::Maybe : Match::No;
  tag.word = plain_word(tag.word);
  if (tag.word.empty()) return Match::No;
  const char next = text[at];
  if (next != '>' && next != '=' && next != '/' && next != ' ' && next != '\n') return Match::No;
  const std::size_t end = text.substr(0, kTagBytesMax).find_first_of(">\n", at);
  if (end == std::string_view::npos) return text.size() < kTagBytesMax ? Match::Maybe : Match::No;
  tag.attributes = text.substr(at, end - at);
  tag.complete = text[end] == '>';
  tag.bytes = tag.complete ? end + 1 : end;
  const std::string_view attributes = trimmed(tag.attributes, kBlank);
  tag.self_closing = attributes.ends_with('/') && !attributes.starts_with("=/");
  return Match::Yes;
}

std::string_view tag_name(const CallTag& tag) {
  std::string_view text = trimmed(tag.attributes, kBlank);
  if (tag.self_closing && text.ends_with('/')) text.remove_suffix(1);
  if (text.starts_with('=')) {
    text.remove_prefix(1);
  } else {
    for (const std::string_view key : {"name", "key"}) {
      const std::size_t found = text.find(key);
      if (found == std::string_view::npos) continue;
      const std::string_view behind = trimmed(text.substr(found + key.size()), kBlank);
      if (!behind.starts_with('=')) continue;
      text = behind.substr(1);
      const std::size_t quote = text.find_first_not_of(kBlank);
      if (quote != std::string_view::npos && (text[quote] == '"' || text[quote] == '\'')) {
        const std::string_view inner = text.substr(quote + 1);
        return trimmed(inner.substr(0, inner.find_first_of("\"'")), kBlank);
      }
      text = text.substr(0, text.find(' '));
      break;
    }
  }
  return trimmed(text, " \t\r\n\"'");
}

GarbledOpening read_garbled_opening(const CallTag& tag) {
  std::string_view text = after_blank(tag.attributes);
  for (const std::string_view key : {"name", "key", ""}) {
    if (const std::string_view behind = after_assigned(text, key); behind.data() != nullptr) {
      text = after_blank(behind);
      break;
    }
  }
  const char quote = text.starts_with('"') || text.starts_with('\'') ? text.front() : '\0';
  if (quote != 0) text.remove_prefix(1);
  const auto end = std::ranges::find_if_not(text, [](char c) { return is_word_byte(c) && c != ':'; });
  const std::string_view name = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  std::string_view rest = text.substr(name.size());
  const bool is_closed = quote == 0 || rest.starts_with(quote);
  if (quote != 0 && is_closed) rest.remove_prefix(1);
  rest = after_blank(rest);
  GarbledOpening opening{.name = name};
  if (const std::string_view value = after_assigned(rest, "value"); value.data() != nullptr) {
    take_value(value, is_closed ? '\0' : quote, opening);
  } else if (rest.starts_with('=') || rest.starts_with(':')) {
    take_value(rest.substr(1), is_closed ? '\0' : quote, opening);
  } else {
    // Another attribute; where the name's quote was lost, it was taken for a part of the name.
    const auto word = std::ranges::find_if_not(rest, is_word_byte);
    const bool is_attribute = word != rest.begin() && word != rest.end() && *word == '=';
    if (is_closed || !is_attribute) return {};
  }
  return opening;
}

std::string_view tag_attribute(const CallTag& tag, std::string_view key) {
  std::size_t found = tag.attributes.find(key);
  while (found != std::string_view::npos) {
    std::string_view behind = tag.attributes.substr(found + key.size());
    if (behind.starts_with("=\"")) {
      behind.remove_prefix(2);
      return behind.substr(0, behind.find('"'));
    }
    found = tag.attributes.find(key, found + 1);
  }
  return {};
}

TagAttributes tag_attributes(const CallTag& tag) {
  TagAttributes attributes;
  std::string_view text = trimmed(tag.attributes, kBlank);
  if (tag.self_closing) text = trimmed(text.substr(0, text.size() - 1), kBlank);
  while (!text.empty()) {
    const auto end = std::ranges::find_if_not(text, is_word_byte);
    const std::string_view key = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    std::string_view value = after_assigned(text, key);
    if (value.data() != nullptr) value = after_blank(value);
    const bool is_quoted = value.starts_with('"') || value.starts_with('\'');
    const std::size_t close = is_quoted ? value.find(value.front(), 1) : std::string_view::npos;
    attributes.whole = !key.empty() && close != std::string_view::npos;
    if (!attributes.whole) break;
    attributes.all.push_back({.key = key, .value = value.substr(1, close - 1)});
    text = after_blank(value.substr(close + 1));
  }
  return attributes;
}

bool is_function_word(std::string_view word) { return std::ranges::contains(kFunctionWords, word); }
bool is_parameter_word(std::string_view word) { return std::ranges::contains(kParameterWords, word); }
bool is_wrapper_word(std::string_view word) { return std::ranges::contains(kWrapperWords, word); }

bool may_be_call_word(std::string_view word) {
  const auto begins = [&](std::string_view known) {
    if (known.starts_with(word)) return true;
    for (const std::string_view prefix : kPrefixes) {
      if (prefix.starts_with(word)) return true;
      if (word.starts_with(prefix) && known.starts_with(word.substr(prefix.size()))) return true;
    }
    return word.starts_with(known) && kSuffix.starts_with(word.substr(known.size()));
  };
  return std::ranges::any_of(kFunctionWords, begins) || std::ranges::any_of(kParameterWords, begins) ||
         std::ranges::any_of(kWrapperWords, begins) || std::ranges::any_of(kKeyWords, begins);
}

}  // namespace hearth::chat
