// Whole small files: read with a bound, write so that a crash leaves the old or the new one, never a part.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth {

// NotFound when there is no such file, TooLarge over bytes_max, Io otherwise.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t bytes_max);
// Owner-only (0600), fsync and rename, and the folder's fsync: it outlives a loss of power. The folder must exist.
[[nodiscard]] Result<void> write_file_atomically(const std::string& path, std::string_view bytes);
// What was made, renamed or removed in the folder outlives a loss of power.
[[nodiscard]] Result<void> sync_folder(const std::string& path);

}  // namespace hearth
