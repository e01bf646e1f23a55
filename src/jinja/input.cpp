// Input: JSON into values. Doubled keys: the last one counts, at the first one's place, as Python reads JSON.
#include "jinja/input.h"

#include <algorithm>
#include <optional>

#include "jinja/body.h"

namespace hearth::jinja {
namespace {

using Origin = Variable::Origin;

class Converter {
 public:
  Converter(const Variable& variable, Budget& budget)
      : variable_(variable),
        budget_(budget),
        source_(variable.origin == Origin::Template ? kTemplateSource : variable.source) {}

  Value run() {
    const Json& json = *variable_.value;
    if (!json.is_array()) return element(json);
    std::vector<Value> items;
    for (const Json& item : json.as_array()) {
      items.push_back(element(item));
      if (variable_.origin == Origin::PerElement) ++source_;
    }
    return ListBody::make(Kind::List, budget_, std::move(items));
  }

 private:
  // An element of the variable's array, or the variable itself: where trusted members are.
  Value element(const Json& json) {
    if (!json.is_object() || variable_.trusted_members.empty()) return convert(json);
    Value dict = DictBody::make(budget_);
    for (const auto& [key, member] : json.as_object()) {
      Value name = string(key);
      if (std::ranges::contains(variable_.trusted_members, std::string_view(key))) {
        const Variable template_own;
        Converter trusted(template_own, budget_);
        dict.dict().set(std::move(name), trusted.convert(member));
      } else {
        dict.dict().set(std::move(name), convert(member));
      }
    }
    return dict;
  }

  Value string(const std::string& text) {
    const Source source = source_;
    if (variable_.origin == Origin::PerString) ++source_;
    return Value::string(budget_, Text(text, source));
  }

  Value convert(const Json& json) {
    if (json.is_string()) return string(json.as_string());
    if (json.is_object()) {
      Value dict = DictBody::make(budget_);
      for (const auto& [key, member] : json.as_object()) {
        Value name = string(key);
        dict.dict().set(std::move(name), convert(member));
      }
      return dict;
    }
    if (json.is_array()) {
      std::vector<Value> items;
      for (const Json& item : json.as_array()) items.push_back(convert(item));
      return ListBody::make(Kind::List, budget_, std::move(items));
    }
    if (json.is_boolean()) return json.as_boolean();
    if (json.is_integer()) return json.as_integer();
    if (json.is_big_integer()) return Value::big_integer(budget_, json.dump());
    if (json.is_number()) return json.as_number();
    return {};
  }

  const Variable& variable_;
  Budget& budget_;
  Source source_;
};

}  // namespace

Value to_value(const Variable& variable, Budget& budget) { return Converter(variable, budget).run(); }

}  // namespace hearth::jinja
