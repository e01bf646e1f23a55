// Characters, so and so many of them, among which a text does not occur. Part of the compiler (program.cpp).
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "grammar/program.h"
#include "grammar/syntax.h"

namespace hearth::grammar {

using CharacterRanges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

// The node that begins it; `next` follows. `add_class` compiles a class of characters with the node that follows it.
[[nodiscard]] std::uint32_t compile_without(
    const Expression& without, Program& program, std::uint32_t next,
    const std::function<std::uint32_t(const CharacterRanges&, std::uint32_t)>& add_class);

}  // namespace hearth::grammar
