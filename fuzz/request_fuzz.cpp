// Fuzzes the Messages decoder: any bytes give a request or an InvalidInput with a message that is itself JSON-safe,
// and what is accepted keeps the decoder's promises. For libFuzzer and for any driver with the same entry point.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <variant>

#include "base/check.h"
#include "base/utf8.h"
#include "wire/anthropic_events.h"
#include "wire/anthropic_request.h"

namespace {

using hearth::Result;
using hearth::wire::MessagesRequest;

void check_request(const MessagesRequest& request) {
  CHECK(!request.model.empty());
  CHECK(!request.conversation.messages.empty());
  CHECK(request.stop_sequences.size() <= hearth::wire::kStopSequencesMax);
  for (const auto& sequence : request.stop_sequences) CHECK(!sequence.empty());
  for (const auto& tool : request.conversation.tools) CHECK(!tool.name.empty() && tool.input_schema.is_object());
  for (const auto& message : request.conversation.messages) {
    for (const auto& block : message.blocks) {
      if (const auto* text = std::get_if<hearth::chat::TextBlock>(&block)) CHECK(hearth::is_valid_utf8(text->text));
      if (const auto* call = std::get_if<hearth::chat::ToolUseBlock>(&block)) CHECK(call->input.is_object());
    }
  }
}

void check(const Result<MessagesRequest>& request) {
  if (request) {
    check_request(*request);
    return;
  }
  CHECK(request.error().kind == hearth::ErrorKind::InvalidInput);
  const std::string body = hearth::wire::error_body(request.error(), "req_fuzz").dump();
  CHECK(hearth::Json::parse(body).has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto messages = hearth::wire::decode_messages(body);
  const auto counted = hearth::wire::decode_count_tokens(body);
  check(messages);
  check(counted);
  // Whatever is a request can also be counted.
  if (messages) CHECK(counted.has_value());
  return 0;
}
