// Numbers between bounds, as grammar bodies over their decimal digits. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace hearth::chat {

// Integers that JavaScript and Python read alike; bounds beyond are cut to these.
inline constexpr std::int64_t kGrammarIntegerMax = (std::int64_t{1} << 53) - 1;

struct NumberBounds {
  std::optional<double> least, most;  // NaN and infinities count as absent
  bool least_excluded = false, most_excluded = false;
};

// Nothing when no integer lies between the bounds.
[[nodiscard]] std::optional<std::string> integer_grammar(const NumberBounds& bounds);
// Decimal fractions between the bounds. Never a number outside; near a bound that is no integer some inside are left out.
// Nothing when none can be written so.
[[nodiscard]] std::optional<std::string> number_grammar(const NumberBounds& bounds);

}  // namespace hearth::chat
