// What can be done with values without running any template: truth, order, str(), repr(), JSON, access, arithmetic. All as
// Python does it; each refuses (refusal.h) where Python would raise. Pure but for the budget they spend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/body.h"
#include "jinja/value.h"

namespace hearth::jinja {

// compare.cpp
[[nodiscard]] bool truthy(const Value& value);
[[nodiscard]] bool equal(const Value& left, const Value& right, Budget& budget);
[[nodiscard]] bool less(const Value& left, const Value& right, Budget& budget);
[[nodiscard]] bool contains(const Value& container, const Value& item, Budget& budget);
[[nodiscard]] bool is_iterable(const Value& value);
[[nodiscard]] std::size_t length(const Value& value);
// A List of what `for x in value` would see; shares the body where it can, uses a generator up.
[[nodiscard]] Value elements(const Value& value, Budget& budget);
// The same without a refusal: nothing for what cannot be walked.
[[nodiscard]] std::optional<Value> try_elements(const Value& value, Budget& budget);
// Python's int(): for indices and counts.
[[nodiscard]] std::int64_t require_integer(const Value& value);
// A use of an undefined value that Jinja does not allow.
void require_defined(const Value& value);

// write.cpp
void append_text(Text& out, const Value& value, Budget& budget);
[[nodiscard]] Text to_text(const Value& value, Budget& budget);
void append_repr(Text& out, const Value& value, Budget& budget);
[[nodiscard]] std::string float_repr(double number);
[[nodiscard]] Text escape_html(const Text& text);

// write_json.cpp
enum class Alphabet { Unicode, Ascii };
enum class KeyOrder { AsGiven, Sorted };
struct JsonStyle {
  Alphabet alphabet = Alphabet::Unicode;
  KeyOrder order = KeyOrder::AsGiven;
  std::optional<std::string> indent;  // one level's
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
[[nodiscard]] Text to_json(const Value& value, const JsonStyle& style, Budget& budget);

// access.cpp
[[nodiscard]] Value get_attribute(const Value& object, std::string_view name, Budget& budget);
[[nodiscard]] Value get_item(const Value& object, const Value& key, Budget& budget);
struct SliceBounds {
  std::optional<std::int64_t> start, stop, step;
};
[[nodiscard]] Value get_slice(const Value& object, const SliceBounds& bounds, Budget& budget);
// "dict object", "None": how Jinja names a value in its messages.
[[nodiscard]] std::string described(const Value& value);

// loop_variable.cpp
[[nodiscard]] Value loop_attribute(const Value& loop, std::string_view name, Budget& budget);

// arithmetic.cpp
enum class Arithmetic { Add, Subtract, Multiply, Divide, FloorDivide, Modulo, Power };
[[nodiscard]] Value compute(Arithmetic operation, const Value& left, const Value& right, Budget& budget);
[[nodiscard]] Value negate(const Value& value);

// percent_format.cpp, brace_format.cpp: 'text' % arguments and 'text'.format(...)
[[nodiscard]] Text percent_format(const Text& format, const Value& arguments, Markup markup, Budget& budget);
[[nodiscard]] Text brace_format(const Text& format, const Arguments& arguments, Budget& budget);

// methods.cpp: whether Python's type has a method of that name, and whether the sandbox lets a template use it.
enum class MethodAccess { None, Allowed, Unsafe };
[[nodiscard]] MethodAccess method_access(const Value& object, std::string_view name);

}  // namespace hearth::jinja
