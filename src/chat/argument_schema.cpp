// See argument_schema.h.
#include "chat/argument_schema.h"

namespace hearth::chat {
namespace {

// Schemas that refer to themselves end here.
constexpr int kDepthMax = 16;
// Schemas looked at for one question. Four references to the next schema, and so on, are 4^16 ways down; of a client's
// largest tool a question looks at some dozens.
constexpr int kStepsMax = 2'000;
constexpr unsigned kAllTypes = 63;

unsigned type_named(std::string_view name) {
  if (name == "string") return JsonTypes::Text;
  if (name == "number" || name == "integer") return JsonTypes::Number;
  if (name == "boolean") return JsonTypes::Boolean;
  if (name == "null") return JsonTypes::Null;
  if (name == "array") return JsonTypes::List;
  if (name == "object") return JsonTypes::Object;
  return kAllTypes;
}

// The keywords that bear on a value's type, found in one pass: of each value of each call the question is asked anew.
struct TypeWords {
  const Json* type = nullptr;
  const Json* constant = nullptr;
  const Json* values = nullptr;
  const Json* any_of = nullptr;
  const Json* one_of = nullptr;
  const Json* all_of = nullptr;
  bool has_properties = false;
};

// REQUIRES: an object. Of doubled keys the last, as Json::find() has it.
TypeWords type_words(const Json& node) {
  TypeWords words;
  for (const auto& [key, value] : node.as_object()) {
    if (key == "type") words.type = &value;
    if (key == "const") words.constant = &value;
    if (key == "enum") words.values = &value;
    if (key == "anyOf") words.any_of = &value;
    if (key == "oneOf") words.one_of = &value;
    if (key == "allOf") words.all_of = &value;
    if (key == "properties") words.has_properties = true;
  }
  return words;
}

// What `type`, `const` and `enum` say.
unsigned types_listed(const TypeWords& words) {
  unsigned types = kAllTypes;
  if (words.type != nullptr) {
    types = 0;
    if (words.type->is_string()) types = type_named(words.type->as_string());
    if (words.type->is_array()) {
      for (const Json& one : words.type->as_array()) types |= one.is_string() ? type_named(one.as_string()) : kAllTypes;
    }
    if (types == 0) types = kAllTypes;
  }
  if (words.constant != nullptr) types &= type_of(*words.constant);
  if (words.values != nullptr && words.values->is_array()) {
    unsigned listed = 0;
    for (const Json& value : words.values->as_array()) listed |= type_of(value);
    types &= listed;
  }
  return types;
}

const Json* step_into(const Json* node, const std::string& name) {
  if (node->is_object()) return node->find(name);
  return nullptr;
}

}  // namespace

JsonTypes::Type type_of(const Json& value) {
  if (value.is_string()) return JsonTypes::Text;
  if (value.is_number()) return JsonTypes::Number;
  if (value.is_boolean()) return JsonTypes::Boolean;
  if (value.is_array()) return JsonTypes::List;
  if (value.is_object()) return JsonTypes::Object;
  return JsonTypes::Null;
}

// Follows {"$ref": "#/$defs/Name"}; references to elsewhere say nothing.
const Json* ArgumentSchema::resolved(const Json* node, int depth) const {
  while (node != nullptr && node->is_object()) {
    const Json* reference = node->find("$ref");
    if (reference == nullptr || !reference->is_string()) return node;
    if (++depth > kDepthMax) return nullptr;
    std::string_view path = reference->as_string();
    if (!path.starts_with('#')) return nullptr;
    path.remove_prefix(1);
    node = root_;
    while (!path.empty() && node != nullptr) {
      path.remove_prefix(1);  // the slash
      const std::size_t end = path.find('/');
      node = step_into(node, std::string(path.substr(0, end)));
      path = end == std::string_view::npos ? std::string_view{} : path.substr(end);
    }
  }
  return nullptr;
}

unsigned ArgumentSchema::types_of(const Json* node, int depth, int& steps) const {
  if (--steps < 0) return kAllTypes;
  node = resolved(node, depth);
  if (node == nullptr || depth > kDepthMax) return kAllTypes;
  const TypeWords words = type_words(*node);
  unsigned types = types_listed(words);
  for (const Json* options : {words.any_of, words.one_of}) {
    if (options == nullptr || !options->is_array() || options->as_array().empty()) continue;
    unsigned any = 0;
    for (const Json& option : options->as_array()) any |= types_of(&option, depth + 1, steps);
    types &= any;
  }
  if (words.all_of != nullptr && words.all_of->is_array()) {
    for (const Json& one : words.all_of->as_array()) types &= types_of(&one, depth + 1, steps);
  }
  if (words.type == nullptr && words.has_properties) types &= JsonTypes::Object;
  return types == 0 ? kAllTypes : types;
}

JsonTypes ArgumentSchema::types() const {
  int steps = kStepsMax;
  const unsigned types = types_of(node_, 0, steps);
  return JsonTypes(steps < 0 ? kAllTypes : types);
}

const Json* ArgumentSchema::property(std::string_view key) const {
  int steps = kStepsMax;
  return property(node_, key, 0, steps);
}

const Json* ArgumentSchema::property(const Json* node, std::string_view key, int depth, int& steps) const {
  if (--steps < 0) return nullptr;
  node = resolved(node, depth);
  if (node == nullptr || depth > kDepthMax) return nullptr;
  if (const Json* properties = node->find("properties")) {
    if (const Json* found = properties->find(key)) return found;
  }
  for (const char* group : {"allOf", "anyOf", "oneOf"}) {
    const Json* options = node->find(group);
    if (options == nullptr || !options->is_array()) continue;
    for (const Json& option : options->as_array()) {
      if (const Json* found = property(&option, key, depth + 1, steps)) return found;
    }
  }
  return nullptr;
}

ArgumentSchema ArgumentSchema::member(std::string_view key) const {
  if (const Json* found = property(key)) return {found, root_};
  const Json* node = resolved(node_, 0);
  const Json* others = node == nullptr ? nullptr : node->find("additionalProperties");
  if (others != nullptr && others->is_object()) return {others, root_};
  return {};
}

ArgumentSchema ArgumentSchema::item() const {
  const Json* node = resolved(node_, 0);
  if (node == nullptr) return {};
  if (const Json* items = node->find("items"); items != nullptr && items->is_object()) return {items, root_};
  for (const char* group : {"anyOf", "oneOf", "allOf"}) {
    const Json* options = node->find(group);
    if (options == nullptr || !options->is_array()) continue;
    for (const Json& option : options->as_array()) {
      const Json* one = resolved(&option, 0);
      const Json* items = one == nullptr ? nullptr : one->find("items");
      if (items != nullptr && items->is_object()) return {items, root_};
    }
  }
  return {};
}

bool ArgumentSchema::declares_any() const {
  const Json* node = resolved(node_, 0);
  if (node == nullptr) return false;
  const Json* properties = node->find("properties");
  return properties != nullptr && properties->is_object() && !properties->as_object().empty();
}

std::vector<std::string> ArgumentSchema::required() const {
  std::vector<std::string> names;
  const Json* node = resolved(node_, 0);
  const Json* list = node == nullptr ? nullptr : node->find("required");
  if (list == nullptr || !list->is_array()) return names;
  for (const Json& name : list->as_array()) {
    if (name.is_string()) names.push_back(name.as_string());
  }
  return names;
}

std::string ArgumentSchema::property_at(std::size_t index) const {
  const Json* node = resolved(node_, 0);
  const Json* properties = node == nullptr ? nullptr : node->find("properties");
  if (properties == nullptr || !properties->is_object() || index >= properties->as_object().size()) return {};
  return properties->as_object()[index].first;
}

}  // namespace hearth::chat
