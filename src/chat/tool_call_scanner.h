// Tool call scanners: what stands after the opening of a tool call. Each tells when the call became certain, streams its
// arguments as JSON, and tells when it is over. Inside: one class per way of writing a call.
// Owned by one StreamParser, one thread.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/argument_schema.h"
#include "chat/repairs.h"
#include "chat/stream_parser.h"

namespace hearth::chat {

// Above any tool call seen; a model that never ends one must not fill the memory.
inline constexpr std::size_t kCallBytesMax = 16U << 20;

// How much of a long text a scanner that has read `read_bytes` is given at once, little at first: what it does not need it
// gives back, and that is copied. The pieces end at 128, 256, 512, ... and at each 4 KiB, however the text came.
[[nodiscard]] constexpr std::size_t call_piece_bytes(std::size_t read_bytes) {
  constexpr std::size_t first = 128;
  constexpr std::size_t most = 4096;
  if (read_bytes < first) return first - read_bytes;
  return std::min(std::bit_ceil(read_bytes + 1) - read_bytes, most - read_bytes % most);
}

// What looked like a call for so many bytes and was none is a long failure. After so many of them nothing more is tried:
// what follows each is read anew, and a model that repeats such beginnings would be read in quadratic time.
inline constexpr std::size_t kLongFailureBytes = 1024;  // an end of a piece: the count must not follow the cuts
inline constexpr int kLongFailuresMax = 16;

enum class CallState {
  Undecided,  // may still turn out to be mere text
  Streaming,  // the call has begun; it will end, whole or not
  Tail,       // the call has ended; what its writing still leaves is being consumed
  Rejected,   // no call of a declared tool: all of it is text
  Ended,      // it is over; take_rest() is what follows
};

// A declared tool, and whether the model spelled its name as it was declared.
struct NamedTool {
  std::size_t index = 0;
  bool is_exact = true;
};

// What all scanners of a parser share; outlives them.
struct CallContext {
  const StreamParserOptions* options = nullptr;
  const Dialect* dialect = nullptr;
  RepairCounts* repairs = nullptr;
  // Whether what follows is known, to the end of the turn, to hold no end of an earlier call. Null: a call ends where it
  // seems to, and nothing waits for what follows.
  bool* turn_is_read = nullptr;

  // The declared tool that `written` names, without namespace, index and quotes; where none is spelled so, the only one that
  // is without regard to case.
  [[nodiscard]] std::optional<NamedTool> tool_named(std::string_view written) const;
  // The one that is spelled so to the letter: where anything else is no call, as with an element <N>.
  [[nodiscard]] std::optional<NamedTool> tool_spelled(std::string_view name) const;
  [[nodiscard]] bool begins_tool(std::string_view spelled) const;
  [[nodiscard]] ArgumentSchema schema_of(NamedTool tool) const;
  // The dialect writes calls without any marker.
  [[nodiscard]] bool writes_bare() const;
  // A declared name begins so, in whatever case.
  [[nodiscard]] bool may_be_name(std::string_view begun) const;
};

// The events of one call. The fragments of a call that ends whole are one JSON object: this is where it is checked.
class CallWriter {
 public:
  explicit CallWriter(const CallContext& context) : context_(context) {}
  void begin(NamedTool tool, std::vector<StreamEvent>& events);
  void fragment(std::string_view json, std::vector<StreamEvent>& events);
  // False: it did not end whole after all.
  bool end(bool whole, std::vector<StreamEvent>& events);
  [[nodiscard]] bool begun() const { return begun_; }

 private:
  const CallContext& context_;
  bool begun_ = false;
  std::string json_;
};

class CallScanner {
 public:
  virtual ~CallScanner() = default;
  // REQUIRES: neither Rejected nor Ended.
  virtual void push(std::string_view text, std::vector<StreamEvent>& events) = 0;
  // Nothing more comes: a call that has begun ends here. One that was still undecided becomes a call or is Rejected.
  virtual void finish(TurnEnd end, std::vector<StreamEvent>& events) = 0;
  [[nodiscard]] virtual CallState state() const = 0;
  // Once Ended: of the pushed text, what no longer belongs to the call.
  [[nodiscard]] virtual std::string take_rest() = 0;
};

// Whether a JSON call stands after an opening of its own, or shows itself: then it must have its arguments.
enum class Announced { Yes, No };

// {"name": ..., "arguments": {...}}, beginning with the brace.
[[nodiscard]] std::unique_ptr<CallScanner> make_json_call_scanner(const CallContext& context, Announced announced);
// NAME, then arguments as JSON, in round brackets, or between <arg_key> tags; beginning with what precedes the name.
[[nodiscard]] std::unique_ptr<CallScanner> make_named_call_scanner(const CallContext& context);
// <function=NAME><parameter=KEY>value</parameter>...</function> and its kin, beginning with the tag.
[[nodiscard]] std::unique_ptr<CallScanner> make_tagged_call_scanner(const CallContext& context);
// The same, with the name read already. Json: where {"name": N, "arguments": should have gone on as JSON; its brace may follow.
enum class ArgumentsIn { Tags, Json };
[[nodiscard]] std::unique_ptr<CallScanner> make_tagged_arguments_scanner(const CallContext& context, NamedTool tool,
                                                                         ArgumentsIn arguments_in);

// Appends an event, joined with the last one where both are fragments of the same thing.
void append_text(std::vector<StreamEvent>& events, std::string_view text);
void append_thinking(std::vector<StreamEvent>& events, std::string_view text);
void append_call_json(std::vector<StreamEvent>& events, std::string_view json);

}  // namespace hearth::chat
