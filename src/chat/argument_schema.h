// What a tool's JSON schema says about one value: the types it may have, the schemas of its members and items. Only what
// reading a call needs; checking is the client's. Pure views: the schema outlives them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace hearth::chat {

// A set of JSON types.
class JsonTypes {
 public:
  enum Type : unsigned { Text = 1, Number = 2, Boolean = 4, Null = 8, List = 16, Object = 32 };
  constexpr JsonTypes() = default;  // all of them: nothing is known
  explicit constexpr JsonTypes(unsigned types) : types_(types) {}
  [[nodiscard]] constexpr bool allow(Type type) const { return (types_ & type) != 0; }
  [[nodiscard]] constexpr bool known() const { return types_ != kAll; }

 private:
  static constexpr unsigned kAll = 63;
  unsigned types_ = kAll;
};
[[nodiscard]] JsonTypes::Type type_of(const Json& value);

class ArgumentSchema {
 public:
  ArgumentSchema() = default;  // knows nothing
  explicit ArgumentSchema(const Json* root) : node_(root), root_(root) {}

  [[nodiscard]] JsonTypes types() const;
  [[nodiscard]] ArgumentSchema member(std::string_view key) const;
  [[nodiscard]] ArgumentSchema item() const;
  // `key` is one of the declared properties.
  [[nodiscard]] bool declares(std::string_view key) const { return property(key) != nullptr; }
  // Properties are listed at all: then one that is not declared is a mistake.
  [[nodiscard]] bool declares_any() const;
  [[nodiscard]] std::vector<std::string> required() const;
  // The declared property of that index, in the schema's order; empty when there is none.
  [[nodiscard]] std::string property_at(std::size_t index) const;

 private:
  ArgumentSchema(const Json* node, const Json* root) : node_(node), root_(root) {}
  [[nodiscard]] const Json* resolved(const Json* node, int depth) const;
  // `steps`: what is left for the whole question; below zero it has no answer.
  [[nodiscard]] unsigned types_of(const Json* node, int depth, int& steps) const;
  [[nodiscard]] const Json* property(std::string_view key) const;
  [[nodiscard]] const Json* property(const Json* node, std::string_view key, int depth, int& steps) const;

  const Json* node_ = nullptr;
  const Json* root_ = nullptr;
};

}  // namespace hearth::chat
