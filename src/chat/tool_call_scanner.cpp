// See tool_call_scanner.h: what the scanners share.
#include "chat/tool_call_scanner.h"

#include <algorithm>
#include <array>

#include "base/json_check.h"

namespace hearth::chat {
namespace {

// Namespaces that families put before a name.
constexpr std::array<std::string_view, 7> kNamespaces = {"functions", "function", "default_api", "tools",
                                                         "tool",      "call",     "api"};

std::string_view without_quotes(std::string_view text) {
  constexpr std::string_view outside = " \t\r\n\"'`";
  const std::size_t begin = text.find_first_not_of(outside);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(outside) - begin + 1);
}

std::string_view without_index(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon + 1 == text.size()) return text;
  const bool digits = text.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
  return digits ? text.substr(0, colon) : text;
}

}  // namespace

std::optional<std::size_t> CallContext::tool_named(std::string_view written) const {
  const auto& names = options->tool_names;
  const auto find = [&](std::string_view name) -> std::optional<std::size_t> {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) return std::nullopt;
    return static_cast<std::size_t>(found - names.begin());
  };
  if (auto exact = find(written)) return exact;
  std::string_view name = without_quotes(written);
  for (;;) {
    if (auto found = find(name)) return found;
    if (auto found = find(without_index(name))) return found;
    const auto space = std::ranges::find_if(kNamespaces, [&](std::string_view one) {
      return name.starts_with(one) && name.size() > one.size() && (name[one.size()] == '.' || name[one.size()] == ':');
    });
    if (space == kNamespaces.end()) return std::nullopt;
    name.remove_prefix(space->size() + 1);
  }
}

ArgumentSchema CallContext::schema_of(std::size_t tool) const {
  return tool < options->tool_schemas.size() ? ArgumentSchema(&options->tool_schemas[tool]) : ArgumentSchema();
}

bool CallContext::writes_bare() const {
  const CallWords& words = dialect->words;
  return words.call_begin.empty() && words.section_begin.empty() && words.name_begin.empty() &&
         dialect->writing != CallWriting::Harmony;
}

bool CallContext::may_be_name(std::string_view begun) const {
  return std::ranges::any_of(options->tool_names, [&](const std::string& name) { return name.starts_with(begun); });
}

void CallWriter::begin(std::size_t tool, std::vector<StreamEvent>& events) {
  if (begun_) return;
  begun_ = true;
  events.emplace_back(ToolCallBegin{.name = context_.options->tool_names[tool]});
}

void CallWriter::fragment(std::string_view json, std::vector<StreamEvent>& events) {
  json_ += json;
  append_call_json(events, json);
}

bool CallWriter::end(bool whole, std::vector<StreamEvent>& events) {
  whole = whole && is_json_object(json_);
  if (!whole) context_.repairs->add(Repair::CutCall);
  events.emplace_back(ToolCallEnd{.whole = whole});
  return whole;
}

}  // namespace hearth::chat
