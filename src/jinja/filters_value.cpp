// Filters about one value: default, numbers, tojson, items, attr.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <format>

#include "jinja/filters.h"
#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

Value otherwise(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("default", arguments, {"default_value", "boolean"});
  const bool missing = input.is_undefined() || (bound.flag(1, false) && !truthy(input));
  if (!missing) return input;
  return bound.has(0) ? bound[0] : evaluator.string(Text());
}

// A number as Python's int() or float() reads it from text: spaces around, single underscores between digits.
std::string number_words(std::string_view text) {
  const Bounds bounds = strip_spaces(text, Side::Both);
  std::string words(text.substr(bounds.begin, bounds.end - bounds.begin));
  for (std::size_t i = 1; i + 1 < words.size(); ++i)
    if (words[i] == '_' && words[i - 1] != '_' && words[i + 1] != '_') words.erase(i, 1);
  if (words.starts_with('+') && !words.starts_with("+-")) words.erase(0, 1);
  return words;
}

std::optional<std::int64_t> read_integer(std::string_view text, int base) {
  std::string words = number_words(text);
  const std::string_view prefix = base == 16 ? "0x" : base == 8 ? "0o" : base == 2 ? "0b" : "";
  const std::size_t sign = words.starts_with('-') ? 1 : 0;
  if (!prefix.empty() && words.size() > sign + 1 && words[sign] == '0' && (words[sign + 1] | 0x20) == prefix[1])
    words.erase(sign, 2);
  std::int64_t value = 0;
  const auto read = std::from_chars(words.data(), words.data() + words.size(), value, base);
  if (words.empty() || read.ec != std::errc() || read.ptr != words.data() + words.size()) return std::nullopt;
  return value;
}

std::optional<double> read_float(std::string_view text) {
  const std::string words = number_words(text);
  double value = 0;
  const auto read = std::from_chars(words.data(), words.data() + words.size(), value);
  if (words.empty() || read.ptr != words.data() + words.size() || read.ec == std::errc::invalid_argument)
    return std::nullopt;
  return value;
}

// Over 64 bits, and spelled as str() would.
bool is_long_integer(std::string_view words) {
  const std::string_view digits = words.starts_with('-') ? words.substr(1) : words;
  return digits.size() > 18 && digits.front() != '0' &&
         digits.find_first_not_of("0123456789") == std::string_view::npos;
}

Value whole(double number, const Value& fallback) {
  return std::abs(number) < 9.2e18 ? Value(static_cast<std::int64_t>(number)) : fallback;
}

Value to_int(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("int", arguments, {"default", "base"});
  require_defined(input);
  const Value fallback = bound.has(0) ? bound[0] : Value(std::int64_t{0});
  if (input.is_integer()) return input.integer();
  if (input.is(Kind::BigInt)) return input;
  if (input.is(Kind::Float)) return whole(input.number(), fallback);
  if (!input.is_string()) return fallback;
  const auto base = static_cast<int>(std::clamp<std::int64_t>(bound.integer(1, 10), 2, 36));
  if (const auto integer = read_integer(input.view(), base)) return *integer;
  const std::string words = number_words(input.view());
  if (base == 10 && is_long_integer(words)) return Value::big_integer(evaluator.budget(), words);
  if (const auto number = read_float(input.view())) return whole(*number, fallback);
  return fallback;
}

Value to_float(Evaluator&, const Value& input, Arguments& arguments) {
  const Bound bound("float", arguments, {"default"});
  require_defined(input);
  if (input.is_number()) return input.number();
  if (input.is(Kind::BigInt)) return read_float(input.view()).value_or(0.0);
  if (input.is_string())
    if (const auto number = read_float(input.view())) return *number;
  return bound.has(0) ? bound[0] : Value(0.0);
}

Value absolute(Evaluator&, const Value& input, Arguments& arguments) {
  const Bound bound("abs", arguments, {});
  require_defined(input);
  if (input.is(Kind::Float)) return std::abs(input.number());
  if (!input.is_integer()) refuse(std::format("bad operand type for abs(): '{}'", input.type_name()));
  return input.integer() < 0 ? negate(input) : Value(input.integer());
}

Value round_number(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("round", arguments, {"precision", "method"});
  const std::int64_t precision = bound.integer(0, 0);
  const Text method = bound.has(1) ? to_text(bound[1], evaluator.budget()) : Text("common");
  require_defined(input);
  if (!input.is_number()) refuse(std::format("type {} doesn't define __round__ method", input.type_name()));
  if (precision < -300 || precision > 300) return input.number();
  const double power = std::pow(10.0, static_cast<double>(precision));
  if (method.view() == "ceil") return std::ceil(input.number() * power) / power;
  if (method.view() == "floor") return std::floor(input.number() * power) / power;
  if (method.view() != "common") refuse("method must be common, ceil or floor");
  if (input.is_integer() && precision >= 0) return input;
  if (precision < 0) return std::nearbyint(input.number() * power) / power;
  // The digits that printf rounds to are those Python rounds to.
  return read_float(std::format("{:.{}f}", input.number(), precision)).value_or(input.number());
}

Value items(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("items", arguments, {});
  std::vector<Value> pairs;
  if (!input.is_undefined() && !input.is(Kind::Dict)) refuse("Can only get item pairs from a mapping.");
  if (input.is(Kind::Dict))
    for (const auto& [key, value] : input.dict().members) pairs.push_back(evaluator.list({key, value}, Kind::Tuple));
  return evaluator.list(std::move(pairs), Kind::Generator);
}

Value attr(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("attr", arguments, {"name"});
  const std::string name = to_text(bound[0], evaluator.budget()).bytes();
  require_defined(input);
  if (input.is(Kind::Dict) && method_access(input, name) == MethodAccess::None)
    return UndefinedBody::make(UndefinedBody::Reason::Attribute, described(input), name);
  return get_attribute(input, name, evaluator.budget());
}

Value tojson(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  if (bound.flag(0, false)) style.alphabet = Alphabet::Ascii;
  if (bound.flag(3, false)) style.order = KeyOrder::Sorted;
  if (bound.given(1)) {
    style.item_separator = ",";
    if (bound[1].is_string()) {
      style.indent = bound[1].view();
    } else {
      const std::int64_t width = require_integer(bound[1]);
      if (width > 1000) refuse_limit("tojson's indent is too wide");
      style.indent = std::string(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
    }
  }
  if (bound.given(2)) {
    const Value pair = elements(bound[2], evaluator.budget());
    const auto& both = pair.list().items;
    if (both.size() != 2 || !both[0].is_string() || !both[1].is_string()) refuse("tojson's separators are two strings");
    style.item_separator = both[0].view();
    style.key_separator = both[1].view();
  }
  return evaluator.string(to_json(input, style, evaluator.budget()));
}

constexpr NamedFilter kFilters[] = {
    {"default", otherwise},  {"d", otherwise}, {"int", to_int}, {"float", to_float}, {"abs", absolute},
    {"round", round_number}, {"items", items}, {"attr", attr},  {"tojson", tojson},
};

}  // namespace

FilterFunction find_value_filter(std::string_view name) {
  const auto* found = std::ranges::find(kFilters, name, &NamedFilter::name);
  return found == std::end(kFilters) ? nullptr : found->function;
}

}  // namespace hearth::jinja
