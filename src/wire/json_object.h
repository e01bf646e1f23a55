// members_of("a", 1, "b", "two"): an object in one expression, its values moved and not copied (an initializer_list
// would copy them). Pure, any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"

namespace hearth::wire {

inline void append_members(Json::Object&) {}
template <class Value, class... Rest>
void append_members(Json::Object& out, std::string_view key, Value&& value, Rest&&... rest) {
  out.emplace_back(std::string(key), Json(std::forward<Value>(value)));
  append_members(out, std::forward<Rest>(rest)...);
}

template <class... KeysAndValues>
[[nodiscard]] Json::Object members_of(KeysAndValues&&... keys_and_values) {
  static_assert(sizeof...(keys_and_values) % 2 == 0, "keys and values come in pairs");
  Json::Object out;
  out.reserve(sizeof...(keys_and_values) / 2);
  append_members(out, std::forward<KeysAndValues>(keys_and_values)...);
  return out;
}
template <class... KeysAndValues>
[[nodiscard]] Json object_of(KeysAndValues&&... keys_and_values) {
  return Json(members_of(std::forward<KeysAndValues>(keys_and_values)...));
}

}  // namespace hearth::wire
