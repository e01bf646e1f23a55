// See schema_merge.h.
#include "chat/schema_merge.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace hearth::chat {
namespace {

constexpr int kDepthMax = 32;

Json merge(const Json& first, const Json& second, int depth);

Json merge_properties(const Json& first, const Json& second, int depth) {
  Json out = first;
  for (const auto& [name, schema] : second.as_object()) {
    const Json* known = out.find(name);
    out.set(name, known == nullptr ? schema : merge(*known, schema, depth + 1));
  }
  return out;
}

// Keeps the order of the first; `both`: only what is in both.
Json merge_lists(const Json& first, const Json& second, bool both) {
  Json out = Json::array();
  const auto& other = second.as_array();
  for (const Json& one : first.as_array())
    if (!both || std::ranges::contains(other, one)) out.push(one);
  for (const Json& one : other)
    if (!both && !std::ranges::contains(first.as_array(), one)) out.push(one);
  return out;
}

Json as_list(const Json& value) { return value.is_array() ? value : Json(Json::Array{value}); }

// "integer" is a "number" too.
Json merge_types(const Json& first, const Json& second) {
  Json out = Json::array();
  const Json one = as_list(first);
  const Json other = as_list(second);
  for (const Json& type : one.as_array()) {
    const auto holds = [&](const char* name) { return std::ranges::contains(other.as_array(), Json(name)); };
    if (std::ranges::contains(other.as_array(), type) || (type == Json("integer") && holds("number")))
      out.push(type);
    else if (type == Json("number") && holds("integer"))
      out.push("integer");
  }
  return out.as_array().empty() ? first : out;
}

bool is_one_of(std::string_view key, std::initializer_list<std::string_view> keys) {
  return std::ranges::contains(keys, key);
}

Json merge_member(std::string_view key, const Json& first, const Json& second, int depth) {
  if (is_one_of(key, {"properties", "patternProperties", "$defs", "definitions"}) && first.is_object() &&
      second.is_object())
    return merge_properties(first, second, depth);
  if (key == "type") return merge_types(first, second);
  if (first.is_array() && second.is_array()) {
    if (key == "required") return merge_lists(first, second, false);
    if (key == "enum") return merge_lists(first, second, true);
    if (key == "allOf") {
      Json out = first;
      for (const Json& one : second.as_array()) out.push(one);
      return out;
    }
  }
  if (first.is_number() && second.is_number()) {
    if (is_one_of(key, {"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"}))
      return first.as_number() < second.as_number() ? second : first;
    if (is_one_of(key, {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"}))
      return first.as_number() > second.as_number() ? second : first;
  }
  if (key == "additionalProperties" || key == "items") {
    if (first == Json(false) || second == Json(true)) return first;
    if (second == Json(false) || first == Json(true)) return second;
    if (first.is_object() && second.is_object()) return merge(first, second, depth + 1);
  }
  return first;
}

Json merge(const Json& first, const Json& second, int depth) {
  if (first == Json(false) || second == Json(false)) return Json(false);
  if (!first.is_object()) return second;
  if (!second.is_object() || depth > kDepthMax) return first;
  Json out = first;
  for (const auto& [key, value] : second.as_object()) {
    const Json* known = out.find(key);
    out.set(key, known == nullptr ? value : merge_member(key, *known, value, depth));
  }
  return out;
}

}  // namespace

Json merge_schemas(const Json& first, const Json& second) { return merge(first, second, 0); }

Json without_member(const Json& schema, std::string_view key) {
  Json out = Json::object();
  for (const auto& [name, value] : schema.as_object())
    if (name != key) out.set(name, value);
  return out;
}

std::vector<std::string> schema_types(const Json& schema) {
  std::vector<std::string> out;
  if (const Json* type = schema.find("type")) {
    for (const Json& one : as_list(*type).as_array())
      if (one.is_string() && !std::ranges::contains(out, one.as_string())) out.push_back(one.as_string());
  }
  if (out.empty()) {
    const auto speaks_of = [&](std::initializer_list<std::string_view> keys) {
      return std::ranges::any_of(keys, [&](std::string_view key) { return schema.find(key) != nullptr; });
    };
    if (speaks_of({"properties", "required", "additionalProperties", "patternProperties"})) out.emplace_back("object");
    if (speaks_of({"items", "prefixItems", "minItems", "maxItems"})) out.emplace_back("array");
    if (speaks_of({"pattern", "minLength", "maxLength", "format"})) out.emplace_back("string");
    if (speaks_of({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}))
      out.emplace_back("number");
  }
  const Json* nullable = schema.find("nullable");
  if (!out.empty() && nullable != nullptr && *nullable == Json(true) && !std::ranges::contains(out, "null"))
    out.emplace_back("null");
  return out;
}

}  // namespace hearth::chat
