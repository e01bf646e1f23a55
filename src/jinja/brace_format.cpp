// 'text {} {0} {name.attribute[key]!r:>8}'.format(...): the fields templates use; what is not understood is refused.
#include <format>

#include "jinja/number_format.h"

namespace hearth::jinja {
namespace {

class BraceFormat {
 public:
  BraceFormat(const Text& format, const Arguments& arguments, Budget& budget)
      : format_(format), view_(format.view()), arguments_(arguments), budget_(budget) {}

  Text run() {
    std::size_t begin = 0;
    for (std::size_t at = view_.find_first_of("{}"); at != std::string_view::npos;
         at = view_.find_first_of("{}", begin)) {
      out_.append(format_, begin, at);
      if (at + 1 < view_.size() && view_[at + 1] == view_[at]) {
        out_.append(format_, at, at + 1);
        begin = at + 2;
        continue;
      }
      const std::size_t close = view_[at] == '{' ? view_.find('}', at) : std::string_view::npos;
      if (close == std::string_view::npos) refuse(std::format("Single '{}' encountered in format string", view_[at]));
      field(view_.substr(at + 1, close - at - 1));
      begin = close + 1;
    }
    out_.append(format_, begin, view_.size());
    return std::move(out_);
  }

 private:
  void field(std::string_view spec) {
    budget_.spend();
    if (spec.contains('{')) refuse("nested fields in a format string are not supported");
    const std::size_t colon = spec.find(':');
    std::string_view name = spec.substr(0, colon);
    const std::string_view layout = colon == std::string_view::npos ? "" : spec.substr(colon + 1);
    char conversion = 0;
    if (const std::size_t mark = name.find('!'); mark != std::string_view::npos) {
      if (mark + 2 != name.size() || !std::string_view("rs").contains(name[mark + 1]))
        refuse("unknown conversion in a format string");
      conversion = name[mark + 1];
      name = name.substr(0, mark);
    }
    Value value = lookup(name);
    if (conversion) {
      Text text;
      if (conversion == 'r') append_repr(text, value, budget_);
      if (conversion == 's') append_text(text, value, budget_);
      value = Value::string(budget_, std::move(text));
    }
    append(value, layout);
  }

  Value lookup(std::string_view name) {
    std::size_t at = std::min(name.find_first_of(".["), name.size());
    Value value = argument(name.substr(0, at));
    while (at < name.size()) {
      if (name[at] == '.') {
        const std::size_t end = std::min(name.find_first_of(".[", at + 1), name.size());
        value = get_attribute(value, name.substr(at + 1, end - at - 1), budget_);
        at = end;
        continue;
      }
      const std::size_t close = name.find(']', at);
      if (name[at] != '[' || close == std::string_view::npos) refuse("a format string has a broken field");
      const std::string_view key = name.substr(at + 1, close - at - 1);
      std::size_t end = 0;
      const auto index = static_cast<std::int64_t>(read_count(key, end));
      value = get_item(value, end > 0 && end == key.size() ? Value(index) : Value::string(budget_, key), budget_);
      at = close + 1;
    }
    return value;
  }

  Value argument(std::string_view name) {
    std::size_t end = 0;
    std::size_t index = read_count(name, end);
    if (end == name.size()) {
      if (name.empty()) index = next_++;
      if (index >= arguments_.positional.size())
        refuse(std::format("Replacement index {} out of range for positional args tuple", index));
      return arguments_.positional[index];
    }
    for (const auto& [known, value] : arguments_.named)
      if (known == name) return value;
    refuse(std::format("'{}'", name));
  }

  void append(const Value& value, std::string_view layout) {
    if (layout.empty()) return append_text(out_, value, budget_);
    if (!value.is_string() && !value.is_number())
      refuse(std::format("unsupported format string passed to {}.__format__", value.type_name()));
    FieldFormat field = parse(layout);
    if (value.is_string()) {
      if (field.letter != 0 && field.letter != 's')
        refuse(std::format("Unknown format code '{}' for object of type 'str'", field.letter));
      return append_padded(out_, value.text(), field, false);
    }
    if (field.letter != 0 && !std::string_view("dxXobeEfFgGn%").contains(field.letter))
      refuse(std::format("Unknown format code '{}' for object of type '{}'", field.letter, value.type_name()));
    if (value.is(Kind::Float) && field.letter != 0 && std::string_view("dxXob").contains(field.letter))
      refuse(std::format("Unknown format code '{}' for object of type 'float'", field.letter));
    append_padded(out_, Text(number_text(field, value)), field, true);
  }

  static FieldFormat parse(std::string_view layout) {
    FieldFormat field;
    std::size_t at = 0;
    const auto is_align = [](char c) { return std::string_view("<>^=").contains(c); };
    if (layout.size() > 1 && is_align(layout[1])) {
      field.fill = layout[0];
      field.align = layout[1];
      at = 2;
    } else if (is_align(layout[0])) {
      field.align = layout[at++];
    }
    const auto take = [&](std::string_view any) {
      return at < layout.size() && any.contains(layout[at]) ? layout[at++] : '\0';
    };
    if (const char sign = take("+- ")) field.sign = sign;
    if (take("#")) field.alternate = true;
    if (take("0") && !field.align) {
      field.fill = '0';
      field.align = '=';
    }
    field.width = read_count(layout, at);
    if (take(",")) field.grouped = true;
    if (take(".")) field.precision = static_cast<int>(read_count(layout, at));
    if (at < layout.size()) field.letter = layout[at++];
    if (at != layout.size()) refuse("Invalid format specifier");
    return field;
  }

  const Text& format_;
  std::string_view view_;
  const Arguments& arguments_;
  Budget& budget_;
  Text out_;
  std::size_t next_ = 0;
};

}  // namespace

Text brace_format(const Text& format, const Arguments& arguments, Budget& budget) {
  return BraceFormat(format, arguments, budget).run();
}

}  // namespace hearth::jinja
