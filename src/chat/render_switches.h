// RenderSwitches: what a server's owner may choose about prompts, beside the canonicalizer's rules. Plain values.
#pragma once

#include <cstdint>

#include "chat/canonical_rules.h"

namespace hearth::chat {

enum class CallIds : std::uint8_t { Ours, AsSent };
enum class OldThinking : std::uint8_t { Kept, AsTemplate };
// ToolsFirst: where the template writes the system text before the tools, it is put before the user's first words instead:
// system texts name the project's folder, and tools, which are larger, are then shared by all projects.
enum class HeadOrder : std::uint8_t { AsTemplate, ToolsFirst };

struct RenderSwitches {
  CallIds call_ids = CallIds::Ours;
  OldThinking old_thinking = OldThinking::Kept;
  HeadOrder head_order = HeadOrder::AsTemplate;
};

[[nodiscard]] inline RenderSwitches render_switches(const CanonicalRules& rules, HeadOrder head_order) {
  return {.call_ids = rules.on(CanonicalRule::CallIds) ? CallIds::Ours : CallIds::AsSent,
          .old_thinking = rules.on(CanonicalRule::OldThinking) ? OldThinking::Kept : OldThinking::AsTemplate,
          .head_order = head_order};
}

}  // namespace hearth::chat
