// The parser's part for tags. Used by one thread.
#include <algorithm>
#include <format>
#include <utility>

#include "jinja/parser.h"
#include "jinja/refusal.h"

namespace hearth::jinja {

Parser::Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {
  for (const char* name : {"loop", "caller", "varargs", "kwargs"}) intern(name);
}

Syntax Parser::run() {
  syntax_.body = block({});
  return std::move(syntax_);
}

Syntax parse(std::string_view source) { return Parser(tokenize(source)).run(); }

NameId Parser::intern(const std::string& name) {
  const auto [place, is_new] = ids_.emplace(name, static_cast<NameId>(syntax_.names.size()));
  if (is_new) syntax_.names.push_back(name);
  return place->second;
}

bool Parser::skip_name(std::string_view name) {
  if (!at_name(name)) return false;
  take();
  return true;
}
bool Parser::skip_operator(std::string_view text) {
  if (!at_operator(text)) return false;
  take();
  return true;
}
void Parser::expect_operator(std::string_view text) {
  if (!skip_operator(text)) refuse_here(std::format("expected token '{}', got '{}'", text, current().text));
}
void Parser::expect_name(std::string_view name) {
  if (!skip_name(name)) refuse_here(std::format("expected token '{}', got '{}'", name, current().text));
}
void Parser::expect(TokenKind kind) {
  if (current().kind == TokenKind::End) refuse_here("unexpected end of template");
  if (current().kind != kind) refuse_here(std::format("expected the end of the tag, got '{}'", current().text));
  take();
}
std::string Parser::take_name() {
  if (current().kind != TokenKind::Name) refuse_here(std::format("expected a name, got '{}'", current().text));
  return take().text;
}
void Parser::refuse_here(std::string message) const { refuse_syntax(std::move(message), current().line); }

std::unique_ptr<Statement> Parser::make(StatementKind kind) const {
  auto statement = std::make_unique<Statement>();
  statement->kind = kind;
  statement->line = current().line;
  return statement;
}

// Up to (not including) the name of a tag in end_names; to the end of the template when there are none.
Block Parser::block(std::initializer_list<std::string_view> end_names) {
  const Nesting nesting(*this);
  Block body;
  while (current().kind != TokenKind::End) {
    if (current().kind == TokenKind::Data) {
      auto text = make(StatementKind::Text);
      text->text = take().text;
      body.push_back(std::move(text));
    } else if (current().kind == TokenKind::VariableBegin) {
      take();
      auto print = make(StatementKind::Print);
      print->expression = tuple(Conditional::Allowed);
      expect(TokenKind::VariableEnd);
      body.push_back(std::move(print));
    } else {
      take();  // BlockBegin
      if (current().kind == TokenKind::Name && std::ranges::contains(end_names, std::string_view(current().text)))
        return body;
      if (at_name("print")) {
        print_list(body);
      } else {
        body.push_back(statement());
      }
      expect(TokenKind::BlockEnd);
    }
  }
  if (end_names.size() > 0)
    refuse_here(std::format("Unexpected end of template. Jinja was looking for the tag '{}'.", *(end_names.end() - 1)));
  return body;
}

std::unique_ptr<Statement> Parser::statement() {
  if (current().kind != TokenKind::Name) refuse_here("tag name expected");
  const std::string& tag = current().text;
  if (tag == "set") return set();
  if (tag == "if") return if_chain();
  if (tag == "for") return for_loop();
  if (tag == "macro") return macro();
  if (tag == "call") return call_block();
  if (tag == "filter") return filter_block();
  if (tag == "with") return with();
  if (tag == "break") return loop_control(StatementKind::Break);
  if (tag == "continue") return loop_control(StatementKind::Continue);
  if (tag == "generation") return generation();
  if (tag == "include" || tag == "import" || tag == "from" || tag == "extends" || tag == "block")
    refuse_here(std::format("the tag '{}' is not for chat templates: they are one file", tag));
  refuse_here(std::format("Encountered unknown tag '{}'.", tag));
}

void Parser::print_list(Block& body) {
  take();
  for (bool first = true; current().kind != TokenKind::BlockEnd; first = false) {
    if (!first) expect_operator(",");
    auto print = make(StatementKind::Print);
    print->expression = expression();
    body.push_back(std::move(print));
  }
}

Block Parser::body_of(Statement& statement, std::initializer_list<std::string_view> end_names) {
  skip_operator(":");
  expect(TokenKind::BlockEnd);
  const std::size_t before = captures_;
  Block body = block(end_names);
  if (captures_ != before) statement.scope_is_captured = true;
  return body;
}

void Parser::require_assignable(const Expression& target) const {
  const bool fits = target.kind == ExpressionKind::Name || target.kind == ExpressionKind::NamespaceTarget ||
                    (target.kind == ExpressionKind::Tuple && !target.parts.empty());
  if (!fits) refuse_here("can't assign to this");
  for (const auto& part : target.parts) require_assignable(*part);
}

ExpressionPtr Parser::assign_target(std::string_view end_name) {
  const auto part = [&]() -> ExpressionPtr {
    if (current().kind != TokenKind::Name || following().kind != TokenKind::Operator || following().text != ".")
      return primary();
    auto target = make(ExpressionKind::NamespaceTarget);
    target->name = intern(take().text);
    take();
    target->attribute = take_name();
    return target;
  };
  ExpressionPtr target = tuple_of(part, end_name, false);
  require_assignable(*target);
  return target;
}

std::unique_ptr<Statement> Parser::set() {
  auto statement = make(StatementKind::Set);
  take();
  statement->target = assign_target("");
  if (skip_operator("=")) {
    statement->expression = tuple(Conditional::Allowed);
    return statement;
  }
  statement->kind = StatementKind::SetBlock;
  while (skip_operator("|")) statement->expression = filter(std::move(statement->expression));
  const Unknown outer = std::exchange(unknown_, Unknown::AtOnce);
  statement->body = body_of(*statement, {"endset"});
  unknown_ = outer;
  take();
  return statement;
}

std::unique_ptr<Statement> Parser::if_chain() {
  auto statement = make(StatementKind::If);
  const Unknown outer = std::exchange(unknown_, Unknown::WhenReached);
  while (true) {
    Branch branch;
    const bool is_else = at_name("else");
    take();
    if (!is_else) branch.test = tuple(Conditional::NotAllowed);
    if (is_else) {
      branch.body = body_of(*statement, {"endif"});
    } else {
      branch.body = body_of(*statement, {"elif", "else", "endif"});
    }
    statement->branches.push_back(std::move(branch));
    if (at_name("endif")) break;
  }
  take();
  unknown_ = outer;
  return statement;
}

std::unique_ptr<Statement> Parser::for_loop() {
  auto statement = make(StatementKind::For);
  take();
  statement->target = assign_target("in");
  expect_name("in");
  statement->expression = tuple(Conditional::NotAllowed, "recursive");
  const Unknown outer = std::exchange(unknown_, Unknown::AtOnce);
  if (skip_name("if")) statement->condition = expression();
  if (skip_name("recursive")) statement->recursive = Recursive::Yes;
  ++loops_;
  statement->body = body_of(*statement, {"endfor", "else"});
  --loops_;
  if (take().text == "else") {
    statement->otherwise = body_of(*statement, {"endfor"});
    take();
  }
  unknown_ = outer;
  return statement;
}

void Parser::parameters(Statement& statement) {
  expect_operator("(");
  while (!at_operator(")")) {
    if (!statement.parameters.empty()) expect_operator(",");
    Parameter parameter;
    parameter.text = take_name();
    parameter.name = intern(parameter.text);
    if (skip_operator("=")) {
      parameter.otherwise = expression();
    } else if (!statement.parameters.empty() && statement.parameters.back().otherwise) {
      refuse_here("non-default argument follows default argument");
    }
    statement.parameters.push_back(std::move(parameter));
  }
  take();
}

void Parser::macro_body(Statement& statement, std::string_view end_name) {
  const Unknown outer = std::exchange(unknown_, Unknown::AtOnce);
  const int outer_loops = std::exchange(loops_, 0);
  const bool outer_caller = std::exchange(saw_caller_, false);
  const bool outer_varargs = std::exchange(saw_varargs_, false);
  const bool outer_kwargs = std::exchange(saw_kwargs_, false);
  statement.body = body_of(statement, {end_name});
  take();
  const auto is_parameter = [&](NameId name) {
    return std::ranges::any_of(statement.parameters,
                               [&](const Parameter& parameter) { return parameter.name == name; });
  };
  statement.uses_caller = std::exchange(saw_caller_, outer_caller) && !is_parameter(kCallerName);
  statement.uses_varargs = std::exchange(saw_varargs_, outer_varargs) && !is_parameter(kVarargsName);
  statement.uses_kwargs = std::exchange(saw_kwargs_, outer_kwargs) && !is_parameter(kKwargsName);
  loops_ = outer_loops;
  unknown_ = outer;
  ++captures_;
}

std::unique_ptr<Statement> Parser::macro() {
  auto statement = make(StatementKind::Macro);
  take();
  statement->name_text = take_name();
  statement->name = intern(statement->name_text);
  parameters(*statement);
  macro_body(*statement, "endmacro");
  return statement;
}

std::unique_ptr<Statement> Parser::call_block() {
  auto statement = make(StatementKind::CallBlock);
  take();
  if (at_operator("(")) parameters(*statement);
  statement->expression = expression();
  if (statement->expression->kind != ExpressionKind::Call) refuse_here("expected call");
  macro_body(*statement, "endcall");
  return statement;
}

std::unique_ptr<Statement> Parser::filter_block() {
  auto statement = make(StatementKind::FilterBlock);
  take();
  statement->expression = filter(nullptr);
  while (skip_operator("|")) statement->expression = filter(std::move(statement->expression));
  const Unknown outer = std::exchange(unknown_, Unknown::AtOnce);
  statement->body = body_of(*statement, {"endfilter"});
  unknown_ = outer;
  take();
  return statement;
}

std::unique_ptr<Statement> Parser::with() {
  auto statement = make(StatementKind::With);
  take();
  while (current().kind != TokenKind::BlockEnd) {
    if (!statement->parameters.empty()) expect_operator(",");
    Parameter parameter;
    parameter.text = take_name();
    parameter.name = intern(parameter.text);
    expect_operator("=");
    parameter.otherwise = expression();
    statement->parameters.push_back(std::move(parameter));
  }
  const Unknown outer = std::exchange(unknown_, Unknown::AtOnce);
  statement->body = body_of(*statement, {"endwith"});
  unknown_ = outer;
  take();
  return statement;
}

// transformers marks what the model itself said with this tag; for a prompt it is only a scope.
std::unique_ptr<Statement> Parser::generation() {
  auto statement = make(StatementKind::Scope);
  take();
  const Unknown outer = std::exchange(unknown_, Unknown::AtOnce);
  const int outer_loops = std::exchange(loops_, 0);
  statement->body = body_of(*statement, {"endgeneration"});
  loops_ = outer_loops;
  unknown_ = outer;
  take();
  return statement;
}

std::unique_ptr<Statement> Parser::loop_control(StatementKind kind) {
  if (loops_ == 0) refuse_here(std::format("'{}' outside loop", current().text));
  auto statement = make(kind);
  take();
  return statement;
}

}  // namespace hearth::jinja
