// See tag_elements.h.
#include "chat/tag_elements.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json.h"
#include "chat/call_tag.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\r";
// Elements inside elements: deeper is no argument of any tool.
constexpr int kElementDepthMax = 32;

// Nothing where the elements do not come out even: then all of it is a text, and none of it is lost.
std::optional<std::string> at_depth(std::string_view text, ArgumentSchema schema, int depth) {
  const bool elements = text.starts_with(kElementMark) && depth < kElementDepthMax;
  std::string json;
  if (text.empty() && schema.types().known() && !schema.types().allow(JsonTypes::Text)) {
    if (schema.types().allow(JsonTypes::List)) return "[]";
    if (schema.types().allow(JsonTypes::Object)) return "{}";
  }
  if (!elements) {
    const Result<Json> value = Json::parse(text);
    const bool plain =
        value && !value->is_string() && (!schema.types().known() || schema.types().allow(type_of(*value)));
    if (plain) return std::string(text);
    append_json_string(json, text);
    return json;
  }
  bool list = false;
  while (!text.empty()) {
    CallTag open;
    if (read_call_tag(text, open) != Match::Yes || open.closing) return std::nullopt;
    const std::string closing = std::string(kElementMark) + "</" + std::string(open.word) + ">";
    const std::string opening = std::string(kElementMark) + "<" + std::string(open.word) + ">";
    std::size_t end = open.bytes;
    for (int nested = 1; nested > 0;) {
      const std::size_t close = text.find(closing, end);
      if (close == std::string_view::npos) return std::nullopt;
      const std::size_t inner = text.substr(0, close).find(opening, end);
      nested += inner != std::string_view::npos ? 1 : -1;
      end = inner != std::string_view::npos ? inner + opening.size() : close + closing.size();
    }
    const std::string_view value = text.substr(open.bytes, end - closing.size() - open.bytes);
    if (json.empty()) list = open.word == "item";
    if (list && open.word != "item") return std::nullopt;
    json += json.empty() ? (list ? "[" : "{") : ",";
    if (!list) {
      append_json_string(json, open.word);
      json += ':';
    }
    const auto inner = at_depth(value, list ? schema.item() : schema.member(open.word), depth + 1);
    if (!inner) return std::nullopt;
    json += *inner;
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.size(), text.find_first_not_of(kWhiteSpace)));
  }
  return json + (list ? "]" : "}");
}

}  // namespace

std::string elements_to_json(std::string_view text, ArgumentSchema schema) {
  if (auto json = at_depth(text, schema, 0)) return std::move(*json);
  std::string json;
  append_json_string(json, text);
  return json;
}

}  // namespace hearth::chat
