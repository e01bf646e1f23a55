// same_turn: whether what a client sent back is what we sent. What clients do to a turn was measured with the real ones;
// anything else counts as a change, and a changed turn is rendered as it is now.
#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include "chat/turn_memory.h"

namespace hearth::chat {
namespace {

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos; }

const Json* member(const Json* value, std::string_view key) { return value == nullptr ? nullptr : value->find(key); }

bool same_value(const Json& sampled, const Json& replayed, const Json* schema);

bool same_object(const Json& sampled, const Json& replayed, const Json* schema) {
  const Json* properties = member(schema, "properties");
  const auto kept = [&](const Json::Member& entry) {
    const Json* now = replayed.find(entry.first);
    const Json* value = sampled.find(entry.first);  // of doubled keys the last one counts
    return now != nullptr && same_value(*value, *now, member(properties, entry.first));
  };
  const auto was_default = [&](const Json::Member& entry) {
    if (sampled.find(entry.first) != nullptr) return true;
    const Json* otherwise = member(member(properties, entry.first), "default");
    return otherwise != nullptr && same_value(*otherwise, entry.second, nullptr);
  };
  return std::ranges::all_of(sampled.as_object(), kept) && std::ranges::all_of(replayed.as_object(), was_default);
}

bool same_array(const Json::Array& sampled, const Json::Array& replayed, const Json* schema) {
  const Json* items = member(schema, "items");
  if (sampled.size() != replayed.size()) return false;
  for (std::size_t i = 0; i < sampled.size(); ++i) {
    if (!same_value(sampled[i], replayed[i], items)) return false;
  }
  return true;
}

bool same_value(const Json& sampled, const Json& replayed, const Json* schema) {
  if (sampled.is_object() && replayed.is_object()) return same_object(sampled, replayed, schema);
  if (sampled.is_array() && replayed.is_array()) return same_array(sampled.as_array(), replayed.as_array(), schema);
  if (sampled.is_number() && replayed.is_number()) {
    if (sampled.is_integer() && replayed.is_integer()) return sampled == replayed;
    return sampled.as_number() == replayed.as_number();
  }
  if (sampled == replayed) return true;
  // A text that spelled a value and became it: "5000", "false", "[1, 2]".
  if (!sampled.is_string() || replayed.is_string() || replayed.is_null()) return false;
  const auto spelled = Json::parse(sampled.as_string());
  return spelled && !spelled->is_string() && same_value(*spelled, replayed, schema);
}

// The blocks of one kind that show anything, in order.
template <class Kind>
std::vector<const Kind*> shown(const Message& message) {
  std::vector<const Kind*> found;
  for (const Block& block : message.blocks) {
    const auto* one = std::get_if<Kind>(&block);
    if (one == nullptr) continue;
    if constexpr (!std::is_same_v<Kind, ToolUseBlock>) {
      if (is_blank(one->text)) continue;
    }
    found.push_back(one);
  }
  return found;
}

bool same_call(const ToolUseBlock& sampled, const ToolUseBlock& replayed, const std::vector<Tool>& tools) {
  if (sampled.id != replayed.id || sampled.name != replayed.name || !replayed.raw_input.empty()) return false;
  const auto tool = std::ranges::find(tools, sampled.name, &Tool::name);
  const Json* schema = tool == tools.end() ? nullptr : &tool->input_schema;
  return sampled.input.is_object() && replayed.input.is_object() && same_value(sampled.input, replayed.input, schema);
}

}  // namespace

bool same_turn(const Message& sampled, const Message& replayed, const std::vector<Tool>& tools) {
  const auto is_known = [](const Block& block) {
    return std::holds_alternative<TextBlock>(block) || std::holds_alternative<ThinkingBlock>(block) ||
           std::holds_alternative<ToolUseBlock>(block);
  };
  if (replayed.role != Role::Assistant || !std::ranges::all_of(replayed.blocks, is_known)) return false;
  return std::ranges::equal(shown<TextBlock>(sampled), shown<TextBlock>(replayed),
                            [](const auto* a, const auto* b) { return a->text == b->text; }) &&
         std::ranges::equal(
             shown<ThinkingBlock>(sampled), shown<ThinkingBlock>(replayed),
             [](const auto* a, const auto* b) { return a->text == b->text && a->signature == b->signature; }) &&
         std::ranges::equal(shown<ToolUseBlock>(sampled), shown<ToolUseBlock>(replayed),
                            [&](const auto* a, const auto* b) { return same_call(*a, *b, tools); });
}

}  // namespace hearth::chat
