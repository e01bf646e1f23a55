// The parser's half for expressions, lowest precedence first. Used by one thread.
#include <algorithm>
#include <format>
#include <utility>

#include "jinja/filters.h"
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
ExpressionPtr Parser::tuple_of(const std::function<ExpressionPtr()>& part, std::string_view end_name, bool in_parentheses) {
  auto all = make(ExpressionKind::Tuple);
  bool is_tuple = false;
  while (true) {
    const bool at_end = current().kind == TokenKind::VariableEnd || current().kind == TokenKind::BlockEnd || at_operator(")") ||
                        (!end_name.empty() && at_name(end_name));
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
      {"==", Comparison::Equal}, {"!=", Comparison::NotEqual},  {"<", Comparison::Less},
      {"<=", Comparison::LessEqual}, {">", Comparison::Greater}, {">=", Comparison::GreaterEqual}};
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
  constexpr std::pair<std::string_view, Arithmetic> kOperators[] = {
      {"*", Arithmetic::Multiply}, {"/", Arithmetic::Divide}, {"//", Arithmetic::FloorDivide}, {"%", Arithmetic::Modulo}};
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

ExpressionPtr Parser::postfix(ExpressionPtr value) {
  while (true) {
    if (at_operator(".")) {
      value = attribute(std::move(value));
    } else if (at_operator("[")) {
      value = subscript(std::move(value));
    } else if (at_operator("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPtr Parser::filters_and_tests(ExpressionPtr value) {
  while (true) {
    if (skip_operator("|")) {
      value = filter(std::move(value));
    } else if (skip_name("is")) {
      value = test(std::move(value));
    } else if (at_operator("(")) {
      value = call(std::move(value));
    } else {
      return value;
    }
  }
}

ExpressionPtr Parser::attribute(ExpressionPtr object) {
  take();
  if (current().kind == TokenKind::Integer) {
    auto index = make(ExpressionKind::Constant);
    index->constant = take().integer;
    return binary(ExpressionKind::Item, std::move(object), std::move(index));
  }
  auto value = make(ExpressionKind::Attribute);
  value->attribute = take_name();
  value->parts.push_back(std::move(object));
  return finish(std::move(value));
}

ExpressionPtr Parser::argument_or_null() {
  if (at_operator(":") || at_operator("]") || at_operator(",")) return nullptr;
  return expression();
}

ExpressionPtr Parser::subscript(ExpressionPtr object) {
  take();
  ExpressionPtr first = argument_or_null();
  if (!at_operator(":")) {
    if (!first) refuse_here("expected subscript expression");
    if (at_operator(",")) refuse_here("an element cannot be chosen by several keys");
    expect_operator("]");
    return binary(ExpressionKind::Item, std::move(object), std::move(first));
  }
  take();
  auto value = make(ExpressionKind::Slice);
  value->parts.push_back(std::move(object));
  value->parts.push_back(std::move(first));
  value->parts.push_back(argument_or_null());
  value->parts.push_back(skip_operator(":") ? argument_or_null() : nullptr);
  expect_operator("]");
  return finish(std::move(value));
}

ExpressionPtr Parser::call(ExpressionPtr function) {
  auto value = make(ExpressionKind::Call);
  value->parts.push_back(std::move(function));
  value->arguments = arguments();
  return finish(std::move(value));
}

ArgumentList Parser::arguments() {
  ArgumentList list;
  const auto ensure = [&](bool holds) {
    if (!holds) refuse_here("invalid syntax for function call expression");
  };
  expect_operator("(");
  for (bool first = true; !at_operator(")"); first = false) {
    if (!first) expect_operator(",");
    if (at_operator(")")) break;
    if (skip_operator("*")) {
      ensure(!list.spread_list && !list.spread_dict);
      list.spread_list = expression();
    } else if (skip_operator("**")) {
      ensure(!list.spread_dict);
      list.spread_dict = expression();
    } else if (current().kind == TokenKind::Name && following().kind == TokenKind::Operator && following().text == "=") {
      ensure(!list.spread_dict);
      std::string name = take().text;
      take();
      list.named.emplace_back(std::move(name), expression());
    } else {
      ensure(!list.spread_list && !list.spread_dict && list.named.empty());
      list.positional.push_back(expression());
    }
  }
  take();
  return list;
}

std::string Parser::dotted_name() {
  std::string name = take_name();
  while (skip_operator(".")) name += "." + take_name();
  return name;
}

ExpressionPtr Parser::filter(ExpressionPtr input) {
  auto value = make(ExpressionKind::Filter);
  value->attribute = dotted_name();
  value->filter = find_filter(value->attribute);
  if (!value->filter && unknown_ == Unknown::AtOnce) refuse_here(std::format("No filter named '{}'.", value->attribute));
  if (at_operator("(")) value->arguments = arguments();
  value->parts.push_back(std::move(input));
  return finish(std::move(value));
}

ExpressionPtr Parser::test(ExpressionPtr input) {
  const bool negated = skip_name("not");
  auto value = make(ExpressionKind::Test);
  value->attribute = dotted_name();
  value->test = find_test(value->attribute);
  if (!value->test && unknown_ == Unknown::AtOnce) refuse_here(std::format("No test named '{}'.", value->attribute));
  const TokenKind kind = current().kind;
  const bool opens = at_operator("[") || at_operator("{");
  if (at_operator("(")) {
    value->arguments = arguments();
  } else if ((kind == TokenKind::Name || kind == TokenKind::String || kind == TokenKind::Integer || kind == TokenKind::Float || opens) &&
             !at_name("else") && !at_name("or") && !at_name("and")) {
    if (at_name("is")) refuse_here("You cannot chain multiple tests with is");
    value->arguments.positional.push_back(postfix(primary()));
  }
  value->parts.push_back(std::move(input));
  value = finish(std::move(value));
  if (!negated) return value;
  auto inverse = make(ExpressionKind::Not);
  inverse->parts.push_back(std::move(value));
  return finish(std::move(inverse));
}

}  // namespace hearth::jinja
