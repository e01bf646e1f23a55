// MessageFold: the events of a stream joined into the JSON message of stream:false.
#include <set>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "wire/anthropic_events.h"
#include "wire/json_object.h"

namespace hearth::wire {
namespace {

// Of keys that were written twice the last counts, as it does for every reader of JSON.
void drop_doubled_keys(Json& value) {
  if (value.is_array()) {
    for (Json& item : value.as_array()) drop_doubled_keys(item);
  }
  if (!value.is_object()) return;
  Json::Object& members = value.as_object();
  for (auto& [key, member] : members) drop_doubled_keys(member);
  std::set<std::string_view> keys;
  for (const auto& [key, member] : members) keys.insert(key);
  if (keys.size() == members.size()) return;
  Json kept = Json::object();
  for (auto& [key, member] : members) kept.set(key, std::move(member));
  value = std::move(kept);
}

// A tool's input from its joined fragments. What is no object (the generation was cut) is wrapped in the form clients
// use for it themselves, so that no word is lost and nobody runs a call without its arguments.
Json input_of(std::string joined) {
  if (auto parsed = Json::parse(joined); parsed && parsed->is_object()) {
    drop_doubled_keys(*parsed);
    return std::move(*parsed);
  }
  const std::size_t length = joined.size();
  return object_of("__unparsedToolInput", object_of("raw", std::move(joined), "len", length));
}

}  // namespace

void MessageFold::add_delta(const Json& delta) {
  const std::string type = delta.string_at("type");
  if (type == "signature_delta") {
    block_.set("signature", *delta.find("signature"));
    return;
  }
  const char* key = type == "text_delta" ? "text" : type == "thinking_delta" ? "thinking" : "partial_json";
  const Json* piece = delta.find(key);
  CHECK(piece != nullptr);
  joined_ += piece->as_string();
}

void MessageFold::close_block() {
  const std::string type = block_.string_at("type");
  if (type == "tool_use") {
    block_.set("input", input_of(std::move(joined_)));
  } else {
    block_.set(type, std::move(joined_));  // "text" and "thinking" are the type's and the member's name
  }
  joined_.clear();
  content_.push_back(std::move(block_));
  block_ = Json();
}

void MessageFold::add(const WireEvent& event) {
  CHECK(!stopped_);
  if (event.name == "message_start") {
    message_ = *event.data.find("message");
  } else if (event.name == "content_block_start") {
    block_ = *event.data.find("content_block");
  } else if (event.name == "content_block_delta") {
    add_delta(*event.data.find("delta"));
  } else if (event.name == "content_block_stop") {
    close_block();
  } else if (event.name == "message_delta") {
    const Json& delta = *event.data.find("delta");
    message_.set("stop_reason", *delta.find("stop_reason"));
    message_.set("stop_sequence", *delta.find("stop_sequence"));
    message_.set("usage", *event.data.find("usage"));
  } else if (event.name == "message_stop") {
    message_.set("content", std::move(content_));
    stopped_ = true;
  }
}

Json MessageFold::message() const {
  CHECK(stopped_);
  return message_;
}

}  // namespace hearth::wire
