// TemplateShape: what a chat template can take and how it divides turns, found by rendering tiny conversations once.
// Plain values; the probing is pure.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "chat/conversation.h"
#include "chat/old_thoughts.h"
#include "chat/render_switches.h"
#include "chat/special_guard.h"
#include "chat/template_engine.h"

namespace hearth::chat {

enum class ContentForm { Text, Parts };       // "hello" or [{"type": "text", "text": "hello"}]
enum class ArgumentsForm { Object, Text };    // of a tool call: the object, or its JSON
enum class CallForm { Other, Json, Tagged };  // how a call is written; Json and Tagged as the StreamParser reads them
// Of calls, as results name them. Functions: "functions.NAME:NUMBER", counted over the conversation (Kimi).
enum class CallIdForm { Short, Functions };
enum class EmptyContentForm { EmptyText, Null };  // of an assistant message that only calls tools

struct TemplateShape {
  ContentForm content = ContentForm::Text;
  bool system_role = true;        // a system message at the head is rendered
  bool system_anywhere = true;    // also between other messages
  bool tools = true;              // `tools` are listed
  bool tool_calls = true;         // an assistant's tool_calls are written
  bool parallel_calls = true;     // several calls in one message
  bool text_beside_calls = true;  // an assistant's message may both speak and call
  bool tool_role = true;          // results have their own role
  CallForm call_form = CallForm::Other;
  ArgumentsForm arguments = ArgumentsForm::Object;
  bool text_arguments_accepted = true;  // a text among object arguments does no harm
  EmptyContentForm empty_content = EmptyContentForm::EmptyText;
  CallIdForm call_ids = CallIdForm::Short;
  bool system_before_tools = false;  // the head's text stands before the tools
  OldThoughts old_thoughts;
  // What add_generation_prompt appends, by Thinking.
  std::array<std::string, 3> generation_suffixes;
  // Special texts that begin a turn. Boundaries are put before them; empty: only the suffix gives one.
  std::vector<std::string> turn_openings;
};

[[nodiscard]] TemplateShape probe_template(const TemplateEngine& engine, const Json& base_variables,
                                           const SpecialTexts& specials);

// Sets what templates ask about thinking; the names differ between families.
void set_thinking_variables(Json& variables, Thinking thinking, OldThinking old_thinking = OldThinking::Kept);

}  // namespace hearth::chat
