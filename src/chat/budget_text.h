// Text blocks by which clients tell a model how many tokens or how much money are left. They say something else in every
// request, also about turns long past, and what stands behind them is computed again each time. Pure.
#pragma once

#include <string_view>

namespace hearth::chat {

// Whether `text` says nothing but such a count: "<system-reminder>\nToken usage: 1/2; 1 remaining\n</system-reminder>".
[[nodiscard]] bool is_budget_text(std::string_view text);

}  // namespace hearth::chat
