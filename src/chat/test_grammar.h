// For the tests of grammars: random texts of a grammar, and a small JSON Schema validator that knows nothing of how the
// grammars are made.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/random.h"
#include "grammar/automaton.h"
#include "grammar/program.h"

namespace hearth::chat {

inline grammar::Automaton automaton_of(const std::string& text) {
  auto program = grammar::compile(text, {});
  REQUIRE_MESSAGE(program.has_value(), (program ? "" : program.error().message) << "\n" << text);
  return grammar::Automaton(*program);
}

// "yes": a whole text; "more": the beginning of one; "no".
inline std::string verdict(const std::string& grammar_text, std::string_view text) {
  grammar::Automaton automaton = automaton_of(grammar_text);
  const grammar::State state = automaton.step_all(automaton.start(), text);
  return state == grammar::kDead ? "no" : automaton.accepts(state) ? "yes" : "more";
}

// A random walk; what closes something is chosen more often, so that it ends. Nothing when it got too long.
inline std::optional<std::string> random_text(grammar::Automaton& automaton, std::uint64_t seed,
                                              std::size_t bytes_max = 4'000) {
  std::string out;
  grammar::State at = automaton.start();
  for (std::uint64_t n = 0; out.size() < bytes_max; ++n) {
    if (automaton.only_accepts(at)) return out;
    if (automaton.accepts(at) && mix_u64(seed, 3 * n) % 4 == 0) return out;
    std::vector<char> open;
    std::vector<char> closing;
    for (int byte = 0; byte < 256; ++byte) {
      if (automaton.step(at, static_cast<std::uint8_t>(byte)) == grammar::kDead) continue;
      const char c = static_cast<char>(byte);
      (std::string_view("\"}]<").contains(c) ? closing : open).push_back(c);
    }
    if (open.empty() && closing.empty()) return std::nullopt;  // stuck
    const bool closes = !closing.empty() && (open.empty() || mix_u64(seed, 3 * n + 1) % 3 == 0);
    const std::vector<char>& choice = closes ? closing : open;
    out += choice[mix_u64(seed, 3 * n + 2) % choice.size()];
    at = automaton.step(at, static_cast<std::uint8_t>(out.back()));
  }
  return std::nullopt;
}

class SchemaValidator {
 public:
  explicit SchemaValidator(Json root) : root_(std::move(root)) {}
  [[nodiscard]] bool accepts(const Json& value) const { return accepts(root_, value); }

 private:
  static std::size_t characters(const std::string& text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  }
  static bool is_of_type(const Json& value, const std::string& type) {
    if (type == "integer") return value.is_number() && value.as_number() == std::floor(value.as_number());
    return type == value.type_name();
  }
  [[nodiscard]] const Json& target(std::string_view reference) const {
    const Json* at = &root_;
    for (std::size_t begin = 2; at != nullptr && begin < reference.size();) {
      const std::size_t end = std::min(reference.find('/', begin), reference.size());
      std::string part(reference.substr(begin, end - begin));
      if (const std::size_t slash = part.find("~1"); slash != std::string::npos) part.replace(slash, 2, "/");
      at = at->find(part);
      begin = end + 1;
    }
    REQUIRE(at != nullptr);
    return *at;
  }
  [[nodiscard]] bool accepts(const Json& schema, const Json& value) const {
    if (schema.is_boolean()) return schema.as_boolean();
    if (const Json* reference = schema.find("$ref");
        reference != nullptr && !accepts(target(reference->as_string()), value))
      return false;
    const auto holds = [&](const Json& one) { return accepts(one, value); };
    if (const Json* all = schema.find("allOf"); all != nullptr && !std::ranges::all_of(all->as_array(), holds))
      return false;
    for (const char* key : {"anyOf", "oneOf"})
      if (const Json* any = schema.find(key); any != nullptr && !std::ranges::any_of(any->as_array(), holds))
        return false;
    if (const Json* only = schema.find("const"); only != nullptr && *only != value) return false;
    if (const Json* values = schema.find("enum");
        values != nullptr && !std::ranges::contains(values->as_array(), value))
      return false;
    if (const Json* type = schema.find("type")) {
      const Json list = type->is_array() ? *type : Json(Json::Array{*type});
      const bool nullable = schema.find("nullable") != nullptr && value.is_null();
      if (!nullable &&
          std::ranges::none_of(list.as_array(), [&](const Json& one) { return is_of_type(value, one.as_string()); }))
        return false;
    }
    const auto within = [&](const char* least, const char* most, double number) {
      const Json* low = schema.find(least);
      const Json* high = schema.find(most);
      return (low == nullptr || number >= low->as_number()) && (high == nullptr || number <= high->as_number());
    };
    if (value.is_string()) return within("minLength", "maxLength", static_cast<double>(characters(value.as_string())));
    if (value.is_number()) {
      const double number = value.as_number();
      const Json* over = schema.find("exclusiveMinimum");
      const Json* under = schema.find("exclusiveMaximum");
      if (over != nullptr && over->is_boolean()) over = schema.find("minimum");  // draft 4's flag beside the bound
      return within("minimum", "maximum", number) && (over == nullptr || number > over->as_number()) &&
             (under == nullptr || number < under->as_number());
    }
    if (value.is_array()) {
      const Json* items = schema.find("items");
      return within("minItems", "maxItems", static_cast<double>(value.as_array().size())) &&
             (items == nullptr ||
              std::ranges::all_of(value.as_array(), [&](const Json& one) { return accepts(*items, one); }));
    }
    return !value.is_object() || accepts_object(schema, value);
  }
  [[nodiscard]] bool accepts_object(const Json& schema, const Json& value) const {
    const Json* properties = schema.find("properties");
    const Json* more = schema.find("additionalProperties");
    for (const auto& [name, member] : value.as_object()) {
      const Json* known = properties == nullptr ? nullptr : properties->find(name);
      if (known == nullptr && schema.find("patternProperties") != nullptr) continue;  // it reads no patterns
      const Json* its = known != nullptr ? known : more;
      if (its != nullptr && !accepts(*its, member)) return false;
    }
    const Json* required = schema.find("required");
    return required == nullptr || std::ranges::all_of(required->as_array(), [&](const Json& name) {
             return value.find(name.as_string()) != nullptr;
           });
  }

  const Json root_;
};

}  // namespace hearth::chat
