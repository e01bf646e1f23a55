// The ggml back ends: which are loaded, what they are called, how much memory their devices have free.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "engine/options.h"

namespace hearth::engine {

// Loads every back end once per process: from $HEARTH_BACKEND_DIR, else from the folder the build was told of, else from
// where ggml itself looks. Unavailable when there is not even one for the CPU.
[[nodiscard]] Result<void> load_backends();

[[nodiscard]] bool has_gpu();
// For people: "CPU (zen4)", "CUDA0 (NVIDIA H200)"; several joined by " + ".
[[nodiscard]] std::string backend_name(std::int32_t gpu_layers);

// K and V types where the user chose none.
struct KvTypes {
  KvType k, v;
};
[[nodiscard]] KvTypes resolve_kv_types(const EngineOptions& options, bool on_gpu);

}  // namespace hearth::engine
