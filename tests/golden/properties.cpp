// See properties.h.
#include "properties.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <format>
#include <print>

#include "base/file.h"
#include "base/random.h"
#include "chat/template_engine.h"
#include "cut_check.h"
#include "generated_calls.h"
#include "message_of.h"

namespace hearth::golden {
namespace {

constexpr std::uint64_t kSeed = 20'260'915;
constexpr std::size_t kCallsPerDialect = 60;
constexpr std::size_t kCallsPerTemplate = 16;
constexpr std::size_t kCutCallsPerDialect = 12;  // at every character, which takes a while
constexpr std::size_t kCutsApart = 7;
// What follows it is the assistant's turn.
constexpr std::string_view kUserMark = "the user's words, 7319";

enum class Beside { Nothing, Words };  // what stands beside the calls: a template may write more

// What is wrong; empty when exactly these calls come back, whole and character by character.
std::string fault_of(const chat::Dialect& dialect, const std::vector<GeneratedCall>& calls, const std::string& raw,
                     Beside beside) {
  ToolList tools;
  Json wanted = Json::array();
  for (const GeneratedCall& call : calls) {
    tools.names.push_back(call.name);
    tools.schemas.push_back(call.schema);
    wanted.push(Json::object({{"type", "tool_use"}, {"name", call.name}, {"input", call.arguments}}));
  }
  Case golden{.name = "generated",
              .dialect = &dialect,
              .tools = &tools,
              .raw = raw,
              .content = wanted,
              .stop_reason = "tool_use"};
  const auto whole = events_of(golden, {});
  Wired got = wired(whole, golden.ended);
  // A template may put the words it was given on either side of the calls, or leave them out.
  Json calls_only = Json::array();
  for (const Json& block : got.content.as_array()) {
    if (block.string_at("type") == "tool_use") calls_only.push(block);
  }
  got.content = std::move(calls_only);
  std::string fault = difference(golden, got);
  if (fault.empty() && journal_of(events_of(golden, every_cut(raw))) != journal_of(whole)) {
    fault = "    character by character is another message\n";
  }
  if (fault.empty()) fault = fault_of_cuts(golden);
  if (fault.empty()) fault = fault_of_ends(golden);
  if (fault.empty() && beside == Beside::Nothing) fault = fault_of_leaks(golden);
  return fault.empty() ? fault : std::format("    raw {}\n{}", Json(raw).dump(), fault);
}

PropertyCount count_of(const std::string& fault, std::string_view what) {
  if (fault.empty()) return {.passed = 1};
  std::print("FAIL property: {}\n{}", what, fault);
  return {.failed = 1};
}

// Prose is text, to the byte; a thought and the answer after it are those.
PropertyCount run_prose(const chat::Dialect& dialect) {
  ToolList tools{.list = "one", .names = {"Read"}, .schemas = {Json::object({{"type", "object"}})}};
  for (std::size_t i = 0; i < kCallsPerDialect; ++i) {
    const std::string answer = generate_prose(mix_u64(kSeed, 2 * i));
    const std::string thought = generate_prose(mix_u64(kSeed, 2 * i + 1));
    Case golden{.name = "generated", .dialect = &dialect, .tools = &tools, .raw = answer, .stop_reason = "end_turn"};
    golden.content = Json::array();
    // Harmony has more around its parts than a tag; the corpus has that.
    if (i % 2 == 1 && !dialect.think_open.empty() && dialect.writing != chat::CallWriting::Harmony) {
      golden.raw = std::format("{}\n{}\n{}\n\n{}", dialect.think_open, thought, dialect.think_close, answer);
      golden.content.push(Json::object({{"type", "thinking"}, {"thinking", thought}}));
    }
    golden.content.push(Json::object({{"type", "text"}, {"text", answer}}));
    std::string fault = difference(golden, wired(events_of(golden, every_cut(golden.raw)), golden.ended));
    if (fault.empty()) continue;
    fault = std::format("    raw {}\n{}", Json(golden.raw).dump(), fault);
    return count_of(fault, std::format("{} shows prose as it was written", dialect.name));
  }
  return {.passed = 1};
}

// The calls as a template's variables; `as_text`: the arguments as JSON text, which some templates want.
Json messages_with(const std::vector<GeneratedCall>& calls, bool as_text, bool with_words) {
  Json list = Json::array();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Json function = Json::object({{"name", calls[i].name}});
    function.set("arguments", as_text ? Json(calls[i].arguments.dump()) : calls[i].arguments);
    list.push(Json::object({{"id", std::format("call0000{}", i)}, {"type", "function"}, {"function", function}}));
  }
  Json answer = Json::object({{"role", "assistant"}, {"content", with_words ? "I will." : ""}, {"tool_calls", list}});
  return Json(Json::Array{Json::object({{"role", "user"}, {"content", kUserMark}}), answer});
}

Json variables_with(Json messages, const std::vector<GeneratedCall>& calls, bool add_generation_prompt) {
  Json tools = Json::array();
  for (const GeneratedCall& call : calls) {
    Json schema = call.schema;
    schema.set("required", Json::array());
    schema.set("additionalProperties", false);
    Json function = Json::object({{"name", call.name}, {"description", "Does it."}, {"parameters", schema}});
    tools.push(Json::object({{"type", "function"}, {"function", function}}));
  }
  return Json::object({{"messages", std::move(messages)},
                       {"tools", tools},
                       {"bos_token", ""},
                       {"eos_token", ""},
                       {"add_generation_prompt", add_generation_prompt}});
}

std::string after_mark(const std::string& text) {
  const std::size_t at = text.rfind(kUserMark);
  return at == std::string::npos ? std::string() : text.substr(at + kUserMark.size());
}

// What the template writes of the assistant's turn, without its opening and its end. Empty: it writes no calls.
std::string turn_of(const chat::TemplateEngine& engine, const chat::Dialect& dialect,
                    const std::vector<GeneratedCall>& calls) {
  const Json asked(Json::Array{Json::object({{"role", "user"}, {"content", kUserMark}})});
  const auto opening = engine.render_text(variables_with(asked, calls, true));
  for (const bool with_words : {true, false}) {
    for (const bool as_text : {false, true}) {
      const auto text = engine.render_text(variables_with(messages_with(calls, as_text, with_words), calls, false));
      if (!text || !opening) continue;
      std::string turn = after_mark(*text);
      const std::string head = after_mark(*opening);
      std::size_t common = static_cast<std::size_t>(std::ranges::mismatch(turn, head).in1 - turn.begin());
      // Both go on with a tag, and tags may begin alike.
      const std::string_view same = std::string_view(turn).substr(0, common);
      const std::size_t tag = same.rfind('<');
      if (tag != std::string_view::npos && same.find('>', tag) == std::string_view::npos) common = tag;
      turn.erase(0, common);
      for (const std::string_view end : dialect.turn_ends) {
        if (const std::size_t at = turn.rfind(end); at != std::string::npos && at + end.size() + 2 >= turn.size()) {
          turn.erase(at);
        }
      }
      const bool all = std::ranges::all_of(calls, [&](const GeneratedCall& call) { return turn.contains(call.name); });
      if (all) return turn;
    }
  }
  return {};
}

PropertyCount run_table(const chat::Dialect& dialect) {
  for (std::size_t i = 0; i < kCallsPerDialect; ++i) {
    const auto calls = generate_calls(dialect, mix_u64(kSeed, i));
    std::string fault = fault_of(dialect, calls, write_calls(dialect, calls),
                                 i < kCutCallsPerDialect ? Beside::Nothing : Beside::Words);
    if (!fault.empty()) {
      return count_of(fault, std::format("{} reads back what its table writes", dialect.name));
    }
  }
  return {.passed = 1};
}

// What a value quotes is its text, and never called. Gemma's texts are told by their delimiters alone.
PropertyCount run_quotes(const chat::Dialect& dialect) {
  for (std::size_t i = 0; i < kCallsPerDialect && dialect.writing != chat::CallWriting::Gemma; ++i) {
    const QuotingTurn turn = generate_quoting(dialect, mix_u64(kSeed, 5'000 + i));
    ToolList tools{.list = "quoting",
                   .names = {"read_file", "Bash"},
                   .schemas = {turn.calls.front().schema, turn.calls.back().schema}};
    Case golden{.name = "generated",
                .dialect = &dialect,
                .tools = &tools,
                .raw = turn.raw,
                .content = Json::array(),
                .stop_reason = "tool_use"};
    for (const GeneratedCall& call : turn.calls)
      golden.content.push(Json::object({{"type", "tool_use"}, {"name", call.name}, {"input", call.arguments}}));
    if (!turn.text_behind.empty()) golden.content.push(Json::object({{"type", "text"}, {"text", turn.text_behind}}));
    const auto whole = events_of(golden, {});
    std::string fault = difference(golden, wired(whole, golden.ended));
    if (fault.empty() && journal_of(events_of(golden, every_cut(golden.raw))) != journal_of(whole))
      fault = "    character by character is another message\n";
    const auto cuts = every_cut(golden.raw);
    for (std::size_t at = i % kCutsApart; at < cuts.size() && fault.empty(); at += kCutsApart) {
      if (journal_of(events_of(golden, {cuts[at]})) != journal_of(whole))
        fault = std::format("    cut at {} it is another message\n", cuts[at]);
    }
    if (fault.empty()) continue;
    fault = std::format("    raw {}\n{}", Json(golden.raw).dump(), fault);
    return count_of(fault, std::format("{} calls nothing that a value quotes", dialect.name));
  }
  return {.passed = 1};
}

// Templates that write calls in Python's form put strings between quotes as they are: what a backslash or a quote in them
// means is lost there.
bool is_lossy(const chat::Dialect& dialect, const std::vector<GeneratedCall>& calls) {
  if (dialect.writing != chat::CallWriting::Pythonic) return false;
  return std::ranges::any_of(
      calls, [](const GeneratedCall& call) { return call.arguments.dump().find_first_of("\\'") != std::string::npos; });
}

PropertyCount run_template(const std::string& path, std::string_view only) {
  constexpr std::size_t kTemplateBytesMax = std::size_t{1} << 20;
  const auto text = read_file(path, kTemplateBytesMax);
  if (!text) return count_of("    " + text.error().message + "\n", path);
  const chat::Dialect& dialect = chat::choose_dialect(*text, {});
  if (!only.empty() && only != dialect.name) return {};
  const auto engine = chat::TemplateEngine::compile(*text);
  if (!engine) return count_of("    " + engine.error().message + "\n", path);
  const std::string what =
      std::format("{} reads back what {} writes", dialect.name, std::filesystem::path(path).filename().string());
  std::size_t written = 0;
  for (std::size_t i = 0; i < kCallsPerTemplate; ++i) {
    auto calls = generate_calls(dialect, mix_u64(kSeed, 1'000 + i));
    std::string raw = turn_of(**engine, dialect, calls);
    if (raw.empty()) {
      calls.resize(1);  // some write one call only
      raw = turn_of(**engine, dialect, calls);
    }
    if (raw.empty() || is_lossy(dialect, calls)) continue;
    ++written;
    if (const std::string fault = fault_of(dialect, calls, raw, Beside::Words); !fault.empty())
      return count_of(fault, what);
  }
  // A template that writes no calls has nothing to read back.
  return {.passed = written > 0 ? 1U : 0U};
}

}  // namespace

PropertyCount run_properties(const std::string& templates, std::string_view only) {
  PropertyCount all;
  const auto add = [&](PropertyCount count) {
    all.passed += count.passed;
    all.failed += count.failed;
  };
  for (const chat::Dialect& dialect : chat::all_dialects()) {
    if (!only.empty() && only != dialect.name) continue;
    add(run_table(dialect));
    add(run_prose(dialect));
    add(run_quotes(dialect));
  }
  std::error_code none;
  if (!std::filesystem::is_directory(templates, none)) {
    std::println("golden properties: no templates at {} (set HEARTH_TEMPLATES)", templates);
    return all;
  }
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(templates)) files.push_back(entry.path().string());
  std::ranges::sort(files);
  std::size_t silent = 0;
  for (const std::string& file : files) {
    if (!file.ends_with(".jinja")) continue;
    const PropertyCount count = run_template(file, only);
    silent += count.passed + count.failed == 0 ? 1 : 0;
    add(count);
  }
  if (only.empty()) std::println("golden properties: {} of {} templates write no calls", silent, files.size());
  return all;
}

}  // namespace hearth::golden
