// The Messages decoder's tools and tool_choice. Tools of a type that only Anthropic's own servers run (web_search_...)
// are left out: a client that declares one is answered, and the model is not promised what nobody would do.
#include <format>
#include <unordered_set>
#include <utility>

#include "wire/anthropic_decode.h"

namespace hearth::wire::decode {
namespace {

// Of the declared tools: those the model sees, and the names of those left out.
struct ToolNames {
  std::unordered_set<std::string> known;
  std::unordered_set<std::string> left_out;
};

bool is_custom(Json& json) {
  const Json* type = member(json, "type");
  if (type == nullptr || !type->is_string() || type->as_string() == "custom") return true;
  // A type we do not know that brings its schema can be shown to the model like any other.
  const Json* schema = member(json, "input_schema");
  return schema != nullptr && schema->is_object();
}

Result<chat::Tool> read_custom_tool(Json& json, const Path& path) {
  chat::Tool tool;
  TRY_ASSIGN(tool.name, required_name(json, "name", path));
  TRY_ASSIGN(tool.description, optional_string(json, "description", path));
  TRY_ASSIGN(tool.deferred, optional_boolean(json, "defer_loading", path));
  TRY_ASSIGN(tool.strict, optional_boolean(json, "strict", path));
  Json* schema = member(json, "input_schema");
  if (schema == nullptr) return path.at("input_schema").wrong("is required, and a JSON Schema object");
  if (!schema->is_object()) return path.at("input_schema").wrong_type("a JSON Schema object", *schema);
  tool.input_schema = std::move(*schema);
  return tool;
}

Result<ToolNames> read_tool_list(Json& body, const Path& root, chat::Conversation& conversation) {
  ToolNames names;
  Json* list = member(body, "tools");
  if (list == nullptr) return names;
  const Path path = root.at("tools");
  if (!list->is_array()) return path.wrong_type("an array of tools", *list);
  Json::Array& array = list->as_array();
  if (array.size() > kToolsMax) {
    return path.wrong(std::format("holds {} tools; at most {} are allowed", array.size(), kToolsMax));
  }
  conversation.tools.reserve(array.size());
  for (std::size_t i = 0; i < array.size(); ++i) {
    const Path at = path.at(i);
    if (!array[i].is_object()) return at.wrong_type("an object", array[i]);
    const Json* type = member(array[i], "type");
    if (type != nullptr && !type->is_string()) return at.at("type").wrong_type("a string", *type);
    if (!is_custom(array[i])) {
      const std::string name = array[i].string_at("name");
      names.left_out.insert(name);
      if (!name.empty() && name.size() <= kNameBytesMax) conversation.absent_tools.push_back(name);
      continue;
    }
    TRY_ASSIGN(chat::Tool tool, read_custom_tool(array[i], at));
    if (!names.known.insert(tool.name).second) {
      return at.at("name").wrong(std::format("another tool is already named {}; names must differ", quoted(tool.name)));
    }
    conversation.tools.push_back(std::move(tool));
  }
  return names;
}

Result<void> read_named_choice(Json& choice, const Path& path, const ToolNames& names,
                               chat::Conversation& conversation) {
  TRY_ASSIGN(std::string name, required_name(choice, "name", path));
  if (names.known.contains(name)) {
    conversation.tool_choice = chat::ToolChoice::Named;
    conversation.tool_choice_name = std::move(name);
    return {};
  }
  // Forcing a tool that was left out: the model answers in words instead.
  if (names.left_out.contains(name)) return {};
  return path.at("name").wrong(std::format("no tool in `tools` is named {}", quoted(name)));
}

Result<void> read_tool_choice(Json& body, const Path& root, const ToolNames& names, MessagesRequest& request) {
  Json* choice = member(body, "tool_choice");
  if (choice == nullptr) return {};
  const Path path = root.at("tool_choice");
  if (!choice->is_object()) return path.wrong_type("an object", *choice);
  chat::Conversation& conversation = request.conversation;
  TRY_ASSIGN(const bool one_at_a_time, optional_boolean(*choice, "disable_parallel_tool_use", path));
  if (one_at_a_time) request.parallel_tools = ParallelTools::Disabled;
  TRY_ASSIGN(const std::string type, required_string(*choice, "type", path));
  if (type == "auto") return {};
  if (type == "none") {
    conversation.tool_choice = chat::ToolChoice::None;
    return {};
  }
  if (type == "tool") return read_named_choice(*choice, path, names, conversation);
  if (type != "any") {
    return path.at("type").wrong(std::format("must be \"auto\", \"any\", \"tool\" or \"none\", got {}", quoted(type)));
  }
  if (!names.known.empty()) {
    conversation.tool_choice = chat::ToolChoice::Any;
  } else if (names.left_out.empty()) {
    return path.at("type").wrong("\"any\" needs at least one tool in `tools`");
  }
  return {};
}

}  // namespace

Result<void> read_tools(Json& body, const Path& path, MessagesRequest& request) {
  TRY_ASSIGN(const ToolNames names, read_tool_list(body, path, request.conversation));
  return read_tool_choice(body, path, names, request);
}

}  // namespace hearth::wire::decode
