// The folders under one cache folder, one for each model's content. Their sizes together stay within one budget: a model that nobody
// loads any more leaves; one that was used in the last days and is not loaded now shrinks; each of those that are loaded looks at
// the others now and then, and takes less when they hold more.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "store/store.h"

namespace hearth::store {

struct ModelFolder {
  std::string parent;  // of all models
  std::string name;    // this one's, within it
  std::unique_ptr<Disk> disk;
  std::uint64_t all_bytes = 0;  // of all models
};

// `model` names the content: hexadecimal digits. The folder counts as used now.
[[nodiscard]] Result<ModelFolder> open_model_folder(const std::string& cache_folder, const std::string& model);

// Makes a folder, which no process has open, hold about so many bytes.
using Shrink = std::function<void(const std::string& path, std::uint64_t bytes)>;

// Removes other models' folders that were not used for a week, the oldest first and none that a process has open, until the rest
// leaves half of `budget_bytes`. Where the others leave less than a quarter, one that nobody has open is shrunk, if
// there is a `shrink`: a part of it at each call, for it may be loaded the next moment. Returns what is left for this model: at
// least a quarter of the budget, or its share where more than four models are loaded. Waits for the disk.
[[nodiscard]] std::uint64_t make_room_beside(const std::string& parent, const std::string& name,
                                             std::uint64_t budget_bytes, const Shrink& shrink = {});

}  // namespace hearth::store
