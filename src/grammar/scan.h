// Scans: text up to a pattern, as an automaton that looks for all patterns at once. Part of the compiler (program.cpp).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "grammar/program.h"
#include "grammar/syntax.h"

namespace hearth::grammar {

inline constexpr std::uint32_t kControlBase = 256;  // symbols: 0..255 bytes, then control tokens

// Bytes, and where a control token's text stands (the longest there is) that token.
[[nodiscard]] std::vector<std::uint32_t> symbols_of(std::string_view text, std::span<const ControlToken> controls);

// The node that begins the scan; a pattern that ends it leads to `end`.
[[nodiscard]] std::uint32_t compile_scan(const Expression& scan, std::span<const ControlToken> controls,
                                         Program& program, std::uint32_t end,
                                         const std::function<std::uint32_t(Node)>& add_node);

}  // namespace hearth::grammar
