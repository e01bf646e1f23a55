// See grammar_regex.h. Recursive descent; each method gives a grammar body, or nothing when the pattern is beyond us.
#include "chat/grammar_regex.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <format>
#include <vector>

namespace hearth::chat {
namespace {

constexpr std::uint32_t kCodePointMax = 0x10FFFF;
constexpr std::size_t kPatternBytesMax = 4'096;
constexpr int kNestingMax = 32;
// What a pattern lists by itself is smaller: letters, digits and marks.
constexpr std::size_t kSmallClassMax = 100;
constexpr std::uint32_t kRepeatMax = 1'024;  // of one piece; the grammar's nodes are counted by it

CharRanges complement(CharRanges ranges) {
  std::ranges::sort(ranges);
  CharRanges out;
  std::uint32_t next = 0;
  for (const auto& [low, high] : ranges) {
    if (low > next) out.emplace_back(next, low - 1);
    next = std::max(next, high + 1);
  }
  if (next <= kCodePointMax) out.emplace_back(next, kCodePointMax);
  return out;
}

// Without the code points that UTF-8 does not hold.
CharRanges without_surrogates(CharRanges ranges) {
  std::ranges::sort(ranges);
  CharRanges out;
  for (const auto& [low, high] : ranges) {
    if (low < 0xD800) out.emplace_back(low, std::min(high, 0xD7FFU));
    if (high > 0xDFFF) out.emplace_back(std::max(low, 0xE000U), std::min(high, kCodePointMax));
  }
  return out;
}

const CharRanges kDigits{{'0', '9'}};
const CharRanges kWord{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const CharRanges kSpace{{'\t', '\r'}, {' ', ' '}};

class PatternReader {
 public:
  PatternReader(std::string_view pattern, CharSpelling spelling, GrammarWriter& writer)
      : pattern_(pattern), spelling_(spelling), writer_(writer) {}

  std::optional<std::string> read() {
    auto body = alternatives(0, true);
    if (!body || at_ != pattern_.size()) return std::nullopt;
    return body;
  }

 private:
  using Body = std::optional<std::string>;

  [[nodiscard]] bool more() const { return at_ < pattern_.size(); }
  bool take(std::string_view word) {
    if (!pattern_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  // Anchors count at the ends of the outermost alternatives only.
  Body alternatives(int depth, bool outermost) {
    if (depth > kNestingMax) return std::nullopt;
    std::string out;
    do {
      Body one = sequence(depth, outermost);
      if (!one) return std::nullopt;
      out += (out.empty() ? "" : " | ") + (one->empty() ? std::string("\"\"") : *one);
    } while (take("|"));
    return out;
  }

  Body sequence(int depth, bool outermost) {
    std::string out;
    const auto append = [&](std::string_view part) { out += (out.empty() ? "" : " ") + std::string(part); };
    Body anything;
    if (outermost) {
      const auto any = spelled_class(without_surrogates({{0, kCodePointMax}}), spelling_);
      anything = writer_.rule(*any) + "*";
      if (!take("^")) append(*anything);
    }
    bool anchored = false;
    while (more() && pattern_[at_] != '|' && pattern_[at_] != ')') {
      if (outermost && take("$")) {
        anchored = true;
        break;
      }
      Body item = piece(depth);
      if (!item) return std::nullopt;
      Body repeated = repeats(std::move(*item));
      if (!repeated) return std::nullopt;
      append(*repeated);
    }
    if (outermost && !anchored) append(*anything);
    if (more() && pattern_[at_] != '|' && pattern_[at_] != ')') return std::nullopt;
    return out;
  }

  Body piece(int depth) {
    if (take("(")) {
      if (take("?")) {
        if (take("<")) {
          // A named group; "(?<=" and "(?<!" look behind.
          if (!more() || pattern_[at_] == '=' || pattern_[at_] == '!') return std::nullopt;
          while (more() && pattern_[at_] != '>') ++at_;
          if (!take(">")) return std::nullopt;
        } else if (!take(":")) {
          return std::nullopt;
        }
      }
      Body inner = alternatives(depth + 1, false);
      if (!inner || !take(")")) return std::nullopt;
      return "(" + *inner + ")";
    }
    if (take("[")) return character_class();
    if (take(".")) return of(complement({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}}));
    if (std::string_view("^$*+?{)|").contains(pattern_[at_])) return std::nullopt;
    CharRanges ranges;
    if (!character(ranges)) return std::nullopt;
    return of(std::move(ranges));
  }

  [[nodiscard]] Body of(CharRanges ranges) const {
    return spelled_class(without_surrogates(std::move(ranges)), spelling_);
  }

  Body repeats(std::string item) {
    std::uint32_t least = 0;
    std::uint32_t most = kGrammarUnbounded;
    if (take("?")) {
      most = 1;
    } else if (take("+")) {
      least = 1;
    } else if (take("{")) {
      const auto low = count();
      if (!low) return std::nullopt;
      least = *low;
      most = least;
      if (take(",")) {
        most = kGrammarUnbounded;
        if (more() && pattern_[at_] != '}') {
          const auto high = count();
          if (!high || *high < least) return std::nullopt;
          most = *high;
        }
      }
      if (!take("}")) return std::nullopt;
    } else if (!take("*")) {
      return item;
    }
    take("?");  // how greedily it is matched does not change what matches
    if (more() && std::string_view("*+?{").contains(pattern_[at_])) return std::nullopt;
    if (!writer_.spend(most == kGrammarUnbounded ? least : most)) return std::nullopt;
    return grammar_repeat(writer_.rule(item), least, most);
  }

  std::optional<std::uint32_t> count() {
    std::uint32_t out = 0;
    const std::size_t begin = at_;
    for (; more() && pattern_[at_] >= '0' && pattern_[at_] <= '9'; ++at_) {
      out = out * 10 + static_cast<std::uint32_t>(pattern_[at_] - '0');
      if (out > kRepeatMax) return std::nullopt;
    }
    if (at_ == begin) return std::nullopt;
    return out;
  }

  std::optional<std::uint32_t> hex(int digits) {
    std::uint32_t out = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      if (!more()) return std::nullopt;
      const char c = pattern_[at_];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return std::nullopt;
      out = out * 16 + static_cast<std::uint32_t>(digit);
    }
    return out;
  }

  // One character, or what a class escape stands for; appended to `ranges`.
  bool character(CharRanges& ranges) {
    const auto one = [&](std::uint32_t c) {
      ranges.emplace_back(c, c);
      return true;
    };
    const auto all = [&](const CharRanges& known) {
      ranges.insert(ranges.end(), known.begin(), known.end());
      return true;
    };
    if (!take("\\")) {
      const auto lead = static_cast<unsigned char>(pattern_[at_]);
      const std::size_t size = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
      if (at_ + size > pattern_.size()) return false;
      std::uint32_t c = size == 1 ? lead : lead & (0x7FU >> size);
      for (std::size_t i = 1; i < size; ++i) c = (c << 6) | (static_cast<unsigned char>(pattern_[at_ + i]) & 0x3FU);
      at_ += size;
      return one(c);
    }
    if (!more()) return false;
    const char c = pattern_[at_++];
    switch (c) {
      case 'd': return all(kDigits);
      case 'D': return all(complement(kDigits));
      case 'w': return all(kWord);
      case 'W': return all(complement(kWord));
      case 's': return all(kSpace);
      case 'S': return all(complement(kSpace));
      case 'n': return one('\n');
      case 'r': return one('\r');
      case 't': return one('\t');
      case 'f': return one('\f');
      case 'v': return one('\v');
      case 'x':
      case 'u': {
        const auto code = hex(c == 'x' ? 2 : 4);
        return code && one(*code);
      }
      default: break;
    }
    const bool is_word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    return !is_word && static_cast<unsigned char>(c) < 0x80 && one(static_cast<unsigned char>(c));
  }

  Body character_class() {
    const bool negated = take("^");
    CharRanges ranges;
    while (more() && pattern_[at_] != ']') {
      CharRanges low;
      if (!character(low)) return std::nullopt;
      const bool is_range = at_ + 1 < pattern_.size() && pattern_[at_] == '-' && pattern_[at_ + 1] != ']';
      if (is_range && low.size() == 1 && low[0].first == low[0].second) {
        ++at_;
        CharRanges high;
        if (!character(high) || high.size() != 1 || high[0].second < low[0].first) return std::nullopt;
        low[0].second = high[0].second;
      }
      ranges.insert(ranges.end(), low.begin(), low.end());
    }
    if (!take("]")) return std::nullopt;
    return of(negated ? complement(std::move(ranges)) : std::move(ranges));
  }

  const std::string_view pattern_;
  const CharSpelling spelling_;
  GrammarWriter& writer_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<std::string> spelled_class(const CharRanges& ranges, CharSpelling spelling) {
  const auto holds = [&](std::uint32_t c) {
    return std::ranges::any_of(ranges, [&](const auto& range) { return range.first <= c && c <= range.second; });
  };
  // In JSON the characters below a space are written by escapes; of those only the short ones are offered.
  struct Escape {
    std::uint32_t c;
    std::string_view text;
  };
  constexpr std::array kEscapes{Escape{'"', "\\\""}, Escape{'\\', "\\\\"}, Escape{'\n', "\\n"}, Escape{'\r', "\\r"},
                                Escape{'\t', "\\t"}};
  const auto counted = [](std::size_t sum, const auto& range) { return sum + range.second - range.first + 1; };
  const bool is_large = std::ranges::fold_left(ranges, std::size_t{0}, counted) > kSmallClassMax;
  CharRanges plain;
  for (auto [low, high] : ranges) {
    if (spelling == CharSpelling::Tagged && is_large && low <= '<' && '<' <= high) {
      if (low < '<') plain.emplace_back(low, '<' - 1);
      low = '<' + 1;
    }
    std::uint32_t from = spelling == CharSpelling::Json ? std::max(low, 0x20U) : low;
    for (const std::uint32_t escaped : {std::uint32_t{'"'}, std::uint32_t{'\\'}}) {
      if (spelling != CharSpelling::Json || escaped < from || escaped > high) continue;
      if (escaped > from) plain.emplace_back(from, escaped - 1);
      from = escaped + 1;
    }
    if (from <= high) plain.emplace_back(from, high);
  }
  std::string out = plain.empty() ? "" : grammar_class(plain);
  std::size_t alternatives = plain.empty() ? 0 : 1;
  for (const Escape& escape : kEscapes) {
    if (spelling != CharSpelling::Json || !holds(escape.c)) continue;
    out += (out.empty() ? "" : " | ") + grammar_literal(escape.text);
    ++alternatives;
  }
  if (alternatives == 0) return std::nullopt;
  return alternatives == 1 ? out : "(" + out + ")";
}

std::optional<std::string> pattern_grammar(std::string_view pattern, CharSpelling spelling, GrammarWriter& writer) {
  if (pattern.size() > kPatternBytesMax) return std::nullopt;
  return PatternReader(pattern, spelling, writer).read();
}

}  // namespace hearth::chat
