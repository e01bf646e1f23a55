// Signatures of thinking blocks: clients drop or rewrite a thought that carries none, so each gets one. Nothing is signed:
// the string is opaque, and never repeats. Thread-safe.
#pragma once

#include <string>

namespace hearth::chat {

[[nodiscard]] std::string make_signature();

}  // namespace hearth::chat
