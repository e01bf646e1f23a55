// Refusal: how the inside of this room gives up on a template: it is thrown where the trouble is found and caught in
// Template::compile and Template::render, which turn it into an Error. It never leaves the room.
#pragma once

#include <string>
#include <utility>

namespace hearth::jinja {

enum class RefusalKind {
  Raised,  // the template's own raise_exception
  Syntax,  // the text is no template
  Type,    // an operation that its operands do not allow, an undefined value used as if it were one, an unknown name
  Limit,   // depth, steps, bytes, range
};

struct Refusal {
  RefusalKind kind = RefusalKind::Type;
  std::string message;
  int line = 0;  // 0: not known (yet)
};

[[noreturn]] inline void refuse(std::string message) { throw Refusal{RefusalKind::Type, std::move(message), 0}; }
[[noreturn]] inline void refuse_limit(std::string message) { throw Refusal{RefusalKind::Limit, std::move(message), 0}; }

}  // namespace hearth::jinja
