// The functions every template can call: range, dict, namespace, and the two that transformers adds.
#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <format>

#include "jinja/filters.h"

namespace hearth::jinja {
namespace {

Value range(Evaluator& evaluator, Arguments& arguments) {
  const Bound bound("range", arguments, {"start", "stop", "step"});
  const std::int64_t first = require_integer(bound[0]);
  const std::int64_t start = bound.has(1) ? first : 0;
  const std::int64_t stop = bound.has(1) ? require_integer(bound[1]) : first;
  const std::int64_t step = bound.integer(2, 1);
  if (step == 0) refuse("range() arg 3 must not be zero");
  std::vector<Value> items;
  for (std::int64_t at = start; step > 0 ? at < stop : at > stop;) {
    if (static_cast<std::int64_t>(items.size()) >= kRangeMax)
      refuse_limit(std::format("Range too big. The sandbox blocks ranges larger than MAX_RANGE ({}).", kRangeMax));
    items.emplace_back(at);
    if (__builtin_add_overflow(at, step, &at)) break;
  }
  return evaluator.list(std::move(items), Kind::Range);
}

// The pairs or the mapping of the one positional argument, and all named ones, to `set`.
template <class Set>
void members(Evaluator& evaluator, const Arguments& arguments, Set set) {
  if (arguments.positional.size() > 1) refuse("expected at most 1 argument");
  if (!arguments.positional.empty()) {
    const Value& given = arguments.positional.front();
    if (given.is(Kind::Dict)) {
      for (const auto& [key, value] : given.dict().members) set(key, value);
    } else {
      const Value pairs = elements(given, evaluator.budget());
      for (const Value& item : pairs.list().items) {
        const Value pair = elements(item, evaluator.budget());
        if (pair.list().items.size() != 2) refuse("dictionary update sequence element has not length 2");
        set(pair.list().items[0], pair.list().items[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) set(Value::string(evaluator.budget(), name), value);
}

Value make_dict(Evaluator& evaluator, Arguments& arguments) {
  Value dict = DictBody::make(evaluator.budget());
  members(evaluator, arguments, [&](const Value& key, const Value& value) { dict.dict().set(key, value); });
  return dict;
}

Value make_namespace(Evaluator& evaluator, Arguments& arguments) {
  Value space = evaluator.make_namespace();
  members(evaluator, arguments, [&](const Value& key, const Value& value) {
    evaluator.budget().spend(1 + space.names().members.size());
    space.names().set(to_text(key, evaluator.budget()).view(), value);
  });
  return space;
}

Value raise_exception(Evaluator& evaluator, Arguments& arguments) {
  const Bound bound("raise_exception", arguments, {"message"});
  throw Refusal{RefusalKind::Raised, to_text(bound[0], evaluator.budget()).bytes(), 0};
}

Value strftime_now(Evaluator& evaluator, Arguments& arguments) {
  const Bound bound("strftime_now", arguments, {"format"});
  const std::string format = to_text(bound[0], evaluator.budget()).bytes();
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm local{};
  localtime_r(&now, &local);
  // The longest date anyone asks for is some 60 bytes.
  std::array<char, 512> text{};
  if (format.size() > text.size() / 4) refuse_limit("strftime_now's format is too long");
  const std::size_t size = std::strftime(text.data(), text.size(), format.c_str(), &local);
  return evaluator.string(Text(std::string(text.data(), size)));
}

constexpr Builtin kGlobals[] = {
    {"range", range},
    {"dict", make_dict},
    {"namespace", make_namespace},
    {"raise_exception", raise_exception},
    {"strftime_now", strftime_now},
};

}  // namespace

const Builtin* find_global(std::string_view name) {
  const auto* found = std::ranges::find_if(kGlobals, [&](const Builtin& global) { return name == global.name; });
  return found == std::end(kGlobals) ? nullptr : found;
}

}  // namespace hearth::jinja
