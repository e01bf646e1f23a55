// Attributes, elements and slices as Jinja looks them up: `a.b` tries Python's attribute first and the key after, `a['b']`
// the other way round; what is missing is undefined, and undefined has no parts.
#include <algorithm>
#include <format>

#include "jinja/operations.h"
#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

using Reason = UndefinedBody::Reason;

Value method_or_undefined(const Value& object, std::string_view name, Budget& budget) {
  switch (method_access(object, name)) {
    case MethodAccess::Allowed: {
      budget.allocate(0);
      auto* method = new MethodBody;
      method->object = object;
      method->name = name;
      return {Kind::Method, method};
    }
    case MethodAccess::Unsafe: return UndefinedBody::make(Reason::Unsafe, object.type_name(), std::string(name));
    case MethodAccess::None: break;
  }
  return UndefinedBody::make(Reason::Attribute, described(object), std::string(name));
}

Value missing_element(const Value& object, const Value& key, Budget& budget) {
  Text name;
  append_repr(name, key, budget);
  return UndefinedBody::make(Reason::Element, described(object), name.bytes());
}

// The character at a Python index, or nothing.
std::optional<Text> character_at(const Text& text, std::int64_t index) {
  const auto count = [&] { return static_cast<std::int64_t>(count_characters(text.view())); };
  if (index < 0) index += count();
  if (index < 0) return std::nullopt;
  const std::size_t begin = byte_of_character(text.view(), static_cast<std::size_t>(index));
  if (begin >= text.size()) return std::nullopt;
  return text.slice(begin, begin + code_point_at(text.view(), begin).bytes);
}

struct Steps {
  std::int64_t start, stop, step;
};

// Python's slice.indices(count).
Steps resolve(const SliceBounds& bounds, std::int64_t count) {
  const std::int64_t step = bounds.step.value_or(1);
  if (step == 0) refuse("slice step cannot be zero");
  const std::int64_t lowest = step < 0 ? -1 : 0;
  const std::int64_t highest = step < 0 ? count - 1 : count;
  const auto place = [&](std::optional<std::int64_t> given, std::int64_t otherwise) {
    if (!given) return otherwise;
    const std::int64_t absolute = *given < 0 ? *given + count : *given;
    return std::clamp(absolute, lowest, highest < lowest ? lowest : highest);
  };
  return {place(bounds.start, step < 0 ? highest : lowest), place(bounds.stop, step < 0 ? lowest : highest), step};
}

template <class Visit>
void walk(const Steps& steps, Visit visit) {
  std::int64_t at = steps.start;
  while (steps.step > 0 ? at < steps.stop : at > steps.stop) {
    visit(static_cast<std::size_t>(at));
    if (__builtin_add_overflow(at, steps.step, &at)) return;
  }
}

Text slice_text(const Text& text, const SliceBounds& bounds) {
  const Steps steps = resolve(bounds, static_cast<std::int64_t>(count_characters(text.view())));
  if (steps.step == 1) {
    if (steps.stop <= steps.start) return {};
    const std::size_t begin = byte_of_character(text.view(), static_cast<std::size_t>(steps.start));
    const std::size_t count =
        byte_of_character(text.view().substr(begin), static_cast<std::size_t>(steps.stop - steps.start));
    return text.slice(begin, begin + count);
  }
  std::vector<std::size_t> begins;
  for (std::size_t at = 0; at < text.size(); at += code_point_at(text.view(), at).bytes) begins.push_back(at);
  Text out;
  walk(steps,
       [&](std::size_t i) { out.append(text, begins[i], begins[i] + code_point_at(text.view(), begins[i]).bytes); });
  return out;
}

}  // namespace

std::string described(const Value& value) {
  if (value.is(Kind::None)) return "None";
  if (value.is(Kind::Namespace)) return "jinja2.utils.Namespace object";
  return std::format("{} object", value.type_name());
}

Value get_attribute(const Value& object, std::string_view name, Budget& budget) {
  switch (object.kind()) {
    case Kind::Undefined: require_defined(object); break;
    case Kind::Dict:
      if (method_access(object, name) != MethodAccess::None) break;
      if (const Value* member = object.dict().find(name)) return *member;
      break;
    case Kind::Namespace:
      if (const Value* member = object.names().find(name)) return *member;
      break;
    case Kind::Loop: return loop_attribute(object, name, budget);
    default: break;
  }
  return method_or_undefined(object, name, budget);
}

Value get_item(const Value& object, const Value& key, Budget& budget) {
  require_defined(object);
  if (object.is(Kind::Dict) && !key.is(Kind::List) && !key.is(Kind::Dict)) {
    if (const Value* member = object.dict().find(key)) return *member;
  } else if (key.is_integer()) {
    if (object.is_string()) {
      if (const auto character = character_at(object.text(), key.integer()))
        return Value::string(budget, *character, object.markup());
    } else if (object.is(Kind::List) || object.is(Kind::Tuple) || object.is(Kind::Range)) {
      const auto& items = object.list().items;
      const auto count = static_cast<std::int64_t>(items.size());
      const std::int64_t index = key.integer() < 0 ? key.integer() + count : key.integer();
      if (index >= 0 && index < count) return items[static_cast<std::size_t>(index)];
    }
  }
  if (!key.is_string()) return missing_element(object, key, budget);
  if (object.is(Kind::Namespace) || object.is(Kind::Loop)) return get_attribute(object, key.view(), budget);
  return method_or_undefined(object, key.view(), budget);
}

Value get_slice(const Value& object, const SliceBounds& bounds, Budget& budget) {
  require_defined(object);
  if (object.is_string()) return Value::string(budget, slice_text(object.text(), bounds), object.markup());
  if (!object.is(Kind::List) && !object.is(Kind::Tuple) && !object.is(Kind::Range))
    return UndefinedBody::make(Reason::Element, described(object), "slice(...)");
  const auto& items = object.list().items;
  std::vector<Value> picked;
  walk(resolve(bounds, static_cast<std::int64_t>(items.size())), [&](std::size_t i) { picked.push_back(items[i]); });
  return ListBody::make(object.kind(), budget, std::move(picked));
}

}  // namespace hearth::jinja
