// Json: a value that keeps the order of keys, because order is meaning for a prompt's prefix.
// The one door to the JSON library (yyjson, in json.cpp). Values are plain: copy, move, compare.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace hearth {

class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;  // keys in the order they came; of doubled keys, find() takes the last

  Json() = default;
  Json(std::nullptr_t) {}
  Json(bool value) : value_(value) {}
  Json(int value) : value_(static_cast<std::int64_t>(value)) {}
  Json(unsigned value) : value_(static_cast<std::int64_t>(value)) {}
  Json(long value) : value_(static_cast<std::int64_t>(value)) {}
  Json(long long value) : value_(static_cast<std::int64_t>(value)) {}
  Json(unsigned long value);
  Json(unsigned long long value);
  Json(double value) : value_(value) {}
  Json(const char* value) : value_(std::string(value)) {}
  Json(std::string_view value) : value_(std::string(value)) {}
  Json(std::string value) : value_(std::move(value)) {}
  Json(Array value) : value_(std::move(value)) {}
  Json(Object value) : value_(std::move(value)) {}
  [[nodiscard]] static Json object() { return Json(Object{}); }
  [[nodiscard]] static Json object(std::initializer_list<Member> members) { return Json(Object(members)); }
  [[nodiscard]] static Json array() { return Json(Array{}); }

  // REQUIRES: the digits of a whole number that does not fit std::uint64_t, with its sign when it is negative.
  [[nodiscard]] static Json whole_number(std::string digits);

  // Strict JSON (RFC 8259), valid UTF-8 only, nested at most depth_max deep. The error names the byte.
  [[nodiscard]] static Result<Json> parse(std::string_view text, int depth_max = 256);

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
  [[nodiscard]] bool is_boolean() const { return std::holds_alternative<bool>(value_); }
  [[nodiscard]] bool is_integer() const;      // fits std::int64_t
  [[nodiscard]] bool is_big_integer() const;  // does not: as_number() is near it, dump() is exact
  [[nodiscard]] bool is_number() const;
  [[nodiscard]] bool is_string() const { return std::holds_alternative<std::string>(value_); }
  [[nodiscard]] bool is_array() const { return std::holds_alternative<Array>(value_); }
  [[nodiscard]] bool is_object() const { return std::holds_alternative<Object>(value_); }
  [[nodiscard]] const char* type_name() const;  // "string", "number", ... as JSON calls them

  // REQUIRES: the matching is_...(); a CHECK otherwise.
  [[nodiscard]] bool as_boolean() const;
  [[nodiscard]] std::int64_t as_integer() const;
  [[nodiscard]] double as_number() const;
  [[nodiscard]] const std::string& as_string() const;
  [[nodiscard]] const Array& as_array() const;
  [[nodiscard]] const Object& as_object() const;
  [[nodiscard]] std::string& as_string();
  [[nodiscard]] Array& as_array();
  [[nodiscard]] Object& as_object();

  // The member of that name, or nullptr when there is none or this is no object. Lives as long as this value.
  [[nodiscard]] const Json* find(std::string_view key) const;
  // The member's text, or `otherwise` when it is absent or no string.
  [[nodiscard]] std::string string_at(std::string_view key, std::string_view otherwise = "") const;

  // REQUIRES: an object (null becomes one). Replaces the member or appends it.
  Json& set(std::string_view key, Json value);
  // REQUIRES: an array (null becomes one).
  Json& push(Json value);

  // Compact text: no spaces, keys in order, UTF-8 as it is (only control characters, quote, backslash escaped).
  [[nodiscard]] std::string dump() const;
  void dump_to(std::string& out) const;

  friend bool operator==(const Json&, const Json&) = default;

 private:
  // The digits of a whole number over the uint64 range, as they were read.
  struct BigInteger {
    std::string digits;
    friend bool operator==(const BigInteger&, const BigInteger&) = default;
  };
  // uint64 only for values over the int64 range.
  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object, BigInteger>
      value_;
};

// The same JSON text with each \uD800..\uDFFF escape that has no other half written as \uFFFD. JavaScript clients send
// such halves when they cut a string inside an emoji.
[[nodiscard]] std::string without_lone_surrogates(std::string_view text);

// Appends `text` as a JSON string with its quotes. REQUIRES: valid UTF-8.
void append_json_string(std::string& out, std::string_view text);

}  // namespace hearth
