// Standard input as one text, for the commands that are fed through a pipe. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::cli {

// As much as a request's body may have.
inline constexpr std::size_t kStandardInputBytesMax = std::size_t{64} << 20;

// All that comes until its end. TooLarge over the limit, Io when it cannot be read.
[[nodiscard]] Result<std::string> read_standard_input(std::size_t bytes_max = kStandardInputBytesMax);

// All of `bytes` to standard output, as they are. Io when it cannot be written (a full disk, a closed pipe).
[[nodiscard]] Result<void> write_standard_output(std::string_view bytes);

}  // namespace hearth::cli
