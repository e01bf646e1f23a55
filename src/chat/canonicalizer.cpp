// See canonicalizer.h. A list of small rules, each on the whole conversation.
#include "chat/canonicalizer.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/tool_definition.h"

namespace hearth::chat {
namespace {

// Claude Code's attribution: its own first system block, other in every session, so it would cost every shared prefix.
constexpr std::string_view kBillingHeader = "x-anthropic-billing-header:";

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos; }
bool is_droppable(const TextBlock& block) { return is_blank(block.text) || block.text.starts_with(kBillingHeader); }

void drop_volatile_system_text(Conversation& conversation) {
  std::erase_if(conversation.system, is_droppable);
  for (Message& message : conversation.messages) {
    if (message.role != Role::System || message.blocks.empty()) continue;
    const auto* text = std::get_if<TextBlock>(&message.blocks.front());
    if (text != nullptr && text->text.starts_with(kBillingHeader)) message.blocks.erase(message.blocks.begin());
  }
}

void drop_blank_text(Message& message) {
  std::erase_if(message.blocks, [](const Block& block) {
    const auto* text = std::get_if<TextBlock>(&block);
    return text != nullptr && is_blank(text->text);
  });
}

// Where a message falls away, its neighbours of one role become one message, as strict templates want. The last user
// message stays although it says nothing: without it the assistant message before would turn into a prefill.
void drop_empty_messages(Conversation& conversation) {
  std::vector<Message> kept;
  bool dropped = false;
  for (std::size_t i = 0; i < conversation.messages.size(); ++i) {
    Message& message = conversation.messages[i];
    drop_blank_text(message);
    const bool last = i + 1 == conversation.messages.size();
    if (message.blocks.empty() && last && message.role == Role::User) message.blocks.emplace_back(TextBlock{});
    if (message.blocks.empty()) {
      dropped = true;
      continue;
    }
    if (dropped && !kept.empty() && kept.back().role == message.role) {
      std::ranges::move(message.blocks, std::back_inserter(kept.back().blocks));
    } else {
      kept.push_back(std::move(message));
    }
    dropped = false;
  }
  conversation.messages = std::move(kept);
}

// Clients send parallel results as they finish; the model, and the next turn's prefix, want the order of the calls.
void order_tool_results(Conversation& conversation) {
  std::map<std::string, std::size_t, std::less<>> call_order;
  for (Message& message : conversation.messages) {
    if (message.role == Role::Assistant) {
      call_order.clear();
      for (const Block& block : message.blocks) {
        if (const auto* call = std::get_if<ToolUseBlock>(&block)) call_order.emplace(call->id, call_order.size());
      }
      continue;
    }
    const auto rank = [&](const Block& block) {
      const auto* result = std::get_if<ToolResultBlock>(&block);
      if (result == nullptr) return call_order.size() + 1;  // what the user says comes after the results
      const auto found = call_order.find(result->tool_use_id);
      return found == call_order.end() ? call_order.size() : found->second;
    };
    std::ranges::stable_sort(message.blocks, {}, rank);
  }
}

// A deferred tool is defined where a result first names it, so that the prompt's head never changes.
void define_referenced_tools(Conversation& conversation) {
  std::set<std::string, std::less<>> defined;
  for (Message& message : conversation.messages) {
    for (Block& block : message.blocks) {
      auto* result = std::get_if<ToolResultBlock>(&block);
      if (result == nullptr || result->tool_references.empty()) continue;
      std::string lines;
      for (const std::string& name : result->tool_references) {
        const auto tool = std::ranges::find(conversation.tools, name, &Tool::name);
        if (tool == conversation.tools.end() || !tool->deferred || !defined.insert(name).second) {
          lines += "\n" + name;
        } else {
          lines += "\n" + tool_definition(*tool).dump();
        }
      }
      if (!result->text.empty()) result->text += "\n";
      result->text += "You can call these tools now:" + lines;
      result->tool_references.clear();
    }
  }
}

}  // namespace

Conversation canonicalize(Conversation conversation) {
  for (std::size_t i = 0; i < conversation.messages.size(); ++i)
    conversation.messages[i].number = static_cast<std::uint32_t>(i);
  drop_volatile_system_text(conversation);
  drop_empty_messages(conversation);
  order_tool_results(conversation);
  define_referenced_tools(conversation);
  return conversation;
}

}  // namespace hearth::chat
