// The evaluator's half for expressions. Used by one thread.
#include <format>

#include "jinja/evaluator.h"
#include "jinja/filters.h"

namespace hearth::jinja {

Value Evaluator::variable(NameId name, const Scope& scope) const {
  for (const Scope* at = &scope; at; at = at->parent)
    if (const Value* found = at->find(name)) return *found;
  if (const Builtin* global = find_global(syntax_.names[name])) return global;
  return UndefinedBody::make(UndefinedBody::Reason::Variable, "", syntax_.names[name]);
}

Value Evaluator::evaluate(const Expression& expression, Scope& scope) {
  if (expression.kind == ExpressionKind::Constant) return expression.constant;
  const Depth depth(*this);
  if (expression.kind == ExpressionKind::Name) return variable(expression.name, scope);
  return evaluate_inner(expression, scope);
}

Value Evaluator::evaluate_inner(const Expression& expression, Scope& scope) {
  const auto part = [&](std::size_t index) { return evaluate(*expression.parts[index], scope); };
  switch (expression.kind) {
    case ExpressionKind::Constant: return expression.constant;
    case ExpressionKind::Name:
    case ExpressionKind::NamespaceTarget: return variable(expression.name, scope);
    case ExpressionKind::Tuple: return make_list(expression, Kind::Tuple, scope);
    case ExpressionKind::List: return make_list(expression, Kind::List, scope);
    case ExpressionKind::Dict: return make_dict(expression, scope);
    case ExpressionKind::Attribute: return get_attribute(part(0), expression.attribute, budget_);
    case ExpressionKind::Item: {
      const Value object = part(0);
      return get_item(object, part(1), budget_);
    }
    case ExpressionKind::Slice: return slice(expression, scope);
    case ExpressionKind::Call: return call_expression(expression, scope, Value());
    case ExpressionKind::Filter: return filter(expression, scope, nullptr);
    case ExpressionKind::Test: return test(expression, scope);
    case ExpressionKind::Not: return !truthy(part(0));
    case ExpressionKind::Negate: return negate(part(0));
    case ExpressionKind::Plus: return negate(negate(part(0)));
    case ExpressionKind::And: {
      Value left = part(0);
      return truthy(left) ? part(1) : left;
    }
    case ExpressionKind::Or: {
      Value left = part(0);
      return truthy(left) ? left : part(1);
    }
    case ExpressionKind::Binary: {
      const Value left = part(0);
      return compute(expression.arithmetic, left, part(1), budget_);
    }
    case ExpressionKind::Concat: {
      Text text;
      for (const auto& piece : expression.parts) append_text(text, evaluate(*piece, scope), budget_);
      return string(std::move(text));
    }
    case ExpressionKind::Compare: return compare(expression, scope);
    case ExpressionKind::Condition: {
      if (truthy(part(0))) return part(1);
      if (expression.parts[2]) return part(2);
      return UndefinedBody::make(
          UndefinedBody::Reason::Hint, "",
          std::format("the inline if-expression on line {} evaluated to false and no else section was defined.",
                      expression.line));
    }
  }
  return {};
}

Value Evaluator::make_list(const Expression& expression, Kind kind, Scope& scope) {
  std::vector<Value> items;
  items.reserve(expression.parts.size());
  for (const auto& part : expression.parts) items.push_back(evaluate(*part, scope));
  return list(std::move(items), kind);
}

Value Evaluator::make_dict(const Expression& expression, Scope& scope) {
  Value dict = DictBody::make(budget_);
  for (std::size_t i = 0; i + 1 < expression.parts.size(); i += 2) {
    Value key = evaluate(*expression.parts[i], scope);
    dict.dict().set(std::move(key), evaluate(*expression.parts[i + 1], scope));
  }
  return dict;
}

Value Evaluator::slice(const Expression& expression, Scope& scope) {
  const Value object = evaluate(*expression.parts[0], scope);
  const auto bound = [&](std::size_t index) -> std::optional<std::int64_t> {
    if (!expression.parts[index]) return std::nullopt;
    const Value value = evaluate(*expression.parts[index], scope);
    if (value.is(Kind::None)) return std::nullopt;
    return require_integer(value);
  };
  SliceBounds bounds;
  bounds.start = bound(1);
  bounds.stop = bound(2);
  bounds.step = bound(3);
  return get_slice(object, bounds, budget_);
}

Arguments Evaluator::evaluate_arguments(const ArgumentList& list, Scope& scope) {
  Arguments arguments;
  for (const auto& argument : list.positional) arguments.positional.push_back(evaluate(*argument, scope));
  for (const auto& [name, argument] : list.named) arguments.named.emplace_back(name, evaluate(*argument, scope));
  if (list.spread_list) {
    const Value more = elements(evaluate(*list.spread_list, scope), budget_);
    for (const Value& value : more.list().items) arguments.positional.push_back(value);
  }
  if (list.spread_dict) {
    const Value more = evaluate(*list.spread_dict, scope);
    if (!more.is(Kind::Dict)) refuse("argument after ** must be a mapping");
    for (const auto& [name, value] : more.dict().members) {
      if (!name.is_string()) refuse("keywords must be strings");
      arguments.named.emplace_back(name.view(), value);
    }
  }
  return arguments;
}

Value Evaluator::call_expression(const Expression& expression, Scope& scope, Value caller) {
  const Expression& function = *expression.parts[0];
  if (function.kind == ExpressionKind::Attribute) {
    const Depth depth(*this);
    const Value object = evaluate(*function.parts[0], scope);
    if (!object.is_undefined() && method_access(object, function.attribute) == MethodAccess::Allowed) {
      Arguments arguments = evaluate_arguments(expression.arguments, scope);
      return call_method(*this, object, function.attribute, arguments);
    }
    const Value value = get_attribute(object, function.attribute, budget_);
    Arguments arguments = evaluate_arguments(expression.arguments, scope);
    arguments.caller = std::move(caller);
    return call(value, arguments);
  }
  const Value value = evaluate(function, scope);
  Arguments arguments = evaluate_arguments(expression.arguments, scope);
  arguments.caller = std::move(caller);
  return call(value, arguments);
}

Value Evaluator::call(const Value& function, Arguments& arguments) {
  switch (function.kind()) {
    case Kind::Function: return function.function().call(*this, arguments);
    case Kind::Macro: return call_macro(function.macro(), arguments);
    case Kind::Method: return call_method(*this, function.method().object, function.method().name, arguments);
    case Kind::Loop: return call_loop(function, arguments);
    default: require_defined(function);
  }
  refuse(std::format("'{}' object is not callable", function.type_name()));
}

// block_text: what a filter block or set block filters, for the innermost filter of the chain.
Value Evaluator::filter(const Expression& expression, Scope& scope, const Value* block_text) {
  if (!expression.filter) refuse(std::format("No filter named '{}'.", expression.attribute));
  const Depth depth(*this);
  const ExpressionPtr& inner = expression.parts[0];
  Value input;
  if (!inner) {
    input = *block_text;
  } else if (block_text && inner->kind == ExpressionKind::Filter) {
    input = filter(*inner, scope, block_text);
  } else {
    input = evaluate(*inner, scope);
  }
  Arguments arguments = evaluate_arguments(expression.arguments, scope);
  return expression.filter(*this, input, arguments);
}

bool Evaluator::test(const Expression& expression, Scope& scope) {
  if (!expression.test) refuse(std::format("No test named '{}'.", expression.attribute));
  const Value input = evaluate(*expression.parts[0], scope);
  Arguments arguments = evaluate_arguments(expression.arguments, scope);
  return expression.test(*this, input, arguments);
}

bool Evaluator::compare(const Expression& expression, Scope& scope) {
  Value left = evaluate(*expression.parts[0], scope);
  for (std::size_t i = 0; i < expression.comparisons.size(); ++i) {
    Value right = evaluate(*expression.parts[i + 1], scope);
    if (!compare(expression.comparisons[i], left, right)) return false;
    left = std::move(right);
  }
  return true;
}

bool Evaluator::compare(Comparison comparison, const Value& left, const Value& right) {
  switch (comparison) {
    case Comparison::Equal: return equal(left, right, budget_);
    case Comparison::NotEqual: return !equal(left, right, budget_);
    case Comparison::Less: return less(left, right, budget_);
    case Comparison::Greater: return less(right, left, budget_);
    case Comparison::LessEqual: return less(left, right, budget_) || equal(left, right, budget_);
    case Comparison::GreaterEqual: return less(right, left, budget_) || equal(left, right, budget_);
    case Comparison::In: return contains(right, left, budget_);
    case Comparison::NotIn: return !contains(right, left, budget_);
  }
  return false;
}

}  // namespace hearth::jinja
