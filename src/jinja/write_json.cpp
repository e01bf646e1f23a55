// tojson as transformers gives it to templates: Python's json.dumps, nothing escaped for HTML. Strings keep their origin
// with their escapes; the punctuation is the template's.
#include <algorithm>
#include <format>

#include "jinja/operations.h"
#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

class JsonWriter {
 public:
  JsonWriter(const JsonStyle& style, Budget& budget) : style_(style), budget_(budget) {}

  void write(const Value& value) {
    budget_.spend();
    switch (value.kind()) {
      case Kind::None: return out_.append("null");
      case Kind::Bool: return out_.append(value.boolean() ? "true" : "false");
      case Kind::Int: return out_.append(std::to_string(value.integer()));
      case Kind::Float: return out_.append(number(value.number()));
      case Kind::BigInt: return out_.append(value.text());
      case Kind::String: return write_string(value.text());
      case Kind::List:
      case Kind::Tuple: return write_list(value.list());
      case Kind::Dict: return write_dict(value.dict());
      default: refuse(std::format("Object of type {} is not JSON serializable", value.type_name()));
    }
  }
  [[nodiscard]] Text take() && { return std::move(out_); }

 private:
  static std::string number(double value) {
    const std::string text = float_repr(value);
    return text == "nan" ? "NaN" : text == "inf" ? "Infinity" : text == "-inf" ? "-Infinity" : text;
  }

  void break_line() {
    if (!style_.indent) return;
    out_.append("\n");
    out_.append_repeated(*style_.indent, level_);
  }

  void write_list(const ListBody& list) {
    if (list.items.empty()) return out_.append("[]");
    out_.append("[");
    ++level_;
    for (std::size_t i = 0; i < list.items.size(); ++i) {
      if (i > 0) out_.append(style_.item_separator);
      break_line();
      write(list.items[i]);
    }
    --level_;
    break_line();
    out_.append("]");
  }

  void write_dict(const DictBody& dict) {
    if (dict.members.empty()) return out_.append("{}");
    std::vector<const DictBody::Member*> members;
    for (const auto& member : dict.members) members.push_back(&member);
    if (style_.order == KeyOrder::Sorted)
      std::ranges::stable_sort(members,
                               [&](const auto* a, const auto* b) { return less(a->first, b->first, budget_); });
    out_.append("{");
    ++level_;
    bool first = true;
    for (const auto* member : members) {
      if (!first) out_.append(style_.item_separator);
      first = false;
      break_line();
      write_key(member->first);
      out_.append(style_.key_separator);
      write(member->second);
    }
    --level_;
    break_line();
    out_.append("}");
  }

  void write_key(const Value& key) {
    if (key.is_string()) return write_string(key.text());
    if (!key.is_number() && !key.is(Kind::BigInt) && !key.is(Kind::None))
      refuse(std::format("keys must be str, int, float, bool or None, not {}", key.type_name()));
    out_.append("\"");
    write(key);
    out_.append("\"");
  }

  [[nodiscard]] std::string escape(char32_t value) const {
    switch (value) {
      case '"': return "\\\"";
      case '\\': return "\\\\";
      case '\n': return "\\n";
      case '\r': return "\\r";
      case '\t': return "\\t";
      case '\f': return "\\f";
      case '\b': return "\\b";
      default: break;
    }
    const auto code = static_cast<std::uint32_t>(value);
    if (code < 0x20 || (style_.alphabet == Alphabet::Ascii && code > 0x7E && code < 0x10000))
      return std::format("\\u{:04x}", code);
    if (style_.alphabet == Alphabet::Unicode || code < 0x7F) return {};
    return std::format("\\u{:04x}\\u{:04x}", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF));
  }

  void write_string(const Text& text) {
    const std::string_view view = text.view();
    budget_.spend(view.size() / kBytesPerStep);
    out_.append("\"");
    std::size_t begin = 0;
    for (std::size_t at = 0; at < view.size();) {
      const auto byte = static_cast<unsigned char>(view[at]);
      const bool plain =
          byte >= 0x20 && byte != '"' && byte != '\\' && (byte < 0x7F || style_.alphabet == Alphabet::Unicode);
      if (plain) {
        ++at;
        continue;
      }
      const CodePoint point = code_point_at(view, at);
      out_.append(text, begin, at);
      out_.append(escape(point.value), text.source_at(at));
      at += point.bytes;
      begin = at;
    }
    out_.append(text, begin, view.size());
    out_.append("\"");
  }

  const JsonStyle& style_;
  Budget& budget_;
  Text out_;
  std::size_t level_ = 0;
};

}  // namespace

Text to_json(const Value& value, const JsonStyle& style, Budget& budget) {
  JsonWriter writer(style, budget);
  writer.write(value);
  return std::move(writer).take();
}

}  // namespace hearth::jinja
