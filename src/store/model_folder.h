// The folders under one cache folder, one for each model's content. Their sizes together stay within one budget: a model that nobody
// loads any more leaves first.
#pragma once

#include <cstdint>
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

// `model` names the content: hexadecimal digits.
[[nodiscard]] Result<ModelFolder> open_model_folder(const std::string& cache_folder, const std::string& model);

// Removes other models' folders, the one used longest ago first and none that a process has open, until they and this one can
// be within `budget_bytes`. Returns what is left for this one, at least a quarter of it.
[[nodiscard]] std::uint64_t make_room_beside(const ModelFolder& folder, std::uint64_t budget_bytes);

}  // namespace hearth::store
