// hearth cache verify: the cache on the disk, read and compared with its digests.
#pragma once

#include <string>

#include "base/result.h"

namespace hearth::cli {

// Prints a report. An Error when a record, a file or a folder of the cache is damaged, or there is no cache.
[[nodiscard]] Result<void> verify_cache(const std::string& cache_folder, bool json);

}  // namespace hearth::cli
