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

#include "base/log.h"
#include "chat/budget_text.h"
#include "chat/tool_definition.h"

namespace hearth::chat {
namespace {

// Claude Code's attribution: its own first system block, other in every session, so it would cost every shared prefix.
constexpr std::string_view kBillingHeader = "x-anthropic-billing-header:";

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos; }
bool is_billing_header(const TextBlock& block) { return block.text.starts_with(kBillingHeader); }
bool is_thought(const Block& block) {
  return std::holds_alternative<ThinkingBlock>(block) || std::holds_alternative<RedactedThinkingBlock>(block);
}

class Canonicalizer {
 public:
  Canonicalizer(Conversation conversation, const CanonicalRules& rules, CanonicalCounts& counts)
      : conversation_(std::move(conversation)), rules_(rules), counts_(counts) {}

  Conversation run() && {
    for (std::size_t i = 0; i < messages().size(); ++i) messages()[i].number = static_cast<std::uint32_t>(i);
    drop_text();
    if (rules_.on(CanonicalRule::ClientThinking)) forget_thoughts();
    if (!rules_.on(CanonicalRule::SystemInPlace)) move_system_to_head();
    drop_empty_messages();
    if (rules_.on(CanonicalRule::ResultOrder)) order_tool_results();
    if (!rules_.on(CanonicalRule::DeferredTools)) load_all_tools();
    define_tools_in_place();
    if (!rules_.on(CanonicalRule::UnparsedInput)) wrap_unparsed_input();
    if (rules_.on(CanonicalRule::ServerTools)) name_absent_tools();
    return std::move(conversation_);
  }

 private:
  std::vector<Message>& messages() { return conversation_.messages; }

  // Erases what `is_wrong` of text blocks says, and counts it for `rule`.
  template <class Blocks, class Predicate>
  void drop_blocks(Blocks& blocks, CanonicalRule rule, const Predicate& is_wrong) {
    if (!rules_.on(rule)) return;
    counts_.add(rule, std::erase_if(blocks, [&](const auto& block) {
                  if constexpr (std::is_same_v<std::remove_cvref_t<decltype(block)>, TextBlock>) {
                    return is_wrong(block);
                  } else {
                    const auto* text = std::get_if<TextBlock>(&block);
                    return text != nullptr && is_wrong(*text);
                  }
                }));
  }

  void drop_text() {
    const auto blank = [](const TextBlock& block) { return is_blank(block.text); };
    const auto budget = [](const TextBlock& block) { return is_budget_text(block.text); };
    drop_blocks(conversation_.system, CanonicalRule::BillingHeader, is_billing_header);
    drop_blocks(conversation_.system, CanonicalRule::TokenBudget, budget);
    drop_blocks(conversation_.system, CanonicalRule::BlankText, blank);
    for (Message& message : messages()) {
      // The user may write of the header; a system message that begins with it is the client's.
      const auto* first = message.blocks.empty() ? nullptr : std::get_if<TextBlock>(&message.blocks.front());
      if (message.role == Role::System && first != nullptr && is_billing_header(*first) &&
          rules_.on(CanonicalRule::BillingHeader)) {
        message.blocks.erase(message.blocks.begin());
        counts_.add(CanonicalRule::BillingHeader);
      }
      if (message.role != Role::Assistant) drop_blocks(message.blocks, CanonicalRule::TokenBudget, budget);
      drop_blocks(message.blocks, CanonicalRule::BlankText, blank);
    }
  }

  // A turn is all that the assistant does between two things the user says.
  void forget_thoughts() {
    std::uint32_t turns = 0;  // with thoughts, from the end
    bool counted = false;     // the turn that is being walked through
    for (std::size_t i = messages().size(); i-- > 0;) {
      Message& message = messages()[i];
      const bool says = std::ranges::any_of(
          message.blocks, [](const Block& block) { return std::holds_alternative<TextBlock>(block); });
      if (message.role == Role::User && says) counted = false;
      if (message.role != Role::Assistant || std::ranges::none_of(message.blocks, is_thought)) continue;
      if (!std::exchange(counted, true)) ++turns;
      if (turns > conversation_.thinking_turns_kept)
        counts_.add(CanonicalRule::ClientThinking, std::erase_if(message.blocks, is_thought));
    }
  }

  void move_system_to_head() {
    for (Message& message : messages()) {
      if (message.role != Role::System) continue;
      for (Block& block : message.blocks)
        if (auto* text = std::get_if<TextBlock>(&block)) conversation_.system.push_back(std::move(*text));
      std::erase_if(message.blocks, [](const Block& block) { return std::holds_alternative<TextBlock>(block); });
    }
  }

  // Where a message falls away, its neighbours of one role become one message, as strict templates want. The last user
  // message stays although it says nothing: without it the assistant message before would turn into a prefill.
  void drop_empty_messages() {
    std::vector<Message> kept;
    bool dropped = false;
    for (std::size_t i = 0; i < messages().size(); ++i) {
      Message& message = messages()[i];
      const bool last = i + 1 == messages().size();
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
    messages() = std::move(kept);
  }

  // Clients send parallel results as they finish; the model, and the next turn's prefix, want the order of the calls.
  void order_tool_results() {
    std::map<std::string, std::size_t, std::less<>> call_order;
    for (Message& message : messages()) {
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
      if (std::ranges::is_sorted(message.blocks, {}, rank)) continue;
      std::ranges::stable_sort(message.blocks, {}, rank);
      counts_.add(CanonicalRule::ResultOrder);
    }
  }

  void load_all_tools() {
    for (Tool& tool : conversation_.tools) tool.deferred = false;
  }

  // A deferred tool is defined where a result or the client first names it, so that the prompt's head never changes.
  void define_tools_in_place() {
    for (Message& message : messages()) {
      for (Block& block : message.blocks) {
        if (auto* result = std::get_if<ToolResultBlock>(&block)) define_in(*result);
        if (const auto* change = std::get_if<ToolChangeBlock>(&block)) block = TextBlock{text_of(*change)};
      }
    }
  }
  void define_in(ToolResultBlock& result) {
    if (result.tool_references.empty()) return;
    if (!result.text.empty()) result.text += "\n";
    result.text += "You can call these tools now:";
    for (const std::string& name : result.tool_references) result.text += "\n" + definition_or_name(name);
    result.tool_references.clear();
    counts_.add(CanonicalRule::DeferredTools);
  }
  std::string text_of(const ToolChangeBlock& change) {
    if (!rules_.on(CanonicalRule::ToolChanges)) return tool_change_sentence(change);
    counts_.add(CanonicalRule::ToolChanges);
    if (change.change == ToolChangeBlock::Change::Removed) return "You can no longer call this tool:\n" + change.name;
    return "You can call this tool now:\n" + definition_or_name(change.name);
  }
  // The definition, once; from then on, and where the head has it, the name.
  std::string definition_or_name(const std::string& name) {
    const auto tool = std::ranges::find(conversation_.tools, name, &Tool::name);
    if (tool == conversation_.tools.end() || !tool->deferred || !defined_.insert(name).second) return name;
    return tool_definition(*tool).dump();
  }

  void wrap_unparsed_input() {
    for (Message& message : messages()) {
      for (Block& block : message.blocks) {
        auto* call = std::get_if<ToolUseBlock>(&block);
        if (call == nullptr || call->raw_input.empty()) continue;
        const std::size_t size = call->raw_input.size();
        Json raw = Json::object({{"raw", std::exchange(call->raw_input, "")}, {"len", size}});
        call->input = Json::object({{"__unparsedToolInput", std::move(raw)}});
      }
    }
  }

  // A request with no tool but such is one for that tool: the model must not make up what it would have found.
  void name_absent_tools() {
    if (!conversation_.tools.empty() || conversation_.absent_tools.empty()) return;
    std::string names;
    for (const std::string& name : conversation_.absent_tools) names += (names.empty() ? "" : ", ") + name;
    conversation_.system.push_back(
        {"This server cannot run the requested tools (" + names +
         "). Say so in your answer, and say that what follows comes from your own knowledge and may be out of date."});
    counts_.add(CanonicalRule::ServerTools);
  }

  Conversation conversation_;
  const CanonicalRules& rules_;
  CanonicalCounts& counts_;
  std::set<std::string, std::less<>> defined_;
};

}  // namespace

Conversation canonicalize(Conversation conversation, const CanonicalRules& rules, CanonicalCounts* counts) {
  CanonicalCounts own;
  CanonicalCounts& all = counts == nullptr ? own : *counts;
  conversation = Canonicalizer(std::move(conversation), rules, all).run();
  if (log_level() <= LogLevel::Debug) {
    if (const std::string text = all.text(); !text.empty()) log_debug("chat", "canonicalized: {}", text);
  }
  return conversation;
}

}  // namespace hearth::chat
