// hearth debug render: a request as the prompt that its model would see, byte for byte. Without --raw it takes the way of a
// served request: wire, canonicalizer, renderer. With --raw the template gets exactly the variables it is given.
#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <format>
#include <memory>
#include <utility>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/debug.h"
#include "cli/debug_model.h"
#include "cli/provenance.h"
#include "cli/serve_options.h"
#include "cli/standard_input.h"
#include "jinja/template.h"
#include "server/prepared_prompt.h"
#include "server/served_models.h"
#include "wire/anthropic_request.h"

namespace hearth::cli {
namespace {

struct RenderOptions {
  DebugModelOptions model;
  bool raw = false;
  std::vector<std::string> rules_off;
  bool tools_first = false;
  std::string provenance;  // "", "colour" or "json"
};

struct TracedPrompt {
  std::string text;
  std::vector<TracedRun> runs;
};

// What the sources of a raw render are called: each element of an array has its own number.
class SourceNames {
 public:
  SourceNames() { names_.push_back({.from = "template"}); }
  [[nodiscard]] jinja::Variable variable(const std::string& name, const Json& value) {
    const auto first = static_cast<jinja::Source>(names_.size());
    if (value.is_array()) {
      const Json::Array& elements = value.as_array();
      for (std::size_t i = 0; i < elements.size(); ++i)
        names_.push_back({.from = std::format("{}[{}]", name, i), .role = elements[i].string_at("role")});
    }
    // Also for an array without elements: a source is a number of one variable only.
    if (names_.size() == first) names_.push_back({.from = name});
    return {.name = name, .value = &value, .origin = jinja::Variable::Origin::PerElement, .source = first};
  }
  [[nodiscard]] TracedRun run(const jinja::Run& run) const {
    TracedRun traced = names_[run.source];
    traced.end = run.end;
    return traced;
  }

 private:
  std::vector<TracedRun> names_;  // by source
};

Result<TracedPrompt> render_raw(const std::string& input, const RenderOptions& options) {
  TRY_ASSIGN(Json variables, Json::parse(input));
  if (!variables.is_object())
    return fail(
        ErrorKind::InvalidInput,
        std::format("standard input must be a JSON object of the template's variables, got {}", variables.type_name()));
  TRY_ASSIGN(const DebugModel model, open_debug_model(options.model));
  const auto add = [&](const char* name, const std::string& text) {
    if (!text.empty() && variables.find(name) == nullptr) variables.set(name, text);
  };
  add("bos_token", options.model.bos_text);
  add("eos_token", options.model.eos_text);
  if (model.hello.chat_template.empty())
    return fail(ErrorKind::NotFound,
                "there is no chat template to render: name one with --template, or a model that has one with --model");
  TRY_ASSIGN(const auto compiled, jinja::Template::compile(model.hello.chat_template));
  SourceNames names;
  std::vector<jinja::Variable> inputs;
  for (const auto& [name, value] : variables.as_object()) inputs.push_back(names.variable(name, value));
  TRY_ASSIGN(jinja::Rendered rendered, compiled->render(inputs));
  TracedPrompt prompt{.text = std::move(rendered.text)};
  for (const jinja::Run& run : rendered.runs) prompt.runs.push_back(names.run(run));
  return prompt;
}

TracedRun named(const chat::PromptRun& run, const std::vector<chat::Role>& roles) {
  constexpr std::array<const char*, 3> kRoles = {"system", "user", "assistant"};  // by chat::Role
  TracedRun traced{.end = run.end};
  switch (run.origin) {
    case chat::PromptOrigin::Template: traced.from = "template"; break;
    case chat::PromptOrigin::System: traced.from = "system"; break;
    case chat::PromptOrigin::Tools: traced.from = "tools"; break;
    case chat::PromptOrigin::Settings: traced.from = "output_config"; break;
    case chat::PromptOrigin::Message:
      traced.from = std::format("messages[{}]", run.message);
      if (run.message < roles.size()) traced.role = kRoles[static_cast<std::size_t>(roles[run.message])];
      break;
  }
  return traced;
}

Result<TracedPrompt> render_request(const std::string& input, const RenderOptions& options) {
  // As for count_tokens: max_tokens says nothing about the prompt.
  TRY_ASSIGN(wire::MessagesRequest request, wire::decode_count_tokens(input));
  TRY_ASSIGN(const DebugModel debug_model, open_debug_model(options.model));
  TRY_ASSIGN(const server::PromptSettings settings, prompt_settings(options.rules_off, options.tools_first));
  if (debug_model.hello.chat_template.empty()) {
    std::fputs(options.model.model.empty()
                   ? "hearth: neither --model nor --template is given: this is the plain ChatML template\n"
                   : "hearth: the model has no chat template: this is the plain ChatML template\n",
               stderr);
  }
  // A server goes on with a plain template; who looks at this one wants to hear what is wrong with it.
  if (!options.model.template_file.empty()) {
    TRY(chat::check_template({.text = debug_model.hello.chat_template,
                              .bos_text = debug_model.hello.bos_text,
                              .eos_text = debug_model.hello.eos_text}));
  }
  TRY_ASSIGN(const server::ServedModel model,
             server::describe_model(std::make_shared<const link::Hello>(debug_model.hello), settings));
  std::vector<chat::Role> roles;  // the canonicalizer numbers messages as they came
  for (const chat::Message& message : request.conversation.messages) roles.push_back(message.role);
  TRY_ASSIGN(const server::PreparedPrompt prepared, server::prepare_prompt(model, std::move(request.conversation)));
  TracedPrompt prompt;
  for (const link::Segment& segment : prepared.segments) prompt.text += segment.text;
  for (const chat::PromptRun& run : prepared.runs) prompt.runs.push_back(named(run, roles));
  // The beginning of a forced call, which is in the model's own words.
  return prompt;
}

Result<void> render(const RenderOptions& options) {
  TRY_ASSIGN(const std::string input, read_standard_input());
  TRY_ASSIGN(const TracedPrompt prompt, options.raw ? render_raw(input, options) : render_request(input, options));
  if (options.provenance == "json")
    return write_standard_output(provenance_json(prompt.text, prompt.runs).dump() + "\n");
  if (!options.provenance.empty()) return write_standard_output(provenance_colour(prompt.text, prompt.runs));
  return write_standard_output(prompt.text);
}

}  // namespace

void add_debug_render(CLI::App& debug, Command& chosen) {
  auto* command = debug.add_subcommand("render", "Show the prompt that a request becomes");
  const auto options = std::make_shared<RenderOptions>();
  add_model_flag(*command, options->model);
  add_template_flags(*command, options->model);
  command->add_flag("--raw", options->raw,
                    "Standard input is a JSON object of the template's own variables (messages, tools, "
                    "add_generation_prompt, bos_token, ...); nothing is added to them");
  add_prompt_flags(*command, options->rules_off, options->tools_first);
  command
      ->add_option("--provenance", options->provenance,
                   "Also show where every byte comes from: --provenance (in colours) or --provenance=json")
      ->type_name("[json|colour]")
      ->expected(0, 1)
      ->default_str("colour")
      ->check(CLI::IsMember({"json", "colour", "color"}));
  command->description(
      "Reads an Anthropic Messages request on standard input and writes the exact prompt on standard output: no line\n"
      "break is added. A request that the template refuses ends with status 1 and the template's words on standard "
      "error.");
  command->footer(
      "Examples:\n"
      "  hearth debug render --model qwen.gguf < request.json\n"
      "  hearth debug render --template chat.jinja --provenance < request.json\n"
      "  hearth debug render --template chat.jinja --raw <<< \\\n"
      "    '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}], \"add_generation_prompt\": true, "
      "\"bos_token\": \"<s>\"}'\n"
      "  hearth debug render --template chat.jinja --raw --provenance=json < variables.json");
  command->callback([&chosen, options] {
    chosen = [options] {
      set_log_level(LogLevel::Warning);
      const Result<void> done = render(*options);
      return done ? 0 : print_error(done.error());
    };
  });
}

}  // namespace hearth::cli
