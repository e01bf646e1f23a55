// See debug_model.h.
#include "cli/debug_model.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <format>
#include <utility>

#include "base/file.h"
#include "cli/engine_program.h"
#include "jinja/template.h"
#include "models/model_path.h"

namespace hearth::cli {

void add_model_flag(CLI::App& command, DebugModelOptions& options) {
  command.add_option("-m,--model", options.model, "A GGUF file; only its metadata and vocabulary are read")
      ->type_name("FILE");
}

void add_template_flags(CLI::App& command, DebugModelOptions& options) {
  auto* file = command.add_option("-t,--template", options.template_file, "A chat template (Jinja) instead of a model")
                   ->type_name("FILE")
                   ->excludes("--model");
  command.add_option("--bos", options.bos_text, "With --template: bos_token")->type_name("TEXT")->needs(file);
  command.add_option("--eos", options.eos_text, "With --template: eos_token")->type_name("TEXT")->needs(file);
  command
      .add_option("--special", options.special_texts,
                  "With --template: a further special token of the vocabulary, which conversation text must not become")
      ->type_name("TEXT")
      ->expected(1)
      ->take_all()
      ->needs(file);
}

namespace {

Result<DebugModel> template_alone(const DebugModelOptions& options) {
  DebugModel model;
  if (!options.template_file.empty()) {
    auto text = read_file(options.template_file, jinja::kTemplateBytesMax);
    if (!text)
      return fail(text.error().kind, std::format("--template {}: {}", options.template_file, text.error().message));
    model.hello.chat_template = std::move(*text);
  }
  model.hello.bos_text = options.bos_text;
  model.hello.eos_text = options.eos_text;
  model.hello.special_texts = options.special_texts;
  for (const std::string& text : {options.bos_text, options.eos_text})
    if (!text.empty()) model.hello.special_texts.push_back(text);
  std::ranges::stable_sort(model.hello.special_texts, std::ranges::greater{}, &std::string::size);
  model.hello.context_tokens = 1U << 20U;
  return model;
}

}  // namespace

Result<DebugModel> open_debug_model(const DebugModelOptions& options) {
  if (options.model.empty()) return template_alone(options);
  TRY(models::check_model_path(options.model));
  TRY_ASSIGN(std::string program, find_engine_program());
  models::EngineSpec spec{.engine_program = std::move(program),
                          .arguments = {"--model", options.model, "--vocabulary-only"},
                          .model_path = options.model};
  DebugModel model;
  TRY_ASSIGN(model.engine, models::EngineProcess::start(std::move(spec), [](float) {}));
  model.hello = *model.engine->hello();
  return model;
}

int print_error(const Error& error) {
  std::fprintf(stderr, "hearth: %s\n", error.message.c_str());
  return 1;
}

}  // namespace hearth::cli
