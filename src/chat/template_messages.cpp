// See template_messages.h.
#include "chat/template_messages.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <format>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/tool_definition.h"

namespace hearth::chat {
namespace {

// Blocks of one message stay apart by a line break: clients end their blocks with one where they want a blank line.
void append_paragraph(std::string& text, std::string_view more) {
  if (!text.empty()) text += '\n';
  text += more;
}

std::string joined_text(const std::vector<Block>& blocks) {
  std::string text;
  for (const Block& block : blocks) {
    if (const auto* part = std::get_if<TextBlock>(&block)) append_paragraph(text, part->text);
  }
  return text;
}

bool says_error(std::string_view text) {
  constexpr std::string_view kError = "error";
  const std::string_view start = text.substr(0, 64);
  return std::ranges::search(start, kError, [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == b;
         }).begin() != start.end();
}

// A failed call must read as one.
std::string result_text(const ToolResultBlock& result) {
  if (!result.is_error || says_error(result.text)) return result.text;
  return result.text.empty() ? "Error" : "Error: " + result.text;
}

std::string call_text(const ToolUseBlock& call) {
  std::string name;
  append_json_string(name, call.name);
  const std::string arguments = call.raw_input.empty() ? call.input.dump() : call.raw_input;
  return "<tool_call>\n{\"name\": " + name + ", \"arguments\": " + arguments + "}\n</tool_call>";
}

// For templates that list no tools.
std::string generic_tools_text(const std::vector<Tool>& tools) {
  std::string text = "# Tools\n\nYou can call these tools. Each line is one tool as JSON:\n<tools>\n";
  for (const Tool& tool : tools) {
    if (!tool.deferred) text += tool_definition(tool).dump() + "\n";
  }
  text +=
      "</tools>\n\nTo call a tool, write a JSON object with its name and arguments inside <tool_call> tags:\n"
      "<tool_call>\n{\"name\": \"the tool's name\", \"arguments\": {\"argument\": \"value\"}}\n</tool_call>\n"
      "The result comes in the next message inside <tool_response> tags.";
  return text;
}

class Builder {
 public:
  Builder(const Conversation& conversation, const TemplateShape& shape, const RenderSwitches& switches,
          const PromptMarks& marks, Folding folding)
      : conversation_(conversation), shape_(shape), switches_(switches), marks_(marks), folding_(folding) {}

  TemplateInput build() {
    const std::size_t first = build_head();
    for (std::size_t i = first; i < conversation_.messages.size(); ++i) {
      const Message& message = conversation_.messages[i];
      number_ = message.number;
      switch (message.role) {
        case Role::System: add_system(joined_text(message.blocks)); break;
        case Role::User: add_user(message); break;
        case Role::Assistant: add_assistant(message, i + 1 == conversation_.messages.size()); break;
      }
    }
    write_pending_calls(pending_calls_.size());
    if (!user_lead_.empty()) add_user_text("");
    TemplateInput input;
    input.is_prefill = is_prefill_;
    input.prefill = prefill_;
    input.messages = Json::array();
    const auto last_user = std::ranges::find_if(turns_.rbegin(), turns_.rend(), is_user);
    const std::size_t old_turns = static_cast<std::size_t>(turns_.rend() - last_user);
    for (std::size_t i = 0; i < turns_.size(); ++i) {
      if (i < old_turns) write_old_thought(turns_[i]);
      input.messages.push(to_json(turns_[i]));
      input.message_numbers.push_back(turns_[i].number);
    }
    input.tools = Json::array();
    if (shape_.tools) {
      for (const Tool& tool : conversation_.tools) {
        if (!tool.deferred) input.tools.push(tool_definition(tool));
      }
    }
    return input;
  }

 private:
  enum class Origin { Spoken, SystemText };
  struct Turn {
    const char* role;
    std::string text;
    std::string lead = {};  // stands before the text; may hold marks
    Json fields = Json::object();
    Origin origin = Origin::Spoken;
    std::uint32_t number = kNoMessage;
  };
  Turn& add_turn(Turn turn) {
    turn.number = number_;
    turns_.push_back(std::move(turn));
    return turns_.back();
  }

  // System text, leading system messages and, where the template lists none itself, the tools. Returns the index of the
  // first message that is not part of it.
  std::size_t build_head() {
    std::string head;
    for (const TextBlock& block : conversation_.system) append_paragraph(head, block.text);
    std::size_t first = 0;
    while (first < conversation_.messages.size() && conversation_.messages[first].role == Role::System) {
      append_paragraph(head, joined_text(conversation_.messages[first].blocks));
      ++first;
    }
    const bool any_tool = std::ranges::any_of(conversation_.tools, [](const Tool& t) { return !t.deferred; });
    if (any_tool && !shape_.tools) {
      head = generic_tools_text(conversation_.tools) + (head.empty() ? "" : "\n\n") + head;
    }
    if (head.empty()) return first;
    const bool tools_first =
        switches_.head_order == HeadOrder::ToolsFirst && any_tool && shape_.tools && shape_.system_before_tools;
    if (tools_first) {
      user_lead_ = "<system>\n" + head + "\n</system>\n\n";
    } else if (shape_.system_role) {
      add_turn({.role = "system", .text = std::move(head)});
    } else {
      user_lead_ = std::move(head) + "\n\n";
    }
    return first;
  }

  void add_system(const std::string& text) {
    write_pending_calls(pending_calls_.size());
    if (shape_.system_anywhere) {
      add_turn({.role = "system", .text = text});
      return;
    }
    const std::string wrapped = "<system>\n" + text + "\n</system>";
    if (!turns_.empty() && is_user(turns_.back())) {
      append_paragraph(turns_.back().text, wrapped);
    } else {
      add_user_text(wrapped);
      turns_.back().origin = Origin::SystemText;
    }
  }

  static bool is_user(const Turn& turn) { return std::string_view(turn.role) == "user"; }
  static bool is_tool(const Turn& turn) { return std::string_view(turn.role) == "tool"; }

  void add_user(const Message& message) {
    bool any_text = false;
    for (const Block& block : message.blocks) {
      if (const auto* result = std::get_if<ToolResultBlock>(&block)) add_result(*result);
      any_text = any_text || std::holds_alternative<TextBlock>(block);
    }
    if (any_text) add_user_text(joined_text(message.blocks));
  }

  void add_user_text(const std::string& text) {
    write_pending_calls(pending_calls_.size());
    const std::string whole = std::exchange(user_lead_, "") + text;
    const bool has_last = !turns_.empty();
    const bool join = has_last && is_user(turns_.back()) &&
                      (folding_ == Folding::Folded || turns_.back().origin == Origin::SystemText);
    if (join || (has_last && is_tool(turns_.back()) && folding_ == Folding::Folded)) {
      append_paragraph(turns_.back().text, whole);
      turns_.back().origin = Origin::Spoken;
      return;
    }
    add_turn({.role = "user", .text = whole});
  }

  void add_result(const ToolResultBlock& result) {
    const auto call = calls_.find(result.tool_use_id);
    const std::string text = result_text(result);
    const auto pending = std::ranges::find(pending_calls_, call == calls_.end() ? "" : call->second.id, &pending_id);
    if (pending != pending_calls_.end())
      write_pending_calls(static_cast<std::size_t>(pending - pending_calls_.begin()) + 1);
    if (!shape_.tool_role) {
      add_user_text("<tool_response>\n" + text + "\n</tool_response>");
      turns_.back().origin = Origin::SystemText;  // several results are one user turn
      return;
    }
    Turn turn{.role = "tool", .text = text};
    turn.fields.set("tool_call_id", call == calls_.end() ? short_id(calls_.size()) : call->second.id);
    turn.fields.set("name", call == calls_.end() ? "tool" : call->second.name);
    add_turn(std::move(turn));
  }

  // Clients' ids are long and random; some templates print them and some insist on nine letters and digits.
  [[nodiscard]] std::string template_id(const ToolUseBlock& call) const {
    if (switches_.call_ids == CallIds::AsSent) return call.id;
    if (shape_.call_ids == CallIdForm::Functions) return std::format("functions.{}:{}", call.name, calls_.size());
    return short_id(calls_.size());
  }
  static std::string short_id(std::size_t number) { return std::format("call{:05}", number % 100000); }

  void add_assistant(const Message& message, bool is_last) {
    write_pending_calls(pending_calls_.size());
    Turn turn{.role = "assistant", .text = joined_text(message.blocks)};
    std::string thinking;
    std::vector<Json> calls;
    bool calls_tools = false;
    for (const Block& block : message.blocks) {
      if (const auto* thought = std::get_if<ThinkingBlock>(&block)) append_paragraph(thinking, thought->text);
      const auto* call = std::get_if<ToolUseBlock>(&block);
      if (call == nullptr) continue;
      calls_tools = true;
      const std::string id = template_id(*call);
      calls_.insert_or_assign(call->id, Call{id, call->name});
      if (shape_.tool_calls) {
        calls.push_back(call_json(*call, id));
      } else {
        append_paragraph(turn.text, call_text(*call));
      }
    }
    if (!thinking.empty()) turn.fields.set("reasoning_content", thinking);
    is_prefill_ = is_last && !calls_tools;
    if (is_prefill_) prefill_ = turn.text;
    if (!calls.empty() && !turn.text.empty() && !shape_.text_beside_calls && folding_ == Folding::AsIs) {
      add_turn(std::exchange(turn, Turn{.role = "assistant", .text = ""}));
    }
    // One call per message, each followed by its result, where the template knows no more.
    const std::size_t together = shape_.parallel_calls ? calls.size() : std::min<std::size_t>(calls.size(), 1);
    pending_calls_.assign(calls.begin() + static_cast<std::ptrdiff_t>(together), calls.end());
    calls.resize(together);
    if (!calls.empty()) turn.fields.set("tool_calls", Json::Array(calls));
    add_turn(std::move(turn));
  }

  static std::string pending_id(const Json& call) { return call.string_at("id"); }
  void write_pending_calls(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Turn turn{.role = "assistant", .text = ""};
      turn.fields.set("tool_calls", Json::Array{pending_calls_[i]});
      add_turn(std::move(turn));
    }
    pending_calls_.erase(pending_calls_.begin(), pending_calls_.begin() + static_cast<std::ptrdiff_t>(count));
  }

  [[nodiscard]] Json call_json(const ToolUseBlock& call, const std::string& id) const {
    Json arguments;
    if (!call.raw_input.empty()) {
      arguments = shape_.text_arguments_accepted ? Json(call.raw_input) : Json::object({{"raw_input", call.raw_input}});
    } else if (shape_.arguments == ArgumentsForm::Text) {
      arguments = call.input.dump();
    } else {
      arguments = call.input.is_object() ? call.input : Json::object();
    }
    return Json::object({{"id", id},
                         {"type", "function"},
                         {"function", Json::object({{"name", call.name}, {"arguments", std::move(arguments)}})}});
  }

  // Where the template drops the thoughts of turns before the last user message, they go into the content.
  void write_old_thought(Turn& turn) const {
    const OldThoughts& way = shape_.old_thoughts;
    if (std::string_view(turn.role) != "assistant" || way.keeper == ThoughtKeeper::Template ||
        switches_.old_thinking == OldThinking::AsTemplate) {
      return;
    }
    const std::string thought = turn.fields.string_at("reasoning_content");
    // A thought inside the text is the template's to find.
    if (thought.empty() && (!way.writes_empty || turn.text.contains("</think>"))) return;
    if (way.stand_in) {
      turn.fields.set("reasoning_content", kThoughtStandIn);
    } else {
      std::erase_if(turn.fields.as_object(),
                    [](const Json::Member& member) { return member.first == "reasoning_content"; });
    }
    turn.text.erase(0, std::min(turn.text.find_first_not_of('\n'), turn.text.size()));
    turn.lead = way.written(marks_, trimmed(thought), !turn.text.empty());
  }
  static std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of('\n');
    return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of('\n') + 1 - first);
  }

  Json to_json(const Turn& turn) const {
    const bool ends_prompt = is_prefill_ && &turn == &turns_.back();
    std::string text = turn.lead + turn.text;
    if (ends_prompt) text += marks_.end();
    Json content = text;
    if (shape_.content == ContentForm::Parts) {
      content = Json::Array{Json::object({{"type", "text"}, {"text", std::move(text)}})};
    } else if (text.empty() && turn.fields.find("tool_calls") != nullptr &&
               shape_.empty_content == EmptyContentForm::Null) {
      content = nullptr;
    }
    Json message = Json::object({{"role", turn.role}, {"content", std::move(content)}});
    for (const auto& [key, value] : turn.fields.as_object()) message.set(key, value);
    return message;
  }

  struct Call {
    std::string id;  // as the template sees it
    std::string name;
  };

  const Conversation& conversation_;
  const TemplateShape& shape_;
  const RenderSwitches& switches_;
  const PromptMarks& marks_;
  const Folding folding_;
  std::vector<Turn> turns_;
  std::uint32_t number_ = kNoMessage;  // of the message that is being added
  std::string user_lead_;              // head text for the next user message, when there is no system role
  std::map<std::string, Call> calls_;  // by the client's id
  std::vector<Json> pending_calls_;    // of the last assistant message, not yet written
  bool is_prefill_ = false;
  std::string prefill_;
};

}  // namespace

TemplateInput build_template_input(const Conversation& conversation, const TemplateShape& shape,
                                   const RenderSwitches& switches, const PromptMarks& marks, Folding folding) {
  return Builder(conversation, shape, switches, marks, folding).build();
}

}  // namespace hearth::chat
