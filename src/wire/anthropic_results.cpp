// The Messages decoder's compound texts: tool results, documents, search results.
// In a tool result, what no text can show becomes a note: it was the agent's own tool that made it, the person cannot
// take it back out, and a 400 would end the session for good.
#include <format>
#include <utility>

#include "wire/anthropic_decode.h"

namespace hearth::wire::decode {
namespace {

constexpr std::string_view kImageNote = "[image omitted: this model cannot see images]";
constexpr std::string_view kDocumentNote = "[document omitted: this server reads only documents given as text]";

void append_line(std::string& out, std::string_view line) {
  if (!out.empty()) out += '\n';
  out += line;
}

// A string, or an array of text parts, joined by newlines.
Result<std::string> read_text_parts(Json& content, Unshowable unshowable, const Path& path) {
  if (content.is_string()) return std::move(content.as_string());
  if (!content.is_array()) return path.wrong_type("a string or an array of content blocks", content);
  std::string out;
  Json::Array& parts = content.as_array();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const Path at = path.at(i);
    if (!parts[i].is_object()) return at.wrong_type("a content block (an object)", parts[i]);
    TRY_ASSIGN(const std::string type, required_string(parts[i], "type", at));
    if (type == "text") {
      TRY_ASSIGN(const std::string text, required_string(parts[i], "text", at));
      append_line(out, text);
    } else if (type == "image") {
      if (unshowable == Unshowable::Refuse) return at.wrong("images are not supported by this model");
      append_line(out, kImageNote);
    } else {
      return at.at("type").wrong(std::format("must be \"text\" or \"image\" here, got {}", quoted(type)));
    }
  }
  return out;
}

Result<void> read_result_part(Json& part, chat::ToolResultBlock& block, const Path& path) {
  if (!part.is_object()) return path.wrong_type("a content block (an object)", part);
  TRY_ASSIGN(const std::string type, required_string(part, "type", path));
  if (type == "text") {
    TRY_ASSIGN(std::string text, required_string(part, "text", path));
    if (block.text.empty()) {
      block.text = std::move(text);
    } else {
      append_line(block.text, text);
    }
  } else if (type == "image") {
    append_line(block.text, kImageNote);
  } else if (type == "document") {
    TRY_ASSIGN(const std::string text, read_document(part, Unshowable::Note, path));
    append_line(block.text, text);
  } else if (type == "search_result") {
    TRY_ASSIGN(const std::string text, read_search_result(part, path));
    append_line(block.text, text);
  } else if (type == "tool_reference") {
    TRY_ASSIGN(std::string name, required_name(part, "tool_name", path));
    block.tool_references.push_back(std::move(name));
  } else {
    return path.at("type").wrong(std::format(
        "unknown block type {} in a tool result; known are text, image, document, search_result and tool_reference",
        quoted(type)));
  }
  return {};
}

// What a document without readable text becomes.
Result<std::string> unreadable(Unshowable unshowable, std::string_view source_type, const Path& path) {
  if (unshowable == Unshowable::Note) return std::string(kDocumentNote);
  return path.at("source").wrong(std::format(
      "documents of source type {} cannot be read here: send the text itself, as {{\"type\":\"text\",\"data\":...}}",
      quoted(source_type)));
}

}  // namespace

Result<chat::Block> read_tool_result(Json& json, const Path& path) {
  chat::ToolResultBlock block;
  TRY_ASSIGN(block.tool_use_id, required_name(json, "tool_use_id", path));
  TRY_ASSIGN(block.is_error, optional_boolean(json, "is_error", path));
  Json* content = member(json, "content");
  if (content == nullptr) return block;  // a tool with nothing to say
  const Path at = path.at("content");
  if (content->is_string()) {
    block.text = std::move(content->as_string());
    return block;
  }
  if (!content->is_array()) return at.wrong_type("a string or an array of content blocks", *content);
  Json::Array& parts = content->as_array();
  for (std::size_t i = 0; i < parts.size(); ++i) TRY(read_result_part(parts[i], block, at.at(i)));
  return block;
}

Result<std::string> read_document(Json& json, Unshowable unshowable, const Path& path) {
  TRY_ASSIGN(std::string out, optional_string(json, "title", path));
  TRY_ASSIGN(const std::string context, optional_string(json, "context", path));
  if (!context.empty()) append_line(out, context);
  Json* source = member(json, "source");
  const Path at = path.at("source");
  if (source == nullptr || !source->is_object()) return at.wrong("is required, and an object");
  TRY_ASSIGN(const std::string type, required_string(*source, "type", at));
  if (type == "text") {
    TRY_ASSIGN(const std::string data, required_string(*source, "data", at));
    append_line(out, data);
    return out;
  }
  if (type == "content") {
    Json* content = member(*source, "content");
    if (content == nullptr) return at.at("content").wrong("is required: a string or an array of content blocks");
    TRY_ASSIGN(const std::string text, read_text_parts(*content, unshowable, at.at("content")));
    append_line(out, text);
    return out;
  }
  // base64 (PDF), url and file: nothing here turns them into text.
  TRY_ASSIGN(const std::string note, unreadable(unshowable, type, path));
  append_line(out, note);
  return out;
}

Result<std::string> read_search_result(Json& json, const Path& path) {
  TRY_ASSIGN(std::string out, optional_string(json, "title", path));
  TRY_ASSIGN(const std::string source, optional_string(json, "source", path));
  if (!source.empty()) append_line(out, source);
  Json* content = member(json, "content");
  if (content == nullptr) return path.at("content").wrong("is required, and an array of text blocks");
  TRY_ASSIGN(const std::string text, read_text_parts(*content, Unshowable::Note, path.at("content")));
  append_line(out, text);
  return out;
}

}  // namespace hearth::wire::decode
