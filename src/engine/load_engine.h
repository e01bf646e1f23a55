// The one place that chooses between the real engine and the scripted one.
#pragma once

#include <functional>
#include <memory>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/options.h"

namespace hearth::engine {

// `progress` hears the loaded fraction of the weights, 0..1, on this thread. The engine belongs to this thread.
[[nodiscard]] Result<std::unique_ptr<Engine>> load_engine(const EngineOptions& options,
                                                          std::function<void(float)> progress);

}  // namespace hearth::engine
