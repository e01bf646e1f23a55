// The pre-flight: how big a context the model gets, decided from exact sizes before a single weight is read.
#pragma once

#include "base/result.h"
#include "engine/gguf_probe.h"
#include "engine/llama_settings.h"
#include "engine/options.h"

namespace hearth::engine {

// NoMemory, with every number, when it does not fit.
[[nodiscard]] Result<ContextPlan> plan_context(const EngineOptions& options, const GgufHeader& header);

}  // namespace hearth::engine
