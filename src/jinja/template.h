// Template: a chat template, compiled once, rendered by any thread. Output is what Jinja2 gives when set up as transformers
// does it, and every byte of it knows whether the template wrote it or which part of the input it came from. A template is
// foreign code: it reads no file, knows no network, and is bounded in depth, steps and bytes (budget.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "jinja/text.h"

namespace hearth::jinja {

// The largest real template is 40 KB.
inline constexpr std::size_t kTemplateBytesMax = std::size_t{512} << 10;

// One variable of a render, and what its strings (keys of objects too) count as. Numbers count as the template's.
struct Variable {
  enum class Origin {
    Template,    // trusted text, such as bos_token: source 0
    Whole,       // every string has `source`
    PerElement,  // strings in element i of an array have `source` + i; what is no array is as Whole
    PerString,  // strings are numbered in document order (a member's key before its value): `source`, `source` + 1, ...
  };
  std::string name;
  const Json* value = nullptr;  // never null; must live during render()
  Origin origin = Origin::Template;
  Source source = kTemplateSource;
  // Members of the elements (or of the value itself, when it is an object) that count as the template's all the same:
  // words that the server chose, such as "role".
  std::vector<std::string_view> trusted_members = {};
};

struct Rendered {
  std::string text;
  std::vector<Run> runs;  // ascending; the last one ends at text.size()
};

// What one render may cost; the other limits are constants (budget.h).
struct RenderLimits {
  // Rendering 4 MB, which fills a context of a million tokens, takes about 1.5 million steps; this many take a second or two.
  std::uint64_t steps_max = 10'000'000;
};

// Whether render() failed by the template's own word (raise_exception) and not by a mistake in it or at a limit.
[[nodiscard]] bool is_raised(const Error& error);

class Template {
 public:
  // InvalidInput: the text is no template (the message names the line), or it is over a limit.
  [[nodiscard]] static Result<std::shared_ptr<const Template>> compile(std::string_view source,
                                                                       RenderLimits limits = {});
  virtual ~Template() = default;

  // InvalidInput: the template's own words when it called raise_exception; otherwise what went wrong and in which line.
  [[nodiscard]] virtual Result<Rendered> render(const std::vector<Variable>& variables) const = 0;

  // Whether the template speaks of a variable of this name.
  [[nodiscard]] virtual bool mentions(std::string_view name) const = 0;
};

}  // namespace hearth::jinja
