// StreamParser: model text into thinking, text and tool calls, as it comes. Holds back only what is ambiguous, and how
// the text is cut into pieces never changes the joined result. Owned by one stream, one thread.
// The rules are docs/dialects.md: what a thought is, what a call, and what comes of a call that is not well written.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "chat/dialect.h"
#include "chat/repairs.h"

namespace hearth::chat {

struct ThinkingDelta {
  std::string text;
};
struct TextDelta {
  std::string text;
};
struct ToolCallBegin {
  std::string name;  // always one of the declared tools
};
struct ToolCallDelta {
  std::string json;  // a fragment; all fragments of a call joined are one JSON object when the call ended whole
};
struct ToolCallEnd {
  bool whole = true;  // false: generation stopped inside the arguments; the fragments are the honest, broken rest
};
using StreamEvent = std::variant<ThinkingDelta, TextDelta, ToolCallBegin, ToolCallDelta, ToolCallEnd>;

struct StreamParserOptions {
  const Dialect* dialect = nullptr;     // how this model writes; nullptr: the generic one
  bool thinking_opened = false;         // the prompt already opened the thought
  std::vector<std::string> tool_names;  // declared tools; an undeclared name is never called: its text stays text
  // The input schema of each, in the same order; may be shorter. Types of arguments follow it.
  std::vector<Json> tool_schemas;
};

// Why nothing more comes: the model ended its turn, or it was stopped in the middle (max_tokens, a full context). Only a
// turn that the model ended itself may lack the closing text of a call that is otherwise complete.
enum class TurnEnd { Finished, Cut };

class StreamParser {
 public:
  explicit StreamParser(StreamParserOptions options);
  ~StreamParser();
  // REQUIRES: valid UTF-8.
  [[nodiscard]] std::vector<StreamEvent> push(std::string_view text);
  // The model's turn is over: what was held back comes out.
  [[nodiscard]] std::vector<StreamEvent> finish(TurnEnd end = TurnEnd::Cut);
  // What was mended so far.
  [[nodiscard]] const RepairCounts& repairs() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::chat
