// See renderer.h.
#include "chat/renderer.h"

#include <algorithm>
#include <cstdint>
#include <format>
#include <utility>

#include "base/log.h"
#include "chat/builtin_template.h"
#include "chat/dialect.h"
#include "chat/prompt_cutter.h"
#include "chat/prompt_marks.h"
#include "chat/special_guard.h"
#include "chat/template_engine.h"
#include "chat/template_messages.h"
#include "chat/template_shape.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";

// Where the text of a render comes from, as the template engine numbers it. 0 is the template.
constexpr jinja::Source kToolsSource = 1;
constexpr jinja::Source kSettingsSource = 2;
constexpr jinja::Source kFirstMessageSource = 3;  // the first element of `messages`

std::string_view tag_or(std::string_view tag, std::string_view otherwise) { return tag.empty() ? otherwise : tag; }

jinja::Variable trusted(const char* name, const Json& value) { return {.name = name, .value = &value}; }

// A thought that the template's own text opened after `begin`, with these tags.
bool opens_thought(const jinja::Rendered& rendered, std::size_t begin, std::string_view open_tag,
                   std::string_view close_tag) {
  bool opened = false;
  std::size_t at = 0;
  for (const jinja::Run& run : rendered.runs) {
    const std::size_t from = std::max(at, begin);
    at = run.end;
    if (run.source != jinja::kTemplateSource || from >= run.end) continue;
    const std::string_view text = std::string_view(rendered.text).substr(from, run.end - from);
    const std::size_t open = text.rfind(open_tag);
    const std::size_t close = text.rfind(close_tag);
    if (open == std::string_view::npos && close == std::string_view::npos) continue;
    opened = close == std::string_view::npos || (open != std::string_view::npos && open > close);
  }
  return opened;
}

// Probes are tiny conversations: real templates need some 20,000 steps for one, and this many take a tenth of a second.
constexpr std::uint64_t kProbeStepsMax = 2'000'000;

// A template that renders at least one message of the user, within the limits of a probe.
Result<std::unique_ptr<const TemplateEngine>> compile_for_probes(const TemplateSource& source) {
  TRY_ASSIGN(auto engine, TemplateEngine::compile(source.text, {.steps_max = kProbeStepsMax}));
  const auto render = [&](Json content) {
    const Json message = Json::object({{"role", "user"}, {"content", std::move(content)}});
    return engine->render_text(Json::object({{"bos_token", source.bos_text},
                                             {"eos_token", source.eos_text},
                                             {"messages", Json::Array{message}},
                                             {"add_generation_prompt", true}}));
  };
  const Result<std::string> as_text = render("Hi");
  // A refusal in its own words is for the client to read; a mistake or a limit is nobody's fault but the template's.
  if (as_text || jinja::is_raised(as_text.error())) return engine;
  if (render(Json::Array{Json::object({{"type", "text"}, {"text", "Hi"}})})) return engine;
  return std::unexpected(as_text.error());
}

class TemplateRenderer final : public Renderer {
 public:
  TemplateRenderer(TemplateSource source, std::unique_ptr<const TemplateEngine> engine, const TemplateEngine& prober)
      : specials_(source.special_texts),
        engine_(std::move(engine)),
        base_variables_(Json::object({{"bos_token", source.bos_text}, {"eos_token", source.eos_text}})),
        shape_(probe_template(prober, base_variables_, specials_)),
        bos_text_(source.bos_text),
        eos_text_(source.eos_text),
        switches_(source.switches),
        think_open_(tag_or(choose_dialect(source.text, source.special_texts).think_open, kThinkOpen)),
        think_close_(tag_or(choose_dialect(source.text, source.special_texts).think_close, kThinkClose)),
        supports_thinking_(source.text.contains("enable_thinking") || source.text.contains(think_open_)) {}

  [[nodiscard]] Result<Prompt> render(const Conversation& conversation) const override {
    const PromptMarks marks;
    Result<Prompt> as_is = render(conversation, marks, Folding::AsIs);
    if (as_is || as_is.error().kind != ErrorKind::InvalidInput) return as_is;
    // Strict templates refuse two user messages in a row, or a user right after a tool result.
    Result<Prompt> folded = render(conversation, marks, Folding::Folded);
    if (folded) return folded;
    return fail(ErrorKind::InvalidInput,
                "the model's chat template refuses this conversation: " + as_is.error().message);
  }

  [[nodiscard]] bool supports_thinking() const override { return supports_thinking_; }

 private:
  [[nodiscard]] Result<Prompt> render(const Conversation& conversation, const PromptMarks& marks,
                                      Folding folding) const {
    TemplateInput input = build_template_input(conversation, shape_, switches_, marks, folding);
    const bool forced = !input.is_prefill && forces_call(conversation);
    const Thinking thinking = forced ? Thinking::Disabled : conversation.thinking;
    Json switches = Json::object();
    set_thinking_variables(switches, thinking, switches_.old_thinking);
    switches.set("add_generation_prompt", !input.is_prefill);
    const Json effort = conversation.effort;

    std::vector<jinja::Variable> variables{trusted("bos_token", bos_text_), trusted("eos_token", eos_text_)};
    for (const auto& [name, value] : switches.as_object()) variables.push_back(trusted(name.c_str(), value));
    if (!conversation.effort.empty()) {
      variables.push_back({.name = "reasoning_effort",
                           .value = &effort,
                           .origin = jinja::Variable::Origin::Whole,
                           .source = kSettingsSource});
    }
    if (!input.tools.as_array().empty()) {
      variables.push_back({.name = "tools",
                           .value = &input.tools,
                           .origin = jinja::Variable::Origin::Whole,
                           .source = kToolsSource,
                           .trusted_members = {"type"}});
    }
    variables.push_back({.name = "messages",
                         .value = &input.messages,
                         .origin = jinja::Variable::Origin::PerElement,
                         .source = kFirstMessageSource,
                         .trusted_members = {"role"}});
    TRY_ASSIGN(jinja::Rendered rendered, engine_->render(variables));
    if (input.is_prefill && !marks.ends(rendered.text)) {
      return fail(ErrorKind::InvalidInput, "it does not write the last assistant message");
    }
    Prompt prompt = to_prompt(marks.resolved(std::move(rendered)), thinking, std::move(input));
    if (forced) prompt.forced_call = call_opening(conversation);
    return prompt;
  }

  [[nodiscard]] bool forces_call(const Conversation& conversation) const {
    return shape_.call_form != CallForm::Other && !conversation.tools.empty() &&
           (conversation.tool_choice == ToolChoice::Any || conversation.tool_choice == ToolChoice::Named);
  }

  // A model that must call finds its call begun: only the name or the arguments are left to write.
  [[nodiscard]] std::vector<PromptSegment> call_opening(const Conversation& conversation) const {
    const bool json = shape_.call_form == CallForm::Json;
    std::vector<PromptSegment> opening{{json ? "<tool_call>\n{\"name\": \"" : "<tool_call>\n<function=", true}};
    if (conversation.tool_choice != ToolChoice::Named) return opening;
    std::string name;
    append_json_string(name, conversation.tool_choice_name);
    name = json ? name.substr(1, name.size() - 2) : conversation.tool_choice_name;
    for (const std::string_view piece : specials_.cut(name)) opening.push_back({std::string(piece), false});
    opening.push_back({json ? "\", \"arguments\":" : ">\n", true});
    return opening;
  }

  [[nodiscard]] Prompt to_prompt(const jinja::Rendered& rendered, Thinking thinking, TemplateInput input) const {
    const std::string& text = rendered.text;
    const std::string& suffix = shape_.generation_suffixes[static_cast<std::size_t>(thinking)];
    const bool has_suffix = !input.is_prefill && !suffix.empty() && text.ends_with(suffix) &&
                            is_template_text(rendered.runs, text.size() - suffix.size(), text.size());
    CutPrompt cut =
        cut_prompt(rendered, specials_, shape_.turn_openings, has_suffix ? text.size() - suffix.size() : text.size());
    Prompt prompt;
    prompt.segments = std::move(cut.segments);
    prompt.boundary_segments = std::move(cut.boundary_segments);
    prompt.runs = runs_of(rendered.runs, input.message_numbers);
    prompt.thinking_opened =
        !input.is_prefill && opens_thought(rendered, last_boundary(prompt), think_open_, think_close_);
    if (has_suffix) prompt.generation_suffix = suffix;
    prompt.prefill = std::move(input.prefill);
    return prompt;
  }

  // Where the text behind the last boundary begins.
  static std::size_t last_boundary(const Prompt& prompt) {
    std::size_t end = 0;
    if (prompt.boundary_segments.empty()) return end;
    for (std::size_t i = 0; i <= prompt.boundary_segments.back(); ++i) end += prompt.segments[i].text.size();
    return end;
  }

  static std::vector<PromptRun> runs_of(const std::vector<jinja::Run>& runs,
                                        const std::vector<std::uint32_t>& numbers) {
    std::vector<PromptRun> out;
    out.reserve(runs.size());
    for (const jinja::Run& run : runs) {
      PromptRun named{.end = run.end};
      if (run.source == kToolsSource) named.origin = PromptOrigin::Tools;
      if (run.source == kSettingsSource) named.origin = PromptOrigin::Settings;
      if (run.source >= kFirstMessageSource) {
        named.message = numbers[run.source - kFirstMessageSource];
        named.origin = named.message == kNoMessage ? PromptOrigin::System : PromptOrigin::Message;
      }
      out.push_back(named);
    }
    return out;
  }

  const SpecialTexts specials_;
  const std::unique_ptr<const TemplateEngine> engine_;
  const Json base_variables_;
  const TemplateShape shape_;
  const Json bos_text_;
  const Json eos_text_;
  const RenderSwitches switches_;
  const std::string_view think_open_;  // of the table of dialects
  const std::string_view think_close_;
  const bool supports_thinking_;
};

}  // namespace

std::string Prompt::text() const {
  std::string all;
  for (const PromptSegment& segment : segments) all += segment.text;
  return all;
}

Result<void> check_template(const TemplateSource& source) {
  TRY(compile_for_probes(source));
  return {};
}

Result<std::shared_ptr<const Renderer>> Renderer::create(TemplateSource source) {
  Result<std::unique_ptr<const TemplateEngine>> prober = fail(ErrorKind::NotFound, "");
  if (!source.text.empty()) {
    prober = compile_for_probes(source);
    if (!prober) {
      log_warning("chat", "the model's chat template cannot be used ({}); a plain ChatML template serves instead",
                  prober.error().message);
    }
  }
  if (!prober) {
    source.text = kBuiltinTemplate;
    prober = compile_for_probes(source);
    if (!prober)
      return fail(ErrorKind::Internal, "the built-in chat template cannot be used: " + prober.error().message);
  }
  TRY_ASSIGN(auto engine, TemplateEngine::compile(source.text));
  return std::make_shared<const TemplateRenderer>(std::move(source), std::move(engine), **prober);
}

}  // namespace hearth::chat
