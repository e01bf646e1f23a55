// Filters, tests, methods and global functions: the words a template can use. Found by name when a template is compiled.
#pragma once

#include <initializer_list>
#include <string_view>

#include "jinja/evaluator.h"
#include "jinja/operations.h"
#include "jinja/syntax.h"

namespace hearth::jinja {

// Null when there is none of that name. Every table is constant; any thread may look.
[[nodiscard]] FilterFunction find_filter(std::string_view name);
[[nodiscard]] TestFunction find_test(std::string_view name);
[[nodiscard]] const Builtin* find_global(std::string_view name);

// The parts of find_filter's table, one per file.
struct NamedFilter {
  std::string_view name;
  FilterFunction function;
};
[[nodiscard]] FilterFunction find_text_filter(std::string_view name);
[[nodiscard]] FilterFunction find_list_filter(std::string_view name);
[[nodiscard]] FilterFunction find_choice_filter(std::string_view name);
[[nodiscard]] FilterFunction find_value_filter(std::string_view name);

// REQUIRES: method_access(object, name) is Allowed.
[[nodiscard]] Value call_method(Evaluator& evaluator, const Value& object, std::string_view name, Arguments& arguments);
[[nodiscard]] Value call_string_method(Evaluator& evaluator, const Value& object, std::string_view name,
                                       Arguments& arguments);
[[nodiscard]] MethodAccess string_method_access(std::string_view name);

// "a.b.0": what selectattr, map and sort call an attribute.
[[nodiscard]] Value attribute_path(Evaluator& evaluator, const Value& item, const Value& path);

// The arguments of a call by the names Python gives them; refuses too many, unknown and doubled ones.
class Bound {
 public:
  Bound(std::string_view function, const Arguments& arguments, std::initializer_list<std::string_view> names);
  [[nodiscard]] bool has(std::size_t index) const { return values_[index] != nullptr; }
  [[nodiscard]] bool given(std::size_t index) const {
    return has(index) && !values_[index]->is(Kind::None);
  }  // None counts as absent
  [[nodiscard]] const Value& operator[](std::size_t index) const;  // refuses a missing one
  [[nodiscard]] std::int64_t integer(std::size_t index, std::int64_t otherwise) const;
  [[nodiscard]] bool flag(std::size_t index, bool otherwise) const {
    return has(index) ? truthy(*values_[index]) : otherwise;
  }

 private:
  static constexpr std::size_t kNamesMax = 6;
  std::string_view function_;
  std::string_view names_[kNamesMax] = {};
  const Value* values_[kNamesMax] = {};
};

}  // namespace hearth::jinja
