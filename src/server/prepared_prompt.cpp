// See prepared_prompt.h.
#include "server/prepared_prompt.h"

#include <string_view>
#include <utility>

#include "chat/canonicalizer.h"
#include "chat/renderer.h"
#include "chat/turn_splice.h"

namespace hearth::server {
namespace {

bool begins_with(const std::vector<chat::PromptSegment>& segments, std::string_view text) {
  for (const auto& segment : segments) {
    const std::string_view part = std::string_view(segment.text).substr(0, text.size());
    if (!text.starts_with(part)) return false;
    text.remove_prefix(part.size());
    if (text.empty()) return true;
  }
  return text.empty();
}

bool forces_tool(const chat::Conversation& conversation) {
  return conversation.tool_choice == chat::ToolChoice::Any || conversation.tool_choice == chat::ToolChoice::Named;
}

}  // namespace

Result<PreparedPrompt> prepare_prompt(const ServedModel& model, chat::Conversation conversation, AnswerWishes wishes) {
  PreparedPrompt prepared;
  // tool_choice none keeps the tools in the prompt, for the cached prefix's sake; a call is then only text. Deferred
  // tools may be called without being loaded: the client runs them all the same.
  if (conversation.tool_choice != chat::ToolChoice::None) {
    for (const auto& tool : conversation.tools) {
      prepared.parser.tool_names.push_back(tool.name);
      prepared.parser.tool_schemas.push_back(tool.input_schema);
    }
  }
  conversation = chat::canonicalize(std::move(conversation), model.rules);
  // On this wire a request without `thinking` is one without thoughts, and so is one that must call: that is what it asks.
  const bool asked_for_no_thinking = conversation.thinking == chat::Thinking::ModelDefault || forces_tool(conversation);
  if (asked_for_no_thinking && model.renderer->supports_thinking()) conversation.thinking = chat::Thinking::Disabled;

  const auto old_thinking =
      model.rules.on(chat::CanonicalRule::OldThinking) ? chat::OldThinking::Kept : chat::OldThinking::AsTemplate;
  TRY_ASSIGN(auto rendered,
             chat::render_remembering(*model.renderer, *model.specials, *model.turns, conversation, old_thinking));
  chat::Prompt& prompt = rendered.prompt;
  if (rendered.can_remember)
    prepared.turn = {
        .said = rendered.said, .opening_kind = rendered.opening_kind, .opening = std::move(rendered.opening)};
  const std::string& bos_text = model.hello->bos_text;
  const bool add_bos = model.hello->adds_bos && !bos_text.empty() && !begins_with(prompt.segments, bos_text);
  if (add_bos) prepared.segments.push_back({.text = bos_text, .parse_special = true});
  for (auto& segment : prompt.segments) {
    prepared.segments.push_back(
        {.text = std::move(segment.text), .parse_special = segment.parse_special, .tokens = std::move(segment.tokens)});
  }
  prepared.boundary_segments = std::move(prompt.boundary_segments);
  prepared.runs = std::move(prompt.runs);
  if (add_bos) {
    for (auto& index : prepared.boundary_segments) ++index;
    for (auto& run : prepared.runs) run.end += bos_text.size();
    if (!prepared.runs.empty()) prepared.runs.insert(prepared.runs.begin(), {.end = bos_text.size()});
  }
  prepared.parser.thinking_opened = prompt.thinking_opened;
  prepared.parser.dialect = model.dialect;
  if (!prompt.prefill.empty()) {
    // What the client began is gone on with, whatever it is the beginning of.
    if (forces_tool(conversation)) conversation.tool_choice = chat::ToolChoice::Auto;
    wishes.output_schema = {};
  }
  prepared.shape = shape_answer(*model.dialect, conversation, wishes, prompt.thinking_opened,
                                model.hello->special_texts, *model.grammars);
  return prepared;
}

std::vector<std::uint32_t> boundary_positions(const std::vector<std::size_t>& boundary_segments,
                                              const std::vector<std::uint32_t>& segment_ends, std::size_t token_count) {
  std::vector<std::uint32_t> positions;
  for (const std::size_t index : boundary_segments) {
    if (index >= segment_ends.size()) continue;
    const std::uint32_t end = segment_ends[index];
    if (end == 0 || end >= token_count || (!positions.empty() && end <= positions.back())) continue;
    positions.push_back(end);
  }
  return positions;
}

}  // namespace hearth::server
