// Values and their bodies: counting, construction, dict lookup. Used by one thread per render.
#include "jinja/value.h"

#include <algorithm>
#include <format>

#include "base/check.h"
#include "jinja/body.h"
#include "jinja/operations.h"

namespace hearth::jinja {
namespace {

// Up to this many keys are searched one by one.
constexpr std::size_t kKeysWithoutIndex = 12;
constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

int depth_of(const Value& value) {
  if (value.is_listing()) return value.list().depth;
  return value.is(Kind::Dict) ? value.dict().depth : 0;
}

int deeper(int depth, const Value& child) {
  depth = std::max(depth, depth_of(child) + 1);
  if (depth > kValueDepthMax) refuse_limit("lists or dicts nest too deep");
  return depth;
}

}  // namespace

Value::Value(Kind kind, Body* body, Markup markup) : kind_(kind), markup_(markup) {
  payload_.body = body;
  keep();
}

void Value::keep() const {
  if (has_body() && payload_.body->references != kFrozen) ++payload_.body->references;
}

void Value::drop() {
  if (payload_.body->references != kFrozen && --payload_.body->references == 0) delete payload_.body;
  kind_ = Kind::None;
}

Value Value::string(Budget& budget, Text text, Markup markup) {
  return {Kind::String, new StringBody(&budget, std::move(text)), markup};
}

Value Value::frozen(StringBody& body) {
  DCHECK(body.references == kFrozen);
  return {Kind::String, &body};
}

Value Value::big_integer(Budget& budget, std::string_view digits) {
  return {Kind::BigInt, new StringBody(&budget, Text(digits))};
}

const Text& Value::text() const {
  DCHECK(kind_ == Kind::String || kind_ == Kind::BigInt);
  return static_cast<const StringBody*>(payload_.body)->text;
}
ListBody& Value::list() const {
  DCHECK(is_listing());
  return *static_cast<ListBody*>(payload_.body);
}
DictBody& Value::dict() const {
  DCHECK(kind_ == Kind::Dict);
  return *static_cast<DictBody*>(payload_.body);
}
UndefinedBody& Value::undefined() const {
  DCHECK(kind_ == Kind::Undefined);
  return *static_cast<UndefinedBody*>(payload_.body);
}
NamespaceBody& Value::names() const {
  DCHECK(kind_ == Kind::Namespace);
  return *static_cast<NamespaceBody*>(payload_.body);
}
LoopBody& Value::loop() const {
  DCHECK(kind_ == Kind::Loop);
  return *static_cast<LoopBody*>(payload_.body);
}
MacroBody& Value::macro() const {
  DCHECK(kind_ == Kind::Macro);
  return *static_cast<MacroBody*>(payload_.body);
}
MethodBody& Value::method() const {
  DCHECK(kind_ == Kind::Method);
  return *static_cast<MethodBody*>(payload_.body);
}

const char* Value::type_name() const {
  switch (kind_) {
    case Kind::None: return "NoneType";
    case Kind::Bool: return "bool";
    case Kind::Int:
    case Kind::BigInt: return "int";
    case Kind::Float: return "float";
    case Kind::Function: return "function";
    case Kind::Undefined: return "Undefined";
    case Kind::String: return markup_ == Markup::Yes ? "Markup" : "str";
    case Kind::List: return "list";
    case Kind::Tuple: return "tuple";
    case Kind::Range: return "range";
    case Kind::View: return "dict_view";
    case Kind::Generator: return "generator";
    case Kind::Dict: return "dict";
    case Kind::Namespace: return "Namespace";
    case Kind::Loop: return "LoopContext";
    case Kind::Macro: return "Macro";
    case Kind::Method: return "builtin_function_or_method";
  }
  return "object";
}

StringBody::StringBody(Budget* budget_of_render, Text value) : text(std::move(value)), budget(budget_of_render) {
  if (budget) budget->allocate(sizeof *this + text.size());
}
StringBody::~StringBody() {
  if (budget) budget->release(sizeof *this + text.size());
}

ListBody::ListBody(Budget& budget_of_render, std::vector<Value> values)
    : items(std::move(values)), budget(budget_of_render) {
  for (const Value& item : items) depth = deeper(depth, item);
  budget.allocate(sizeof *this + items.size() * sizeof(Value));
}
ListBody::~ListBody() { budget.release(sizeof *this + items.size() * sizeof(Value)); }

Value ListBody::make(Kind kind, Budget& budget, std::vector<Value> values) {
  return {kind, new ListBody(budget, std::move(values))};
}

Value DictBody::make(Budget& budget) {
  budget.allocate(sizeof(DictBody));
  return {Kind::Dict, new DictBody(budget)};
}
DictBody::~DictBody() { budget.release(sizeof *this + members.size() * sizeof(Member)); }

std::size_t DictBody::index_of(std::string_view key) const {
  if (members.size() > kKeysWithoutIndex) {
    const auto found = index_.find(key);
    return found == index_.end() ? kNowhere : found->second;
  }
  for (std::size_t i = 0; i < members.size(); ++i)
    if (members[i].first.is_string() && members[i].first.view() == key) return i;
  return kNowhere;
}

std::size_t DictBody::index_of(const Value& key) const {
  if (key.is_string()) return index_of(key.view());
  if (key.is(Kind::List) || key.is(Kind::Dict)) refuse(std::format("unhashable type: '{}'", key.type_name()));
  budget.spend(members.size() / 8);
  for (std::size_t i = 0; i < members.size(); ++i)
    if (!members[i].first.is_string() && equal(members[i].first, key, budget)) return i;
  return kNowhere;
}

const Value* DictBody::find(std::string_view key) const {
  const std::size_t index = index_of(key);
  return index == kNowhere ? nullptr : &members[index].second;
}
const Value* DictBody::find(const Value& key) const {
  const std::size_t index = index_of(key);
  return index == kNowhere ? nullptr : &members[index].second;
}

void DictBody::set(Value key, Value value) {
  depth = deeper(depth, value);
  const std::size_t index = index_of(key);
  if (index != kNowhere) {
    members[index].second = std::move(value);
    return;
  }
  budget.allocate(sizeof(Member));
  members.emplace_back(std::move(key), std::move(value));
  if (members.size() <= kKeysWithoutIndex) return;
  const std::size_t first = members.size() == kKeysWithoutIndex + 1 ? 0 : members.size() - 1;
  for (std::size_t i = first; i < members.size(); ++i)
    if (members[i].first.is_string()) index_.emplace(members[i].first.view(), i);
}

std::string UndefinedBody::message() const {
  switch (reason) {
    case Reason::Variable: return std::format("'{}' is undefined", name);
    case Reason::Attribute: return std::format("'{}' has no attribute '{}'", object, name);
    case Reason::Element: return std::format("{} has no element {}", object, name);
    case Reason::Unsafe: return std::format("access to attribute '{}' of '{}' object is unsafe.", name, object);
    case Reason::Hint: return name;
  }
  return name;
}

const Value* NamespaceBody::find(std::string_view name) const {
  for (const auto& [known, value] : members)
    if (known == name) return &value;
  return nullptr;
}

void NamespaceBody::set(std::string_view name, Value value) {
  for (auto& [known, old] : members) {
    if (known != name) continue;
    old = std::move(value);
    return;
  }
  members.emplace_back(name, std::move(value));
}

}  // namespace hearth::jinja
