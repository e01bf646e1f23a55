// The Anthropic Messages wire, inward: a request body into a conversation and its settings.
// Source: docs/anthropic-wire.md (what real clients send, measured). Unknown keys are ignored, unknown block and tool
// types tolerated where the document says so; what is wrong gives InvalidInput whose message begins with the JSON path
// ("messages.2.content.0.text: ..."). Pure functions, any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "chat/conversation.h"

namespace hearth::wire {

// The limits of one request beside its bytes, which the http room bounds.
inline constexpr std::size_t kMessagesMax = 100'000;         // Anthropic's own; an agent's day is under 10,000
inline constexpr std::size_t kToolsMax = 4'096;              // clients with many MCP servers send some hundreds
inline constexpr std::size_t kStopSequencesMax = 64;         // each is looked for at every byte that goes out
inline constexpr std::size_t kStopSequenceBytesMax = 1'024;  // so much text may be held back
inline constexpr std::size_t kNameBytesMax = 1'024;          // of a model, a tool or an id
inline constexpr int kBodyDepthMax = 256;                    // nesting; tool schemas stay under 30

enum class ParallelTools { Allowed, Disabled };

struct MessagesRequest {
  std::string model;  // any name; the server maps unknown ones to what is loaded
  chat::Conversation conversation;
  std::uint32_t max_tokens = 0;
  bool stream = false;
  std::optional<float> temperature;
  std::optional<float> top_p;
  std::optional<std::int32_t> top_k;
  std::optional<std::uint64_t> seed;  // our extension
  std::vector<std::string> stop_sequences;
  Json output_format;  // output_config.format, null when absent; else {"type":"json_schema","schema":{...},...}
  ParallelTools parallel_tools = ParallelTools::Allowed;  // Disabled: at most one call in the answer
};

// The text of a PDF. InvalidInput: what is wrong with the file, for the one who sent it.
using PdfText = std::function<Result<std::string>(std::string_view pdf)>;

// Without `pdf_text` PDFs are refused.
[[nodiscard]] Result<MessagesRequest> decode_messages(std::string_view body, const PdfText& pdf_text = nullptr);
// max_tokens is not required here.
[[nodiscard]] Result<MessagesRequest> decode_count_tokens(std::string_view body, const PdfText& pdf_text = nullptr);

}  // namespace hearth::wire
