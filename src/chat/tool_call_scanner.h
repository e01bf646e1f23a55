// Tool call scanners: what stands after the opening of a tool call, read byte by byte. Each tells when the call became
// certain, streams its arguments as JSON, and tells when it is over. Inside: one class per way of writing a call.
// Owned by one StreamParser, one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "chat/stream_parser.h"

namespace hearth::chat {

enum class CallState {
  Undecided,  // may still turn out to be mere text
  Streaming,  // the call has begun; it will end, whole or not
  Tail,       // the call has ended; what its writing still leaves is being consumed
  Rejected,   // no call of a declared tool: all of it is text
  Ended,      // it is over; take_rest() is what follows
};

class CallScanner {
 public:
  virtual ~CallScanner() = default;
  // REQUIRES: neither Rejected nor Ended.
  virtual void push(std::string_view text, std::vector<StreamEvent>& events) = 0;
  // The model's turn is over: a call that has begun ends here, not whole.
  virtual void finish(std::vector<StreamEvent>& events) = 0;
  [[nodiscard]] virtual CallState state() const = 0;
  // Once Ended: of the pushed text, what no longer belongs to the call.
  [[nodiscard]] virtual std::string take_rest() = 0;
};

// {"name": ..., "arguments": {...}}, beginning with the brace.
[[nodiscard]] std::unique_ptr<CallScanner> make_json_call_scanner(const StreamParserOptions& options);
// <function=NAME><parameter=KEY>value</parameter>...</function>, beginning with <function=.
[[nodiscard]] std::unique_ptr<CallScanner> make_xml_call_scanner(const StreamParserOptions& options);

// Appends an event, joined with the last one where both are fragments of the same thing.
void append_text(std::vector<StreamEvent>& events, std::string_view text);
void append_thinking(std::vector<StreamEvent>& events, std::string_view text);
void append_call_json(std::vector<StreamEvent>& events, std::string_view json);

}  // namespace hearth::chat
