// From our options to the library's parameter structs: the one place that fills them, so that the memory plan and the real
// load cannot differ.
#pragma once

#include <cstdint>
#include <string_view>

#include <llama.h>

#include "engine/memory_plan.h"
#include "engine/options.h"

namespace hearth::engine {

// What the memory plan decided (memory_probe.h).
struct ContextPlan {
  std::uint32_t context_tokens = 0;        // to begin with
  std::uint32_t context_limit_tokens = 0;  // what it may grow to
  std::uint32_t sequences_max = 0;
  std::uint32_t contexts = 1;       // of these sizes each: one for each running job of an exact engine
  std::uint32_t outputs_max = 0;    // rows with logits of one decode
  std::uint64_t context_bytes = 0;  // cells, states and compute buffers of all contexts; 0 = not measured
  SizeLine sizes;                   // what contexts of other lengths would take
};

[[nodiscard]] llama_model_params model_settings(const EngineOptions& options);
[[nodiscard]] llama_context_params context_settings(const EngineOptions& options, const ContextPlan& plan);
[[nodiscard]] ggml_type ggml_type_of(KvType type);

// Rows with logits per decode: each needs a float per vocabulary entry in the compute buffer (0.6 MB for 150,000 tokens),
// so not all 512 rows of a ubatch get one. 16 per running job leaves room for drafts.
[[nodiscard]] std::uint32_t outputs_max_of(const EngineOptions& options);

}  // namespace hearth::engine
