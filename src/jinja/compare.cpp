// Truth, equality, order, membership and walking, as Python defines them.
#include <algorithm>
#include <cstdlib>
#include <format>

#include "jinja/operations.h"
#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

bool equal_lists(const ListBody& left, const ListBody& right, Budget& budget) {
  if (left.items.size() != right.items.size()) return false;
  for (std::size_t i = 0; i < left.items.size(); ++i)
    if (!equal(left.items[i], right.items[i], budget)) return false;
  return true;
}

bool equal_dicts(const DictBody& left, const DictBody& right, Budget& budget) {
  if (left.members.size() != right.members.size()) return false;
  for (const auto& [key, value] : left.members) {
    const Value* other = right.find(key);
    if (!other || !equal(value, *other, budget)) return false;
  }
  return true;
}

bool less_lists(const ListBody& left, const ListBody& right, Budget& budget) {
  const std::size_t both = std::min(left.items.size(), right.items.size());
  for (std::size_t i = 0; i < both; ++i)
    if (!equal(left.items[i], right.items[i], budget)) return less(left.items[i], right.items[i], budget);
  return left.items.size() < right.items.size();
}

Value characters(const Value& string, Budget& budget) {
  std::vector<Value> items;
  const Text& text = string.text();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = at + code_point_at(text.view(), at).bytes;
    items.push_back(Value::string(budget, text.slice(at, end)));
    at = end;
  }
  return ListBody::make(Kind::List, budget, std::move(items));
}

Value keys(const Value& dict, Budget& budget) {
  std::vector<Value> items;
  for (const auto& member : dict.dict().members) items.push_back(member.first);
  return ListBody::make(Kind::List, budget, std::move(items));
}

// Alive as long as the loop is: the elements that are left.
Value rest_of_generator(const Value& generator, Budget& budget) {
  ListBody& body = generator.list();
  std::vector<Value> items(body.items.begin() + static_cast<std::ptrdiff_t>(body.next), body.items.end());
  body.next = body.items.size();
  return ListBody::make(Kind::List, budget, std::move(items));
}

bool is_big(const Value& value) { return value.is(Kind::BigInt); }

// Near it, and past every number of 64 bits.
double size_of(const Value& value) {
  return is_big(value) ? std::strtod(value.text().bytes().c_str(), nullptr) : value.number();
}

bool less_big(std::string_view left, std::string_view right) {
  const bool negative = left.starts_with('-');
  if (negative != right.starts_with('-')) return negative;
  const bool smaller = left.size() != right.size() ? left.size() < right.size() : left < right;
  return left != right && smaller != negative;
}

}  // namespace

void require_defined(const Value& value) {
  if (value.is_undefined()) refuse(value.undefined().message());
}

bool truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::None:
    case Kind::Undefined: return false;
    case Kind::Bool: return value.boolean();
    case Kind::Int: return value.integer() != 0;
    case Kind::Float: return value.number() < 0 || value.number() > 0 || value.number() != value.number();
    case Kind::String: return !value.text().empty();
    case Kind::List:
    case Kind::Tuple:
    case Kind::Range:
    case Kind::View: return !value.list().items.empty();
    case Kind::Dict: return !value.dict().members.empty();
    default: return true;
  }
}

bool equal(const Value& left, const Value& right, Budget& budget) {
  budget.spend();
  if (left.is_number() && right.is_number()) {
    if (left.is_integer() && right.is_integer()) return left.integer() == right.integer();
    const double a = left.number();
    const double b = right.number();
    return a <= b && a >= b;
  }
  if (is_big(left) != is_big(right) && (left.is(Kind::Float) || right.is(Kind::Float)))
    return size_of(left) <= size_of(right) && size_of(left) >= size_of(right);
  if (left.kind() != right.kind()) return false;
  switch (left.kind()) {
    case Kind::None:
    case Kind::Undefined: return true;
    case Kind::BigInt:
    case Kind::String: return left.view() == right.view();
    case Kind::List:
    case Kind::Tuple:
    case Kind::Range: return left.body() == right.body() || equal_lists(left.list(), right.list(), budget);
    case Kind::Dict: return left.body() == right.body() || equal_dicts(left.dict(), right.dict(), budget);
    case Kind::Function: return &left.function() == &right.function();
    default: return left.body() == right.body();
  }
}

bool less(const Value& left, const Value& right, Budget& budget) {
  budget.spend();
  require_defined(left);
  require_defined(right);
  if (left.is_number() && right.is_number()) {
    if (left.is_integer() && right.is_integer()) return left.integer() < right.integer();
    return left.number() < right.number();
  }
  if (is_big(left) && is_big(right)) return less_big(left.view(), right.view());
  if ((is_big(left) && right.is_number()) || (left.is_number() && is_big(right))) return size_of(left) < size_of(right);
  if (left.is_string() && right.is_string()) return left.view() < right.view();
  if (left.kind() == right.kind() && (left.is(Kind::List) || left.is(Kind::Tuple)))
    return less_lists(left.list(), right.list(), budget);
  refuse(std::format("'<' not supported between instances of '{}' and '{}'", left.type_name(), right.type_name()));
}

bool contains(const Value& container, const Value& item, Budget& budget) {
  if (container.is_string()) {
    if (!item.is_string())
      refuse(std::format("'in <string>' requires string as left operand, not {}", item.type_name()));
    budget.spend(1 + container.text().size() / kBytesPerStep);
    return container.view().contains(item.view());
  }
  if (container.is(Kind::Dict)) return container.dict().find(item) != nullptr;
  const std::optional<Value> items = try_elements(container, budget);
  if (!items) refuse(std::format("argument of type '{}' is not iterable", container.type_name()));
  return std::ranges::any_of(items->list().items, [&](const Value& element) { return equal(element, item, budget); });
}

bool is_iterable(const Value& value) {
  return value.is_undefined() || value.is_string() || value.is_listing() || value.is(Kind::Dict) ||
         value.is(Kind::Loop);
}

std::size_t length(const Value& value) {
  if (value.is_undefined()) return 0;
  if (value.is_string()) return count_characters(value.view());
  if (value.is_listing() && !value.is(Kind::Generator)) return value.list().items.size();
  if (value.is(Kind::Dict)) return value.dict().members.size();
  if (value.is(Kind::Loop)) return value.loop().items.list().items.size();
  refuse(std::format("object of type '{}' has no len()", value.type_name()));
}

std::optional<Value> try_elements(const Value& value, Budget& budget) {
  if (value.is(Kind::Generator)) return rest_of_generator(value, budget);
  if (value.is_listing()) return Value(Kind::List, &value.list());
  if (value.is_string()) return characters(value, budget);
  if (value.is(Kind::Dict)) return keys(value, budget);
  if (value.is_undefined()) return ListBody::make(Kind::List, budget, {});
  return std::nullopt;
}

Value elements(const Value& value, Budget& budget) {
  std::optional<Value> found = try_elements(value, budget);
  if (!found) refuse(std::format("'{}' object is not iterable", value.type_name()));
  return std::move(*found);
}

std::int64_t require_integer(const Value& value) {
  require_defined(value);
  if (!value.is_integer()) refuse(std::format("'{}' object cannot be interpreted as an integer", value.type_name()));
  return value.integer();
}

}  // namespace hearth::jinja
