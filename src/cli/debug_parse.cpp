// hearth debug parse: raw model text into the events and the message a client would get; hearth debug dialects: what
// --dialect may say. No model is needed.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <format>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/utf8.h"
#include "chat/dialect.h"
#include "chat/repairs.h"
#include "chat/stream_parser.h"
#include "cli/cli.h"
#include "cli/debug.h"
#include "cli/standard_input.h"
#include "wire/anthropic_events.h"

namespace hearth::cli {
namespace {

// As much as a request's body may have: the tools come from one.
constexpr std::size_t kToolsFileBytesMax = std::size_t{64} << 20;

struct ParseOptions {
  std::string dialect;
  std::string tools_file;
  bool opened_think = false;
  std::string ended = "eos";
  std::size_t chunk_bytes = 0;  // 0: all at once
};

Result<void> read_tools(const std::string& path, chat::StreamParserOptions& options) {
  TRY_ASSIGN(const std::string text, read_file(path, kToolsFileBytesMax));
  auto tools = Json::parse(text);
  if (!tools) return fail(ErrorKind::InvalidInput, std::format("--tools {}: {}", path, tools.error().message));
  if (!tools->is_array()) {
    return fail(ErrorKind::InvalidInput,
                std::format("--tools {}: a JSON array of tool definitions is wanted, this is {} {}", path,
                            tools->is_object() ? "an" : "a", tools->type_name()));
  }
  std::size_t index = 0;
  for (const Json& tool : tools->as_array()) {
    const std::string name = tool.string_at("name");
    if (name.empty()) {
      return fail(ErrorKind::InvalidInput, std::format("--tools {}: [{}].name is missing or no text", path, index));
    }
    const Json* schema = tool.find("input_schema");
    if (schema != nullptr && !schema->is_object()) {
      return fail(ErrorKind::InvalidInput, std::format("--tools {}: [{}].input_schema is no object", path, index));
    }
    options.tool_names.push_back(name);
    options.tool_schemas.push_back(schema == nullptr ? Json::object() : *schema);
    ++index;
  }
  return {};
}

// The same text gives the same output: ids are counted and thoughts are not signed.
void make_repeatable(Json& block, int& call_count) {
  if (block.string_at("type") == "tool_use") block.set("id", std::format("toolu_{}", ++call_count));
  if (block.find("signature") != nullptr) block.set("signature", "");
}

class Printer {
 public:
  Printer() : encoder_("msg_debug", "debug") { add(encoder_.start({})); }

  void add(const std::vector<chat::StreamEvent>& events) {
    for (const auto& event : events) add(encoder_.add(event));
  }
  std::string finish(wire::StopReason reason, const chat::RepairCounts& repairs) {
    add(encoder_.end(reason, std::nullopt, {}));
    lines_ += Json::object({{"repairs", chat::to_json(repairs)}}).dump() + "\n";
    lines_ += Json::object({{"message", fold_.message()}}).dump() + "\n";
    return std::move(lines_);
  }

 private:
  void add(std::vector<wire::WireEvent> events) {
    for (auto& event : events) {
      if (const Json* block = event.data.find("content_block")) {
        Json repeatable = *block;
        make_repeatable(repeatable, call_count_);
        event.data.set("content_block", std::move(repeatable));
      }
      if (const Json* delta = event.data.find("delta"); delta != nullptr && delta->find("signature") != nullptr) {
        Json repeatable = *delta;
        repeatable.set("signature", "");
        event.data.set("delta", std::move(repeatable));
      }
      fold_.add(event);
      lines_ += event.data.dump() + "\n";
    }
  }

  wire::MessageEncoder encoder_;
  wire::MessageFold fold_;
  int call_count_ = 0;
  std::string lines_;
};

// The bytes of the next piece: at least `wanted`, up to the end of a character.
std::size_t piece_bytes(std::string_view rest, std::size_t wanted) {
  if (wanted == 0 || wanted >= rest.size()) return rest.size();
  while (wanted < rest.size() && (static_cast<unsigned char>(rest[wanted]) & 0xC0) == 0x80) ++wanted;
  return wanted;
}

Result<std::string> parse(const ParseOptions& options) {
  chat::StreamParserOptions parser_options;
  parser_options.dialect = chat::find_dialect(options.dialect);
  if (parser_options.dialect == nullptr) {
    return fail(ErrorKind::InvalidInput,
                std::format("--dialect {}: not known; there are {}", options.dialect, chat::dialect_names()));
  }
  parser_options.thinking_opened = options.opened_think;
  if (!options.tools_file.empty()) TRY(read_tools(options.tools_file, parser_options));
  TRY_ASSIGN(const std::string bytes, read_standard_input());
  const std::string text = replace_invalid_utf8(bytes);

  chat::StreamParser parser(std::move(parser_options));
  Printer printer;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t count = piece_bytes(rest, options.chunk_bytes);
    printer.add(parser.push(rest.substr(0, count)));
    rest.remove_prefix(count);
  }
  const bool cut = options.ended == "max_tokens";
  printer.add(parser.finish(cut ? chat::TurnEnd::Cut : chat::TurnEnd::Finished));
  return printer.finish(cut ? wire::StopReason::MaxTokens : wire::StopReason::EndTurn, parser.repairs());
}

int run_parse(const ParseOptions& options) {
  auto output = parse(options);
  auto written = output ? write_standard_output(*output) : Result<void>(std::unexpected(output.error()));
  if (written) return 0;
  std::fprintf(stderr, "hearth: %s\n", written.error().message.c_str());
  return 1;
}

int run_dialects() {
  std::size_t width = 0;
  for (const auto& dialect : chat::all_dialects()) width = std::max(width, dialect.name.size());
  std::string lines;
  for (const auto& dialect : chat::all_dialects()) {
    lines += std::format("{:<{}}  {}", dialect.name, width, dialect.about);
    std::string_view before = "; also called ";
    for (const auto alias : dialect.aliases) {
      lines += std::format("{}{}", before, alias);
      before = ", ";
    }
    lines += '\n';
  }
  auto written = write_standard_output(lines);
  if (written) return 0;
  std::fprintf(stderr, "hearth: %s\n", written.error().message.c_str());
  return 1;
}

}  // namespace

void add_debug_parse(CLI::App& debug, Command& chosen) {
  auto* command = debug.add_subcommand("parse", "Raw model text on standard input as events and a message");
  const auto options = std::make_shared<ParseOptions>();
  command->add_option("--dialect", options->dialect, "How the model writes; `hearth debug dialects` lists them")
      ->required()
      ->type_name("NAME");
  command->add_option("--tools", options->tools_file, "The declared tools: a JSON array as in an Anthropic request")
      ->type_name("FILE");
  command->add_flag("--opened-think", options->opened_think, "The prompt had already opened the thought");
  command->add_option("--ended", options->ended, "Why the text ends: the model ended its turn, or it was cut")
      ->check(CLI::IsMember({"eos", "max_tokens"}))
      ->capture_default_str();
  command
      ->add_option("--chunk", options->chunk_bytes, "Feed the text in pieces of so many bytes; the message is the same")
      ->type_name("BYTES");
  command->footer(
      "One line per event, as the client gets it; then {\"repairs\": {NAME: COUNT}}, what was mended "
      "(docs/dialects.md), and as\n"
      "the last line {\"message\": ...}.\n"
      "Example:\n"
      "  hearth debug parse --dialect qwen3 --tools tools.json <answer.txt");
  command->callback([&chosen, options] { chosen = [options] { return run_parse(*options); }; });
}

void add_debug_dialects(CLI::App& debug, Command& chosen) {
  auto* command = debug.add_subcommand("dialects", "The dialects that --dialect may name, one per line");
  command->callback([&chosen] { chosen = [] { return run_dialects(); }; });
}

}  // namespace hearth::cli
