// Where the engine program is: $HEARTH_ENGINE, or hearth-engine beside the running hearth.
#pragma once

#include <string>

#include "base/result.h"

namespace hearth::cli {

[[nodiscard]] Result<std::string> find_engine_program();

}  // namespace hearth::cli
