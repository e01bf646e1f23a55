// The parser's part for operators and literals, lowest precedence first. Used by one thread.
#include <algorithm>
#include <format>
#include <utility>

#include "jinja/parser.h"
#include "jinja/refusal.h"

namespace hearth::jinja {

ExpressionPtr Parser::make(ExpressionKind kind) const {
  auto value = std::make_unique<Expression>();
  value->kind = kind;
  value->line = current().line;
  return value;
}

ExpressionPtr Parser::finish(ExpressionPtr value) const {
  int below = 0;
  const auto look = [&](const ExpressionPtr& part) {
    if (part) below = std::max(below, part->height);
  };
  for (const auto& part : value->parts) look(part);
  for (const auto& part : value->arguments.positional) look(part);
  for (const auto& [name, part] : value->arguments.named) look(part);
  look(value->arguments.spread_list);
  look(value->arguments.spread_dict);
  value->height = below + 1;
  if (value->height > kExpressionHeightMax) refuse_here("an expression has too many parts");
  return value;
}

ExpressionPtr Parser::binary(ExpressionKind kind, ExpressionPtr left, ExpressionPtr right) const {
  auto value = make(kind);
  value->parts.push_back(std::move(left));
  value->parts.push_back(std::move(right));
  return finish(std::move(value));
}

ExpressionPtr Parser::constant_string(std::string text) {
  auto body = std::make_unique<StringBody>(nullptr, Text(std::move(text)));
  body->references = kFrozen;
  auto value = make(ExpressionKind::Constant);
  value->constant = Value::frozen(*body);
  syntax_.literals.push_back(std::move(body));
  return value;
}

ExpressionPtr Parser::tuple(Conditional conditional, std::string_view end_name) {
  return tuple_of([&] { return expression(conditional); }, end_name, false);
}

// One part, or a tuple of them where a comma follows.
ExpressionPtr Parser::tuple_of(const std::function<ExpressionPtr()>& part, std::string_view end_name,
                               bool in_parentheses) {
  auto all = make(ExpressionKind::Tuple);
  bool is_tuple = false;
  while (true) {
    const bool at_end = current().kind == TokenKind::VariableEnd || current().kind == TokenKind::BlockEnd ||
                        at_operator(")") || (!end_name.empty() && at_name(end_name));
    if (at_end) break;
    all->parts.push_back(part());
    if (!skip_operator(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !all->parts.empty()) return std::move(all->parts.front());
  if (!is_tuple && !in_parentheses) refuse_here(std::format("Expected an expression, got '{}'", current().text));
  return finish(std::move(all));
}

ExpressionPtr Parser::expression(Conditional conditional) {
  const Nesting nesting(*this);
  ExpressionPtr value = disjunction();
  if (conditional == Conditional::NotAllowed) return value;
  while (at_name("if")) {
    auto choice = make(ExpressionKind::Condition);
    take();
    const Unknown outer = std::exchange(unknown_, Unknown::WhenReached);
    choice->parts.push_back(disjunction());
    choice->parts.push_back(std::move(value));
    choice->parts.push_back(skip_name("else") ? expression() : nullptr);
    unknown_ = outer;
    value = finish(std::move(choice));
  }
  return value;
}

ExpressionPtr Parser::disjunction() {
  ExpressionPtr left = conjunction();
  while (skip_name("or")) left = binary(ExpressionKind::Or, std::move(left), conjunction());
  return left;
}

ExpressionPtr Parser::conjunction() {
  ExpressionPtr left = negation();
  while (skip_name("and")) left = binary(ExpressionKind::And, std::move(left), negation());
  return left;
}

ExpressionPtr Parser::negation() {
  if (!at_name("not")) return comparison();
  const Nesting nesting(*this);
  auto value = make(ExpressionKind::Not);
  take();
  value->parts.push_back(negation());
  return finish(std::move(value));
}

ExpressionPtr Parser::comparison() {
  constexpr std::pair<std::string_view, Comparison> kOperators[] = {
      {"==", Comparison::Equal},     {"!=", Comparison::NotEqual}, {"<", Comparison::Less},
      {"<=", Comparison::LessEqual}, {">", Comparison::Greater},   {">=", Comparison::GreaterEqual}};
  auto chain = make(ExpressionKind::Compare);
  chain->parts.push_back(sum());
  while (true) {
    const auto* known = std::ranges::find_if(kOperators, [&](const auto& entry) { return at_operator(entry.first); });
    if (known != std::end(kOperators)) {
      take();
      chain->comparisons.push_back(known->second);
    } else if (skip_name("in")) {
      chain->comparisons.push_back(Comparison::In);
    } else if (at_name("not") && following().kind == TokenKind::Name && following().text == "in") {
      take();
      take();
      chain->comparisons.push_back(Comparison::NotIn);
    } else {
      break;
    }
    chain->parts.push_back(sum());
  }
  if (chain->comparisons.empty()) return std::move(chain->parts.front());
  return finish(std::move(chain));
}

ExpressionPtr Parser::sum() {
  ExpressionPtr left = concatenation();
  while (at_operator("+") || at_operator("-")) {
    const Arithmetic arithmetic = take().text == "+" ? Arithmetic::Add : Arithmetic::Subtract;
    left = binary(ExpressionKind::Binary, std::move(left), concatenation());
    left->arithmetic = arithmetic;
  }
  return left;
}

ExpressionPtr Parser::concatenation() {
  auto all = make(ExpressionKind::Concat);
  all->parts.push_back(product());
  while (skip_operator("~")) all->parts.push_back(product());
  if (all->parts.size() == 1) return std::move(all->parts.front());
  return finish(std::move(all));
}

ExpressionPtr Parser::product() {
  constexpr std::pair<std::string_view, Arithmetic> kOperators[] = {{"*", Arithmetic::Multiply},
                                                                    {"/", Arithmetic::Divide},
                                                                    {"//", Arithmetic::FloorDivide},
                                                                    {"%", Arithmetic::Modulo}};
  ExpressionPtr left = power();
  while (true) {
    const auto* known = std::ranges::find_if(kOperators, [&](const auto& entry) { return at_operator(entry.first); });
    if (known == std::end(kOperators)) return left;
    take();
    left = binary(ExpressionKind::Binary, std::move(left), power());
    left->arithmetic = known->second;
  }
}

ExpressionPtr Parser::power() {
  ExpressionPtr left = unary();
  while (skip_operator("**")) {
    left = binary(ExpressionKind::Binary, std::move(left), unary());
    left->arithmetic = Arithmetic::Power;
  }
  return left;
}

ExpressionPtr Parser::unary(bool with_filters) {
  ExpressionPtr value;
  if (at_operator("-") || at_operator("+")) {
    const Nesting nesting(*this);
    value = make(at_operator("-") ? ExpressionKind::Negate : ExpressionKind::Plus);
    take();
    value->parts.push_back(unary(false));
    value = finish(std::move(value));
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return with_filters ? filters_and_tests(std::move(value)) : std::move(value);
}

ExpressionPtr Parser::name_or_literal() {
  const std::string word = take().text;
  auto value = make(ExpressionKind::Constant);
  if (word == "true" || word == "True") {
    value->constant = true;
  } else if (word == "false" || word == "False") {
    value->constant = false;
  } else if (word != "none" && word != "None") {
    value->kind = ExpressionKind::Name;
    value->name = intern(word);
    saw_caller_ |= value->name == kCallerName;
    saw_varargs_ |= value->name == kVarargsName;
    saw_kwargs_ |= value->name == kKwargsName;
  }
  return value;
}

ExpressionPtr Parser::primary() {
  const Nesting nesting(*this);
  const Token& token = current();
  if (token.kind == TokenKind::Name) return name_or_literal();
  if (token.kind == TokenKind::String) {
    std::string text;
    while (current().kind == TokenKind::String) text += take().text;
    return constant_string(std::move(text));
  }
  if (token.kind == TokenKind::Integer || token.kind == TokenKind::Float) {
    auto value = make(ExpressionKind::Constant);
    value->constant = token.kind == TokenKind::Integer ? Value(token.integer) : Value(token.number);
    take();
    return value;
  }
  if (at_operator("[")) return list();
  if (at_operator("{")) return dict();
  if (!skip_operator("(")) {
    if (token.kind == TokenKind::End) refuse_here("unexpected end of template");
    refuse_here(std::format("unexpected '{}'", token.text));
  }
  ExpressionPtr value = tuple_of([&] { return expression(); }, "", true);
  expect_operator(")");
  return value;
}

ExpressionPtr Parser::list() {
  auto value = make(ExpressionKind::List);
  take();
  while (!at_operator("]")) {
    if (!value->parts.empty()) expect_operator(",");
    if (at_operator("]")) break;
    value->parts.push_back(expression());
  }
  take();
  return finish(std::move(value));
}

ExpressionPtr Parser::dict() {
  auto value = make(ExpressionKind::Dict);
  take();
  while (!at_operator("}")) {
    if (!value->parts.empty()) expect_operator(",");
    if (at_operator("}")) break;
    value->parts.push_back(expression());
    expect_operator(":");
    value->parts.push_back(expression());
  }
  take();
  return finish(std::move(value));
}

}  // namespace hearth::jinja
