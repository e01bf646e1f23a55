#include "engine/memory_probe.h"
#include <algorithm>
namespace hearth::engine {
Result<ContextPlan> plan_context(const EngineOptions& options, const GgufHeader& header) {
  ContextPlan plan;
  plan.context_tokens = options.context_tokens != 0 ? options.context_tokens : static_cast<std::uint32_t>(header.number("context_length", 4096));
  plan.sequences_max = std::min(256U, 2 * options.parallel_jobs + 2);
  plan.outputs_max = outputs_max_of(options);
  return plan;
}
}
