// A folder of the file system as a Disk. Everything goes through the folder's descriptor (openat), follows no link, makes files
// that only their owner can read, and uses only such.
#pragma once

#include <memory>
#include <string>

#include "store/disk.h"

namespace hearth::store {

// Makes the folder and those above it where they are missing, readable by their owner only. Forbidden when it belongs to
// somebody else, others may write to it, or it is a link.
[[nodiscard]] Result<std::unique_ptr<Disk>> open_disk(const std::string& folder);

}  // namespace hearth::store
