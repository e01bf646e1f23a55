// See cut_check.h.
#include "cut_check.h"

#include <algorithm>
#include <format>
#include <span>
#include <vector>

#include "message_of.h"

namespace hearth::golden {
namespace {

// The quadratic work stays small.
constexpr std::size_t kRawBytesMax = 1500;
// The wire's ids take most of the time.
constexpr std::size_t kWiredCutsApart = 7;

// Whether arguments of which members or elements are missing are right.
enum class Parts { Count, AreFaults };

struct Call {
  std::string name;
  Json input;
  bool whole = true;
};

// Of an expected message.
std::vector<Call> calls_of(const Json& content) {
  std::vector<Call> calls;
  for (const Json& block : content.as_array()) {
    if (block.string_at("type") != "tool_use") continue;
    const Json& input = *block.find("input");
    calls.push_back({block.string_at("name"), input, input.find("__unparsedToolInput") == nullptr});
  }
  return calls;
}

// The events as they are: the wire's ids would take most of the time.
std::vector<Call> calls_of(const std::vector<chat::StreamEvent>& events) {
  std::vector<Call> calls;
  std::string joined;
  for (const chat::StreamEvent& event : events) {
    if (const auto* begin = std::get_if<chat::ToolCallBegin>(&event)) {
      calls.push_back({.name = begin->name, .whole = false});
      joined.clear();
    } else if (const auto* delta = std::get_if<chat::ToolCallDelta>(&event)) {
      joined += delta->json;
    } else if (const auto* end = std::get_if<chat::ToolCallEnd>(&event); end != nullptr && end->whole) {
      // No fragments are no arguments.
      auto input = Json::parse(joined.empty() ? "{}" : joined);
      calls.back().whole = true;
      calls.back().input = input ? std::move(*input) : Json(joined);
    }
  }
  return calls;
}

// `part` is `whole` with members or elements missing; what is there is the same to the last byte. Of doubled keys the last.
bool is_part_of(const Json& part, const Json& whole) {
  if (part.is_object() && whole.is_object()) {
    return std::ranges::all_of(part.as_object(), [&](const Json::Member& member) {
      const Json* value = whole.find(member.first);
      return value != nullptr && is_part_of(*part.find(member.first), *value);
    });
  }
  if (part.is_array() && whole.is_array()) {
    const auto& elements = whole.as_array();
    if (part.as_array().size() > elements.size()) return false;
    return std::ranges::equal(part.as_array(), std::span(elements).first(part.as_array().size()), is_part_of);
  }
  if (part.is_number() && whole.is_number()) return part.as_number() == whole.as_number();
  return part == whole;
}

std::string fault_at(const Case& golden, std::size_t bytes, chat::TurnEnd ended, Parts parts) {
  Case cut = golden;
  cut.raw = golden.raw.substr(0, bytes);
  cut.ended = ended;
  const std::vector<Call> wanted = calls_of(golden.content);
  const std::vector<Call> found = calls_of(events_of(cut, {}));
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!found[i].whole) continue;
    const bool right = i < wanted.size() && found[i].name == wanted[i].name &&
                       is_part_of(found[i].input, wanted[i].input) &&
                       (parts == Parts::Count || is_part_of(wanted[i].input, found[i].input));
    if (!right) return std::format("call {} is whole: {} {}", i + 1, found[i].name, found[i].input.dump());
  }
  return {};
}

std::string fault_everywhere(const Case& golden, chat::TurnEnd ended, Parts parts) {
  if (golden.raw.size() > kRawBytesMax) return {};
  for (const std::size_t cut : every_cut(golden.raw)) {
    const std::string fault = fault_at(golden, cut, ended, parts);
    if (!fault.empty()) {
      return std::format("    ended by {} after {}\n    {}\n", ended == chat::TurnEnd::Cut ? "the limit" : "the model",
                         Json(golden.raw.substr(0, cut)).dump(), fault);
    }
  }
  return {};
}

// What stands before a call's name, of the first call or of a later one, goes on behind `text`.
bool begins_opening(const Case& golden, std::string_view text) {
  const auto& words = golden.dialect->words;
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \n")));
  const std::string call = std::string(words.call_begin) + std::string(words.name_begin);
  std::vector<std::string> openings = {std::string(words.section_begin) + "[" + call,
                                       std::string(words.section_begin) + call, std::string(words.call_join) + call,
                                       call};
  // Without any mark what stands before the name is one, all of it too.
  if (words.section_begin.empty() && call.empty())
    openings.push_back(golden.raw.substr(0, golden.raw.find(calls_of(golden.content).front().name) + 1));
  for (const std::string& opening : std::vector(openings)) {
    for (const std::string_view silent : golden.dialect->silent)
      if (opening.starts_with(silent)) openings.push_back(opening.substr(silent.size()));
  }
  return std::ranges::any_of(openings, [&](std::string_view opening) {
    opening.remove_prefix(std::min(opening.size(), opening.find_first_not_of(" \n")));
    return text.empty() || (opening.size() > text.size() && opening.starts_with(text));
  });
}

std::string leak_of(const Case& golden, const std::vector<chat::StreamEvent>& events) {
  const std::vector<Call> wanted = calls_of(golden.content);
  std::size_t count = 0;
  std::string text;
  std::string joined;
  for (const chat::StreamEvent& event : events) {
    if (const auto* shown = std::get_if<chat::TextDelta>(&event)) text += shown->text;
    if (const auto* begin = std::get_if<chat::ToolCallBegin>(&event)) {
      if (!text.empty()) return std::format("text before a call: {}", Json(text).dump());
      if (count >= wanted.size() || wanted[count].name != begin->name) return "another call: " + begin->name;
      ++count;
      joined.clear();
    }
    if (const auto* delta = std::get_if<chat::ToolCallDelta>(&event)) joined += delta->json;
    const auto* end = std::get_if<chat::ToolCallEnd>(&event);
    if (end != nullptr && !end->whole && Json::parse(joined)) return "a call that was cut looks whole: " + joined;
  }
  return begins_opening(golden, text) ? "" : std::format("text: {}", Json(text).dump());
}

}  // namespace

std::string fault_of_leaks(const Case& golden) {
  if (golden.raw.size() > kRawBytesMax) return {};
  std::size_t count = 0;
  for (const std::size_t bytes : every_cut(golden.raw)) {
    Case cut = golden;
    cut.raw = golden.raw.substr(0, bytes);
    cut.ended = chat::TurnEnd::Cut;
    const auto events = events_of(cut, {});
    std::string fault = leak_of(golden, events);
    if (fault.empty() && count++ % kWiredCutsApart == 0) {
      const Wired message = wired(events, cut.ended);
      fault = message.fault;
      if (fault.empty() && message.stop_reason != "max_tokens") fault = "stop_reason " + message.stop_reason;
    }
    if (!fault.empty()) return std::format("    ended by the limit after {}\n    {}\n", Json(cut.raw).dump(), fault);
  }
  return {};
}

std::string fault_of_cuts(const Case& golden) {
  const std::vector<Call> wanted = calls_of(golden.content);
  if (wanted.empty() || !std::ranges::all_of(wanted, &Call::whole)) return {};
  return fault_everywhere(golden, chat::TurnEnd::Cut, Parts::AreFaults);
}

std::string fault_of_ends(const Case& golden) {
  return fault_everywhere(golden, chat::TurnEnd::Finished, Parts::Count);
}

}  // namespace hearth::golden
