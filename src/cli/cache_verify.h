// hearth cache verify: the cache on the disk, read and compared with its digests.
#pragma once

#include <string>

#include "base/result.h"

namespace hearth::cli {

// Prints a report. An Error when a record is damaged, or nothing can be read.
[[nodiscard]] Result<void> verify_cache(const std::string& cache_folder, bool json);

}  // namespace hearth::cli
