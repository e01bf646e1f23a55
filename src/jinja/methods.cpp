// Methods of dicts, lists and loops, and which methods the sandbox refuses: a template changes nothing it was given.
#include <algorithm>
#include <format>

#include "jinja/filters.h"

namespace hearth::jinja {
namespace {

constexpr std::string_view kDictMethods[] = {"get", "keys", "values", "items", "copy"};
constexpr std::string_view kDictUnsafe[] = {"clear", "pop", "popitem", "setdefault", "update", "fromkeys"};
constexpr std::string_view kListMethods[] = {"copy", "count", "index"};
constexpr std::string_view kListUnsafe[] = {"append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"};

Value call_dict_method(Evaluator& evaluator, const Value& object, std::string_view name, Arguments& arguments) {
  DictBody& dict = object.dict();
  if (name == "get") {
    const Bound bound("get", arguments, {"key", "default"});
    if (const Value* found = dict.find(bound[0])) return *found;
    return bound.has(1) ? bound[1] : Value();
  }
  const Bound bound(name, arguments, {});
  if (name == "copy") {
    Value copy = DictBody::make(evaluator.budget());
    for (const auto& [key, value] : dict.members) copy.dict().set(key, value);
    return copy;
  }
  std::vector<Value> parts;
  for (const auto& [key, value] : dict.members) {
    if (name == "items") {
      parts.push_back(evaluator.list({key, value}, Kind::Tuple));
    } else {
      parts.push_back(name == "keys" ? key : value);
    }
  }
  return evaluator.list(std::move(parts), Kind::View);
}

Value call_list_method(Evaluator& evaluator, const Value& object, std::string_view name, Arguments& arguments) {
  const auto& items = object.list().items;
  if (name == "copy") return evaluator.list(items);
  const Bound bound(name, arguments, {"value", "start", "stop"});
  const auto is_it = [&](const Value& item) { return equal(item, bound[0], evaluator.budget()); };
  if (name == "count") return static_cast<std::int64_t>(std::ranges::count_if(items, is_it));
  const auto start = std::clamp<std::int64_t>(bound.integer(1, 0), 0, static_cast<std::int64_t>(items.size()));
  const auto found = std::find_if(items.begin() + start, items.end(), is_it);
  if (found == items.end()) refuse("the value is not in the list");
  return static_cast<std::int64_t>(found - items.begin());
}

Value call_loop_method(Evaluator& evaluator, const Value& object, std::string_view name, Arguments& arguments) {
  LoopBody& loop = object.loop();
  if (name == "cycle") {
    if (arguments.positional.empty()) refuse("no items for cycling given");
    return arguments.positional[loop.index % arguments.positional.size()];
  }
  const Value now = evaluator.list(arguments.positional, Kind::Tuple);
  const bool changed = !loop.has_changed_once || !equal(loop.last_changed, now, evaluator.budget());
  loop.has_changed_once = true;
  loop.last_changed = now;
  return changed;
}

}  // namespace

MethodAccess method_access(const Value& object, std::string_view name) {
  const auto access = [&](auto& allowed, auto& unsafe) {
    if (std::ranges::contains(allowed, name)) return MethodAccess::Allowed;
    return std::ranges::contains(unsafe, name) ? MethodAccess::Unsafe : MethodAccess::None;
  };
  switch (object.kind()) {
    case Kind::String: return string_method_access(name);
    case Kind::Dict: return access(kDictMethods, kDictUnsafe);
    case Kind::List: return access(kListMethods, kListUnsafe);
    case Kind::Tuple:
    case Kind::Range: return name == "count" || name == "index" ? MethodAccess::Allowed : MethodAccess::None;
    default: return MethodAccess::None;
  }
}

Value call_method(Evaluator& evaluator, const Value& object, std::string_view name, Arguments& arguments) {
  switch (object.kind()) {
    case Kind::String: return call_string_method(evaluator, object, name, arguments);
    case Kind::Dict: return call_dict_method(evaluator, object, name, arguments);
    case Kind::Loop: return call_loop_method(evaluator, object, name, arguments);
    default: return call_list_method(evaluator, object, name, arguments);
  }
}

}  // namespace hearth::jinja
