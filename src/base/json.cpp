// Json on yyjson: the reader is theirs, the value and the writer are ours, because order and round trips are our contract.
#include "base/json.h"

#include <yyjson.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <format>
#include <limits>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/json_check.h"

namespace hearth {
namespace {

struct DocumentDeleter {
  void operator()(yyjson_doc* document) const { yyjson_doc_free(document); }
};

// Numbers that the reader leaves as they stand: whole ones over 64 bits, and real ones over double's range.
bool is_whole(std::string_view digits) { return digits.find_first_not_of("-0123456789") == std::string_view::npos; }

// False where a number is over double's range. Depth was bounded before, so recursion is bounded too.
bool in_range(yyjson_val* value) {
  if (yyjson_is_raw(value)) return is_whole(yyjson_get_raw(value));
  if (yyjson_is_arr(value)) {
    yyjson_arr_iter elements = yyjson_arr_iter_with(value);
    while (yyjson_val* element = yyjson_arr_iter_next(&elements))
      if (!in_range(element)) return false;
  }
  if (yyjson_is_obj(value)) {
    yyjson_obj_iter members = yyjson_obj_iter_with(value);
    while (yyjson_val* key = yyjson_obj_iter_next(&members))
      if (!in_range(yyjson_obj_iter_get_val(key))) return false;
  }
  return true;
}

Json convert(yyjson_val* value) {
  switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_BOOL: return Json(yyjson_get_bool(value));
    case YYJSON_TYPE_NUM:
      if (yyjson_is_uint(value)) return Json(static_cast<unsigned long long>(yyjson_get_uint(value)));
      if (yyjson_is_sint(value)) return Json(static_cast<long long>(yyjson_get_sint(value)));
      return Json(yyjson_get_real(value));
    case YYJSON_TYPE_RAW: return Json::whole_number(std::string(yyjson_get_raw(value), yyjson_get_len(value)));
    case YYJSON_TYPE_STR: return Json(std::string(yyjson_get_str(value), yyjson_get_len(value)));
    case YYJSON_TYPE_ARR: {
      Json::Array array;
      array.reserve(yyjson_arr_size(value));
      yyjson_arr_iter elements = yyjson_arr_iter_with(value);
      while (yyjson_val* element = yyjson_arr_iter_next(&elements)) array.push_back(convert(element));
      return Json(std::move(array));
    }
    case YYJSON_TYPE_OBJ: {
      Json::Object object;
      object.reserve(yyjson_obj_size(value));
      yyjson_obj_iter members = yyjson_obj_iter_with(value);
      while (yyjson_val* key = yyjson_obj_iter_next(&members)) {
        object.emplace_back(std::string(yyjson_get_str(key), yyjson_get_len(key)),
                            convert(yyjson_obj_iter_get_val(key)));
      }
      return Json(std::move(object));
    }
    default: return {};
  }
}

// Brackets outside strings are counted before parsing, so that hostile nesting costs neither stack nor memory.
bool depth_within(std::string_view text, int depth_max) {
  if (std::cmp_less_equal(text.size(), depth_max)) return true;  // a bracket each
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > depth_max) return false;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return true;
}

void append_real(std::string& out, double value) {
  // JSON has no infinity or NaN; null is what every other writer gives.
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  const std::size_t begin = out.size();
  std::format_to(std::back_inserter(out), "{}", value);
  const bool looks_integral = out.find_first_of(".eE", begin) == std::string::npos;
  if (looks_integral) out += ".0";
}

// A text in quotes without escapes and in plain ASCII, or a whole number of few digits: most values by far that are read one by one, and
// what they hold is what stands there. Nothing: it needs the reader.
std::optional<Json> plain_scalar(std::string_view text) {
  constexpr std::size_t kDigitsMax = 18;  // of which any fits 64 bits
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
    const std::string_view inner = text.substr(1, text.size() - 2);
    const auto is_plain = [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; };
    if (std::ranges::all_of(inner, is_plain)) return Json(inner);
  }
  const bool leads = !text.empty() && (text.front() != '0' || text.size() == 1);
  if (leads && text.size() <= kDigitsMax && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return Json(number);
  }
  return std::nullopt;
}

}  // namespace

Json::Json(unsigned long value) : Json(static_cast<unsigned long long>(value)) {}
Json::Json(unsigned long long value) {
  if (value <= static_cast<unsigned long long>(std::numeric_limits<std::int64_t>::max())) {
    value_ = static_cast<std::int64_t>(value);
  } else {
    value_ = static_cast<std::uint64_t>(value);
  }
}

Result<Json> Json::parse(std::string_view text, int depth_max) {
  if (std::optional<Json> plain = plain_scalar(text)) return *std::move(plain);
  if (!depth_within(text, depth_max)) {
    return fail(ErrorKind::InvalidInput, std::format("JSON is nested deeper than {} levels", depth_max));
  }
  yyjson_read_err error{};
  // Without YYJSON_READ_INSITU the reader does not write to its input; the cast only fits the C signature.
  const std::unique_ptr<yyjson_doc, DocumentDeleter> document(
      yyjson_read_opts(const_cast<char*>(text.data()), text.size(), YYJSON_READ_BIGNUM_AS_RAW, nullptr, &error));
  if (!document) {
    return fail(ErrorKind::InvalidInput,
                std::format("not valid JSON: {} at byte {}", error.msg ? error.msg : "unknown error", error.pos));
  }
  if (!in_range(yyjson_doc_get_root(document.get())))
    return fail(ErrorKind::InvalidInput, "not valid JSON: a number is larger than any that can be used");
  return convert(yyjson_doc_get_root(document.get()));
}

bool is_json_object(std::string_view text) {
  constexpr int kDepthMax = 256;  // Json::parse()'s
  if (!depth_within(text, kDepthMax)) return false;
  const std::unique_ptr<yyjson_doc, DocumentDeleter> document(
      yyjson_read_opts(const_cast<char*>(text.data()), text.size(), YYJSON_READ_BIGNUM_AS_RAW, nullptr, nullptr));
  return document && yyjson_is_obj(yyjson_doc_get_root(document.get())) &&
         in_range(yyjson_doc_get_root(document.get()));
}

bool Json::is_integer() const { return std::holds_alternative<std::int64_t>(value_); }
bool Json::is_big_integer() const {
  return std::holds_alternative<std::uint64_t>(value_) || std::holds_alternative<BigInteger>(value_);
}
bool Json::is_number() const { return is_integer() || is_big_integer() || std::holds_alternative<double>(value_); }

Json Json::whole_number(std::string digits) {
  Json number;
  number.value_ = BigInteger{std::move(digits)};
  return number;
}

const char* Json::type_name() const {
  if (is_null()) return "null";
  if (is_boolean()) return "boolean";
  if (is_number()) return "number";
  if (is_string()) return "string";
  return is_array() ? "array" : "object";
}

bool Json::as_boolean() const {
  CHECK(is_boolean());
  return std::get<bool>(value_);
}
std::int64_t Json::as_integer() const {
  CHECK(is_integer());
  return std::get<std::int64_t>(value_);
}
double Json::as_number() const {
  CHECK(is_number());
  if (const auto* integer = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*integer);
  if (const auto* natural = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*natural);
  if (const auto* big = std::get_if<BigInteger>(&value_)) return std::strtod(big->digits.c_str(), nullptr);
  return std::get<double>(value_);
}
const std::string& Json::as_string() const {
  CHECK(is_string());
  return std::get<std::string>(value_);
}
const Json::Array& Json::as_array() const {
  CHECK(is_array());
  return std::get<Array>(value_);
}
const Json::Object& Json::as_object() const {
  CHECK(is_object());
  return std::get<Object>(value_);
}
std::string& Json::as_string() {
  CHECK(is_string());
  return std::get<std::string>(value_);
}
Json::Array& Json::as_array() {
  CHECK(is_array());
  return std::get<Array>(value_);
}
Json::Object& Json::as_object() {
  CHECK(is_object());
  return std::get<Object>(value_);
}

const Json* Json::find(std::string_view key) const {
  const auto* object = std::get_if<Object>(&value_);
  if (object == nullptr) return nullptr;
  const auto found = std::find_if(object->rbegin(), object->rend(), [&](const Member& m) { return m.first == key; });
  return found == object->rend() ? nullptr : &found->second;
}

std::string Json::string_at(std::string_view key, std::string_view otherwise) const {
  const Json* member = find(key);
  return member != nullptr && member->is_string() ? member->as_string() : std::string(otherwise);
}

Json& Json::set(std::string_view key, Json value) {
  if (is_null()) value_ = Object{};
  Object& object = as_object();
  // Of doubled keys the last, because that is the one find() gives.
  const auto found = std::find_if(object.rbegin(), object.rend(), [&](const Member& m) { return m.first == key; });
  if (found != object.rend()) {
    found->second = std::move(value);
  } else {
    object.emplace_back(std::string(key), std::move(value));
  }
  return *this;
}

Json& Json::push(Json value) {
  if (is_null()) value_ = Array{};
  as_array().push_back(std::move(value));
  return *this;
}

std::string Json::dump() const {
  std::string out;
  dump_to(out);
  return out;
}

void Json::dump_to(std::string& out) const {
  if (is_null()) {
    out += "null";
  } else if (const auto* boolean = std::get_if<bool>(&value_)) {
    out += *boolean ? "true" : "false";
  } else if (const auto* integer = std::get_if<std::int64_t>(&value_)) {
    std::format_to(std::back_inserter(out), "{}", *integer);
  } else if (const auto* natural = std::get_if<std::uint64_t>(&value_)) {
    std::format_to(std::back_inserter(out), "{}", *natural);
  } else if (const auto* big = std::get_if<BigInteger>(&value_)) {
    out += big->digits;
  } else if (const auto* real = std::get_if<double>(&value_)) {
    append_real(out, *real);
  } else if (const auto* string = std::get_if<std::string>(&value_)) {
    append_json_string(out, *string);
  } else if (const auto* array = std::get_if<Array>(&value_)) {
    out += '[';
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (i > 0) out += ',';
      (*array)[i].dump_to(out);
    }
    out += ']';
  } else if (const auto* object = std::get_if<Object>(&value_)) {
    out += '{';
    for (std::size_t i = 0; i < object->size(); ++i) {
      if (i > 0) out += ',';
      append_json_string(out, (*object)[i].first);
      out += ':';
      (*object)[i].second.dump_to(out);
    }
    out += '}';
  }
}

namespace {

// The four hexadecimal digits of a \u escape that begins at `at`, or nullopt.
std::optional<unsigned> escaped_unit(std::string_view text, std::size_t at) {
  constexpr std::size_t kEscapeBytes = 6;
  if (at + kEscapeBytes > text.size() || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  unsigned unit = 0;
  const char* begin = text.data() + at + 2;
  const auto [end, error] = std::from_chars(begin, begin + 4, unit, 16);
  if (error != std::errc{} || end != begin + 4) return std::nullopt;
  return unit;
}

}  // namespace

std::string without_lone_surrogates(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '\\') {
      out += text[i++];
      continue;
    }
    const std::optional<unsigned> unit = escaped_unit(text, i);
    const bool high = unit && *unit >= 0xD800 && *unit < 0xDC00;
    const bool low = unit && *unit >= 0xDC00 && *unit < 0xE000;
    const std::optional<unsigned> next = high ? escaped_unit(text, i + 6) : std::nullopt;
    const bool pair = next && *next >= 0xDC00 && *next < 0xE000;
    if (low || (high && !pair)) {
      out += "\\uFFFD";
      i += 6;
      continue;
    }
    // A pair, another escape, or an escaped backslash: two characters at least belong together.
    const std::size_t length = std::min<std::size_t>(pair ? 12 : unit ? 6 : 2, text.size() - i);
    out.append(text.substr(i, length));
    i += length;
  }
  return out;
}

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain_begin = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain_begin, i - plain_begin);
    plain_begin = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default: std::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
    }
  }
  out.append(text, plain_begin);
  out += '"';
}

}  // namespace hearth
