// hearth show: what a model file says of itself, and what Hearth makes of that: its dialect, its template, its thoughts and
// its own sampling. Reads the metadata and the vocabulary only.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <format>
#include <memory>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "chat/dialect.h"
#include "chat/renderer.h"
#include "cli/cli.h"
#include "cli/debug_model.h"
#include "cli/standard_input.h"
#include "server/served_models.h"

namespace hearth::cli {
namespace {

struct ShowOptions {
  std::string model;
  std::string dialect = "auto";
  bool json = false;
};

std::string size_text(std::uint64_t bytes) {
  const double mib = static_cast<double>(bytes) / (1 << 20);
  return mib < 1024 ? std::format("{:.1f} MiB", mib) : std::format("{:.2f} GiB", mib / 1024);
}

Json sampling_json(const link::Sampling& sampling) {
  Json out = Json::object();
  const auto add = [&](const char* name, const auto& value) {
    if (value) out.set(name, *value);
  };
  add("temperature", sampling.temperature);
  add("top_k", sampling.top_k);
  add("top_p", sampling.top_p);
  add("min_p", sampling.min_p);
  add("repeat_penalty", sampling.repeat_penalty);
  add("frequency_penalty", sampling.frequency_penalty);
  add("presence_penalty", sampling.presence_penalty);
  return out;
}

// What the dialect was told by.
std::string_view chosen_by(const ShowOptions& options, const link::Hello& hello, const chat::Dialect& dialect) {
  if (options.dialect != "auto") return "--dialect";
  if (&chat::choose_dialect(hello.chat_template, {}) == &dialect && &dialect != &chat::generic_dialect())
    return "template";
  return &dialect == &chat::generic_dialect() ? "nothing" : "vocabulary";
}

// "" when the model's own template serves.
std::string template_trouble(const link::Hello& hello) {
  if (hello.chat_template.empty()) return "the file has none";
  const auto usable = chat::check_template({.text = hello.chat_template,
                                            .bos_text = hello.bos_text,
                                            .eos_text = hello.eos_text,
                                            .special_texts = hello.special_texts});
  return usable ? "" : usable.error().message;
}

// In the order of the table.
Json facts_of(const ShowOptions& options, const link::Hello& hello, const server::ServedModel& model) {
  std::error_code none;
  const std::uint64_t file_bytes = std::filesystem::file_size(options.model, none);
  const chat::Dialect& dialect = *model.dialect;
  const std::string trouble = template_trouble(hello);
  Json facts = Json::object({{"name", hello.name},
                             {"file", options.model},
                             {"file_bytes", none ? 0 : file_bytes},
                             {"architecture", hello.architecture},
                             {"description", hello.description}});
  if (hello.parameter_count != 0) facts.set("parameters", hello.parameter_count);
  if (hello.weights_bytes != 0) facts.set("weights_bytes", hello.weights_bytes);
  facts.set("trained_context_tokens", hello.trained_context_tokens);
  Json dialect_json = Json::object({{"name", std::string(dialect.name)},
                                    {"about", std::string(dialect.about)},
                                    {"chosen_by", std::string(chosen_by(options, hello, dialect))}});
  facts.set("dialect", std::move(dialect_json));
  facts.set("chat_template", Json::object({{"bytes", static_cast<std::uint64_t>(hello.chat_template.size())},
                                           {"used", trouble.empty()},
                                           {"why_not", trouble}}));
  facts.set("thinking", Json::object({{"supported", model.renderer->supports_thinking()},
                                      {"open", std::string(dialect.think_open)},
                                      {"close", std::string(dialect.think_close)}}));
  facts.set("sampling_defaults", sampling_json(hello.sampling_defaults));
  facts.set("bos", hello.bos_text);
  facts.set("eos", hello.eos_text);
  facts.set("adds_bos", hello.adds_bos);
  facts.set("special_tokens", static_cast<std::uint64_t>(hello.special_texts.size()));
  return facts;
}

std::string thinking_text(const Json& thinking) {
  const std::string open = thinking.string_at("open");
  const std::string tags = open.empty() ? "" : std::format(", written {} ... {}", open, thinking.string_at("close"));
  return (*thinking.find("supported") == Json(true) ? "yes, by its template" : "not asked for by its template") + tags;
}

std::string table_of(const Json& facts) {
  std::string out;
  const auto row = [&](std::string_view what, const std::string& value) {
    if (!value.empty()) out += std::format("{:<18} {}\n", what, value);
  };
  const auto number = [&](std::string_view key) {
    const Json* value = facts.find(key);
    return value == nullptr ? std::uint64_t{0} : static_cast<std::uint64_t>(value->as_number());
  };
  const Json& dialect = *facts.find("dialect");
  const Json& written = *facts.find("chat_template");
  row("name", facts.string_at("name"));
  row("file", std::format("{} ({})", facts.string_at("file"), size_text(number("file_bytes"))));
  row("architecture", facts.string_at("architecture"));
  row("sizes", facts.string_at("description"));
  if (number("parameters") != 0) row("parameters", std::format("{}", number("parameters")));
  if (number("weights_bytes") != 0) row("weights", size_text(number("weights_bytes")));
  row("trained context", std::format("{} tokens", number("trained_context_tokens")));
  row("dialect", std::format("{}, told by {}", dialect.string_at("name"), dialect.string_at("chosen_by")));
  row("", dialect.string_at("about"));
  const std::string trouble = written.string_at("why_not");
  row("chat template", trouble.empty() ? std::format("its own, {} bytes", written.find("bytes")->as_number())
                                       : std::format("a plain ChatML one: {}", trouble));
  row("thinking", thinking_text(*facts.find("thinking")));
  std::string sampling;
  for (const auto& [name, value] : facts.find("sampling_defaults")->as_object())
    sampling += std::format("{}{} {}", sampling.empty() ? "" : ", ", name, value.dump());
  row("sampling", sampling.empty() ? "the file names none" : sampling);
  row("begins with", facts.string_at("bos") + (*facts.find("adds_bos") == Json(true) ? " (before every prompt)" : ""));
  row("ends with", facts.string_at("eos"));
  return out;
}

Result<std::string> show(const ShowOptions& options) {
  TRY_ASSIGN(const DebugModel model, open_debug_model({.model = options.model}));
  const auto hello = std::make_shared<const link::Hello>(model.hello);
  server::PromptSettings settings;
  if (options.dialect != "auto") settings.dialect = chat::find_dialect(options.dialect);
  TRY_ASSIGN(const server::ServedModel served, server::describe_model(hello, settings));
  const Json facts = facts_of(options, *hello, served);
  return options.json ? facts.dump() + "\n" : table_of(facts);
}

int run_show(const ShowOptions& options) {
  auto output = show(options);
  auto written = output ? write_standard_output(*output) : Result<void>(std::unexpected(output.error()));
  return written ? 0 : print_error(written.error());
}

}  // namespace

void add_show(CLI::App& app, Command& chosen) {
  auto* command = app.add_subcommand("show", "What a model file is, and how Hearth would talk to it");
  const auto options = std::make_shared<ShowOptions>();
  command->add_option("model", options->model, "A GGUF file")->required()->type_name("FILE");
  command->add_flag("--json", options->json, "One JSON object instead of the table");
  command
      ->add_option("--dialect", options->dialect,
                   "As `hearth serve` would be told to; `hearth debug dialects` lists them")
      ->type_name("NAME")
      ->check([](const std::string& name) {
        const bool known = name == "auto" || chat::find_dialect(name) != nullptr;
        return known ? std::string{} : std::format("{} is no dialect; there are {}", name, chat::dialect_names());
      });
  command->callback([&chosen, options] { chosen = [options] { return run_show(*options); }; });
}

}  // namespace hearth::cli
