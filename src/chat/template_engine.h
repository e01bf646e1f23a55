// TemplateEngine: a compiled chat template, a pure function of its variables. The seam behind which the Jinja
// implementation can be replaced. Immutable after compile(); render() may be called by any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "jinja/template.h"

namespace hearth::chat {

class TemplateEngine {
 public:
  // InvalidInput when the text is no template this engine understands.
  [[nodiscard]] static Result<std::unique_ptr<const TemplateEngine>> compile(const std::string& text,
                                                                             jinja::RenderLimits limits = {});
  virtual ~TemplateEngine() = default;
  // The functions raise_exception and strftime_now are always there.
  // InvalidInput carries the template's own words (raise_exception), or what the engine could not evaluate.
  [[nodiscard]] virtual Result<jinja::Rendered> render(const std::vector<jinja::Variable>& variables) const = 0;
  // The text alone. `variables` is an object; all of it counts as the template's own.
  [[nodiscard]] Result<std::string> render_text(const Json& variables) const;
};

}  // namespace hearth::chat
