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

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
bool same_without_case(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, lower, lower); }

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

std::optional<NamedTool> CallContext::tool_spelled(std::string_view name) const {
  const auto& names = options->tool_names;
  const auto found = std::ranges::find(names, name);
  if (found == names.end()) return std::nullopt;
  return NamedTool{.index = static_cast<std::size_t>(found - names.begin())};
}

bool CallContext::begins_tool(std::string_view spelled) const {
  return std::ranges::any_of(options->tool_names, [&](std::string_view name) { return name.starts_with(spelled); });
}

std::optional<NamedTool> CallContext::tool_named(std::string_view written) const {
  const auto& names = options->tool_names;
  const auto spelled = [&](std::string_view name) { return tool_spelled(name); };
  // Of two tools that differ in case only, neither is meant for certain.
  const auto in_other_case = [&](std::string_view name) -> std::optional<NamedTool> {
    const auto same = [&](std::string_view declared) { return same_without_case(declared, name); };
    if (name.empty() || std::ranges::count_if(names, same) != 1) return std::nullopt;
    const auto found = std::ranges::find_if(names, same);
    return NamedTool{.index = static_cast<std::size_t>(found - names.begin()), .is_exact = false};
  };
  const auto search = [&](const auto& find) -> std::optional<NamedTool> {
    std::string_view name = without_quotes(written);
    for (;;) {
      if (auto found = find(name)) return found;
      if (auto found = find(without_index(name))) return found;
      const auto space = std::ranges::find_if(kNamespaces, [&](std::string_view one) {
        return name.size() > one.size() && same_without_case(name.substr(0, one.size()), one) &&
               (name[one.size()] == '.' || name[one.size()] == ':');
      });
      if (space == kNamespaces.end()) return std::nullopt;
      name.remove_prefix(space->size() + 1);
    }
  };
  if (auto exact = spelled(written)) return exact;
  if (auto found = search(spelled)) return found;
  return search(in_other_case);
}

ArgumentSchema CallContext::schema_of(NamedTool tool) const {
  return tool.index < options->tool_schemas.size() ? ArgumentSchema(&options->tool_schemas[tool.index])
                                                   : ArgumentSchema();
}

bool CallContext::writes_bare() const {
  const CallWords& words = dialect->words;
  return words.call_begin.empty() && words.section_begin.empty() && words.name_begin.empty() &&
         dialect->writing != CallWriting::Harmony;
}

bool CallContext::may_be_name(std::string_view begun) const {
  return std::ranges::any_of(options->tool_names, [&](std::string_view name) {
    return same_without_case(name.substr(0, begun.size()), begun);
  });
}

void CallWriter::begin(NamedTool tool, std::vector<StreamEvent>& events) {
  if (begun_) return;
  begun_ = true;
  if (!tool.is_exact) context_.repairs->add(Repair::NameCase);
  events.emplace_back(ToolCallBegin{.name = context_.options->tool_names[tool.index]});
}

void CallWriter::fragment(std::string_view json, std::vector<StreamEvent>& events) {
  json_ += json;
  append_call_json(events, json);
}

bool CallWriter::end(bool whole, std::vector<StreamEvent>& events) {
  const bool is_object = is_json_object(json_);
  // A client runs what it can read: the rest of a call that is not whole must not read as one by chance.
  if (!whole && is_object) append_call_json(events, "{");
  whole = whole && is_object;
  if (!whole) context_.repairs->add(Repair::CutCall);
  events.emplace_back(ToolCallEnd{.whole = whole});
  return whole;
}

}  // namespace hearth::chat
