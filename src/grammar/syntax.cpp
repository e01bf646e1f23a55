// The reader of a grammar's text: recursive descent over bytes, one rule after another.
#include "grammar/syntax.h"

#include <algorithm>
#include <format>
#include <optional>
#include <unordered_map>

namespace hearth::grammar {
namespace {

constexpr std::uint32_t kCodePointMax = 0x10FFFF;

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

using Ranges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

// Ascending, apart, complemented when asked, and without the surrogates, which UTF-8 cannot hold.
Ranges tidy(Ranges ranges, bool negated) {
  std::ranges::sort(ranges);
  Ranges merged;
  for (const auto& range : ranges) {
    if (!merged.empty() && range.first <= merged.back().second + 1)
      merged.back().second = std::max(merged.back().second, range.second);
    else
      merged.push_back(range);
  }
  if (negated) {
    Ranges rest;
    std::uint32_t next = 0;
    for (const auto& [low, high] : merged) {
      if (low > next) rest.emplace_back(next, low - 1);
      next = high + 1;
    }
    if (next <= kCodePointMax) rest.emplace_back(next, kCodePointMax);
    merged = std::move(rest);
  }
  Ranges out;
  for (const auto& [low, high] : merged) {
    if (low < 0xD800) out.emplace_back(low, std::min(high, 0xD7FFU));
    if (high > 0xDFFF) out.emplace_back(std::max(low, 0xE000U), high);
  }
  return out;
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<Syntax> read() {
    for (skip_lines(); at_ < text_.size(); skip_lines()) TRY(read_rule());
    for (std::size_t i = 0; i < defined_.size(); ++i)
      if (!defined_[i]) return wrong(std::format("the rule {} is used and not defined", syntax_.names[i]));
    const auto root = numbers_.find("root");
    if (root == numbers_.end()) return wrong("there is no rule root");
    syntax_.root = root->second;
    return std::move(syntax_);
  }

 private:
  [[nodiscard]] std::unexpected<Error> wrong(std::string_view what) const {
    const auto line = 1 + std::ranges::count(text_.substr(0, std::min(at_, text_.size())), '\n');
    return fail(ErrorKind::InvalidInput, std::format("grammar, line {}: {}", line, what));
  }
  [[nodiscard]] bool ahead(std::string_view word) const { return text_.substr(at_).starts_with(word); }
  bool take(std::string_view word) {
    if (!ahead(word)) return false;
    at_ += word.size();
    return true;
  }
  [[nodiscard]] char next() const { return at_ < text_.size() ? text_[at_] : '\n'; }

  void skip_lines() { skip(true); }
  // Spaces, and inside parentheses the ends of lines too.
  void skip(bool lines) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == ' ' || c == '\t' || c == '\r' || (c == '\n' && lines)) {
        ++at_;
      } else {
        return;
      }
    }
  }

  static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  }
  Result<std::uint32_t> read_name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    if (at_ == begin) return wrong("a name is missing");
    const auto [place, is_new] = numbers_.try_emplace(std::string(text_.substr(begin, at_ - begin)),
                                                      static_cast<std::uint32_t>(syntax_.names.size()));
    if (is_new) {
      if (syntax_.names.size() >= kRulesMax) return wrong("there are too many rules");
      syntax_.names.push_back(place->first);
      syntax_.rules.emplace_back();
      defined_.push_back(false);
    }
    return place->second;
  }

  Result<void> read_rule() {
    TRY_ASSIGN(const std::uint32_t rule, read_name());
    skip(false);
    if (!take("::=")) return wrong("::= is missing");
    if (defined_[rule]) return wrong(std::format("the rule {} is defined twice", syntax_.names[rule]));
    defined_[rule] = true;
    TRY_ASSIGN(Expression body, read_choice(0));
    if (at_ < text_.size() && text_[at_] != '\n') return wrong("something follows the rule");
    syntax_.rules[rule] = std::move(body);
    return {};
  }

  Result<Expression> read_choice(int depth) {
    if (depth > kNestingMax) return wrong("the parentheses are nested too deep");
    Expression choice{.kind = Expression::Kind::Choice};
    do {
      TRY_ASSIGN(Expression sequence, read_sequence(depth));
      choice.parts.push_back(std::move(sequence));
      skip(depth > 0);
    } while (take("|"));
    if (choice.parts.size() > 1) return choice;
    Expression only = std::move(choice.parts.front());
    return only;
  }

  Result<Expression> read_sequence(int depth) {
    Expression sequence;
    for (skip(depth > 0); at_ < text_.size(); skip(depth > 0)) {
      const char c = next();
      if (c == '|' || c == ')' || c == '\n') break;
      TRY_ASSIGN(Expression item, read_item(depth));
      TRY_ASSIGN(item, read_repeats(std::move(item)));
      sequence.parts.push_back(std::move(item));
    }
    if (sequence.parts.size() != 1) return sequence;
    Expression only = std::move(sequence.parts.front());
    return only;
  }

  Result<Expression> read_item(int depth) {
    const char c = next();
    if (c == '"') return read_literal(Expression::Kind::Literal);
    if (c == '[') return read_class();
    if (take("@\"")) {
      --at_;
      return read_literal(Expression::Kind::Marked);
    }
    if (take("@until{")) return read_scan(false);
    if (take("@each{")) return read_each(depth);
    if (take("@without{")) return read_without();
    if (take("@free{")) return read_scan(true);
    if (take(".")) return Expression{.kind = Expression::Kind::Class, .ranges = tidy({}, true)};
    if (take("(")) {
      TRY_ASSIGN(Expression inner, read_choice(depth + 1));
      if (!take(")")) return wrong(") is missing");
      return inner;
    }
    TRY_ASSIGN(const std::uint32_t rule, read_name());
    return Expression{.kind = Expression::Kind::Reference, .rule = rule};
  }

  Result<Expression> read_repeats(Expression item) {
    for (int count = 0;; ++count) {
      if (count > kNestingMax) return wrong("a repetition is repeated too often");
      Expression repeat{.kind = Expression::Kind::Repeat, .least = 0, .most = kUnbounded};
      if (take("?")) {
        repeat.most = 1;
      } else if (take("+")) {
        repeat.least = 1;
      } else if (take("{")) {
        TRY(read_bounds(repeat));
      } else if (!take("*")) {
        return item;
      }
      repeat.parts.push_back(std::move(item));
      item = std::move(repeat);
    }
  }

  // n}, n,} or n,m}
  Result<void> read_bounds(Expression& expression) {
    TRY_ASSIGN(expression.least, read_count());
    expression.most = expression.least;
    if (take(",")) {
      expression.most = kUnbounded;
      if (next() != '}') {
        TRY_ASSIGN(expression.most, read_count());
      }
    }
    if (!take("}")) return wrong("} is missing");
    if (expression.most < expression.least) return wrong("a repetition's end lies before its beginning");
    return {};
  }

  // SEPARATOR: ITEM ITEM! ITEM*}
  Result<Expression> read_each(int depth) {
    if (depth > kNestingMax) return wrong("the parentheses are nested too deep");
    Expression each{.kind = Expression::Kind::Each};
    skip(true);
    TRY_ASSIGN(Expression separator, read_item(depth + 1));
    each.parts.push_back(std::move(separator));
    skip(true);
    if (!take(":")) return wrong(": is missing behind what separates the items");
    for (skip(true); !take("}"); skip(true)) {
      if (each.counts.size() >= kEachItemsMax) return wrong("there are too many items");
      TRY_ASSIGN(Expression item, read_item(depth + 1));
      each.parts.push_back(std::move(item));
      each.counts.push_back(take("!") ? ItemCount::Required : take("*") ? ItemCount::Repeated : ItemCount::Optional);
    }
    return each;
  }

  // "text"}{n,m}
  Result<Expression> read_without() {
    Expression without{.kind = Expression::Kind::Without};
    TRY_ASSIGN(without.text, read_string());
    const bool is_ascii =
        std::ranges::all_of(without.text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (without.text.empty() || without.text.size() > kWithoutBytesMax || !is_ascii)
      return wrong("what may not come is too long, empty or no ASCII");
    if (!take("}{")) return wrong("} and the number of characters are missing");
    TRY(read_bounds(without));
    return without;
  }

  Result<std::uint32_t> read_count() {
    std::uint32_t count = 0;
    const std::size_t begin = at_;
    for (; next() >= '0' && next() <= '9'; ++at_) {
      count = count * 10 + static_cast<std::uint32_t>(next() - '0');
      if (count > kRepeatMax) return wrong("a repetition is too long");
    }
    if (at_ == begin) return wrong("a number is missing");
    return count;
  }

  Result<std::uint32_t> read_hex(int digits) {
    std::uint32_t value = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const char c = next();
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) return wrong("a hexadecimal digit is missing");
      value = value * 16 + static_cast<std::uint32_t>(digit);
    }
    return value;
  }

  // Behind the backslash.
  Result<std::uint32_t> read_escape() {
    const char c = next();
    ++at_;
    switch (c) {
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case 'x': return read_hex(2);
      case 'u': return read_hex(4);
      case 'U': return read_hex(8);
      case '"':
      case '\\':
      case '[':
      case ']':
      case '-':
      case '^': return static_cast<std::uint32_t>(c);
      default: return wrong("an escape is not known");
    }
  }

  // \xHH is a byte here; the other escapes are code points.
  Result<std::string> read_string() {
    std::string out;
    if (!take("\"")) return wrong("a string is missing");
    while (!take("\"")) {
      if (at_ >= text_.size() || next() == '\n') return wrong("a string does not end");
      if (!take("\\")) {
        out += next();
        ++at_;
        continue;
      }
      const bool is_byte = next() == 'x';
      TRY_ASSIGN(const std::uint32_t c, read_escape());
      if (is_byte)
        out += static_cast<char>(c);
      else if (c <= kCodePointMax)
        append_utf8(out, c);
      else
        return wrong("there is no such character");
    }
    return out;
  }

  Result<Expression> read_literal(Expression::Kind kind) {
    TRY_ASSIGN(std::string text, read_string());
    return Expression{.kind = kind, .text = std::move(text)};
  }

  Result<std::uint32_t> read_class_char() {
    if (at_ >= text_.size() || next() == '\n') return wrong("a class does not end");
    if (take("\\")) {
      TRY_ASSIGN(const std::uint32_t c, read_escape());
      if (c > kCodePointMax) return wrong("there is no such character");
      return c;
    }
    const auto lead = static_cast<unsigned char>(next());
    const int more = lead < 0x80 ? 0 : lead < 0xC2 ? -1 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : lead < 0xF5 ? 3 : -1;
    if (more < 0 || at_ + static_cast<std::size_t>(more) >= text_.size())
      return wrong("a class holds a broken character");
    std::uint32_t c = more == 0 ? lead : lead & (0x3FU >> more);
    for (int i = 1; i <= more; ++i) c = (c << 6) | (static_cast<unsigned char>(text_[at_ + i]) & 0x3FU);
    at_ += static_cast<std::size_t>(more) + 1;
    return std::min(c, kCodePointMax);
  }

  Result<Expression> read_class() {
    ++at_;
    const bool negated = take("^");
    Ranges ranges;
    while (!take("]")) {
      TRY_ASSIGN(const std::uint32_t low, read_class_char());
      std::uint32_t high = low;
      if (next() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        TRY_ASSIGN(high, read_class_char());
      }
      if (high < low) return wrong("a range's end lies before its beginning");
      ranges.emplace_back(low, high);
    }
    Expression out{.kind = Expression::Kind::Class, .ranges = tidy(std::move(ranges), negated)};
    if (out.ranges.empty()) return wrong("a class holds no character");
    return out;
  }

  Result<Expression> read_scan(bool may_stop) {
    Expression scan{.kind = Expression::Kind::Scan, .may_stop = may_stop};
    for (skip(true); !take("}"); skip(true)) {
      ScanPattern pattern{.marked = take("@")};
      TRY_ASSIGN(pattern.text, read_string());
      if (pattern.text.empty()) return wrong("a pattern is empty");
      skip(true);
      if (take("!end")) {
        pattern.arm = ScanArm::End;
      } else if (take("!never")) {
        pattern.arm = ScanArm::Never;
      } else if (take("!text")) {
        pattern.arm = ScanArm::Text;
      } else {
        pattern.arm = ScanArm::Rule;
        TRY_ASSIGN(pattern.rule, read_name());
      }
      scan.patterns.push_back(std::move(pattern));
    }
    return scan;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  Syntax syntax_;
  std::vector<bool> defined_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
};

}  // namespace

Result<Syntax> read_syntax(std::string_view text) {
  if (text.size() > kTextBytesMax) return fail(ErrorKind::TooLarge, "the grammar is too long");
  return Reader(text).read();
}

}  // namespace hearth::grammar
