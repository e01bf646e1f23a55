// PromptMarks: three marks that a conversation is rendered with and that no one can guess: where the prompt ends, and where
// <think> and </think> of the template's own shall stand. Resolving them gives the prompt as if the template had written
// it so. One per render; a plain value.
#pragma once

#include <cstdint>
#include <string>

#include "jinja/template.h"

namespace hearth::chat {

class PromptMarks {
 public:
  PromptMarks();

  // Stands for nothing: where it comes out, the rendered text is cut off.
  [[nodiscard]] std::string end() const { return mark(Kind::End); }
  // Come out as <think> and </think> of the template's own: for thoughts that we write in its stead.
  [[nodiscard]] std::string think_open() const { return mark(Kind::ThinkOpen); }
  [[nodiscard]] std::string think_close() const { return mark(Kind::ThinkClose); }

  // The rendered text without marks, each byte with its source.
  [[nodiscard]] jinja::Rendered resolved(jinja::Rendered rendered) const;
  // Whether the end mark came out.
  [[nodiscard]] bool ends(const std::string& text) const { return text.contains(end()); }

 private:
  enum class Kind : std::uint8_t { End, ThinkOpen, ThinkClose };
  [[nodiscard]] std::string mark(Kind kind) const;

  std::string nonce_;
};

}  // namespace hearth::chat
