// TurnRecorder: one answer while it is made: the tokens that are sampled, and the message the client is given. At its end
// both go into the model's turn memory. One stream, one thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chat/special_guard.h"
#include "chat/turn_memory.h"
#include "link/messages.h"
#include "server/prepared_prompt.h"
#include "wire/anthropic_events.h"

namespace hearth::server {

class TurnRecorder {
 public:
  explicit TurnRecorder(TurnPlace place) : place_(std::move(place)) {}

  void sampled(const std::vector<link::Token>& tokens, std::string_view bytes);
  void sent(const std::vector<wire::WireEvent>& events);
  // REQUIRES: message_stop was sent.
  void remember(chat::TurnMemory& memory, const chat::SpecialTexts& specials) &&;

 private:
  TurnPlace place_;
  std::vector<link::Token> tokens_;
  std::string text_;
  wire::MessageFold message_;
};

// A message's content as it was sent, read as a client's replay of it would be.
[[nodiscard]] chat::Message message_as_sent(const Json& message);

}  // namespace hearth::server
