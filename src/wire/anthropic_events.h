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

// Shown: three disjoint counts of prompt tokens. Hidden, for a request without cache marks: input_tokens is the whole
// prompt and the cache counts are null, because such clients take input_tokens for that.
enum class CacheCounts { Shown, Hidden };

// Three disjoint counts of prompt tokens, and the output. Their sum is the whole prompt.
struct Usage {
  std::uint32_t input_tokens = 0;           // computed now and not kept for later
  std::uint32_t cache_creation_tokens = 0;  // computed now and kept
  std::uint32_t cache_read_tokens = 0;      // not computed
  std::uint32_t output_tokens = 0;
  std::uint32_t thinking_tokens = 0;  // of output_tokens; told as a detail when there are any
  CacheCounts cache_counts = CacheCounts::Shown;
};

enum class StopReason { EndTurn, MaxTokens, StopSequence, ToolUse, ContextWindowExceeded };

struct WireEvent {
  std::string name;  // "message_start", ...
  Json data;         // with its "type"
};
// "event: NAME\ndata: JSON\n\n"
[[nodiscard]] std::string to_sse(const WireEvent& event);
[[nodiscard]] std::string ping_sse();

// Whether the answer stands alone or goes on from an assistant message the client began. An empty continuation is an
// answer ("nothing to add"); an empty answer is not.
enum class AnswerKind { Fresh, Continuation };

class MessageEncoder {
 public:
  MessageEncoder(std::string message_id, std::string model, AnswerKind kind = AnswerKind::Fresh);

  [[nodiscard]] bool started() const { return started_; }
  // message_start, once and first; may be sent early (before usage is known) to carry heartbeats: usage then comes at the end.
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
  [[nodiscard]] bool has_tool_call() const { return !tool_call_ids_.empty(); }
  // In the order of the calls: what was sampled is remembered under these.
  [[nodiscard]] const std::vector<std::string>& tool_call_ids() const { return tool_call_ids_; }

 private:
  enum class Block { None, Text, Thinking, Tool };
  using Events = std::vector<WireEvent>;
  void open(Events& out, Block kind, Json content_block);
  void close(Events& out);
  void delta(Events& out, std::string_view delta_type, std::string_view key, std::string text);
  // Of Text and Thinking: opens the block at the first visible character, and not before.
  void prose(Events& out, Block kind, std::string_view text);
  void open_prose(Events& out, Block kind);
  void end_tool(Events& out, const chat::ToolCallEnd& end);

  const std::string message_id_;
  const std::string model_;
  const AnswerKind kind_;
  bool started_ = false;
  bool ended_ = false;
  bool has_text_ = false;           // a text block was opened
  bool tool_has_fragment_ = false;  // of the open call
  Block open_ = Block::None;
  std::uint32_t next_index_ = 0;  // of the next block; the open one is next_index_ - 1
  std::vector<std::string> tool_call_ids_;
  Block held_kind_ = Block::None;  // what held_blank_ would belong to
  std::string held_blank_;         // white space before the first visible character of a block
};

// The JSON message of stream:false, built from exactly the events a stream would carry.
class MessageFold {
 public:
  void add(const WireEvent& event);
  // REQUIRES: message_stop was added.
  [[nodiscard]] Json message() const;

 private:
  void add_delta(const Json& delta);
  void close_block();

  Json message_;
  Json block_;          // the open one, as it was started
  std::string joined_;  // its deltas: text, thinking or the JSON of a tool's input
  Json::Array content_;
  bool stopped_ = false;
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
  std::int64_t created_unix_s = 0;  // seconds since 1970, UTC
  std::uint32_t context_tokens = 0;
};
// Both dialects' keys in one object ("type" and "object", "created_at" and "created"): the path is the same for both.
[[nodiscard]] Json model_json(const ModelCard& card);
[[nodiscard]] Json model_list_json(const std::vector<ModelCard>& cards);

}  // namespace hearth::wire
