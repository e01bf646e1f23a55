// The variable `loop`: where a for stands.
#include <format>

#include "jinja/operations.h"

namespace hearth::jinja {

Value loop_attribute(const Value& loop_value, std::string_view name, Budget& budget) {
  const LoopBody& loop = loop_value.loop();
  const auto& items = loop.items.list().items;
  const auto index = static_cast<std::int64_t>(loop.index);
  const auto count = static_cast<std::int64_t>(items.size());
  if (name == "first") return index == 0;
  if (name == "last") return index + 1 == count;
  if (name == "index") return index + 1;
  if (name == "index0") return index;
  if (name == "length") return count;
  if (name == "revindex") return count - index;
  if (name == "revindex0") return count - index - 1;
  if (name == "depth") return std::int64_t{loop.depth};
  if (name == "depth0") return std::int64_t{loop.depth - 1};
  if (name == "previtem") {
    if (index > 0) return items[loop.index - 1];
    return UndefinedBody::make(UndefinedBody::Reason::Hint, "", "there is no previous item");
  }
  if (name == "nextitem") {
    if (index + 1 < count) return items[loop.index + 1];
    return UndefinedBody::make(UndefinedBody::Reason::Hint, "", "there is no next item");
  }
  if (name == "changed" || name == "cycle") {
    budget.allocate(0);
    auto* method = new MethodBody;
    method->object = loop_value;
    method->name = name;
    return {Kind::Method, method};
  }
  return UndefinedBody::make(UndefinedBody::Reason::Attribute, described(loop_value), std::string(name));
}

}  // namespace hearth::jinja
