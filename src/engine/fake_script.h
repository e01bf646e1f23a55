// The script of the fake engine: what a scripted "model" answers to which prompt. A JSON file (docs/fake-engine.md
// explains every field with examples):
//
//   { "name": "scripted", "context_tokens": 262144, "memory_kind": "attention", "sequences": 16,
//     "prefill_us_per_token": 0, "decode_ms_per_token": 0, "chat_template": "...",
//     "rules": [ { "when": { "last_user_contains": ["hello"], "contains": [], "not_contains": [], "tool_results": 0 },
//                  "say": "<think>\nhm\n</think>\n\nHi.", "first_token_delay_ms": 0, "token_delay_ms": 0,
//                  "crash_after_tokens": 5, "crash_times": 1, "echo": false, "repeat": 1 } ],
//     "otherwise": "I do not know." }
//
// The first rule whose conditions all hold answers. Immutable after parsing; pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"

namespace hearth::engine {

struct FakeRule {
  std::vector<std::string> last_user_contains;  // all of them in the last instruction of the user
  std::vector<std::string> contains;            // all of them anywhere in the prompt
  std::vector<std::string> not_contains;        // none of them anywhere in the prompt
  std::optional<std::uint32_t> tool_results;    // exactly so many tool results since the last instruction
  std::string say;                              // raw model text: <think> and <tool_call> become their tokens
  bool echo = false;                            // says the last instruction instead of `say`
  std::uint32_t repeat = 1;                     // the text, so many times
  std::int64_t first_token_delay_ms = 0;
  std::int64_t token_delay_ms = 0;                  // every token but the first
  std::optional<std::uint32_t> crash_after_tokens;  // the process aborts instead of giving this token (from 0)
  std::uint32_t crash_times = 1;                    // so often in all, where HEARTH_FAKE_STATE names a file to count in
};

struct FakeScript {
  std::string name = "fake";
  std::string architecture = "fake";
  std::string chat_template;
  std::uint32_t context_tokens = 262144;   // a token is one byte: an agent's first prompt alone has 100,000
  std::uint32_t context_limit_tokens = 0;  // what the context may grow to; less than context_tokens: not at all
  std::uint32_t sequences = 16;
  std::uint32_t window_tokens = 64;  // of MemoryKind::Window
  MemoryKind memory_kind = MemoryKind::Attention;
  std::int64_t prefill_us_per_token = 0;
  std::int64_t decode_ms_per_token = 0;
  bool grammar = false;         // jobs are held to their grammars; a script without rules always is
  std::vector<FakeRule> rules;  // the last one is "otherwise" when the script has it
};

[[nodiscard]] Result<FakeScript> parse_fake_script(std::string_view json_text);
// The chat template used when the script brings none: ChatML with tools and enable_thinking.
[[nodiscard]] std::string_view fake_chat_template();

// What rules look at, read off the tokens before the answer.
struct FakePrompt {
  std::string text;                // everything, control tokens written out
  std::string last_user;           // the last user turn that says more than tool results and <system-reminder>s
  std::uint32_t tool_results = 0;  // <tool_response> tokens after that turn began
};
[[nodiscard]] FakePrompt read_fake_prompt(std::span<const Token> tokens);
// nullptr when none fits.
[[nodiscard]] const FakeRule* find_fake_rule(const FakeScript& script, const FakePrompt& prompt);
// The whole answer of a rule as tokens, without an end token.
[[nodiscard]] std::vector<Token> fake_answer(const FakeRule& rule, const FakePrompt& prompt);

// Where the answer stands after `said` (what follows the assistant's turn start, put there by the template, by a
// prefill or by sampling). The next token is text[said_tokens]; when there is none the answer is over.
struct FakeContinuation {
  std::vector<Token> text;      // the answer, fitted to a thought that the template itself opened or left empty
  std::size_t said_tokens = 0;  // of text; after a prefill that the answer does not begin with: from its start
};
[[nodiscard]] FakeContinuation continue_fake_answer(std::span<const Token> answer, std::span<const Token> said);

}  // namespace hearth::engine
