// Filters that make text of text. Each keeps the origin of what it keeps.
#include <algorithm>
#include <format>

#include "jinja/filters.h"
#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

// What the filter works on: str(input), and Markup stays Markup.
Value soft(Evaluator& evaluator, const Value& input) {
  return input.is_string() ? input : evaluator.string(to_text(input, evaluator.budget()));
}

template <std::size_t N>
struct MethodName {
  char text[N]{};
  constexpr MethodName(const char (&name)[N]) { std::copy_n(name, N, text); }
};

// A filter that is the string's method of the same name.
template <MethodName kMethod>
Value as_method(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return call_string_method(evaluator, soft(evaluator, input), kMethod.text, arguments);
}

Value trim(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("trim", arguments, {"chars"});
  Arguments characters;
  if (bound.has(0)) characters.positional.push_back(bound[0]);
  return call_string_method(evaluator, soft(evaluator, input), "strip", characters);
}

Value replace(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("replace", arguments, {"old", "new", "count"});
  Budget& budget = evaluator.budget();
  Arguments plain;
  plain.positional = {evaluator.string(to_text(bound[0], budget)), evaluator.string(to_text(bound[1], budget))};
  if (bound.given(2)) plain.positional.push_back(bound[2]);
  return call_string_method(evaluator, evaluator.string(to_text(input, budget)), "replace", plain);
}

Value string(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("string", arguments, {});
  return soft(evaluator, input);
}

Value safe(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("safe", arguments, {});
  return evaluator.string(to_text(input, evaluator.budget()), Markup::Yes);
}

Value escape(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("escape", arguments, {});
  if (input.is_markup()) return input;
  return evaluator.string(escape_html(to_text(input, evaluator.budget())), Markup::Yes);
}

Value forceescape(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("forceescape", arguments, {});
  return evaluator.string(escape_html(to_text(input, evaluator.budget())), Markup::Yes);
}

// Every word begins with a capital; words begin behind white space, hyphens and opening brackets.
Value title(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("title", arguments, {});
  const Text text = to_text(input, evaluator.budget());
  Text out;
  bool begins = true;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text.view(), at);
    std::string changed;
    append_utf8(changed, begins ? to_upper(point.value) : to_lower(point.value));
    if (begins && point.value == 0xDF) changed = "SS";
    out.append(changed, text.source_at(at));
    begins = is_space(point.value) ||
             (point.value < 0x80 && std::string_view("-({[<").contains(static_cast<char>(point.value)));
    at += point.bytes;
  }
  return evaluator.string(std::move(out));
}

Value indent(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("indent", arguments, {"width", "first", "blank"});
  Budget& budget = evaluator.budget();
  Text margin;
  if (bound.has(0) && bound[0].is_string()) {
    margin = bound[0].text();
  } else {
    margin.append_repeated(" ", static_cast<std::size_t>(std::max<std::int64_t>(bound.integer(0, 4), 0)));
  }
  Text text = to_text(input, budget);
  text.append("\n", text.empty() ? kTemplateSource : text.source_at(text.size() - 1));
  Arguments none;
  const Value lines = call_string_method(evaluator, evaluator.string(std::move(text)), "splitlines", none);
  const bool indents_blank = bound.flag(2, false);
  Text out;
  if (bound.flag(1, false)) out.append(margin);
  const auto& items = lines.list().items;
  for (std::size_t i = 0; i < items.size(); ++i) {
    budget.spend();
    if (i > 0) out.append("\n");
    if (i > 0 && (indents_blank || !items[i].text().empty())) out.append(margin);
    out.append(items[i].text());
  }
  return evaluator.string(std::move(out), input.markup());
}

Value format(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  if (!arguments.named.empty() && !arguments.positional.empty())
    refuse("can't handle positional and keyword arguments at the same time");
  Value values = evaluator.list(arguments.positional, Kind::Tuple);
  if (!arguments.named.empty()) {
    values = DictBody::make(evaluator.budget());
    for (const auto& [name, value] : arguments.named) values.dict().set(Value::string(evaluator.budget(), name), value);
  }
  return evaluator.string(
      percent_format(to_text(input, evaluator.budget()), values, input.markup(), evaluator.budget()), input.markup());
}

Value wordcount(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("wordcount", arguments, {});
  const Text text = to_text(input, evaluator.budget());
  std::int64_t count = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text.view(), at);
    const bool is_word = is_letter(point.value) || is_digit(point.value) || point.value == '_';
    if (is_word && !inside) ++count;
    inside = is_word;
    at += point.bytes;
  }
  return count;
}

Value truncate(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("truncate", arguments, {"length", "killwords", "end", "leeway"});
  const Text text = to_text(input, evaluator.budget());
  const std::int64_t length = bound.integer(0, 255);
  const std::int64_t leeway = bound.given(3) ? bound.integer(3, 5) : 5;
  const Text end = bound.has(2) ? to_text(bound[2], evaluator.budget()) : Text("...");
  const auto end_length = static_cast<std::int64_t>(count_characters(end.view()));
  if (length < end_length || leeway < 0) refuse(std::format("expected length >= {}, got {}", end_length, length));
  if (static_cast<std::int64_t>(count_characters(text.view())) <= length + std::min<std::int64_t>(leeway, 1 << 30))
    return evaluator.string(text);
  Text out = text.slice(0, byte_of_character(text.view(), static_cast<std::size_t>(length - end_length)));
  if (!bound.flag(1, false)) {
    const std::size_t space = out.view().rfind(' ');
    if (space != std::string_view::npos) out = out.slice(0, space);
  }
  out.append(end);
  return evaluator.string(std::move(out));
}

Value urlencode(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("urlencode", arguments, {});
  if (!input.is_string() && !input.is_number()) refuse("urlencode works on text here");
  const Text text = to_text(input, evaluator.budget());
  Text out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text.view()[at];
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("_.-~/").contains(c);
    out.append(plain ? std::string(1, c) : std::format("%{:02X}", static_cast<unsigned char>(c)), text.source_at(at));
  }
  return evaluator.string(std::move(out));
}

Value center(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  if (arguments.positional.empty() && arguments.named.empty()) arguments.positional.emplace_back(std::int64_t{80});
  return call_string_method(evaluator, soft(evaluator, input), "center", arguments);
}

constexpr NamedFilter kFilters[] = {
    {"trim", trim},
    {"replace", replace},
    {"string", string},
    {"safe", safe},
    {"escape", escape},
    {"e", escape},
    {"title", title},
    {"indent", indent},
    {"forceescape", forceescape},
    {"format", format},
    {"center", center},
    {"wordcount", wordcount},
    {"truncate", truncate},
    {"urlencode", urlencode},
    {"upper", as_method<"upper">},
    {"lower", as_method<"lower">},
    {"capitalize", as_method<"capitalize">},
};

}  // namespace

FilterFunction find_text_filter(std::string_view name) {
  const auto* found = std::ranges::find(kFilters, name, &NamedFilter::name);
  return found == std::end(kFilters) ? nullptr : found->function;
}

}  // namespace hearth::jinja
