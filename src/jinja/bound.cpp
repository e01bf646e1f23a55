// Arguments by name, and the lookup of every word a template can use.
#include <algorithm>
#include <charconv>
#include <format>

#include "base/check.h"
#include "jinja/filters.h"

namespace hearth::jinja {

Bound::Bound(std::string_view function, const Arguments& arguments, std::initializer_list<std::string_view> names)
    : function_(function) {
  CHECK(names.size() <= kNamesMax);
  std::ranges::copy(names, names_);
  if (arguments.positional.size() > names.size())
    refuse(std::format("{}() takes at most {} arguments, {} were given", function, names.size(),
                       arguments.positional.size()));
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto place = static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
    if (place == names.size()) refuse(std::format("{}() got an unexpected keyword argument '{}'", function, name));
    if (values_[place]) refuse(std::format("{}() got multiple values for argument '{}'", function, name));
    values_[place] = &value;
  }
}

const Value& Bound::operator[](std::size_t index) const {
  if (!values_[index]) refuse(std::format("{}() is missing the argument '{}'", function_, names_[index]));
  return *values_[index];
}

std::int64_t Bound::integer(std::size_t index, std::int64_t otherwise) const {
  return has(index) ? require_integer(*values_[index]) : otherwise;
}

FilterFunction find_filter(std::string_view name) {
  for (auto* find : {find_text_filter, find_list_filter, find_choice_filter, find_value_filter})
    if (const FilterFunction found = find(name)) return found;
  return nullptr;
}

Value attribute_path(Evaluator& evaluator, const Value& item, const Value& path) {
  Budget& budget = evaluator.budget();
  if (!path.is_string()) return get_item(item, path, budget);
  Value value = item;
  std::string_view rest = path.view();
  while (true) {
    const std::size_t dot = rest.find('.');
    const std::string_view part = rest.substr(0, dot);
    std::int64_t index = 0;
    const auto read = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool is_index =
        !part.empty() && part.front() != '-' && read.ec == std::errc() && read.ptr == part.data() + part.size();
    value = get_item(value, is_index ? Value(index) : Value::string(budget, part), budget);
    if (dot == std::string_view::npos) return value;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace hearth::jinja
