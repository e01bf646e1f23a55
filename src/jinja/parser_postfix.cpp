// The parser's part for what stands behind a value: attributes, elements, calls, filters and tests. Used by one thread.
#include <format>
#include <utility>

#include "jinja/filters.h"
#include "jinja/parser.h"
#include "jinja/refusal.h"

namespace hearth::jinja {

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
    } else if (current().kind == TokenKind::Name && following().kind == TokenKind::Operator &&
               following().text == "=") {
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
  if (!value->filter && unknown_ == Unknown::AtOnce)
    refuse_here(std::format("No filter named '{}'.", value->attribute));
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
  } else if ((kind == TokenKind::Name || kind == TokenKind::String || kind == TokenKind::Integer ||
              kind == TokenKind::Float || opens) &&
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
