// See other_name.h. The names are a tree of their letters; another name leaves it somewhere, or ends where none of them does.
#include "chat/other_name.h"

#include <algorithm>
#include <format>
#include <map>
#include <memory>

namespace hearth::chat {
namespace {

// The tree needs a rule per letter.
constexpr std::size_t kNameBytesMax = 4'000;
// Characters of a word behind the one that is in no name.
constexpr std::uint32_t kWordCharsMax = 63;
constexpr std::string_view kNeverFirst = "0123456789.-";  // in an identifier

struct Letters {
  std::map<char, std::unique_ptr<Letters>> next;
  bool is_end = false;
};

bool is_word_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

class OtherNameWriter {
 public:
  OtherNameWriter(NameChars chars, GrammarWriter& writer) : chars_(chars), writer_(writer) {
    tail_ = writer_.rule(grammar_repeat(writer_.rule(class_without("")), 0,
                                        chars == NameChars::JsonString ? kGrammarUnbounded : kWordCharsMax));
    names_.is_end = chars != NameChars::JsonString;
  }

  // False where it cannot be kept apart.
  bool add(std::string_view name) {
    const bool is_json = chars_ == NameChars::JsonString;
    const auto may_be_written = [&](char c) {
      return is_json ? static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\' : is_word_char(c);
    };
    if (!std::ranges::all_of(name, may_be_written)) return true;
    const bool is_ascii = std::ranges::all_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    bytes_ += name.size();
    if (!is_ascii || bytes_ > kNameBytesMax) return false;
    Letters* at = &names_;
    for (const char c : name) {
      auto& below = at->next[c];
      if (below == nullptr) below = std::make_unique<Letters>();
      at = below.get();
    }
    at->is_end = true;
    return true;
  }

  std::string write() {
    const std::string_view never = chars_ == NameChars::Identifier ? kNeverFirst : std::string_view();
    return writer_.rule(rest_of(names_, never));
  }

 private:
  // One character that is none of `taken`; empty where there is none.
  [[nodiscard]] std::string class_without(std::string_view taken) const {
    const bool is_json = chars_ == NameChars::JsonString;
    CharRanges ranges;
    for (std::uint32_t code = is_json ? 0x20 : 0; code < 0x80; ++code) {
      const char c = static_cast<char>(code);
      if (taken.contains(c) || !(is_json ? c != '"' && c != '\\' : is_word_char(c))) continue;
      if (ranges.empty() || ranges.back().second + 1 != code)
        ranges.emplace_back(code, code);
      else
        ranges.back().second = code;
    }
    if (is_json) ranges.emplace_back(0x80, 0x10FFFF);
    return ranges.empty() ? "" : grammar_class(ranges);
  }

  std::string rest_of(const Letters& at, std::string_view never) {
    std::string taken(never);
    std::string out = at.is_end ? "" : "\"\"";
    const auto arm = [&](const std::string& text) { out += (out.empty() ? "" : " | ") + text; };
    for (const auto& [letter, below] : at.next) {
      arm(grammar_literal(std::string_view(&letter, 1)) + " " + writer_.rule(rest_of(*below, "")));
      taken += letter;
    }
    if (const std::string other = class_without(taken); !other.empty()) arm(other + " " + tail_);
    return out;
  }

  const NameChars chars_;
  GrammarWriter& writer_;
  std::string tail_;
  Letters names_;
  std::size_t bytes_ = 0;
};

}  // namespace

OtherName other_name(std::span<const std::string_view> names, NameChars chars, GrammarWriter& writer) {
  OtherNameWriter other(chars, writer);
  OtherName out;
  for (const std::string_view name : names) out.is_apart = other.add(name) && out.is_apart;
  out.rule = other.write();
  return out;
}

}  // namespace hearth::chat
