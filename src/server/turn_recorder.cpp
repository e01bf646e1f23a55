// See turn_recorder.h.
#include "server/turn_recorder.h"

#include <utility>

namespace hearth::server {

void TurnRecorder::sampled(const std::vector<link::Token>& tokens, std::string_view bytes) {
  tokens_.insert(tokens_.end(), tokens.begin(), tokens.end());
  text_ += bytes;
}

void TurnRecorder::sent(const std::vector<wire::WireEvent>& events) {
  for (const auto& event : events) message_.add(event);
}

void TurnRecorder::remember(chat::TurnMemory& memory, const chat::SpecialTexts& specials) && {
  auto turn = chat::make_sampled_turn(place_.opening_kind, std::move(place_.opening), std::move(tokens_), text_,
                                      message_as_sent(message_.message()), specials);
  memory.remember(std::move(turn), place_.said);
}

chat::Message message_as_sent(const Json& message) {
  chat::Message sent{.role = chat::Role::Assistant, .blocks = {}};
  const Json* content = message.find("content");
  if (content == nullptr || !content->is_array()) return sent;
  for (const Json& block : content->as_array()) {
    const std::string type = block.string_at("type");
    if (type == "text") {
      sent.blocks.emplace_back(chat::TextBlock{block.string_at("text")});
    } else if (type == "thinking") {
      sent.blocks.emplace_back(
          chat::ThinkingBlock{.text = block.string_at("thinking"), .signature = block.string_at("signature")});
    } else if (type == "tool_use") {
      const Json* input = block.find("input");
      sent.blocks.emplace_back(chat::ToolUseBlock{.id = block.string_at("id"),
                                                  .name = block.string_at("name"),
                                                  .input = input == nullptr ? Json::object() : *input,
                                                  .raw_input = {}});
    }
  }
  return sent;
}

}  // namespace hearth::server
