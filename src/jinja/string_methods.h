// The methods of strings, sorted by what they do. Each gets the string (whose origin its result keeps) and its arguments.
#pragma once

#include <string_view>

#include "jinja/filters.h"

namespace hearth::jinja {

using StringMethod = Value (*)(Evaluator& evaluator, const Value& self, Arguments& arguments);

struct NamedMethod {
  std::string_view name;
  StringMethod function;
};

// Null when there is none of that name.
[[nodiscard]] StringMethod find_cutting_method(std::string_view name);   // strip, split, partition, removeprefix
[[nodiscard]] StringMethod find_changing_method(std::string_view name);  // upper, replace, join, format, center
[[nodiscard]] StringMethod find_asking_method(std::string_view name);    // startswith, find, count, isdigit

// The argument as text; refuses anything else.
[[nodiscard]] const Text& require_text(const Value& value);

}  // namespace hearth::jinja
