// str() and repr() of values, as Python prints them. Strings keep their origin; the punctuation is the template's.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <format>

#include "jinja/operations.h"
#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

void append_string_repr(Text& out, const Text& text) {
  const std::string_view view = text.view();
  const char quote = view.contains('\'') && !view.contains('"') ? '"' : '\'';
  out.append(std::string_view(&quote, 1));
  std::size_t begin = 0;
  for (std::size_t at = 0; at < view.size();) {
    const CodePoint point = code_point_at(view, at);
    std::string escaped;
    if (point.value == static_cast<unsigned char>(quote) || point.value == '\\') {
      escaped = {'\\', static_cast<char>(point.value)};
    } else if (point.value == '\n') {
      escaped = "\\n";
    } else if (point.value == '\r') {
      escaped = "\\r";
    } else if (point.value == '\t') {
      escaped = "\\t";
    } else if (!is_printable(point.value)) {
      const auto code = static_cast<std::uint32_t>(point.value);
      escaped = code < 0x100     ? std::format("\\x{:02x}", code)
                : code < 0x10000 ? std::format("\\u{:04x}", code)
                                 : std::format("\\U{:08x}", code);
    }
    if (!escaped.empty()) {
      out.append(text, begin, at);
      out.append(escaped, text.source_at(at));
      begin = at + point.bytes;
    }
    at += point.bytes;
  }
  out.append(text, begin, view.size());
  out.append(std::string_view(&quote, 1));
}

void append_list_repr(Text& out, const ListBody& list, std::string_view open, std::string_view close, Budget& budget) {
  out.append(open);
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (i > 0) out.append(", ");
    append_repr(out, list.items[i], budget);
  }
  out.append(close);
}

void append_members_repr(Text& out, const Value& value, Budget& budget) {
  out.append("{");
  bool first = true;
  for (const auto& [key, member] : value.dict().members) {
    if (!first) out.append(", ");
    first = false;
    append_repr(out, key, budget);
    out.append(": ");
    append_repr(out, member, budget);
  }
  out.append("}");
}

void append_namespace_repr(Text& out, const Value& value, Budget& budget) {
  // One that holds itself is shown once, as Python shows a dict that does.
  NamespaceBody& names = value.names();
  if (names.being_shown) return out.append("<Namespace {...}>");
  struct Shown {
    explicit Shown(bool& flag_to_set) : flag(flag_to_set) { flag = true; }
    ~Shown() { flag = false; }
    bool& flag;
  } const shown(names.being_shown);
  out.append("<Namespace {");
  bool first = true;
  for (const auto& [name, member] : names.members) {
    if (!first) out.append(", ");
    first = false;
    append_repr(out, Value::string(budget, name), budget);
    out.append(": ");
    append_repr(out, member, budget);
  }
  out.append("}>");
}

void append_range_repr(Text& out, const ListBody& range) {
  const auto& items = range.items;
  if (items.empty()) return out.append("range(0, 0)");
  const std::int64_t step = items.size() > 1 ? items[1].integer() - items[0].integer() : 1;
  out.append(std::format("range({}, {}", items.front().integer(), items.back().integer() + (step > 0 ? 1 : -1)));
  out.append(step == 1 ? std::string(")") : std::format(", {})", step));
}

}  // namespace

std::string float_repr(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  std::array<char, 64> buffer{};
  const auto end = std::to_chars(buffer.begin(), buffer.end(), number, std::chars_format::scientific).ptr;
  std::string_view shortest(buffer.begin(), static_cast<std::size_t>(end - buffer.begin()));
  const std::size_t e = shortest.find('e');
  const int exponent = std::atoi(shortest.data() + e + 1);
  std::string digits;
  for (const char c : shortest.substr(0, e))
    if (c >= '0' && c <= '9') digits += c;
  const std::string sign = shortest.front() == '-' ? "-" : "";
  const int count = static_cast<int>(digits.size());
  // Python switches to an exponent where the point would be more than 16 digits to the right or 4 to the left.
  if (exponent < -4 || exponent >= 16) {
    const std::string mantissa = digits.substr(0, 1) + (count > 1 ? "." + digits.substr(1) : "");
    return std::format("{}{}e{}{:02}", sign, mantissa, exponent < 0 ? '-' : '+', std::abs(exponent));
  }
  if (exponent < 0) return sign + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  if (exponent + 1 >= count)
    return sign + digits + std::string(static_cast<std::size_t>(exponent + 1 - count), '0') + ".0";
  return sign + digits.substr(0, static_cast<std::size_t>(exponent + 1)) + "." +
         digits.substr(static_cast<std::size_t>(exponent + 1));
}

void append_repr(Text& out, const Value& value, Budget& budget) {
  budget.spend();
  switch (value.kind()) {
    case Kind::None: return out.append("None");
    case Kind::Bool: return out.append(value.boolean() ? "True" : "False");
    case Kind::Int: return out.append(std::to_string(value.integer()));
    case Kind::Float: return out.append(float_repr(value.number()));
    case Kind::Undefined: return out.append("Undefined");
    case Kind::String:
      if (!value.is_markup()) return append_string_repr(out, value.text());
      out.append("Markup(");
      append_string_repr(out, value.text());
      return out.append(")");
    case Kind::List: return append_list_repr(out, value.list(), "[", "]", budget);
    case Kind::Tuple:
      return append_list_repr(out, value.list(), "(", value.list().items.size() == 1 ? ",)" : ")", budget);
    case Kind::Range: return append_range_repr(out, value.list());
    case Kind::View: return append_list_repr(out, value.list(), "dict_view([", "])", budget);
    case Kind::Dict: return append_members_repr(out, value, budget);
    case Kind::Namespace: return append_namespace_repr(out, value, budget);
    case Kind::Loop: {
      const LoopBody& loop = value.loop();
      return out.append(std::format("<LoopContext {}/{}>", loop.index + 1, loop.items.list().items.size()));
    }
    case Kind::Function: return out.append(std::format("<function {}>", value.function().name));
    case Kind::Generator: return out.append("<generator object>");
    case Kind::Macro: return out.append("<Macro>");
    case Kind::Method: return out.append(std::format("<method {}>", value.method().name));
    case Kind::BigInt: return out.append(value.text());
  }
}

void append_text(Text& out, const Value& value, Budget& budget) {
  if (value.is_string()) {
    budget.spend(1 + value.text().size() / kBytesPerStep);
    return out.append(value.text());
  }
  if (!value.is_undefined()) append_repr(out, value, budget);
}

Text to_text(const Value& value, Budget& budget) {
  if (value.is_string()) return value.text();
  Text out;
  append_text(out, value, budget);
  return out;
}

Text escape_html(const Text& text) {
  Text out;
  std::size_t begin = 0;
  const std::string_view view = text.view();
  for (std::size_t at = 0; at < view.size(); ++at) {
    const char c = view[at];
    const std::string_view word = c == '&'    ? "&amp;"
                                  : c == '<'  ? "&lt;"
                                  : c == '>'  ? "&gt;"
                                  : c == '\'' ? "&#39;"
                                  : c == '"'  ? "&#34;"
                                              : "";
    if (word.empty()) continue;
    out.append(text, begin, at);
    out.append(word, text.source_at(at));
    begin = at + 1;
  }
  out.append(text, begin, view.size());
  return out;
}

}  // namespace hearth::jinja
