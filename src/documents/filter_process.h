// One child process as a filter: bytes in, bytes out, over. It gets nothing else: no environment, no other descriptors, a
// process group of its own. Any thread; leaves no process and no zombie.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::documents {

// Killed: by a signal of its own or the kernel's.
enum class FilterEnd { Exited, Killed, TooLong, TooMuch };
struct FilterOutcome {
  FilterEnd end = FilterEnd::Exited;
  int exit_code = 0;
  std::string output;
};

// Unavailable when it cannot be started.
[[nodiscard]] Result<FilterOutcome> run_filter(const std::string& program, std::string_view input,
                                               std::size_t output_bytes_max,
                                               std::chrono::steady_clock::time_point deadline);

}  // namespace hearth::documents
