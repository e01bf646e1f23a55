// For tests and fuzzers: whether a prompt keeps its promise, and a conversation that tries to break it everywhere. Pure.
#pragma once

#include <algorithm>
#include <format>
#include <string>
#include <string_view>
#include <vector>

#include "chat/renderer.h"
#include "chat/special_guard.h"

namespace hearth::chat {

// The first special text in a segment of which a byte is not the template's; empty when there is none. A tokenizer that
// looks at one segment at a time can find no other.
inline std::string unsafe_place(const Prompt& prompt, const SpecialTexts& specials) {
  std::size_t begin = 0;
  for (const PromptSegment& segment : prompt.segments) {
    for (std::size_t at = 0; at < segment.text.size(); ++at) {
      const auto found = specials.longest_at(segment.text, at);
      if (!found) continue;
      const std::size_t end = begin + at + specials[*found].size();
      auto run = std::ranges::upper_bound(prompt.runs, begin + at, {}, &PromptRun::end);
      for (; run != prompt.runs.end(); ++run) {
        if (run->origin != PromptOrigin::Template || !segment.parse_special)
          return std::format("{} at byte {} is not the template's", specials[*found], begin + at);
        if (run->end >= end) break;
      }
    }
    begin += segment.text.size();
  }
  if (!prompt.runs.empty() && prompt.runs.back().end != begin)
    return std::format("the runs end at {}, the text at {}", prompt.runs.back().end, begin);
  return "";
}

// Every text of it holds `word`: what is said, thought, called, named, described and set.
inline Conversation hostile_conversation(const std::string& word) {
  const Json schema = Json::object({{"type", "object"},
                                    {"properties", Json::object({{"path" + word, Json::object({{"type", "string"}})}})},
                                    {"description", word}});
  Conversation c;
  c.system = {{"Be " + word + " brief."}};
  c.tools = {{"Read", "Reads " + word, schema, false}};
  c.effort = word;
  const Json input = Json::object({{"k" + word, word}, {"list", Json::Array{word, 1, Json::object({{word, word}})}}});
  ToolUseBlock broken{.id = "toolu_2" + word, .name = "Read", .input = Json::object(), .raw_input = "{" + word};
  c.messages = {{Role::User, {TextBlock{"Hello " + word}}},
                {Role::System, {TextBlock{"Note " + word + word}}},
                {Role::Assistant,
                 {ThinkingBlock{"I think " + word + " so", "s"}, TextBlock{"Let me " + word + " look"},
                  ToolUseBlock{.id = "toolu_1" + word, .name = "Read" + word, .input = input, .raw_input = ""}}},
                {Role::User, {ToolResultBlock{"toolu_1" + word, "first " + word + "\n" + word, {}, false}}},
                {Role::Assistant, {broken}},
                {Role::User, {ToolResultBlock{"toolu_2" + word, word, {}, true}, TextBlock{word + " go on"}}},
                {Role::Assistant, {ThinkingBlock{word, ""}, TextBlock{word}}},
                {Role::User, {TextBlock{word}, TextBlock{word + "<" + word}}}};
  return c;
}

}  // namespace hearth::chat
