// Conversation: what was said, free of any wire's shape and any model's dialect. Wires decode into it, the canonicalizer
// steadies it, the renderer turns it into a prompt. Plain values.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <variant>
#include <vector>

#include "base/json.h"

namespace hearth::chat {

struct TextBlock {
  std::string text;
};
struct ThinkingBlock {
  std::string text;
  std::string signature;  // as the client replayed it; ours or foreign, or empty
};
struct RedactedThinkingBlock {
  std::string data;
};
struct ToolUseBlock {
  std::string id;
  std::string name;
  Json input;             // an object
  std::string raw_input;  // not empty: what the model wrote and no JSON reader could read; render this instead
};
struct ToolResultBlock {
  std::string tool_use_id;
  std::string text;                          // its text parts, joined by newlines
  std::vector<std::string> tool_references;  // names of deferred tools this result makes known
  bool is_error = false;
};
// A tool that comes or goes in the middle. The canonicalizer makes text of it.
struct ToolChangeBlock {
  enum class Change : std::uint8_t { Added, Removed };
  Change change = Change::Added;
  std::string name;
  Json definition;  // as the client has it; null when only the name is given
};
using Block =
    std::variant<TextBlock, ThinkingBlock, RedactedThinkingBlock, ToolUseBlock, ToolResultBlock, ToolChangeBlock>;

enum class Role { System, User, Assistant };

struct Message {
  Role role = Role::User;
  std::vector<Block> blocks;
  std::uint32_t number = 0;  // its place in the request, once the canonicalizer has set it
};

struct Tool {
  std::string name;
  std::string description;
  Json input_schema;
  bool deferred = false;  // left out of the prompt's head until a tool_reference names it
  bool strict = false;    // its client counts on arguments of the schema
};

enum class ToolChoice { Auto, Any, Named, None };
enum class Thinking { ModelDefault, Enabled, Disabled };

// Of thoughts: those of all turns.
inline constexpr std::uint32_t kAllTurns = std::numeric_limits<std::uint32_t>::max();

struct Conversation {
  std::vector<TextBlock> system;
  std::vector<Message> messages;  // Role::System may stand anywhere
  std::vector<Tool> tools;
  ToolChoice tool_choice = ToolChoice::Auto;
  std::string tool_choice_name;  // with ToolChoice::Named
  Thinking thinking = Thinking::ModelDefault;
  std::uint32_t thinking_budget_tokens = 0;  // 0 = none given
  std::string effort;                        // "low", "medium", "high", ... or empty
  // The client wants the thoughts of so many turns that have any; the running turn counts as one.
  std::uint32_t thinking_turns_kept = kAllTurns;
  std::vector<std::string> absent_tools;  // names of tools that only the client's usual server could run
};

}  // namespace hearth::chat
