// The Anthropic Messages wire, outward: stream events, the folded message, errors, models.
// The encoder is the only writer of events: blocks open and close in order, indices have no gaps, one block is open at a
// time, nothing is empty that must not be. The non-streaming message is the fold of the same events, by construction.
// One stream, one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "chat/stream_parser.h"

namespace hearth::wire {

// Three disjoint counts of prompt tokens, and the output. All sums are the whole prompt.
struct Usage {
  std::uint32_t input_tokens = 0;           // computed now and not kept for later
  std::uint32_t cache_creation_tokens = 0;  // computed now and kept
  std::uint32_t cache_read_tokens = 0;      // not computed
  std::uint32_t output_tokens = 0;
};

enum class StopReason { EndTurn, MaxTokens, StopSequence, ToolUse, ContextWindowExceeded };

struct WireEvent {
  std::string name;  // "message_start", ...
  Json data;         // with its "type"
};
// "event: NAME\ndata: JSON\n\n"
[[nodiscard]] std::string to_sse(const WireEvent& event);
[[nodiscard]] std::string ping_sse();

class MessageEncoder {
 public:
  MessageEncoder(std::string message_id, std::string model);

  [[nodiscard]] bool started() const { return started_; }
  // message_start, once; may be sent early (before usage is known) to carry heartbeats: usage then comes at the end.
  [[nodiscard]] std::vector<WireEvent> start(const Usage& usage);
  // A real event that shows nothing: opens a thinking block when none is open and sends an empty thinking_delta.
  // With a text or tool block open it is an empty delta of that kind. REQUIRES: started().
  [[nodiscard]] std::vector<WireEvent> heartbeat();
  // Blocks close as soon as they are over, so that a client can run a tool before the message ends.
  [[nodiscard]] std::vector<WireEvent> add(const chat::StreamEvent& event);
  // Closes what is open, then message_delta with stop reason and usage, then message_stop. A message that holds only
  // thinking, or nothing, is never sent: see the implementation for the text block that completes it.
  [[nodiscard]] std::vector<WireEvent> end(StopReason reason, std::optional<std::string> stop_sequence,
                                           const Usage& usage);
  [[nodiscard]] bool has_tool_call() const { return tool_call_count_ > 0; }

 private:
  enum class Open { None, Text, Thinking, Tool };
  std::vector<WireEvent> open_block(Open kind, Json content_block);
  std::vector<WireEvent> close_block();

  const std::string message_id_;
  const std::string model_;
  bool started_ = false;
  Open open_ = Open::None;
  std::uint32_t next_index_ = 0;
  std::uint32_t tool_call_count_ = 0;
  std::uint32_t text_block_count_ = 0;
  std::string held_blank_text_;  // white space before the first visible character: a blank text block is never opened
};

// The JSON message of stream:false, built from exactly the events a stream would carry.
class MessageFold {
 public:
  void add(const WireEvent& event);
  // REQUIRES: message_stop was added.
  [[nodiscard]] Json message() const;

 private:
  Json message_;
  std::string partial_json_;
};

// {"type":"error","error":{"type","message"},"request_id"}
[[nodiscard]] Json error_body(const Error& error, std::string_view request_id);
[[nodiscard]] int http_status(ErrorKind kind);
[[nodiscard]] std::string_view error_type(ErrorKind kind);  // "invalid_request_error", "overloaded_error", ...
[[nodiscard]] std::string error_sse(const Error& error, std::string_view request_id);
// The text that makes Claude Code compact: "prompt is too long: N tokens > M maximum".
[[nodiscard]] Error prompt_too_long(std::uint64_t prompt_tokens, std::uint64_t context_tokens);

struct ModelCard {
  std::string id;
  std::string display_name;
  std::int64_t created_unix_s = 0;
  std::uint32_t context_tokens = 0;
};
[[nodiscard]] Json model_json(const ModelCard& card);
[[nodiscard]] Json model_list_json(const std::vector<ModelCard>& cards);

}  // namespace hearth::wire
