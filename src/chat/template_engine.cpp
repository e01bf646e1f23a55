// TemplateEngine on our own chat-template engine (src/jinja).
#include "chat/template_engine.h"

#include <utility>

namespace hearth::chat {
namespace {

class JinjaTemplate final : public TemplateEngine {
 public:
  explicit JinjaTemplate(std::shared_ptr<const jinja::Template> compiled) : compiled_(std::move(compiled)) {}

  [[nodiscard]] Result<jinja::Rendered> render(const std::vector<jinja::Variable>& variables) const override {
    return compiled_->render(variables);
  }

 private:
  const std::shared_ptr<const jinja::Template> compiled_;
};

}  // namespace

Result<std::string> TemplateEngine::render_text(const Json& variables) const {
  std::vector<jinja::Variable> inputs;
  for (const auto& [name, value] : variables.as_object()) inputs.push_back({.name = name, .value = &value});
  TRY_ASSIGN(jinja::Rendered rendered, render(inputs));
  return std::move(rendered.text);
}

Result<std::unique_ptr<const TemplateEngine>> TemplateEngine::compile(const std::string& text,
                                                                      jinja::RenderLimits limits) {
  TRY_ASSIGN(auto compiled, jinja::Template::compile(text, limits));
  return std::unique_ptr<const TemplateEngine>(std::make_unique<JinjaTemplate>(std::move(compiled)));
}

}  // namespace hearth::chat
