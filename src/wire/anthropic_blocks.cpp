// The Messages decoder's content blocks: one element of a message's content into one Block.
// Blocks of Anthropic's own server tools only appear in histories made elsewhere; they become text, so that such a
// conversation goes on here. A block type nobody has told us of is refused by name: dropping it would silently change
// what was said.
#include <format>
#include <utility>

#include "wire/anthropic_decode.h"

namespace hearth::wire::decode {
namespace {

using chat::Block;
using chat::Role;

constexpr std::string_view kKnownTypes =
    "text, thinking, redacted_thinking, tool_use, tool_result, document, search_result, server_tool_use, "
    "mcp_tool_use, *_tool_result, compaction, tool_addition and tool_removal";

// Claude Code replays a call whose JSON it could not read as {"__unparsedToolInput":{"raw":"...","len":N}}.
constexpr std::string_view kUnparsedKey = "__unparsedToolInput";

Result<void> require_role(Role role, Role wanted, std::string_view type, const Path& path) {
  if (role == wanted) return {};
  return path.wrong(
      std::format("`{}` blocks can only stand in {} messages", type, wanted == Role::Assistant ? "assistant" : "user"));
}

Result<Block> read_thinking_block(Json& json, const Path& path) {
  chat::ThinkingBlock block;
  TRY_ASSIGN(block.text, required_string(json, "thinking", path));
  // Absent from clients that got none; foreign ones are kept as they are.
  TRY_ASSIGN(block.signature, optional_string(json, "signature", path));
  return block;
}

Result<Block> read_redacted_thinking(Json& json, const Path& path) {
  chat::RedactedThinkingBlock block;
  TRY_ASSIGN(block.data, required_string(json, "data", path));
  return block;
}

Result<Block> read_tool_use(Json& json, const Path& path) {
  chat::ToolUseBlock block;
  TRY_ASSIGN(block.id, required_name(json, "id", path));
  TRY_ASSIGN(block.name, required_name(json, "name", path));
  block.input = Json::object();
  Json* input = member(json, "input");
  if (input == nullptr) return block;
  if (!input->is_object()) return path.at("input").wrong_type("an object", *input);
  if (Json* unparsed = member(*input, kUnparsedKey); unparsed != nullptr && input->as_object().size() == 1) {
    Json* raw = member(*unparsed, "raw");
    if (raw != nullptr && raw->is_string() && !raw->as_string().empty()) {
      block.raw_input = std::move(raw->as_string());
      return block;
    }
  }
  block.input = std::move(*input);
  return block;
}

// {"type":"tool_addition","tool":{"type":"tool_reference","name"} or {"type":"tool_definition","definition":{...}}}
Result<Block> read_tool_change(Json& json, std::string_view type, const Path& path) {
  Json* tool = member(json, "tool");
  if (tool == nullptr || !tool->is_object()) return path.at("tool").wrong("is required, and an object");
  chat::ToolChangeBlock block;
  if (type == "tool_removal") block.change = chat::ToolChangeBlock::Change::Removed;
  block.name = tool->string_at("name", tool->string_at("tool_name"));
  if (Json* definition = member(*tool, "definition")) {
    if (block.name.empty()) block.name = definition->string_at("name");
    block.definition = std::move(*definition);
  }
  return block;
}

// What Anthropic's servers did in an earlier turn, as text the model can read.
Result<Block> read_server_block(Json& json, std::string_view type) {
  std::string text = std::format("[{}", type);
  for (const std::string_view key : {"name", "server_name"}) {
    if (const std::string word = json.string_at(key); !word.empty()) text += " " + word;
  }
  text += ']';
  for (const std::string_view key : {"input", "content"}) {
    if (const Json* value = member(json, key)) {
      text += '\n';
      if (value->is_string()) {
        text += value->as_string();
      } else {
        value->dump_to(text);
      }
    }
  }
  return chat::TextBlock{std::move(text)};
}

Result<Block> refuse_image(const Path& path) {
  return path.wrong(
      "images are not supported by this model: describe the image in words, or send the request to a model that sees");
}

Result<Block> text_of(Result<std::string> text) {
  if (!text) return std::unexpected(std::move(text).error());
  return chat::TextBlock{std::move(*text)};
}

bool is_server_block(std::string_view type) {
  return type == "server_tool_use" || type == "mcp_tool_use" || type == "compaction" ||
         (type.ends_with("_tool_result") && type != "tool_result");
}

}  // namespace

Result<Block> read_block(Json& json, Role role, const Path& path) {
  if (!json.is_object()) return path.wrong_type("a content block (an object)", json);
  TRY_ASSIGN(const std::string type, required_string(json, "type", path));
  if (type == "text") return text_of(required_string(json, "text", path));
  if (type == "thinking" || type == "redacted_thinking") {
    TRY(require_role(role, Role::Assistant, type, path));
    return type == "thinking" ? read_thinking_block(json, path) : read_redacted_thinking(json, path);
  }
  if (type == "tool_use") {
    TRY(require_role(role, Role::Assistant, type, path));
    return read_tool_use(json, path);
  }
  if (type == "tool_result") {
    TRY(require_role(role, Role::User, type, path));
    return read_tool_result(json, path);
  }
  if (type == "image") return refuse_image(path);
  if (type == "document") return text_of(read_document(json, Unshowable::Refuse, path));
  if (type == "search_result") return text_of(read_search_result(json, path));
  if (type == "tool_addition" || type == "tool_removal") return read_tool_change(json, type, path);
  if (is_server_block(type)) return read_server_block(json, type);
  return path.at("type").wrong(std::format("unknown content block type {}; known are {}", quoted(type), kKnownTypes));
}

}  // namespace hearth::wire::decode
