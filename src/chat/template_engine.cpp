// TemplateEngine on our own chat-template engine (src/jinja). Every string goes in as trusted: what conversation text may
// not become is kept apart by marks (special_guard.h), whatever a template does with it.
#include "chat/template_engine.h"

#include <utility>
#include <vector>

#include "jinja/template.h"

namespace hearth::chat {
namespace {

class JinjaTemplate final : public TemplateEngine {
 public:
  explicit JinjaTemplate(std::shared_ptr<const jinja::Template> compiled) : compiled_(std::move(compiled)) {}

  [[nodiscard]] Result<std::string> render(const Json& variables) const override {
    std::vector<jinja::Variable> inputs;
    for (const auto& [name, value] : variables.as_object()) inputs.push_back({.name = name, .value = &value});
    TRY_ASSIGN(jinja::Rendered rendered, compiled_->render(inputs));
    return std::move(rendered.text);
  }

 private:
  const std::shared_ptr<const jinja::Template> compiled_;
};

}  // namespace

Result<std::unique_ptr<const TemplateEngine>> TemplateEngine::compile(const std::string& text) {
  TRY_ASSIGN(auto compiled, jinja::Template::compile(text));
  return std::unique_ptr<const TemplateEngine>(std::make_unique<JinjaTemplate>(std::move(compiled)));
}

}  // namespace hearth::chat
