// 'text %s' % arguments.
#include <cmath>
#include <format>

#include "jinja/number_format.h"

namespace hearth::jinja {
namespace {

class PercentFormat {
 public:
  PercentFormat(const Text& format, const Value& arguments, Markup markup, Budget& budget)
      : format_(format), view_(format.view()), arguments_(arguments), markup_(markup), budget_(budget) {}

  Text run() {
    std::size_t begin = 0;
    for (std::size_t at = view_.find('%'); at != std::string_view::npos; at = view_.find('%', begin)) {
      out_.append(format_, begin, at);
      begin = at + 1;
      field(begin);
    }
    out_.append(format_, begin, view_.size());
    const bool all_used =
        arguments_.is(Kind::Tuple) ? used_ == arguments_.list().items.size() : used_ > 0 || arguments_.is(Kind::Dict);
    if (!all_used) refuse("not all arguments converted during string formatting");
    return std::move(out_);
  }

 private:
  Value next() {
    if (arguments_.is(Kind::Tuple)) {
      const auto& items = arguments_.list().items;
      if (used_ >= items.size()) refuse("not enough arguments for format string");
      return items[used_++];
    }
    if (used_++ > 0) refuse("not enough arguments for format string");
    return arguments_;
  }

  Value named(std::size_t& at) {
    const std::size_t close = view_.find(')', at);
    if (close == std::string_view::npos) refuse("incomplete format key");
    if (!arguments_.is(Kind::Dict)) refuse("format requires a mapping");
    const std::string_view key = view_.substr(at + 1, close - at - 1);
    const Value* member = arguments_.dict().find(key);
    if (!member) refuse(std::format("'{}'", key));
    at = close + 1;
    used_ = 1;
    return *member;
  }

  void field(std::size_t& at) {
    budget_.spend();
    FieldFormat field;
    std::optional<Value> value;
    if (at < view_.size() && view_[at] == '(') value = named(at);
    for (; at < view_.size() && std::string_view("-+ 0#").contains(view_[at]); ++at) {
      if (view_[at] == '-') field.align = '<';
      if (view_[at] == '+' || (view_[at] == ' ' && field.sign == '-')) field.sign = view_[at];
      if (view_[at] == '0') field.fill = '0';
      if (view_[at] == '#') field.alternate = true;
    }
    field.width = read_count(view_, at);
    if (at < view_.size() && view_[at] == '.') field.precision = static_cast<int>(read_count(view_, ++at));
    if (at >= view_.size()) refuse("incomplete format");
    field.letter = view_[at++];
    if (field.letter == '%') return out_.append("%");
    convert(field, value ? *value : next());
  }

  void convert(FieldFormat field, const Value& value) {
    if (field.letter == 's' || field.letter == 'r') {
      field.fill = ' ';
      if (!field.align) field.align = '>';
      Text text;
      if (field.letter == 's') append_text(text, value, budget_);
      if (field.letter == 'r') append_repr(text, value, budget_);
      if (markup_ == Markup::Yes && !value.is_markup()) text = escape_html(text);
      return append_padded(out_, text, field, false);
    }
    if (!std::string_view("diuxXoeEfFgG").contains(field.letter))
      refuse(std::format("unsupported format character '{}'", field.letter));
    if (!value.is_number())
      refuse(std::format("%{} format: a real number is required, not {}", field.letter, value.type_name()));
    const bool integer = std::string_view("diuxXo").contains(field.letter);
    Value number = value;
    if (integer && value.is(Kind::Float)) {
      if (!(std::abs(value.number()) < 9e18)) refuse("cannot convert float to integer");
      number = static_cast<std::int64_t>(value.number());
    }
    if (field.fill == '0') field.align = field.align == '<' ? '<' : '=';
    if (field.align == '<') field.fill = ' ';
    append_padded(out_, Text(number_text(field, number)), field, true);
  }

  const Text& format_;
  std::string_view view_;
  const Value& arguments_;
  Markup markup_;
  Budget& budget_;
  Text out_;
  std::size_t used_ = 0;
};

}  // namespace

Text percent_format(const Text& format, const Value& arguments, Markup markup, Budget& budget) {
  return PercentFormat(format, arguments, markup, budget).run();
}

}  // namespace hearth::jinja
