// See renderer.h.
#include "chat/renderer.h"

#include <algorithm>
#include <format>
#include <optional>
#include <utility>

#include "base/log.h"
#include "chat/builtin_template.h"
#include "chat/special_guard.h"
#include "chat/template_engine.h"
#include "chat/template_messages.h"
#include "chat/template_shape.h"

namespace hearth::chat {
namespace {

constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";

// Cuts rendered text into segments: plain where the conversation spelled a special text, and at every boundary.
class SegmentWriter {
 public:
  explicit SegmentWriter(const TemplateShape& shape, const SpecialTexts& specials)
      : shape_(shape), specials_(specials) {}

  void write(const std::vector<SpecialGuard::Part>& parts, std::size_t suffix_begin) {
    std::size_t at = 0;  // of the text without marks
    for (const SpecialGuard::Part& part : parts) {
      if (part.from_mark) {
        for (const std::string_view piece : specials_.cut(part.text)) segments_.push_back({std::string(piece), false});
        open_ = false;
      } else {
        write_template_text(part.text, at, suffix_begin);
      }
      at += part.text.size();
    }
  }

  Prompt take() && {
    Prompt prompt;
    prompt.segments = std::move(segments_);
    prompt.boundary_segments = std::move(boundaries_);
    return prompt;
  }

 private:
  // `at`: where `text` begins in the whole; the generation suffix begins at `suffix_begin`.
  void write_template_text(std::string_view text, std::size_t at, std::size_t suffix_begin) {
    std::size_t begin = 0;
    while (begin < text.size()) {
      std::size_t cut = next_cut(text, begin, at, suffix_begin);
      if (cut == begin) {
        mark_boundary();
        cut = next_cut(text, begin + 1, at, suffix_begin);
      }
      append(text.substr(begin, cut - begin));
      begin = cut;
    }
  }
  std::size_t next_cut(std::string_view text, std::size_t from, std::size_t at, std::size_t suffix_begin) const {
    std::size_t cut = text.size();
    for (const std::string& opening : shape_.turn_openings) cut = std::min(cut, text.find(opening, from));
    if (suffix_begin >= at + from) cut = std::min(cut, suffix_begin - at);
    return cut;
  }

  void append(std::string_view text) {
    if (!open_) segments_.push_back({.text = "", .parse_special = true});
    open_ = true;
    segments_.back().text += text;
  }
  void mark_boundary() {
    open_ = false;
    if (segments_.empty()) return;
    const std::size_t last = segments_.size() - 1;
    if (boundaries_.empty() || boundaries_.back() != last) boundaries_.push_back(last);
  }

  const TemplateShape& shape_;
  const SpecialTexts& specials_;
  std::vector<PromptSegment> segments_;
  std::vector<std::size_t> boundaries_;
  bool open_ = false;  // the last segment takes more text
};

class TemplateRenderer final : public Renderer {
 public:
  TemplateRenderer(TemplateSource source, std::unique_ptr<const TemplateEngine> engine)
      : specials_(source.special_texts),
        engine_(std::move(engine)),
        base_variables_(Json::object({{"bos_token", source.bos_text}, {"eos_token", source.eos_text}})),
        shape_(probe_template(*engine_, base_variables_, specials_)),
        supports_thinking_(source.text.contains("enable_thinking") || source.text.contains(kThinkOpen)) {}

  [[nodiscard]] Result<Prompt> render(const Conversation& conversation) const override {
    const SpecialGuard guard(specials_);
    Result<Prompt> as_is = render(conversation, guard, Folding::AsIs);
    if (as_is || as_is.error().kind != ErrorKind::InvalidInput) return as_is;
    // Strict templates refuse two user messages in a row, or a user right after a tool result.
    Result<Prompt> folded = render(conversation, guard, Folding::Folded);
    if (folded) return folded;
    return fail(ErrorKind::InvalidInput,
                "the model's chat template refuses this conversation: " + as_is.error().message);
  }

  [[nodiscard]] bool supports_thinking() const override { return supports_thinking_; }

 private:
  [[nodiscard]] Result<Prompt> render(const Conversation& conversation, const SpecialGuard& guard,
                                      Folding folding) const {
    TemplateInput input = build_template_input(conversation, shape_, guard, folding);
    const bool forced = !input.is_prefill && forces_call(conversation);
    const Thinking thinking = forced ? Thinking::Disabled : conversation.thinking;
    Json variables = base_variables_;
    set_thinking_variables(variables, thinking);
    if (!conversation.effort.empty()) variables.set("reasoning_effort", conversation.effort);
    if (!input.tools.as_array().empty()) variables.set("tools", std::move(input.tools));
    variables.set("messages", std::move(input.messages));
    variables.set("add_generation_prompt", !input.is_prefill);
    TRY_ASSIGN(const std::string rendered, engine_->render(variables));
    if (input.is_prefill && !rendered.contains(guard.end_mark())) {
      return fail(ErrorKind::InvalidInput, "it does not write the last assistant message");
    }
    Prompt prompt = to_prompt(rendered, guard, thinking, std::move(input));
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

  [[nodiscard]] Prompt to_prompt(const std::string& rendered, const SpecialGuard& guard, Thinking thinking,
                                 TemplateInput input) const {
    const std::vector<SpecialGuard::Part> parts = guard.split(rendered);
    std::size_t size = 0;
    for (const SpecialGuard::Part& part : parts) size += part.text.size();
    const std::string& suffix = shape_.generation_suffixes[static_cast<std::size_t>(thinking)];
    const bool has_suffix = !input.is_prefill && !suffix.empty() && rendered.ends_with(suffix);
    SegmentWriter writer(shape_, specials_);
    writer.write(parts, has_suffix ? size - suffix.size() : size);
    Prompt prompt = std::move(writer).take();
    prompt.thinking_opened = !input.is_prefill && opens_thought(prompt);
    if (has_suffix) prompt.generation_suffix = suffix;
    prompt.prefill = std::move(input.prefill);
    return prompt;
  }

  // A thought that the template's own text opened after the last boundary.
  static bool opens_thought(const Prompt& prompt) {
    const std::size_t first = prompt.boundary_segments.empty() ? 0 : prompt.boundary_segments.back() + 1;
    bool opened = false;
    for (std::size_t i = first; i < prompt.segments.size(); ++i) {
      const PromptSegment& segment = prompt.segments[i];
      if (!segment.parse_special) continue;
      const std::size_t open = segment.text.rfind(kThinkOpen);
      const std::size_t close = segment.text.rfind(kThinkClose);
      if (open == std::string::npos && close == std::string::npos) continue;
      opened = close == std::string::npos || (open != std::string::npos && open > close);
    }
    return opened;
  }

  const SpecialTexts specials_;
  const std::unique_ptr<const TemplateEngine> engine_;
  const Json base_variables_;
  const TemplateShape shape_;
  const bool supports_thinking_;
};

}  // namespace

std::string Prompt::text() const {
  std::string all;
  for (const PromptSegment& segment : segments) all += segment.text;
  return all;
}

Result<std::shared_ptr<const Renderer>> Renderer::create(TemplateSource source) {
  Result<std::unique_ptr<const TemplateEngine>> engine = fail(ErrorKind::NotFound, "");
  if (!source.text.empty()) {
    engine = TemplateEngine::compile(source.text);
    if (!engine) {
      log_warning("chat", "the model's chat template cannot be used ({}); a plain ChatML template serves instead",
                  engine.error().message);
    }
  }
  if (!engine) {
    source.text = kBuiltinTemplate;
    engine = TemplateEngine::compile(source.text);
    if (!engine)
      return fail(ErrorKind::Internal, "the built-in chat template cannot be compiled: " + engine.error().message);
  }
  return std::make_shared<const TemplateRenderer>(std::move(source), std::move(*engine));
}

}  // namespace hearth::chat
