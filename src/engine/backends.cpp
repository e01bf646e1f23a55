// See backends.h.
#include "engine/backends.h"

#include <cstdlib>
#include <format>
#include <mutex>
#include <vector>

#include <llama.h>

#include "engine/llama_log.h"

#ifndef HEARTH_GGML_BACKEND_DIR
#define HEARTH_GGML_BACKEND_DIR ""
#endif

namespace hearth::engine {
namespace {

std::vector<ggml_backend_dev_t> gpu_devices() {
  std::vector<ggml_backend_dev_t> found;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    const ggml_backend_dev_t device = ggml_backend_dev_get(i);
    const auto type = ggml_backend_dev_type(device);
    if (type == GGML_BACKEND_DEVICE_TYPE_GPU || type == GGML_BACKEND_DEVICE_TYPE_IGPU) found.push_back(device);
  }
  return found;
}

}  // namespace

Result<void> load_backends() {
  static std::once_flag once;
  std::call_once(once, [] {
    capture_llama_log();
    const char* named = std::getenv("HEARTH_BACKEND_DIR");
    const std::string folder = named != nullptr && *named != '\0' ? named : HEARTH_GGML_BACKEND_DIR;
    if (!folder.empty()) ggml_backend_load_all_from_path(folder.c_str());
    if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) == nullptr) ggml_backend_load_all();
    llama_backend_init();
  });
  if (ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) == nullptr)
    return fail(ErrorKind::Unavailable,
                "no ggml back end was found, not even one for the CPU; name the folder with libggml-cpu*.so in "
                "HEARTH_BACKEND_DIR");
  return {};
}

bool has_gpu() { return !gpu_devices().empty(); }

std::string backend_name(std::int32_t gpu_layers) {
  std::string name;
  if (gpu_layers != 0) {
    for (const ggml_backend_dev_t device : gpu_devices()) {
      if (!name.empty()) name += " + ";
      name += std::format("{} ({})", ggml_backend_dev_name(device), ggml_backend_dev_description(device));
    }
  }
  if (!name.empty()) return name;
  const std::string variant = cpu_variant();
  return variant.empty() ? "CPU" : std::format("CPU ({})", variant);
}

KvTypes resolve_kv_types(const EngineOptions& options, bool on_gpu) {
  // Chosen by measurement. CPU (0.6B, two AVX-512 cores): at a depth of 2,048 tokens prefill ran at 91 t/s with f16 and at
  // 29 t/s with q8_0, so half the memory would cost two thirds of the speed. GPUs: f16, which every back end's flash
  // attention has its fastest kernels for; none could be measured when this was written.
  constexpr KvTypes kOnCpu = {KvType::F16, KvType::F16};
  constexpr KvTypes kOnGpu = {KvType::F16, KvType::F16};
  const KvTypes chosen = on_gpu ? kOnGpu : kOnCpu;
  return {options.kv_type_k == KvType::Auto ? chosen.k : options.kv_type_k,
          options.kv_type_v == KvType::Auto ? chosen.v : options.kv_type_v};
}

}  // namespace hearth::engine
