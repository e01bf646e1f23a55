// What can stand behind `is`.
#include <algorithm>
#include <format>

#include "jinja/filters.h"
#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

// A test of the value alone.
using Question = bool (*)(const Value& value);
template <Question kQuestion>
bool ask(Evaluator&, const Value& input, Arguments& arguments) {
  const Bound bound("test", arguments, {});
  return kQuestion(input);
}

bool is_callable(const Value& value) {
  return value.is(Kind::Function) || value.is(Kind::Macro) || value.is(Kind::Method) || value.is(Kind::Loop) ||
         value.is_undefined();
}
bool is_sequence(const Value& value) {
  return value.is_string() || value.is_undefined() || value.is(Kind::List) || value.is(Kind::Tuple) ||
         value.is(Kind::Range) || value.is(Kind::Dict);
}

// str.isupper, str.islower: at least one letter with case, and none of the other.
bool all_case(const Value& value, bool (*wanted)(char32_t), bool (*other)(char32_t)) {
  if (!value.is_string()) return false;
  bool any = false;
  for (std::size_t at = 0; at < value.text().size();) {
    const CodePoint point = code_point_at(value.view(), at);
    if (other(point.value)) return false;
    any = any || wanted(point.value);
    at += point.bytes;
  }
  return any;
}

std::int64_t modulo_two(const Value& input, Budget& budget) {
  return compute(Arithmetic::Modulo, input, std::int64_t{2}, budget).integer();
}

bool even(Evaluator& evaluator, const Value& input, Arguments&) { return modulo_two(input, evaluator.budget()) == 0; }
bool odd(Evaluator& evaluator, const Value& input, Arguments&) { return modulo_two(input, evaluator.budget()) == 1; }

bool divisibleby(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("divisibleby", arguments, {"num"});
  return !truthy(compute(Arithmetic::Modulo, input, bound[0], evaluator.budget()));
}

bool eq(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return equal(input, Bound("eq", arguments, {"other"})[0], evaluator.budget());
}
bool ne(Evaluator& evaluator, const Value& input, Arguments& arguments) { return !eq(evaluator, input, arguments); }
bool lt(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return less(input, Bound("lt", arguments, {"other"})[0], evaluator.budget());
}
bool gt(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return less(Bound("gt", arguments, {"other"})[0], input, evaluator.budget());
}
bool le(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return lt(evaluator, input, arguments) || eq(evaluator, input, arguments);
}
bool ge(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return gt(evaluator, input, arguments) || eq(evaluator, input, arguments);
}
bool in(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return contains(Bound("in", arguments, {"seq"})[0], input, evaluator.budget());
}
bool sameas(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("sameas", arguments, {"other"});
  if (input.kind() != bound[0].kind()) return false;
  return input.body() ? input.body() == bound[0].body() : equal(input, bound[0], evaluator.budget());
}
bool is_filter(Evaluator&, const Value& input, Arguments&) {
  return input.is_string() && find_filter(input.view()) != nullptr;
}
bool is_test(Evaluator&, const Value& input, Arguments&) {
  return input.is_string() && find_test(input.view()) != nullptr;
}

struct NamedTest {
  std::string_view name;
  TestFunction function;
};

constexpr NamedTest kTests[] = {
    {"defined", ask<[](const Value& value) { return !value.is_undefined(); }>},
    {"undefined", ask<[](const Value& value) { return value.is_undefined(); }>},
    {"none", ask<[](const Value& value) { return value.is(Kind::None); }>},
    {"boolean", ask<[](const Value& value) { return value.is(Kind::Bool); }>},
    {"true", ask<[](const Value& value) { return value.is(Kind::Bool) && value.boolean(); }>},
    {"false", ask<[](const Value& value) { return value.is(Kind::Bool) && !value.boolean(); }>},
    {"integer", ask<[](const Value& value) { return value.is(Kind::Int) || value.is(Kind::BigInt); }>},
    {"float", ask<[](const Value& value) { return value.is(Kind::Float); }>},
    {"number", ask<[](const Value& value) { return value.is_number() || value.is(Kind::BigInt); }>},
    {"string", ask<[](const Value& value) { return value.is_string(); }>},
    {"mapping", ask<[](const Value& value) { return value.is(Kind::Dict); }>},
    {"iterable", ask<is_iterable>},
    {"sequence", ask<is_sequence>},
    {"callable", ask<is_callable>},
    {"escaped", ask<[](const Value& value) { return value.is_markup(); }>},
    {"upper", ask<[](const Value& value) { return all_case(value, is_upper, is_lower); }>},
    {"lower", ask<[](const Value& value) { return all_case(value, is_lower, is_upper); }>},
    {"even", even},
    {"odd", odd},
    {"divisibleby", divisibleby},
    {"sameas", sameas},
    {"in", in},
    {"filter", is_filter},
    {"test", is_test},
    {"eq", eq},
    {"equalto", eq},
    {"==", eq},
    {"ne", ne},
    {"!=", ne},
    {"lt", lt},
    {"lessthan", lt},
    {"<", lt},
    {"gt", gt},
    {"greaterthan", gt},
    {">", gt},
    {"le", le},
    {"<=", le},
    {"ge", ge},
    {">=", ge},
};

}  // namespace

TestFunction find_test(std::string_view name) {
  const auto* found = std::ranges::find(kTests, name, &NamedTest::name);
  return found == std::end(kTests) ? nullptr : found->function;
}

}  // namespace hearth::jinja
