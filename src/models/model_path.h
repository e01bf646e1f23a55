// What can be said about a model path before an engine is started for it: the front knows the user's words and looks
// around in the folder; the file's inside is the engine's to judge. Any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::models {

// A readable file that begins as GGUF does (or a "fake:" script of the tests). Otherwise NotFound, InvalidInput or Io with
// the next step: files with a similar name, the models in the folder, the first part of a split model, what the file is.
[[nodiscard]] Result<void> check_model_path(const std::string& path);

// How many letters must be changed, added or removed to make one name of the other, without regard to ASCII case.
[[nodiscard]] std::size_t name_distance(std::string_view a, std::string_view b);

}  // namespace hearth::models
