// Filters that walk a list and give another list, or one of its elements.
#include <algorithm>
#include <format>

#include "jinja/filters.h"
#include "jinja/unicode.h"

namespace hearth::jinja {
namespace {

Value no_item(const char* words) { return UndefinedBody::make(UndefinedBody::Reason::Hint, "", words); }

Value to_list(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("list", arguments, {});
  return elements(input, evaluator.budget());
}

Value first(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("first", arguments, {});
  const Value items = elements(input, evaluator.budget());
  return items.list().items.empty() ? no_item("No first item, sequence was empty.") : items.list().items.front();
}

Value last(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("last", arguments, {});
  if (input.is(Kind::Generator)) refuse("'generator' object is not reversible");
  const Value items = elements(input, evaluator.budget());
  return items.list().items.empty() ? no_item("No last item, sequence was empty.") : items.list().items.back();
}

Value length_of(Evaluator&, const Value& input, Arguments& arguments) {
  const Bound bound("length", arguments, {});
  return static_cast<std::int64_t>(length(input));
}

Value join(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("join", arguments, {"d", "attribute"});
  Budget& budget = evaluator.budget();
  const Text separator = bound.has(0) ? to_text(bound[0], budget) : Text();
  const Value items = elements(input, budget);
  Text out;
  bool is_first = true;
  for (const Value& item : items.list().items) {
    if (!is_first) out.append(separator);
    is_first = false;
    append_text(out, bound.given(1) ? attribute_path(evaluator, item, bound[1]) : item, budget);
  }
  return evaluator.string(std::move(out));
}

Value reverse(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("reverse", arguments, {});
  if (input.is_string()) return get_slice(input, {.start = {}, .stop = {}, .step = -1}, evaluator.budget());
  std::vector<Value> items = elements(input, evaluator.budget()).list().items;
  std::ranges::reverse(items);
  return evaluator.list(std::move(items), input.is(Kind::Generator) ? Kind::List : Kind::Generator);
}

enum class Case { Ignored, Kept };

// What sort, unique, min and max compare.
Value comparable(Evaluator& evaluator, const Value& item, const Value* attribute, Case letters) {
  Value value = attribute ? attribute_path(evaluator, item, *attribute) : item;
  Arguments none;
  if (letters == Case::Ignored && value.is_string()) return call_string_method(evaluator, value, "lower", none);
  return value;
}

// sort may name several attributes: "a,b".
Value sort_key(Evaluator& evaluator, const Value& item, const Value* attributes, Case letters) {
  if (!attributes || !attributes->is_string() || !attributes->view().contains(','))
    return comparable(evaluator, item, attributes, letters);
  std::vector<Value> keys;
  std::string_view rest = attributes->view();
  while (true) {
    const std::size_t comma = rest.find(',');
    const Value name = Value::string(evaluator.budget(), rest.substr(0, comma));
    keys.push_back(comparable(evaluator, item, &name, letters));
    if (comma == std::string_view::npos) return evaluator.list(std::move(keys));
    rest.remove_prefix(comma + 1);
  }
}

using Keyed = std::pair<Value, Value>;  // key, item

void sort_keyed(std::vector<Keyed>& keyed, bool reversed, Budget& budget) {
  std::ranges::stable_sort(keyed, [&](const Keyed& a, const Keyed& b) {
    return reversed ? less(b.first, a.first, budget) : less(a.first, b.first, budget);
  });
}

Value sort(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("sort", arguments, {"reverse", "case_sensitive", "attribute"});
  const Case letters = bound.flag(1, false) ? Case::Kept : Case::Ignored;
  const Value* attribute = bound.given(2) ? &bound[2] : nullptr;
  std::vector<Keyed> keyed;
  const Value all = elements(input, evaluator.budget());
  for (const Value& item : all.list().items) keyed.emplace_back(sort_key(evaluator, item, attribute, letters), item);
  sort_keyed(keyed, bound.flag(0, false), evaluator.budget());
  std::vector<Value> items;
  for (auto& [key, item] : keyed) items.push_back(std::move(item));
  return evaluator.list(std::move(items));
}

Value dictsort(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("dictsort", arguments, {"case_sensitive", "by", "reverse"});
  require_defined(input);
  if (!input.is(Kind::Dict)) refuse(std::format("'{}' object has no attribute 'items'", input.type_name()));
  const Case letters = bound.flag(0, false) ? Case::Kept : Case::Ignored;
  const Text by = bound.has(1) ? to_text(bound[1], evaluator.budget()) : Text("key");
  if (by.view() != "key" && by.view() != "value") refuse("You can only sort by either \"key\" or \"value\"");
  std::vector<Keyed> keyed;
  for (const auto& [key, value] : input.dict().members)
    keyed.emplace_back(comparable(evaluator, by.view() == "key" ? key : value, nullptr, letters),
                       evaluator.list({key, value}, Kind::Tuple));
  sort_keyed(keyed, bound.flag(2, false), evaluator.budget());
  std::vector<Value> items;
  for (auto& [key, item] : keyed) items.push_back(std::move(item));
  return evaluator.list(std::move(items));
}

Value unique(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("unique", arguments, {"case_sensitive", "attribute"});
  const Case letters = bound.flag(0, false) ? Case::Kept : Case::Ignored;
  const Value seen = DictBody::make(evaluator.budget());
  std::vector<Value> items;
  const Value all = elements(input, evaluator.budget());
  for (const Value& item : all.list().items) {
    const Value key = comparable(evaluator, item, bound.given(1) ? &bound[1] : nullptr, letters);
    if (seen.dict().find(key)) continue;
    seen.dict().set(key, true);
    items.push_back(item);
  }
  return evaluator.list(std::move(items), Kind::Generator);
}

enum class Extreme { Smallest, Largest };

Value extreme(Evaluator& evaluator, const Value& input, Arguments& arguments, Extreme which) {
  const Bound bound(which == Extreme::Smallest ? "min" : "max", arguments, {"case_sensitive", "attribute"});
  const Case letters = bound.flag(0, false) ? Case::Kept : Case::Ignored;
  const Value* attribute = bound.given(1) ? &bound[1] : nullptr;
  const Value all = elements(input, evaluator.budget());
  if (all.list().items.empty()) return no_item("No aggregated item, sequence was empty.");
  Value best = all.list().items.front();
  Value best_key = comparable(evaluator, best, attribute, letters);
  for (const Value& item : all.list().items) {
    const Value key = comparable(evaluator, item, attribute, letters);
    const bool better =
        which == Extreme::Smallest ? less(key, best_key, evaluator.budget()) : less(best_key, key, evaluator.budget());
    if (!better) continue;
    best = item;
    best_key = key;
  }
  return best;
}
Value min(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return extreme(evaluator, input, arguments, Extreme::Smallest);
}
Value max(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  return extreme(evaluator, input, arguments, Extreme::Largest);
}

Value sum(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("sum", arguments, {"attribute", "start"});
  Value total = bound.has(1) ? bound[1] : Value(std::int64_t{0});
  const Value all = elements(input, evaluator.budget());
  for (const Value& item : all.list().items)
    total = compute(Arithmetic::Add, total, bound.given(0) ? attribute_path(evaluator, item, bound[0]) : item,
                    evaluator.budget());
  return total;
}

Value batch(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("batch", arguments, {"linecount", "fill_with"});
  const std::int64_t count = require_integer(bound[0]);
  const Value all = elements(input, evaluator.budget());
  std::vector<Value> rows;
  std::vector<Value> row;
  for (const Value& item : all.list().items) {
    if (static_cast<std::int64_t>(row.size()) == count) rows.push_back(evaluator.list(std::exchange(row, {})));
    row.push_back(item);
  }
  if (bound.given(1) && count > kRangeMax) refuse_limit("a batch is too long");
  while (!row.empty() && bound.given(1) && static_cast<std::int64_t>(row.size()) < count) row.push_back(bound[1]);
  if (!row.empty()) rows.push_back(evaluator.list(std::move(row)));
  return evaluator.list(std::move(rows), Kind::Generator);
}

Value slice(Evaluator& evaluator, const Value& input, Arguments& arguments) {
  const Bound bound("slice", arguments, {"slices", "fill_with"});
  const std::int64_t count = require_integer(bound[0]);
  if (count <= 0) refuse("slice needs at least one slice");
  if (count > kRangeMax) refuse_limit("too many slices");
  const Value all = elements(input, evaluator.budget());
  const auto& items = all.list().items;
  const auto slices = static_cast<std::size_t>(count);
  const std::size_t longer = items.size() % slices;
  std::vector<Value> rows;
  std::size_t at = 0;
  for (std::size_t i = 0; i < slices; ++i) {
    const std::size_t end = at + items.size() / slices + (i < longer ? 1 : 0);
    std::vector<Value> row(items.begin() + static_cast<std::ptrdiff_t>(at),
                           items.begin() + static_cast<std::ptrdiff_t>(end));
    if (bound.given(1) && i >= longer) row.push_back(bound[1]);
    rows.push_back(evaluator.list(std::move(row)));
    at = end;
  }
  return evaluator.list(std::move(rows), Kind::Generator);
}

constexpr NamedFilter kFilters[] = {
    {"list", to_list}, {"first", first},     {"last", last}, {"length", length_of},  {"count", length_of},
    {"join", join},    {"reverse", reverse}, {"sort", sort}, {"dictsort", dictsort}, {"unique", unique},
    {"min", min},      {"max", max},         {"sum", sum},   {"batch", batch},       {"slice", slice},
};

}  // namespace

FilterFunction find_list_filter(std::string_view name) {
  const auto* found = std::ranges::find(kFilters, name, &NamedFilter::name);
  return found == std::end(kFilters) ? nullptr : found->function;
}

}  // namespace hearth::jinja
