// The few words of engine.h that both engines share.
#include "engine/engine.h"

namespace hearth::engine {

std::string_view memory_kind_name(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::Attention: return "attention";
    case MemoryKind::Recurrent: return "recurrent";
    case MemoryKind::Hybrid: return "hybrid";
    case MemoryKind::Window: return "window";
  }
  return "unknown";
}

std::string_view state_form_name(StateForm form) {
  switch (form) {
    case StateForm::None: return "none";
    case StateForm::Whole: return "whole sequences";
    case StateForm::Cells: return "cells";
  }
  return "unknown";
}

std::optional<std::uint64_t> Engine::room_beside(std::uint32_t, std::uint64_t) const { return std::nullopt; }

Result<void> Engine::rebuild(std::uint32_t) { return fail(ErrorKind::NoMemory, "this engine's context cannot grow"); }

}  // namespace hearth::engine
