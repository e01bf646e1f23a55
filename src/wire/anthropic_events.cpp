// The Messages encoder: from what the model does to the events of the stream. See docs/anthropic-wire.md, "What we send".
#include "wire/anthropic_events.h"

#include <format>
#include <utility>

#include "base/check.h"
#include "base/random.h"
#include "wire/json_object.h"
#include "wire/visible.h"

namespace hearth::wire {
namespace {

// 256 bits: nobody guesses one, and none is ever equal to another.
constexpr std::size_t kSignatureLetters = 43;
// Clients drop a message that holds no text and no call, and change their history to hide the gap. One that ends its
// turn with nothing is therefore given these words.
constexpr std::string_view kNoAnswer = "(no answer)";

WireEvent event(std::string_view name, Json::Object data) { return {std::string(name), Json(std::move(data))}; }

Json counts_json(const Usage& usage) {
  if (usage.cache_counts == CacheCounts::Hidden) {
    return object_of("input_tokens", usage.input_tokens + usage.cache_creation_tokens + usage.cache_read_tokens,
                     "cache_creation_input_tokens", nullptr, "cache_read_input_tokens", nullptr,  //
                     "output_tokens", usage.output_tokens);
  }
  return object_of("input_tokens", usage.input_tokens,                          //
                   "cache_creation_input_tokens", usage.cache_creation_tokens,  //
                   "cache_read_input_tokens", usage.cache_read_tokens,          //
                   "output_tokens", usage.output_tokens);
}

Json usage_json(const Usage& usage) {
  Json counts = counts_json(usage);
  if (usage.thinking_tokens > 0)
    counts.set("output_tokens_details", object_of("thinking_tokens", usage.thinking_tokens));
  return counts;
}

std::string_view word(StopReason reason) {
  switch (reason) {
    case StopReason::EndTurn: return "end_turn";
    case StopReason::MaxTokens: return "max_tokens";
    case StopReason::StopSequence: return "stop_sequence";
    case StopReason::ToolUse: return "tool_use";
    case StopReason::ContextWindowExceeded: return "model_context_window_exceeded";
  }
  CHECK(false);
}

// A call decides "tool_use"; the word without a call makes clients ask again.
StopReason settled(StopReason reason, bool has_call) {
  if (reason == StopReason::EndTurn && has_call) return StopReason::ToolUse;
  if (reason == StopReason::ToolUse && !has_call) return StopReason::EndTurn;
  return reason;
}

}  // namespace

std::string to_sse(const WireEvent& event) {
  constexpr std::size_t kTypicalDeltaBytes = 160;
  std::string out;
  out.reserve(kTypicalDeltaBytes);
  out += "event: ";
  out += event.name;
  out += "\ndata: ";
  event.data.dump_to(out);
  out += "\n\n";
  return out;
}

std::string ping_sse() { return "event: ping\ndata: {\"type\":\"ping\"}\n\n"; }

MessageEncoder::MessageEncoder(std::string message_id, std::string model, AnswerKind kind)
    : message_id_(std::move(message_id)), model_(std::move(model)), kind_(kind) {}

std::vector<WireEvent> MessageEncoder::start(const Usage& usage) {
  CHECK(!started_);
  started_ = true;
  Json message = object_of("id", message_id_, "type", "message", "role", "assistant", "model", model_, "content",
                           Json::array(), "stop_reason", nullptr, "stop_sequence", nullptr, "usage", usage_json(usage));
  Events out;
  out.push_back(event("message_start", members_of("type", "message_start", "message", std::move(message))));
  return out;
}

void MessageEncoder::open(Events& out, Block kind, Json content_block) {
  close(out);
  open_ = kind;
  const std::uint32_t index = next_index_++;
  out.push_back(event("content_block_start", members_of("type", "content_block_start", "index", index, "content_block",
                                                        std::move(content_block))));
}

void MessageEncoder::close(Events& out) {
  held_blank_.clear();
  if (open_ == Block::None) return;
  // Clients that get a thought without a signature drop it, or send it back as plain text.
  if (open_ == Block::Thinking) {
    delta(out, "signature_delta", "signature", random_id("hearth1.", kSignatureLetters));
  }
  out.push_back(event("content_block_stop", members_of("type", "content_block_stop", "index", next_index_ - 1)));
  open_ = Block::None;
}

void MessageEncoder::delta(Events& out, std::string_view delta_type, std::string_view key, std::string text) {
  out.push_back(
      event("content_block_delta", members_of("type", "content_block_delta", "index", next_index_ - 1, "delta",
                                              Json(members_of("type", delta_type, key, std::move(text))))));
}

void MessageEncoder::open_prose(Events& out, Block kind) {
  if (kind == Block::Text) {
    has_text_ = true;
    open(out, kind, object_of("type", "text", "text", ""));
  } else {
    open(out, kind, object_of("type", "thinking", "thinking", "", "signature", ""));
  }
}

void MessageEncoder::prose(Events& out, Block kind, std::string_view text) {
  if (text.empty()) return;
  const bool is_text = kind == Block::Text;
  std::string joined(text);
  if (open_ == kind) {
    held_blank_.clear();
  } else {
    if (held_kind_ != kind) held_blank_.clear();
    held_kind_ = kind;
    if (is_blank(text)) {
      // The block before stays open until this one really begins.
      held_blank_ += text;
      return;
    }
    joined = std::move(held_blank_) + joined;
    open_prose(out, kind);
  }
  delta(out, is_text ? "text_delta" : "thinking_delta", is_text ? "text" : "thinking", std::move(joined));
}

std::vector<WireEvent> MessageEncoder::heartbeat() {
  CHECK(started_ && !ended_);
  Events out;
  switch (open_) {
    case Block::None: {
      std::string held = std::exchange(held_blank_, {});
      open_prose(out, Block::Thinking);
      if (held_kind_ == Block::Thinking) {
        delta(out, "thinking_delta", "thinking", std::move(held));
      } else {
        held_blank_ = std::move(held);  // belongs to the text that will follow
        delta(out, "thinking_delta", "thinking", "");
      }
      break;
    }
    case Block::Thinking: delta(out, "thinking_delta", "thinking", ""); break;
    case Block::Text: delta(out, "text_delta", "text", ""); break;
    case Block::Tool: delta(out, "input_json_delta", "partial_json", ""); break;
  }
  return out;
}

void MessageEncoder::end_tool(Events& out, const chat::ToolCallEnd& end) {
  if (open_ != Block::Tool) return;
  // Readers take an input without any fragment for {}: right when the call is whole (and said here, since some want
  // to see it), but a call that was cut must not look like a call without arguments, for it would be run.
  if (!tool_has_fragment_) delta(out, "input_json_delta", "partial_json", end.whole ? "{}" : "{");
  close(out);
}

std::vector<WireEvent> MessageEncoder::add(const chat::StreamEvent& stream_event) {
  CHECK(started_ && !ended_);
  Events out;
  if (const auto* text = std::get_if<chat::TextDelta>(&stream_event)) {
    if (open_ == Block::Tool) end_tool(out, {.whole = false});
    prose(out, Block::Text, text->text);
  } else if (const auto* thinking = std::get_if<chat::ThinkingDelta>(&stream_event)) {
    if (open_ == Block::Tool) end_tool(out, {.whole = false});
    prose(out, Block::Thinking, thinking->text);
  } else if (const auto* begin = std::get_if<chat::ToolCallBegin>(&stream_event)) {
    if (open_ == Block::Tool) end_tool(out, {.whole = false});
    tool_has_fragment_ = false;
    tool_call_ids_.push_back(random_id("toolu_"));
    open(out, Block::Tool,
         object_of("type", "tool_use", "id", tool_call_ids_.back(), "name", begin->name, "input", Json::object()));
  } else if (const auto* fragment = std::get_if<chat::ToolCallDelta>(&stream_event)) {
    CHECK(open_ == Block::Tool);
    if (fragment->json.empty()) return out;
    tool_has_fragment_ = true;
    delta(out, "input_json_delta", "partial_json", fragment->json);
  } else if (const auto* end = std::get_if<chat::ToolCallEnd>(&stream_event)) {
    end_tool(out, *end);
  }
  return out;
}

std::vector<WireEvent> MessageEncoder::end(StopReason reason, std::optional<std::string> stop_sequence,
                                           const Usage& usage) {
  CHECK(started_ && !ended_);
  Events out;
  if (open_ == Block::Tool) end_tool(out, {.whole = false});
  const StopReason final_reason = settled(reason, has_tool_call());
  if (final_reason == StopReason::EndTurn && kind_ == AnswerKind::Fresh && !has_text_) {
    held_blank_.clear();
    prose(out, Block::Text, kNoAnswer);
  }
  close(out);
  Json stopped = stop_sequence && final_reason == StopReason::StopSequence ? Json(std::move(*stop_sequence)) : Json();
  out.push_back(event("message_delta",
                      members_of("type", "message_delta", "delta",
                                 object_of("stop_reason", word(final_reason), "stop_sequence", std::move(stopped)),
                                 "usage", usage_json(usage))));
  out.push_back(event("message_stop", members_of("type", "message_stop")));
  ended_ = true;
  return out;
}

}  // namespace hearth::wire
