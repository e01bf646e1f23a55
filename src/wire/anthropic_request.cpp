// decode_messages: the top of the Messages decoder. Reads like the body: settings, system, tools, messages.
#include "wire/anthropic_request.h"

#include <algorithm>
#include <format>
#include <unordered_set>
#include <utility>

#include "chat/tool_definition.h"
#include "wire/anthropic_decode.h"

namespace hearth::wire {
namespace {

using decode::member;
using decode::Path;

Result<Json> parse_body(std::string_view body) {
  if (body.empty()) {
    return fail(ErrorKind::InvalidInput, "request body: is empty; send a JSON object with model and messages");
  }
  auto parsed = Json::parse(body, kBodyDepthMax);
  // Half an emoji in a tool's result must not end a conversation that will send it again every turn.
  if (!parsed && body.contains("\\u")) parsed = Json::parse(without_lone_surrogates(body), kBodyDepthMax);
  if (!parsed) return fail(ErrorKind::InvalidInput, std::format("request body: {}", parsed.error().message));
  if (!parsed->is_object()) {
    return fail(ErrorKind::InvalidInput,
                std::format("request body: must be a JSON object, got {}", parsed->type_name()));
  }
  return parsed;
}

Result<std::vector<chat::TextBlock>> read_system(Json& body, const Path& root) {
  std::vector<chat::TextBlock> out;
  Json* system = member(body, "system");
  if (system == nullptr) return out;
  const Path path = root.at("system");
  if (system->is_string()) {
    if (!system->as_string().empty()) out.push_back({std::move(system->as_string())});
    return out;
  }
  if (!system->is_array()) return path.wrong_type("a string or an array of text blocks", *system);
  out.reserve(system->as_array().size());
  for (std::size_t i = 0; i < system->as_array().size(); ++i) {
    const Path at = path.at(i);
    TRY_ASSIGN(chat::Block block, decode::read_block(system->as_array()[i], chat::Role::System, at));
    if (const auto* change = std::get_if<chat::ToolChangeBlock>(&block)) {
      out.push_back({chat::tool_change_sentence(*change)});
      continue;
    }
    auto* text = std::get_if<chat::TextBlock>(&block);
    if (text == nullptr) return at.wrong("only text blocks can stand in the system prompt");
    out.push_back(std::move(*text));
  }
  return out;
}

Result<chat::Role> read_role(Json& message, const Path& path) {
  TRY_ASSIGN(const std::string role, decode::required_string(message, "role", path));
  if (role == "user") return chat::Role::User;
  if (role == "assistant") return chat::Role::Assistant;
  // Claude Code sends its environment this way to models it does not know, anywhere in the list.
  if (role == "system") return chat::Role::System;
  return path.at("role").wrong(
      std::format("must be \"user\", \"assistant\" or \"system\", got {}", decode::quoted(role)));
}

Result<chat::Message> read_message(Json& json, const Path& path) {
  if (!json.is_object()) return path.wrong_type("an object", json);
  chat::Message message;
  TRY_ASSIGN(message.role, read_role(json, path));
  Json* content = member(json, "content");
  const Path at = path.at("content");
  if (content == nullptr) return at.wrong("is required: a string or an array of content blocks");
  if (content->is_string()) {
    message.blocks.emplace_back(chat::TextBlock{std::move(content->as_string())});
    return message;
  }
  if (!content->is_array()) return at.wrong_type("a string or an array of content blocks", *content);
  Json::Array& blocks = content->as_array();
  message.blocks.reserve(blocks.size());
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    TRY_ASSIGN(chat::Block block, decode::read_block(blocks[i], message.role, at.at(i)));
    message.blocks.push_back(std::move(block));
  }
  return message;
}

Result<std::vector<chat::Message>> read_messages(Json& body, const Path& root) {
  const Path path = root.at("messages");
  Json* messages = member(body, "messages");
  if (messages == nullptr) return path.wrong("is required, and an array of messages");
  if (!messages->is_array()) return path.wrong_type("an array of messages", *messages);
  Json::Array& array = messages->as_array();
  if (array.empty()) return path.wrong("must hold at least one message");
  if (array.size() > kMessagesMax) {
    return path.wrong(std::format("holds {} messages; at most {} are allowed", array.size(), kMessagesMax));
  }
  std::vector<chat::Message> out;
  out.reserve(array.size());
  for (std::size_t i = 0; i < array.size(); ++i) {
    TRY_ASSIGN(chat::Message message, read_message(array[i], path.at(i)));
    out.push_back(std::move(message));
  }
  return out;
}

// A result whose call was never made cannot be shown to a model, and means the client lost part of its history. The call
// may stand in any earlier message: system messages and interrupted turns may lie between.
Result<void> check_tool_results(const std::vector<chat::Message>& messages) {
  std::unordered_set<std::string_view> called;
  const Path root;
  const Path path = root.at("messages");
  for (std::size_t i = 0; i < messages.size(); ++i) {
    for (std::size_t k = 0; k < messages[i].blocks.size(); ++k) {
      const chat::Block& block = messages[i].blocks[k];
      if (const auto* call = std::get_if<chat::ToolUseBlock>(&block)) called.insert(call->id);
      const auto* result = std::get_if<chat::ToolResultBlock>(&block);
      if (result == nullptr || called.contains(result->tool_use_id)) continue;
      const Path at_message = path.at(i);
      const Path at_content = at_message.at("content");
      const Path at_block = at_content.at(k);
      return at_block.at("tool_use_id")
          .wrong(std::format(
              "no earlier message has a `tool_use` block with the id {}; each `tool_result` needs its `tool_use`",
              decode::quoted(result->tool_use_id)));
    }
  }
  return {};
}

// A tool that a message brings is one the model may call from there on: it is listed as a deferred one.
void add_announced_tools(chat::Conversation& conversation) {
  for (const chat::Message& message : conversation.messages) {
    for (const chat::Block& block : message.blocks) {
      const auto* change = std::get_if<chat::ToolChangeBlock>(&block);
      if (change == nullptr || !change->definition.is_object() || change->name.empty()) continue;
      const Json* schema = change->definition.find("input_schema");
      const Json* strict = change->definition.find("strict");
      if (schema == nullptr || !schema->is_object() || conversation.tools.size() >= kToolsMax) continue;
      if (std::ranges::contains(conversation.tools, change->name, &chat::Tool::name)) continue;
      conversation.tools.push_back({.name = change->name,
                                    .description = change->definition.string_at("description"),
                                    .input_schema = *schema,
                                    .deferred = true,
                                    .strict = strict != nullptr && strict->is_boolean() && strict->as_boolean()});
    }
  }
}

enum class Need { Answer, CountOnly };

Result<MessagesRequest> decode_body(std::string_view text, Need need, const PdfText& pdf_text) {
  TRY_ASSIGN(Json body, parse_body(text));
  const Path root;
  if (pdf_text) TRY(decode::read_pdfs(body, pdf_text, root));
  MessagesRequest request;
  TRY_ASSIGN(request.model, decode::required_name(body, "model", root));
  if (need == Need::Answer) {
    TRY_ASSIGN(request.max_tokens, decode::read_max_tokens(body, root));
  }
  TRY(decode::read_settings(body, root, request));
  TRY_ASSIGN(request.conversation.system, read_system(body, root));
  TRY(decode::read_tools(body, root, request));
  TRY_ASSIGN(request.conversation.messages, read_messages(body, root));
  TRY(check_tool_results(request.conversation.messages));
  add_announced_tools(request.conversation);
  return request;
}

}  // namespace

Result<MessagesRequest> decode_messages(std::string_view body, const PdfText& pdf_text) {
  return decode_body(body, Need::Answer, pdf_text);
}
Result<MessagesRequest> decode_count_tokens(std::string_view body, const PdfText& pdf_text) {
  return decode_body(body, Need::CountOnly, pdf_text);
}

}  // namespace hearth::wire
