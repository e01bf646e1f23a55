// String methods that change letters or put texts together: upper, replace, join, format, center and their kin.
#include <algorithm>
#include <format>
#include <limits>

#include "jinja/number_format.h"
#include "jinja/string_methods.h"
#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

// Every character through `change`, which is told whether a cased letter stands before it in the word and whether it is the first.
template <class Change>
Value mapped(Evaluator& evaluator, const Value& self, Change change) {
  const Text& text = self.text();
  Text out;
  bool in_word = false;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text.view(), at);
    std::string bytes;
    append_utf8(bytes, change(point.value, in_word, at == 0));
    out.append(point.value == 0xDF && bytes != text.view().substr(at, point.bytes) ? std::string("SS") : bytes,
               text.source_at(at));
    in_word = is_upper(point.value) || is_lower(point.value);
    at += point.bytes;
  }
  evaluator.budget().spend(text.size() / 16);
  return evaluator.string(std::move(out), self.markup());
}

// ß has no capital of one character; 0 asks mapped() for "SS".
char32_t upper_letter(char32_t value) { return value == 0xDF ? 0 : to_upper(value); }

Value upper(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("upper", arguments, {});
  return mapped(evaluator, self, [](char32_t value, bool, bool) { return upper_letter(value); });
}
Value lower(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("lower", arguments, {});
  return mapped(evaluator, self, [](char32_t value, bool, bool) { return to_lower(value); });
}
Value capitalize(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("capitalize", arguments, {});
  return mapped(evaluator, self,
                [](char32_t value, bool, bool is_first) { return is_first ? to_upper(value) : to_lower(value); });
}
Value title(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("title", arguments, {});
  return mapped(evaluator, self,
                [](char32_t value, bool in_word, bool) { return in_word ? to_lower(value) : to_upper(value); });
}
Value swapcase(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("swapcase", arguments, {});
  return mapped(evaluator, self,
                [](char32_t value, bool, bool) { return is_upper(value) ? to_lower(value) : upper_letter(value); });
}

Value replace(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"});
  const std::string_view old = require_text(bound[0]).view();
  const Text fresh =
      self.is_markup() && !bound[1].is_markup() ? escape_html(require_text(bound[1])) : require_text(bound[1]);
  std::int64_t left = bound.integer(2, -1);
  if (left < 0) left = std::numeric_limits<std::int64_t>::max();
  const Text& text = self.text();
  Text out;
  std::size_t begin = 0;
  // An empty `old` stands before every character and at the end.
  for (std::size_t at = 0; left > 0; --left) {
    const std::size_t found = old.empty() ? at : text.view().find(old, at);
    if (found > text.size()) break;
    evaluator.budget().spend();
    out.append(text, begin, found);
    out.append(fresh);
    begin = found + old.size();
    at = begin;
    if (!old.empty()) continue;
    if (found == text.size()) break;
    at = found + code_point_at(text.view(), found).bytes;
  }
  if (begin == 0 && out.empty()) return self;
  out.append(text, begin, text.size());
  return evaluator.string(std::move(out), self.markup());
}

Value join(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("join", arguments, {"iterable"});
  const Value items = elements(bound[0], evaluator.budget());
  Text out;
  for (std::size_t i = 0; i < items.list().items.size(); ++i) {
    const Value& item = items.list().items[i];
    if (!item.is_string())
      refuse(std::format("sequence item {}: expected str instance, {} found", i, item.type_name()));
    if (i > 0) out.append(self.text());
    out.append(self.is_markup() && !item.is_markup() ? escape_html(item.text()) : item.text());
  }
  return evaluator.string(std::move(out), self.markup());
}

Value format(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  if (!self.is_markup()) return evaluator.string(brace_format(self.text(), arguments, evaluator.budget()));
  Arguments escaped = arguments;
  const auto escape = [&](Value& value) {
    if (value.is_string() && !value.is_markup()) value = evaluator.string(escape_html(value.text()));
  };
  for (Value& value : escaped.positional) escape(value);
  for (auto& [name, value] : escaped.named) escape(value);
  return evaluator.string(brace_format(self.text(), escaped, evaluator.budget()), Markup::Yes);
}

Value padded(Evaluator& evaluator, const Value& self, Arguments& arguments, char align) {
  const Bound bound("center", arguments, {"width", "fillchar"});
  const auto width = static_cast<std::size_t>(std::max<std::int64_t>(require_integer(bound[0]), 0));
  const std::string_view fill = bound.has(1) ? require_text(bound[1]).view() : " ";
  if (count_characters(fill) != 1) refuse("The fill character must be exactly one character long");
  const std::size_t count = count_characters(self.view());
  if (width <= count) return self;
  const std::size_t padding = width - count;
  // Python puts the odd one of center() to the left when the width is odd.
  const std::size_t left = align == '<' ? 0 : align == '>' ? padding : padding / 2 + (padding & width & 1);
  Text out;
  out.append_repeated(fill, left);
  out.append(self.text());
  out.append_repeated(fill, padding - left);
  return evaluator.string(std::move(out), self.markup());
}
Value center(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  return padded(evaluator, self, arguments, '^');
}
Value ljust(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  return padded(evaluator, self, arguments, '<');
}
Value rjust(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  return padded(evaluator, self, arguments, '>');
}

Value zfill(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("zfill", arguments, {"width"});
  const std::int64_t missing = require_integer(bound[0]) - static_cast<std::int64_t>(count_characters(self.view()));
  if (missing <= 0) return self;
  const std::size_t sign = self.view().starts_with('-') || self.view().starts_with('+') ? 1 : 0;
  Text out = self.text().slice(0, sign);
  out.append_repeated("0", static_cast<std::size_t>(missing));
  out.append(self.text(), sign, self.text().size());
  return evaluator.string(std::move(out), self.markup());
}

Value expandtabs(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("expandtabs", arguments, {"tabsize"});
  const std::int64_t size = std::clamp<std::int64_t>(bound.integer(0, 8), 0, static_cast<std::int64_t>(kFieldWidthMax));
  Text out;
  std::int64_t column = 0;
  const Text& text = self.text();
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = at + code_point_at(text.view(), at).bytes;
    const char c = text.view()[at];
    if (c == '\t') {
      const std::int64_t spaces = size > 0 ? size - column % size : 0;
      out.append_repeated(" ", static_cast<std::size_t>(spaces), text.source_at(at));
      column += spaces;
    } else {
      out.append(text, at, end);
      column = c == '\n' || c == '\r' ? 0 : column + 1;
    }
    at = end;
  }
  return evaluator.string(std::move(out), self.markup());
}

constexpr NamedMethod kMethods[] = {
    {"upper", upper},       {"lower", lower},     {"casefold", lower}, {"capitalize", capitalize}, {"title", title},
    {"swapcase", swapcase}, {"replace", replace}, {"join", join},      {"format", format},         {"center", center},
    {"ljust", ljust},       {"rjust", rjust},     {"zfill", zfill},    {"expandtabs", expandtabs},
};

}  // namespace

StringMethod find_changing_method(std::string_view name) {
  const auto* found = std::ranges::find(kMethods, name, &NamedMethod::name);
  return found == std::end(kMethods) ? nullptr : found->function;
}

}  // namespace hearth::jinja
