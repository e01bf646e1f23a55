// See message_of.h.
#include "message_of.h"

#include <algorithm>
#include <format>
#include <variant>

#include "wire/anthropic_events.h"

namespace hearth::golden {
namespace {

// Half a \uXXXX\uXXXX, or a number or word that is not over: so much may be missing from the end of a call that was cut.
constexpr std::size_t kHeldBackBytesMax = 24;

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};

// Checks the order of the events, and that whole calls hold JSON objects and broken ones do not look whole.
class Legality {
 public:
  void add(const wire::WireEvent& event) {
    const std::string& name = event.name;
    if (event.data.string_at("type") != name) say("the event's name and type differ");
    if (stopped_) say("an event after message_stop");
    if (name == "message_start") {
      if (started_) say("a second message_start");
      started_ = true;
    } else if (!started_) {
      say(name + " before message_start");
    }
    if (name == "content_block_start") {
      if (open_) say("a block opens inside another");
      if (index_of(event) != next_) say("an index is left out or repeated");
      open_ = true;
      kind_ = event.data.find("content_block")->string_at("type");
      joined_.clear();
      signed_ = false;
    } else if (name == "content_block_delta") {
      add_delta(*event.data.find("delta"));
      if (index_of(event) != next_) say("a delta of another block");
    } else if (name == "content_block_stop") {
      if (!open_ || index_of(event) != next_) say("the wrong block is closed");
      close();
    } else if (name == "message_delta") {
      if (open_) say("message_delta inside a block");
    } else if (name == "message_stop") {
      stopped_ = true;
    }
  }
  std::string take() {
    if (!stopped_) say("no message_stop");
    return std::move(fault_);
  }

 private:
  void say(std::string_view what) {
    if (fault_.empty()) fault_ = what;
  }
  static std::int64_t index_of(const wire::WireEvent& event) { return event.data.find("index")->as_integer(); }
  void add_delta(const Json& delta) {
    const std::string type = delta.string_at("type");
    if (!open_) say("a delta outside any block");
    if (type == "signature_delta") {
      signed_ = true;
      if (kind_ != "thinking") say("a signature outside a thought");
      return;
    }
    const std::string wanted = kind_ == "text"       ? "text_delta"
                               : kind_ == "thinking" ? "thinking_delta"
                                                     : "input_json_delta";
    if (type != wanted) say(type + " in a block of kind " + kind_);
    joined_ += delta.string_at(kind_ == "tool_use" ? "partial_json" : kind_);
  }
  void close() {
    if (kind_ == "thinking" && !signed_) say("a thought without signature");
    if (kind_ != "thinking" && joined_.find_first_not_of(" \t\r\n") == std::string::npos) say("an empty " + kind_);
    open_ = false;
    ++next_;
  }

  std::string fault_, kind_, joined_;
  bool started_ = false, stopped_ = false, open_ = false, signed_ = false;
  std::int64_t next_ = 0;
};

// Keys sorted, numbers as their value.
Json canonical(const Json& json) {
  if (json.is_array()) {
    Json out = Json::array();
    for (const Json& item : json.as_array()) out.push(canonical(item));
    return out;
  }
  if (json.is_object()) {
    Json out = Json::object();
    for (const auto& [key, value] : json.as_object()) out.as_object().emplace_back(key, canonical(value));
    std::ranges::stable_sort(out.as_object(), {}, &Json::Member::first);
    return out;
  }
  return json.is_number() ? Json(json.as_number()) : json;
}

std::string without_outer_space(std::string_view json) {
  std::string out;
  bool in_string = false;
  bool escaped = false;
  for (const char c : json) {
    if (!in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) continue;
    if (!escaped && c == '"') in_string = !in_string;
    escaped = in_string && !escaped && c == '\\';
    out.push_back(c);
  }
  return out;
}

const Json* broken_input(const Json& block) {
  const Json* input = block.find("input");
  return input == nullptr ? nullptr : input->find("__unparsedToolInput");
}

bool same_cut(const Json& wanted, const Json& got) {
  const std::string whole = without_outer_space(wanted.string_at("raw"));
  const std::string part = without_outer_space(got.string_at("raw"));
  if (whole == part) return true;
  return whole.starts_with(part) && whole.size() - part.size() <= kHeldBackBytesMax && !Json::parse(part);
}

bool same_block(const Json& wanted, const Json& got) {
  const Json* cut = broken_input(wanted);
  const Json* got_cut = broken_input(got);
  if (cut == nullptr || got_cut == nullptr) return canonical(wanted) == canonical(got);
  return wanted.string_at("name") == got.string_at("name") && same_cut(*cut, *got_cut);
}

std::string lines_of(const Json& content, std::string_view stop_reason) {
  constexpr std::size_t kShownBytesMax = 600;
  std::string out;
  for (const Json& block : content.as_array()) {
    std::string line = block.dump();
    if (line.size() > kShownBytesMax)
      line = std::format("{}... ({} bytes)", line.substr(0, kShownBytesMax), line.size());
    out += "      " + line + "\n";
  }
  return out + std::format("      stop_reason {}\n", stop_reason);
}

Json without_ids(const Json& block) {
  Json out = Json::object();
  for (const auto& [key, value] : block.as_object()) {
    if (key != "id" && key != "signature") out.set(key, value);
  }
  return out;
}

}  // namespace

Cuts every_cut(std::string_view text) {
  Cuts cuts;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) cuts.push_back(i);
  }
  return cuts;
}

std::vector<chat::StreamEvent> events_of(const Case& golden, const Cuts& cuts) {
  chat::StreamParser parser(parser_options(golden));
  std::vector<chat::StreamEvent> all;
  const auto take = [&](std::vector<chat::StreamEvent> events) { std::ranges::move(events, std::back_inserter(all)); };
  const std::string_view raw = golden.raw;
  std::size_t begin = 0;
  for (const std::size_t cut : cuts) {
    take(parser.push(raw.substr(begin, cut - begin)));
    begin = cut;
  }
  take(parser.push(raw.substr(begin)));
  take(parser.finish(golden.ended));
  return all;
}

std::string journal_of(const std::vector<chat::StreamEvent>& events) {
  std::string out;
  char last = 0;
  const auto grow = [&](char kind, std::string_view text) {
    if (last != kind) out += std::string("\n") + kind + " ";
    last = kind;
    out += text;
  };
  for (const chat::StreamEvent& event : events) {
    std::visit(Overloaded{[&](const chat::ThinkingDelta& e) { grow('T', e.text); },
                          [&](const chat::TextDelta& e) { grow('X', e.text); },
                          [&](const chat::ToolCallBegin& e) {
                            last = 0;
                            grow('C', e.name);
                          },
                          [&](const chat::ToolCallDelta& e) { grow('J', e.json); },
                          [&](const chat::ToolCallEnd& e) { grow('E', e.whole ? "whole" : "broken"); },
                          // What else a parser says (repairs, cut loops) is not part of the message.
                          [](const auto&) {}},
               event);
  }
  return out;
}

Wired wired(const std::vector<chat::StreamEvent>& events, chat::TurnEnd ended) {
  wire::MessageEncoder encoder("msg_golden", "golden");
  wire::MessageFold fold;
  Legality legality;
  const auto take = [&](const std::vector<wire::WireEvent>& wire_events) {
    for (const wire::WireEvent& event : wire_events) {
      legality.add(event);
      fold.add(event);
    }
  };
  take(encoder.start({}));
  for (const chat::StreamEvent& event : events) take(encoder.add(event));
  take(encoder.end(ended == chat::TurnEnd::Finished ? wire::StopReason::EndTurn : wire::StopReason::MaxTokens, {}, {}));
  Wired out;
  out.fault = legality.take();
  const Json message = fold.message();
  out.stop_reason = message.string_at("stop_reason");
  out.content = Json::array();
  for (const Json& block : message.find("content")->as_array()) out.content.push(without_ids(block));
  return out;
}

std::string difference(const Case& golden, const Wired& got) {
  if (!got.fault.empty()) return std::format("    illegal events: {}\n", got.fault);
  const Json::Array& wanted = golden.content.as_array();
  if (got.stop_reason == golden.stop_reason && std::ranges::equal(wanted, got.content.as_array(), same_block))
    return {};
  return "    expected\n" + lines_of(golden.content, golden.stop_reason) + "    got\n" +
         lines_of(got.content, got.stop_reason);
}

}  // namespace hearth::golden
