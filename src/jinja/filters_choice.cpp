// map, select, reject and their attr kin: filters that use other filters and tests.
#include <algorithm>
#include <format>

#include "jinja/filters.h"

namespace hearth::jinja {
namespace {

Arguments from(const Arguments& arguments, std::size_t first) {
  Arguments rest;
  if (first < arguments.positional.size())
    rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(first),
                           arguments.positional.end());
  rest.named = arguments.named;
  return rest;
}

Value map_attribute(Evaluator& evaluator, const Value& items, const Arguments& arguments) {
  const Bound bound("map", arguments, {"attribute", "default"});
  std::vector<Value> out;
  for (const Value& item : items.list().items) {
    Value value = attribute_path(evaluator, item, bound[0]);
    if (value.is_undefined() && bound.given(1)) value = bound[1];
    out.push_back(std::move(value));
  }
  return evaluator.list(std::move(out), Kind::Generator);
}

// As in Jinja, what is empty or none is walked without a look at the arguments.
Value nothing(Evaluator& evaluator) { return evaluator.list({}, Kind::Generator); }

Value map(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  if (!truthy(input)) return nothing(evaluator);
  const Value items = elements(input, evaluator.budget());
  if (arguments.positional.empty()) return map_attribute(evaluator, items, arguments);
  const Value& name = arguments.positional.front();
  const FilterFunction filter = name.is_string() ? find_filter(name.view()) : nullptr;
  if (!filter) refuse(std::format("No filter named '{}'.", to_text(name, evaluator.budget()).bytes()));
  std::vector<Value> out;
  for (const Value& item : items.list().items) {
    Arguments rest = from(arguments, 1);
    evaluator.budget().spend(4);
    out.push_back(filter(evaluator, item, rest));
  }
  return evaluator.list(std::move(out), Kind::Generator);
}

enum class By { Item, Attribute };
enum class Keep { Holds, Fails };

Value choose(Evaluator& evaluator, const Value& input, Arguments& arguments, By by, Keep keep) {
  const std::size_t first = by == By::Attribute ? 1 : 0;
  if (!truthy(input)) return nothing(evaluator);
  if (arguments.positional.size() < first) refuse("Missing parameter for attribute name");
  TestFunction test = nullptr;
  if (arguments.positional.size() > first) {
    const Value& name = arguments.positional[first];
    test = name.is_string() ? find_test(name.view()) : nullptr;
    if (!test) refuse(std::format("No test named '{}'.", to_text(name, evaluator.budget()).bytes()));
  }
  const Value items = elements(input, evaluator.budget());
  std::vector<Value> out;
  for (const Value& item : items.list().items) {
    const Value value = by == By::Attribute ? attribute_path(evaluator, item, arguments.positional.front()) : item;
    Arguments rest = from(arguments, first + 1);
    evaluator.budget().spend(4);
    const bool holds = test ? test(evaluator, value, rest) : truthy(value);
    if (holds == (keep == Keep::Holds)) out.push_back(item);
  }
  return evaluator.list(std::move(out), Kind::Generator);
}

Value select(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return choose(evaluator, input, arguments, By::Item, Keep::Holds);
}
Value reject(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return choose(evaluator, input, arguments, By::Item, Keep::Fails);
}
Value selectattr(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return choose(evaluator, input, arguments, By::Attribute, Keep::Holds);
}
Value rejectattr(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return choose(evaluator, input, arguments, By::Attribute, Keep::Fails);
}

constexpr NamedFilter kFilters[] = {
    {"map", map}, {"select", select}, {"reject", reject}, {"selectattr", selectattr}, {"rejectattr", rejectattr},
};

}  // namespace

FilterFunction find_choice_filter(std::string_view name) {
  const auto* found = std::ranges::find(kFilters, name, &NamedFilter::name);
  return found == std::end(kFilters) ? nullptr : found->function;
}

}  // namespace hearth::jinja
