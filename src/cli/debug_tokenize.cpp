// hearth debug tokenize: a text as a model's tokens. The engine process reads the vocabulary alone.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <format>
#include <future>
#include <memory>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "base/utf8.h"
#include "cli/cli.h"
#include "cli/debug.h"
#include "cli/debug_model.h"
#include "cli/standard_input.h"

namespace hearth::cli {
namespace {

struct TokenizeOptions {
  DebugModelOptions model;
  bool parse_special = false;
  bool json = false;
};

Result<link::TokenizeReply> tokenize(models::EngineProcess& engine, std::string text, bool parse_special) {
  // The callback may still run when a caller that gave up is gone: it owns what it touches.
  auto promise = std::make_shared<std::promise<Result<link::TokenizeReply>>>();
  auto reply = promise->get_future();
  engine.tokenize_with_pieces({{.text = std::move(text), .parse_special = parse_special}},
                              [promise](Result<link::TokenizeReply> result) { promise->set_value(std::move(result)); });
  return reply.get();
}

// A token may be a part of a character: JSON then holds U+FFFD, and its bytes besides.
Json token_json(link::Token token, const std::string& piece) {
  Json json = Json::object({{"id", token}, {"piece", replace_invalid_utf8(piece)}});
  if (is_valid_utf8(piece)) return json;
  Json bytes = Json::array();
  for (const char c : piece) bytes.push(static_cast<int>(static_cast<unsigned char>(c)));
  json.set("bytes", std::move(bytes));
  return json;
}

std::string as_json(const link::TokenizeReply& reply) {
  Json tokens = Json::array();
  for (std::size_t i = 0; i < reply.tokens.size(); ++i) tokens.push(token_json(reply.tokens[i], reply.pieces[i]));
  return Json::object({{"count", reply.count}, {"tokens", std::move(tokens)}}).dump() + "\n";
}

// One token per line: its id, and its text as a JSON string, in which spaces and line breaks can be seen.
std::string as_lines(const link::TokenizeReply& reply) {
  std::string out;
  for (std::size_t i = 0; i < reply.tokens.size(); ++i) {
    const std::string& piece = reply.pieces[i];
    out += std::format("{:>8}  ", reply.tokens[i]);
    if (is_valid_utf8(piece)) {
      append_json_string(out, piece);
    } else {
      for (const char c : piece) out += std::format("<{:02X}>", static_cast<unsigned char>(c));
    }
    out += '\n';
  }
  return out;
}

Result<void> run(const TokenizeOptions& options) {
  TRY_ASSIGN(std::string text, read_standard_input());
  TRY_ASSIGN(const DebugModel model, open_debug_model(options.model));
  TRY_ASSIGN(const link::TokenizeReply reply, tokenize(*model.engine, std::move(text), options.parse_special));
  model.engine->stop();
  return write_standard_output(options.json ? as_json(reply) : as_lines(reply));
}

}  // namespace

void add_debug_tokenize(CLI::App& debug, Command& chosen) {
  auto* command = debug.add_subcommand("tokenize", "Show the tokens that a text becomes");
  const auto options = std::make_shared<TokenizeOptions>();
  add_model_flag(*command, options->model);
  command->get_option("--model")->required();
  command->add_flag("--parse-special", options->parse_special,
                    "Control tokens that are spelled in the text become those tokens, as in a template's own text; "
                    "otherwise they stay text, as in a conversation");
  command->add_flag("--json", options->json, "One JSON object: {\"count\": N, \"tokens\": [{\"id\", \"piece\"}, ...]}");
  command->footer(
      "Nothing is added to the text: no token for its beginning, no line break.\n"
      "Examples:\n"
      "  printf 'Hello, you.' | hearth debug tokenize --model qwen.gguf\n"
      "  hearth debug render --model qwen.gguf < request.json | hearth debug tokenize --model qwen.gguf "
      "--parse-special");
  command->callback([&chosen, options] {
    chosen = [options] {
      set_log_level(LogLevel::Warning);
      const Result<void> done = run(*options);
      return done ? 0 : print_error(done.error());
    };
  });
}

}  // namespace hearth::cli
