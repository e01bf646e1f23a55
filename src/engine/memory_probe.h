// The pre-flight: how big a context the model gets, decided from exact sizes before a single weight is read.
#pragma once

#include "base/result.h"
#include "engine/gguf_probe.h"
#include "engine/llama_settings.h"
#include "engine/options.h"

namespace hearth::engine {

// NoMemory, with every number, when it does not fit.
[[nodiscard]] Result<ContextPlan> plan_context(const EngineOptions& options, const GgufHeader& header);

// What is free now in each pool of the line. Weights and contexts are left 0.
[[nodiscard]] Measure free_now(const SizeLine& line);

}  // namespace hearth::engine
