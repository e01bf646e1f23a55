// The lexer. Outside of tags it looks for the next tag and decides what white space around it goes; inside it cuts words.
#include "jinja/lexer.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <format>

#include "jinja/refusal.h"
#include "jinja/unicode.h"

namespace hearth::jinja {

void refuse_syntax(std::string message, int line) { throw Refusal{RefusalKind::Syntax, std::move(message), line}; }

namespace {

// Line ends become \n, and one at the very end goes.
std::string normalized(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

bool is_digit_byte(char c) { return c >= '0' && c <= '9'; }
bool is_word_byte(char c) {
  return is_digit_byte(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      const std::size_t tag = next_tag();
      if (tag == std::string_view::npos) {
        data(source_.substr(at_));
        at_ = source_.size();
        break;
      }
      const char kind = source_[tag + 1];
      const char sign = tag + 2 < source_.size() ? source_[tag + 2] : '\0';
      std::string_view text = source_.substr(at_, tag - at_);
      if (sign == '-') {
        text = text.substr(0, strip_spaces(text, Side::Right).end);
      } else if (sign != '+' && kind != '{') {
        text = without_indentation(text);
      }
      data(text);
      advance(tag + 2 + (sign == '-' || sign == '+' ? 1 : 0));
      if (kind == '#') {
        comment();
      } else if (kind == '{') {
        inside(TokenKind::VariableBegin, TokenKind::VariableEnd);
      } else if (!raw()) {
        inside(TokenKind::BlockBegin, TokenKind::BlockEnd);
      }
      line_starting_ = at_ > 0 && source_[at_ - 1] == '\n';
    }
    push(TokenKind::End, "");
    return std::move(tokens_);
  }

 private:
  [[nodiscard]] std::size_t next_tag() const {
    for (std::size_t at = source_.find('{', at_); at != std::string_view::npos; at = source_.find('{', at + 1)) {
      const char kind = at + 1 < source_.size() ? source_[at + 1] : '\0';
      if (kind == '{' || kind == '%' || kind == '#') return at;
    }
    return std::string_view::npos;
  }

  // lstrip_blocks: what stands between the line's begin and the tag goes when it is white space.
  [[nodiscard]] std::string_view without_indentation(std::string_view text) const {
    const std::size_t newline = text.rfind('\n');
    const std::size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
    if (begin == 0 && !line_starting_) return text;
    return strip_spaces(text.substr(begin), Side::Left).begin + begin == text.size() ? text.substr(0, begin) : text;
  }

  void push(TokenKind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_, 0, 0}); }
  void data(std::string_view text) {
    if (!text.empty()) push(TokenKind::Data, std::string(text));
  }
  void advance(std::size_t to) {
    line_ += static_cast<int>(std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    at_ = to;
  }
  void skip_spaces() { advance(at_ + strip_spaces(source_.substr(at_), Side::Left).begin); }

  // Behind the two closing characters at `close`: what follows them goes as their sign says.
  void close_tag(std::size_t close, char sign) {
    advance(close + 2);
    if (sign == '-') skip_spaces();
    if (sign == 0 && at_ < source_.size() && source_[at_] == '\n') advance(at_ + 1);
  }

  void comment() {
    const std::size_t close = source_.find("#}", at_);
    if (close == std::string_view::npos) refuse_syntax("Missing end of comment tag", line_);
    const char before = close > at_ ? source_[close - 1] : '\0';
    close_tag(close, before == '-' || before == '+' ? before : '\0');
  }

  // {% raw %}...{% endraw %}; false when the tag at at_ is another one.
  bool raw() {
    std::size_t at = at_ + strip_spaces(source_.substr(at_), Side::Left).begin;
    if (!source_.substr(at).starts_with("raw")) return false;
    at += 3;
    at += strip_spaces(source_.substr(at), Side::Left).begin;
    const bool minus = source_.substr(at).starts_with("-%}");
    if (!minus && !source_.substr(at).starts_with("%}")) return false;
    advance(at + (minus ? 3 : 2));
    if (minus) skip_spaces();
    line_starting_ = at_ > 0 && source_[at_ - 1] == '\n';
    for (std::size_t tag = source_.find("{%", at_); tag != std::string_view::npos; tag = source_.find("{%", tag + 2))
      if (end_of_raw(tag)) return true;
    refuse_syntax("Missing end of raw directive", line_);
  }

  bool end_of_raw(std::size_t tag) {
    std::size_t at = tag + 2;
    const char sign = at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at++] : '\0';
    at += strip_spaces(source_.substr(at), Side::Left).begin;
    if (!source_.substr(at).starts_with("endraw")) return false;
    at += 6;
    at += strip_spaces(source_.substr(at), Side::Left).begin;
    const char last = at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at++] : '\0';
    if (!source_.substr(at).starts_with("%}")) return false;
    std::string_view text = source_.substr(at_, tag - at_);
    if (sign == '-') text = text.substr(0, strip_spaces(text, Side::Right).end);
    if (sign == 0) text = without_indentation(text);
    data(text);
    close_tag(at, last);
    return true;
  }

  void inside(TokenKind begin, TokenKind end) {
    push(begin, "");
    const std::string_view closing = end == TokenKind::BlockEnd ? "%}" : "}}";
    std::string brackets;
    while (true) {
      skip_spaces();
      if (at_ == source_.size()) return;  // the parser says what is missing
      if (brackets.empty() && close_here(end, closing)) return;
      word(brackets);
    }
  }

  bool close_here(TokenKind end, std::string_view closing) {
    const std::string_view rest = source_.substr(at_);
    const char sign = rest.front() == '-' || (rest.front() == '+' && end == TokenKind::BlockEnd) ? rest.front() : '\0';
    if (!rest.substr(sign ? 1 : 0).starts_with(closing)) return false;
    push(end, "");
    // Only blocks take the newline behind them away.
    close_tag(at_ + (sign ? 1 : 0), sign == 0 && end == TokenKind::VariableEnd ? '+' : sign);
    return true;
  }

  void word(std::string& brackets) {
    const char c = source_[at_];
    if (is_digit_byte(c)) return number();
    if (is_word_byte(c)) {
      std::size_t end = at_;
      while (end < source_.size() && is_word_byte(source_[end])) ++end;
      push(TokenKind::Name, std::string(source_.substr(at_, end - at_)));
      return advance(end);
    }
    if (c == '\'' || c == '"') return string(c);
    operation(brackets);
  }

  // Digits with single underscores between them.
  [[nodiscard]] std::size_t digits_end(std::size_t at, std::string_view digits) const {
    while (at < source_.size() && (digits.contains(source_[at]) ||
                                   (source_[at] == '_' && at + 1 < source_.size() && digits.contains(source_[at + 1]))))
      ++at;
    return at;
  }

  void number() {
    constexpr std::string_view kDecimal = "0123456789";
    std::size_t end = digits_end(at_, kDecimal);
    const char letter =
        end == at_ + 1 && source_[at_] == '0' && end < source_.size() ? static_cast<char>(source_[end] | 0x20) : '\0';
    if (letter == 'x') return integer(digits_end(end + 1, "0123456789abcdefABCDEF"), end + 1, 16);
    if (letter == 'o') return integer(digits_end(end + 1, "01234567"), end + 1, 8);
    if (letter == 'b') return integer(digits_end(end + 1, "01"), end + 1, 2);
    const bool after_dot = at_ > 0 && source_[at_ - 1] == '.';
    bool is_float = false;
    if (!after_dot && end + 1 < source_.size() && source_[end] == '.' && is_digit_byte(source_[end + 1])) {
      end = digits_end(end + 1, kDecimal);
      is_float = true;
    }
    if (!after_dot && end < source_.size() && (source_[end] | 0x20) == 'e') {
      std::size_t exponent = end + 1;
      if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
      if (exponent < source_.size() && is_digit_byte(source_[exponent])) {
        end = digits_end(exponent, kDecimal);
        is_float = true;
      }
    }
    if (!is_float) return integer(end, at_, 10);
    push(TokenKind::Float, "");
    tokens_.back().number = std::strtod(plain_digits(at_, end).c_str(), nullptr);
    advance(end);
  }

  [[nodiscard]] std::string plain_digits(std::size_t begin, std::size_t end) const {
    std::string digits(source_.substr(begin, end - begin));
    std::erase(digits, '_');
    return digits;
  }

  void integer(std::size_t end, std::size_t begin, int base) {
    const std::string digits = plain_digits(begin, end);
    push(TokenKind::Integer, digits);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), tokens_.back().integer, base);
    if (read.ec != std::errc() || digits.empty()) refuse_syntax("a whole number is larger than 64 bits", line_);
    advance(end);
  }

  void string(char quote) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) refuse_syntax(std::format("unexpected char '{}' at {}", quote, at_), line_);
    push(TokenKind::String, unescape_literal(source_.substr(at_ + 1, end - at_ - 1)));
    advance(end + 1);
  }

  void operation(std::string& brackets) {
    const std::string_view rest = source_.substr(at_);
    for (const std::string_view pair : {"//", "**", "==", "!=", ">=", "<="}) {
      if (!rest.starts_with(pair)) continue;
      push(TokenKind::Operator, std::string(pair));
      return advance(at_ + 2);
    }
    const char c = rest.front();
    if (!std::string_view("+-/*%~[](){}><=.:|,;").contains(c))
      refuse_syntax(std::format("unexpected char '{}' at {}", c, at_), line_);
    if (c == '(') brackets += ')';
    if (c == '[') brackets += ']';
    if (c == '{') brackets += '}';
    if (c == ')' || c == ']' || c == '}') {
      if (brackets.empty()) refuse_syntax(std::format("unexpected '{}'", c), line_);
      if (brackets.back() != c) refuse_syntax(std::format("unexpected '{}', expected '{}'", c, brackets.back()), line_);
      brackets.pop_back();
    }
    push(TokenKind::Operator, std::string(1, c));
    advance(at_ + 1);
  }

  std::string_view source_;
  std::size_t at_ = 0;
  int line_ = 1;
  bool line_starting_ = true;  // the text at at_ begins a line
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  const std::string text = normalized(source);
  return Lexer(text).run();
}

}  // namespace hearth::jinja
