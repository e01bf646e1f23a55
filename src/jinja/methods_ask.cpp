// String methods that ask: startswith, find, count, isdigit and their kin; and the table of all string methods.
#include <algorithm>
#include <format>

#include "jinja/string_methods.h"
#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

// The bytes [begin, end) that optional start and stop arguments (counted in characters) leave.
Bounds window(std::string_view text, const Bound& bound) {
  if (!bound.given(1) && !bound.given(2)) return {0, text.size()};
  const auto count = static_cast<std::int64_t>(count_characters(text));
  const auto place = [&](std::size_t index, std::int64_t otherwise) {
    const std::int64_t given = bound.given(index) ? bound.integer(index, 0) : otherwise;
    return static_cast<std::size_t>(std::clamp<std::int64_t>(given < 0 ? given + count : given, 0, count));
  };
  const std::size_t begin = byte_of_character(text, place(1, 0));
  return {begin, std::max(begin, byte_of_character(text, place(2, count)))};
}

enum class Edge { Start, End };

template <Edge kEdge>
Value at_edge(Evaluator&, const Value& self, Arguments& arguments) {
  const Bound bound(kEdge == Edge::Start ? "startswith" : "endswith", arguments, {"prefix", "start", "end"});
  const Bounds part = window(self.view(), bound);
  const std::string_view text = self.view().substr(part.begin, part.end - part.begin);
  const auto fits = [&](const Value& wanted) {
    const std::string_view words = require_text(wanted).view();
    return kEdge == Edge::Start ? text.starts_with(words) : text.ends_with(words);
  };
  if (bound[0].is(Kind::Tuple)) return std::ranges::any_of(bound[0].list().items, fits);
  return fits(bound[0]);
}

enum class Direction { First, Last };
enum class Missing { MinusOne, Refused };

template <Direction kDirection, Missing kMissing>
Value find(Evaluator&, const Value& self, Arguments& arguments) {
  const Bound bound("find", arguments, {"sub", "start", "end"});
  const Bounds part = window(self.view(), bound);
  const std::string_view text = self.view().substr(0, part.end);
  const std::string_view wanted = require_text(bound[0]).view();
  std::size_t found = kDirection == Direction::First ? text.find(wanted, part.begin) : text.rfind(wanted);
  if (found != std::string_view::npos && found < part.begin) found = std::string_view::npos;
  if (found != std::string_view::npos) return static_cast<std::int64_t>(count_characters(text.substr(0, found)));
  if (kMissing == Missing::Refused) refuse("substring not found");
  return std::int64_t{-1};
}

Value count(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  const Bound bound("count", arguments, {"sub", "start", "end"});
  const Bounds part = window(self.view(), bound);
  const std::string_view text = self.view().substr(part.begin, part.end - part.begin);
  const std::string_view wanted = require_text(bound[0]).view();
  if (wanted.empty()) return static_cast<std::int64_t>(count_characters(text)) + 1;
  std::int64_t times = 0;
  evaluator.budget().spend(text.size() / kBytesPerStep);
  for (std::size_t at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + wanted.size()))
    ++times;
  return times;
}

using CharacterTest = bool (*)(char32_t value);

// True when there is a character and all are as asked.
template <CharacterTest kTest>
Value all(Evaluator&, const Value& self, Arguments& arguments) {
  const Bound bound("is", arguments, {});
  const std::string_view text = self.view();
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = code_point_at(text, at);
    if (!kTest(point.value)) return false;
    at += point.bytes;
  }
  return !text.empty();
}

bool is_alphanumeric(char32_t value) { return is_letter(value) || is_digit(value); }
bool is_decimal(char32_t value) { return is_digit(value) && value != 0xB2 && value != 0xB3 && value != 0xB9; }

Value isascii(Evaluator&, const Value& self, Arguments& arguments) {
  const Bound bound("isascii", arguments, {});
  return std::ranges::all_of(self.view(), [](char c) { return (c & 0x80) == 0; });
}
Value isprintable(Evaluator& evaluator, const Value& self, Arguments& arguments) {
  if (self.text().empty()) return true;
  return all<is_printable>(evaluator, self, arguments);
}

// At least one letter with case, and none of the other case.
template <CharacterTest kWanted, CharacterTest kOther>
Value all_case(Evaluator&, const Value& self, Arguments& arguments) {
  const Bound bound("isupper", arguments, {});
  bool any = false;
  for (std::size_t at = 0; at < self.view().size();) {
    const CodePoint point = code_point_at(self.view(), at);
    if (kOther(point.value)) return false;
    any = any || kWanted(point.value);
    at += point.bytes;
  }
  return any;
}

Value istitle(Evaluator&, const Value& self, Arguments& arguments) {
  const Bound bound("istitle", arguments, {});
  bool any = false;
  bool in_word = false;
  for (std::size_t at = 0; at < self.view().size();) {
    const CodePoint point = code_point_at(self.view(), at);
    if (is_upper(point.value) && in_word) return false;
    if (is_lower(point.value) && !in_word) return false;
    in_word = is_upper(point.value) || is_lower(point.value);
    any = any || in_word;
    at += point.bytes;
  }
  return any;
}

Value isidentifier(Evaluator&, const Value& self, Arguments& arguments) {
  const Bound bound("isidentifier", arguments, {});
  for (std::size_t at = 0; at < self.view().size();) {
    const CodePoint point = code_point_at(self.view(), at);
    if (point.value != '_' && !is_letter(point.value) && (at == 0 || !is_digit(point.value))) return false;
    at += point.bytes;
  }
  return !self.text().empty();
}

constexpr NamedMethod kMethods[] = {
    {"startswith", at_edge<Edge::Start>},
    {"endswith", at_edge<Edge::End>},
    {"find", find<Direction::First, Missing::MinusOne>},
    {"rfind", find<Direction::Last, Missing::MinusOne>},
    {"index", find<Direction::First, Missing::Refused>},
    {"rindex", find<Direction::Last, Missing::Refused>},
    {"count", count},
    {"isdigit", all<is_digit>},
    {"isdecimal", all<is_decimal>},
    {"isnumeric", all<is_digit>},
    {"isalpha", all<is_letter>},
    {"isalnum", all<is_alphanumeric>},
    {"isspace", all<is_space>},
    {"isascii", isascii},
    {"isprintable", isprintable},
    {"isupper", all_case<is_upper, is_lower>},
    {"islower", all_case<is_lower, is_upper>},
    {"istitle", istitle},
    {"isidentifier", isidentifier},
};

StringMethod find_method(std::string_view name) {
  for (auto* find_in : {find_cutting_method, find_changing_method, find_asking_method})
    if (const StringMethod found = find_in(name)) return found;
  return nullptr;
}

}  // namespace

StringMethod find_asking_method(std::string_view name) {
  const auto* found = std::ranges::find(kMethods, name, &NamedMethod::name);
  return found == std::end(kMethods) ? nullptr : found->function;
}

const Text& require_text(const Value& value) {
  require_defined(value);
  if (!value.is_string()) refuse(std::format("a string was expected, not '{}'", value.type_name()));
  return value.text();
}

MethodAccess string_method_access(std::string_view name) {
  return find_method(name) ? MethodAccess::Allowed : MethodAccess::None;
}

Value call_string_method(Evaluator& evaluator, const Value& object, std::string_view name, Arguments& arguments) {
  const StringMethod method = find_method(name);
  if (!method) refuse(std::format("'str object' has no attribute '{}'", name));
  evaluator.budget().spend(1 + object.text().size() / kBytesPerStep);
  return method(evaluator, object, arguments);
}

}  // namespace hearth::jinja
