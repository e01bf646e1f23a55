// + - * / // % ** as Python does them. Whole numbers are 64 bits wide; past that a template is refused, not rounded.
#include <algorithm>
#include <cmath>
#include <format>

#include "jinja/operations.h"

namespace hearth::jinja {
namespace {

const char* symbol(Arithmetic operation) {
  switch (operation) {
    case Arithmetic::Add: return "+";
    case Arithmetic::Subtract: return "-";
    case Arithmetic::Multiply: return "*";
    case Arithmetic::Divide: return "/";
    case Arithmetic::FloorDivide: return "//";
    case Arithmetic::Modulo: return "%";
    case Arithmetic::Power: return "**";
  }
  return "?";
}

[[noreturn]] void refuse_operands(Arithmetic operation, const Value& left, const Value& right) {
  if (operation == Arithmetic::Add && left.is_string())
    refuse(std::format("can only concatenate str (not \"{}\") to str", right.type_name()));
  refuse(std::format("unsupported operand type(s) for {}: '{}' and '{}'", symbol(operation), left.type_name(),
                     right.type_name()));
}

[[noreturn]] void refuse_overflow() { refuse_limit("a whole number is larger than 64 bits"); }

std::int64_t floor_divide(std::int64_t left, std::int64_t right) {
  if (right == 0) refuse("integer division or modulo by zero");
  if (right == -1) {
    std::int64_t negated = 0;
    if (__builtin_sub_overflow(std::int64_t{0}, left, &negated)) refuse_overflow();
    return negated;
  }
  const std::int64_t quotient = left / right;
  return left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient;
}

Value integer_power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) return std::pow(static_cast<double>(base), static_cast<double>(exponent));
  if (base == 0 || base == 1) return exponent == 0 ? std::int64_t{1} : base;
  if (base == -1) return exponent % 2 == 0 ? std::int64_t{1} : std::int64_t{-1};
  std::int64_t result = 1;
  for (std::int64_t i = 0; i < exponent; ++i)  // ends within 63 steps: |base| >= 2
    if (__builtin_mul_overflow(result, base, &result)) refuse_overflow();
  return result;
}

Value compute_integers(Arithmetic operation, std::int64_t left, std::int64_t right) {
  std::int64_t result = 0;
  bool overflow = false;
  switch (operation) {
    case Arithmetic::Add: overflow = __builtin_add_overflow(left, right, &result); break;
    case Arithmetic::Subtract: overflow = __builtin_sub_overflow(left, right, &result); break;
    case Arithmetic::Multiply: overflow = __builtin_mul_overflow(left, right, &result); break;
    case Arithmetic::Divide:
      if (right == 0) refuse("division by zero");
      return static_cast<double>(left) / static_cast<double>(right);
    case Arithmetic::FloorDivide: return floor_divide(left, right);
    case Arithmetic::Modulo:
      if (right == 0) refuse("integer modulo by zero");
      if (right == -1) return std::int64_t{0};
      result = left % right;
      return result != 0 && (result < 0) != (right < 0) ? result + right : result;
    case Arithmetic::Power: return integer_power(left, right);
  }
  if (overflow) refuse_overflow();
  return result;
}

double float_modulo(double left, double right) {
  const double rest = std::fmod(left, right);
  return (rest < 0 || rest > 0) && (rest < 0) != (right < 0) ? rest + right : rest;
}

Value compute_floats(Arithmetic operation, double left, double right) {
  const bool zero = !(right < 0) && !(right > 0) && right == right;
  switch (operation) {
    case Arithmetic::Add: return left + right;
    case Arithmetic::Subtract: return left - right;
    case Arithmetic::Multiply: return left * right;
    case Arithmetic::Divide:
      if (zero) refuse("float division by zero");
      return left / right;
    case Arithmetic::FloorDivide:
      if (zero) refuse("float floor division by zero");
      return std::floor((left - float_modulo(left, right)) / right + 0.5);
    case Arithmetic::Modulo:
      if (zero) refuse("float modulo by zero");
      return float_modulo(left, right);
    case Arithmetic::Power: return std::pow(left, right);
  }
  return 0.0;
}

Value add_strings(const Value& left, const Value& right, Budget& budget) {
  const Markup markup = left.is_markup() || right.is_markup() ? Markup::Yes : Markup::No;
  const auto part = [&](const Value& value) {
    return markup == Markup::Yes && !value.is_markup() ? escape_html(value.text()) : value.text();
  };
  Text sum = part(left);
  if (markup == Markup::Yes) {
    sum.append(part(right));
  } else {
    sum.append(right.text());
  }
  return Value::string(budget, std::move(sum), markup);
}

Value add_lists(const Value& left, const Value& right, Budget& budget) {
  std::vector<Value> items = left.list().items;
  items.insert(items.end(), right.list().items.begin(), right.list().items.end());
  return ListBody::make(left.kind(), budget, std::move(items));
}

Value repeat(const Value& value, std::int64_t count, Budget& budget) {
  const auto times = static_cast<std::size_t>(std::max<std::int64_t>(count, 0));
  if (value.is_string()) {
    const Text& text = value.text();
    if (!text.empty() && times > kTextBytesMax / text.size()) refuse_limit("a text grew past 64 MiB");
    Text out;
    if (text.runs().size() == 1) {
      out.append_repeated(text.view(), times, text.source_at(0));
    } else {
      budget.spend(times);
      for (std::size_t i = 0; i < times && !text.empty(); ++i) out.append(text);
    }
    return Value::string(budget, std::move(out), value.markup());
  }
  const auto& items = value.list().items;
  if (!items.empty() && times > static_cast<std::size_t>(kRangeMax) * 10 / items.size())
    refuse_limit("a list is too long");
  std::vector<Value> out;
  for (std::size_t i = 0; i < times && !items.empty(); ++i) out.insert(out.end(), items.begin(), items.end());
  return ListBody::make(value.kind(), budget, std::move(out));
}

bool repeats(const Value& value) { return value.is_string() || value.is(Kind::List) || value.is(Kind::Tuple); }

}  // namespace

Value compute(Arithmetic operation, const Value& left, const Value& right, Budget& budget) {
  require_defined(left);
  if (operation == Arithmetic::Modulo && left.is_string())
    return Value::string(budget, percent_format(left.text(), right, left.markup(), budget), left.markup());
  require_defined(right);
  const auto is_count = [](const Value& value) { return value.is_number() || value.is(Kind::BigInt); };
  if (is_count(left) && is_count(right) && (left.is(Kind::BigInt) || right.is(Kind::BigInt))) refuse_overflow();
  if (left.is_integer() && right.is_integer()) return compute_integers(operation, left.integer(), right.integer());
  if (left.is_number() && right.is_number()) return compute_floats(operation, left.number(), right.number());
  if (operation == Arithmetic::Add) {
    if (left.is_string() && right.is_string()) return add_strings(left, right, budget);
    if (left.kind() == right.kind() && (left.is(Kind::List) || left.is(Kind::Tuple)))
      return add_lists(left, right, budget);
  }
  if (operation == Arithmetic::Multiply) {
    if (repeats(left) && right.is_integer()) return repeat(left, right.integer(), budget);
    if (left.is_integer() && repeats(right)) return repeat(right, left.integer(), budget);
  }
  refuse_operands(operation, left, right);
}

Value negate(const Value& value) {
  require_defined(value);
  if (value.is_integer()) return compute_integers(Arithmetic::Subtract, 0, value.integer());
  if (value.is(Kind::Float)) return -value.number();
  if (value.is(Kind::BigInt)) refuse_overflow();
  refuse(std::format("bad operand type for unary -: '{}'", value.type_name()));
}

}  // namespace hearth::jinja
