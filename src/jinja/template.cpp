// Template: compile and render, and the one place where a Refusal becomes an Error.
#include "jinja/template.h"

#include <exception>
#include <format>
#include <unordered_map>

#include "base/utf8.h"
#include "jinja/budget.h"
#include "jinja/evaluator.h"
#include "jinja/input.h"
#include "jinja/refusal.h"
#include "jinja/syntax.h"

namespace hearth::jinja {
namespace {

constexpr std::string_view kPlaceEnd = " of the template)";

std::unexpected<Error> refused(const Refusal& refusal) {
  if (refusal.kind == RefusalKind::Raised) return fail(ErrorKind::InvalidInput, replace_invalid_utf8(refusal.message));
  const std::string place = refusal.line == 0 ? "at the start" : std::format("line {}", refusal.line);
  return fail(ErrorKind::InvalidInput,
              replace_invalid_utf8(std::format("{} ({}{}", refusal.message, place, kPlaceEnd)));
}

class CompiledTemplate final : public Template {
 public:
  CompiledTemplate(Syntax syntax, RenderLimits limits) : limits_(limits), syntax_(std::move(syntax)) {
    for (NameId i = 0; i < syntax_.names.size(); ++i) ids_.emplace(syntax_.names[i], i);
  }

  [[nodiscard]] bool mentions(std::string_view name) const override { return ids_.contains(name); }

  [[nodiscard]] Result<Rendered> render(const std::vector<Variable>& variables) const override {
    try {
      Budget budget(limits_.steps_max);  // outlives every value below
      Evaluator evaluator(syntax_, budget);
      for (const Variable& variable : variables)
        if (const auto id = ids_.find(variable.name); id != ids_.end())
          evaluator.set_variable(id->second, to_value(variable, budget));
      Text out = evaluator.run();
      Rendered rendered;
      rendered.runs = out.runs();
      rendered.text = std::move(out).take_bytes();
      return rendered;
    } catch (const Refusal& refusal) {
      return refused(refusal);
    } catch (const std::bad_alloc&) {
      return fail(ErrorKind::NoMemory, "there is not enough memory to render the prompt");
    } catch (const std::exception& error) {
      return fail(ErrorKind::InvalidInput, error.what());
    }
  }

 private:
  RenderLimits limits_;
  Syntax syntax_;
  std::unordered_map<std::string_view, NameId> ids_;  // views into syntax_.names
};

}  // namespace

bool is_raised(const Error& error) {
  return error.kind == ErrorKind::InvalidInput && !error.message.ends_with(kPlaceEnd);
}

Result<std::shared_ptr<const Template>> Template::compile(std::string_view source, RenderLimits limits) {
  if (source.size() > kTemplateBytesMax)
    return fail(ErrorKind::InvalidInput,
                std::format("the template has {} bytes; the limit is {}", source.size(), kTemplateBytesMax));
  if (!is_valid_utf8(source)) return fail(ErrorKind::InvalidInput, "the template is not valid UTF-8");
  try {
    return std::make_shared<const CompiledTemplate>(parse(source), limits);
  } catch (const Refusal& refusal) {
    return refused(refusal);
  } catch (const std::exception& error) {
    return fail(ErrorKind::InvalidInput, error.what());
  }
}

}  // namespace hearth::jinja
