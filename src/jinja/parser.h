// The parser: tokens into a syntax tree, by recursive descent. One Parser per template; used by one thread, then thrown away.
#pragma once

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "jinja/lexer.h"
#include "jinja/syntax.h"

namespace hearth::jinja {

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens);
  Syntax run();

 private:
  // Whether an unknown filter is refused when the template is compiled, or only when it is reached (inside an if).
  enum class Unknown { AtOnce, WhenReached };
  enum class Conditional { Allowed, NotAllowed };

  // parser_statements.cpp
  Block block(std::initializer_list<std::string_view> end_names);
  std::unique_ptr<Statement> statement();
  std::unique_ptr<Statement> set();
  std::unique_ptr<Statement> if_chain();
  std::unique_ptr<Statement> for_loop();
  std::unique_ptr<Statement> macro();
  std::unique_ptr<Statement> call_block();
  std::unique_ptr<Statement> filter_block();
  std::unique_ptr<Statement> with();
  std::unique_ptr<Statement> loop_control(StatementKind kind);
  std::unique_ptr<Statement> generation();
  void print_list(Block& body);
  void parameters(Statement& statement);
  // A body that is a function of its own: what it says of caller, varargs and kwargs is its own business.
  void macro_body(Statement& statement, std::string_view end_name);
  Block body_of(Statement& statement, std::initializer_list<std::string_view> end_names);
  ExpressionPtr assign_target(std::string_view end_name);
  void require_assignable(const Expression& target) const;
  [[nodiscard]] std::unique_ptr<Statement> make(StatementKind kind) const;

  // parser_expressions.cpp
  ExpressionPtr tuple(Conditional conditional, std::string_view end_name = "");
  ExpressionPtr tuple_of(const std::function<ExpressionPtr()>& part, std::string_view end_name, bool in_parentheses);
  ExpressionPtr expression(Conditional conditional = Conditional::Allowed);
  ExpressionPtr disjunction();
  ExpressionPtr conjunction();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filters = true);
  ExpressionPtr primary();
  ExpressionPtr name_or_literal();
  ExpressionPtr list();
  ExpressionPtr dict();
  // parser_postfix.cpp
  ExpressionPtr postfix(ExpressionPtr value);
  ExpressionPtr filters_and_tests(ExpressionPtr value);
  ExpressionPtr filter(ExpressionPtr input);
  ExpressionPtr test(ExpressionPtr input);
  ExpressionPtr call(ExpressionPtr function);
  ExpressionPtr attribute(ExpressionPtr object);
  ExpressionPtr subscript(ExpressionPtr object);
  ExpressionPtr argument_or_null();
  ArgumentList arguments();
  std::string dotted_name();

  // Sets the height of `value` from its parts; refuses one that is too high.
  ExpressionPtr finish(ExpressionPtr value) const;
  [[nodiscard]] ExpressionPtr make(ExpressionKind kind) const;
  ExpressionPtr binary(ExpressionKind kind, ExpressionPtr left, ExpressionPtr right) const;
  ExpressionPtr constant_string(std::string text);
  NameId intern(const std::string& name);

  // The tokens.
  [[nodiscard]] const Token& current() const { return tokens_[at_]; }
  [[nodiscard]] const Token& following() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& take() { return tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]; }
  [[nodiscard]] bool at_name(std::string_view name) const {
    return current().kind == TokenKind::Name && current().text == name;
  }
  [[nodiscard]] bool at_operator(std::string_view text) const {
    return current().kind == TokenKind::Operator && current().text == text;
  }
  bool skip_name(std::string_view name);
  bool skip_operator(std::string_view text);
  void expect_operator(std::string_view text);
  void expect_name(std::string_view name);
  void expect(TokenKind kind);
  std::string take_name();
  [[noreturn]] void refuse_here(std::string message) const;

  class Nesting;  // counts statements and expressions inside one another

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  Syntax syntax_;
  std::unordered_map<std::string, NameId> ids_;
  int nesting_ = 0;
  int loops_ = 0;             // fors around this place, up to the macro
  std::size_t captures_ = 0;  // macros and call blocks so far
  Unknown unknown_ = Unknown::AtOnce;
  bool saw_caller_ = false;
  bool saw_varargs_ = false;
  bool saw_kwargs_ = false;
};

// Tags and brackets inside one another. Real templates stay under 30; each level costs some 2 KiB of stack.
inline constexpr int kNestingMax = 150;
// Of one expression's tree; a sum of so many parts is as high. The evaluator and the destructors recurse over it.
inline constexpr int kExpressionHeightMax = 500;

class Parser::Nesting {
 public:
  explicit Nesting(Parser& parser) : parser_(parser) {
    if (++parser_.nesting_ > kNestingMax) {
      --parser_.nesting_;
      parser_.refuse_here("the template nests too deep");
    }
  }
  ~Nesting() { --parser_.nesting_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;

 private:
  Parser& parser_;
};

}  // namespace hearth::jinja
