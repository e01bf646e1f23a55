// See llama_settings.h.
#include "engine/llama_settings.h"

#include <algorithm>

#include "engine/backends.h"
#include "engine/threads.h"

namespace hearth::engine {

ggml_type ggml_type_of(KvType type) {
  switch (type) {
    case KvType::F32: return GGML_TYPE_F32;
    case KvType::F16: return GGML_TYPE_F16;
    case KvType::BF16: return GGML_TYPE_BF16;
    case KvType::Q8_0: return GGML_TYPE_Q8_0;
    case KvType::Q5_1: return GGML_TYPE_Q5_1;
    case KvType::Q5_0: return GGML_TYPE_Q5_0;
    case KvType::Q4_1: return GGML_TYPE_Q4_1;
    case KvType::Q4_0: return GGML_TYPE_Q4_0;
    case KvType::Auto: break;
  }
  return GGML_TYPE_F16;
}

std::uint32_t outputs_max_of(const EngineOptions& options) {
  if (options.exact) return 4;  // of one sequence, whose rows come one by one
  // The library wants room for one of each sequence, however small a batch is.
  return std::max(64U, 16 * options.parallel_jobs);
}

llama_model_params model_settings(const EngineOptions& options) {
  llama_model_params settings = llama_model_default_params();
  settings.n_gpu_layers = options.gpu_layers;
  if (options.mmap)
    settings.load_mode = options.mlock ? LLAMA_LOAD_MODE_MMAP_MLOCK : LLAMA_LOAD_MODE_AUTO;
  else
    settings.load_mode = options.mlock ? LLAMA_LOAD_MODE_MLOCK : LLAMA_LOAD_MODE_NONE;
  return settings;
}

llama_context_params context_settings(const EngineOptions& options, const ContextPlan& plan) {
  llama_context_params settings = llama_context_default_params();
  const bool on_gpu = options.gpu_layers != 0 && has_gpu();
  const KvTypes types = resolve_kv_types(options, on_gpu);
  settings.n_ctx = plan.context_tokens;
  settings.n_batch = options.batch_tokens;
  settings.n_ubatch = std::min(options.ubatch_tokens, options.batch_tokens);
  settings.n_seq_max = plan.sequences_max + 1;  // LlamaEngine's scratch
  settings.n_outputs_max = plan.outputs_max;
  settings.n_threads = options.threads > 0 ? options.threads : default_threads();
  settings.n_threads_batch = options.threads_batch > 0 ? options.threads_batch : settings.n_threads;
  settings.type_k = ggml_type_of(types.k);
  settings.type_v = ggml_type_of(types.v);
  // On a GPU whose back end lacks it, ENABLED would silently compute attention on the CPU; AUTO notices and goes without.
  settings.flash_attn_type = options.flash_attention == FlashAttention::Off             ? LLAMA_FLASH_ATTN_TYPE_DISABLED
                             : options.flash_attention == FlashAttention::On && !on_gpu ? LLAMA_FLASH_ATTN_TYPE_ENABLED
                                                                                        : LLAMA_FLASH_ATTN_TYPE_AUTO;
  settings.kv_unified = true;  // one pool of cells for all sequences: a shared prefix is stored once
  settings.swa_full = false;   // usable_prefix() knows what a window forgot
  settings.no_perf = true;
  return settings;
}

}  // namespace hearth::engine
