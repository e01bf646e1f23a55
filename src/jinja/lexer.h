// The lexer: a template's text into tokens, with Jinja's white space rules as transformers sets them (trim_blocks,
// lstrip_blocks, no trailing newline). A pure function.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::jinja {

enum class TokenKind {
  Data,
  VariableBegin,
  VariableEnd,
  BlockBegin,
  BlockEnd,
  Name,
  String,
  Integer,
  Float,
  Operator,
  End
};

struct Token {
  TokenKind kind = TokenKind::End;
  std::string text;  // Data: to be printed; Name, Operator: as written; String: unescaped
  int line = 1;
  std::int64_t integer = 0;
  double number = 0;
};

// Ends with one End token. Refuses (Syntax) what cannot be cut into tokens.
[[nodiscard]] std::vector<Token> tokenize(std::string_view source);

// A string literal between its quotes, as Python reads it.
[[nodiscard]] std::string unescape_literal(std::string_view body);

[[noreturn]] void refuse_syntax(std::string message, int line);

}  // namespace hearth::jinja
