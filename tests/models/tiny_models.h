// Tiny models for tests and benchmarks: real GGUF files of four architectures with random weights, made from a seed. They
// talk nonsense, but every code path of a real model is real: tokenizer, chat template, sampling metadata, KV memory of
// each kind. Deterministic: the same spec gives the same bytes on every machine. Any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct gguf_context;

namespace hearth::tiny_models {

enum class Kind {
  Attention,  // qwen3
  Hybrid,     // qwen35: every second layer keeps recurrent state
  Moe,        // qwen3moe
  Window,     // gemma3: every second layer sees the last `window_tokens` only
};
[[nodiscard]] std::string_view kind_name(Kind kind);
[[nodiscard]] std::optional<Kind> kind_of(std::string_view name);

enum class WeightType { F32, F16, Q8_0 };  // of the large matrices; small tensors are always F32

struct Spec {
  Kind kind = Kind::Attention;
  std::uint64_t seed = 1;
  std::uint32_t context_tokens = 131072;
  std::uint32_t width = 64;  // a multiple of 64
  std::uint32_t layers = 2;
  std::uint32_t window_tokens = 64;  // Kind::Window only
  WeightType weights = WeightType::F16;
  // How loud the end-of-turn token's logit is beside the others'. 1.5 ends a greedy answer after tens to hundreds of
  // tokens; 0 practically never ends one, as a benchmark wants it.
  float end_scale = 1.5F;
};

// Writes the model (to a temporary name beside `file`, then renames). InvalidInput for a spec that cannot be built.
[[nodiscard]] Result<void> write(const Spec& spec, const std::string& file);

// The path of the model in the cache folder ($HEARTH_TEST_MODELS, else hearth-tiny-models in the temporary folder), made
// when it is not there yet; several processes may ask at once.
[[nodiscard]] Result<std::string> path(const Spec& spec);
[[nodiscard]] Result<std::string> path(Kind kind);

// Internal to the library: everything of the file but the tensors (tiny_metadata.cpp).
struct Shape {  // derived from a Spec
  std::uint32_t heads, kv_heads, head_width, feed_forward, experts, expert_feed_forward;
  std::uint32_t state_width, state_key_heads, state_value_heads, convolution;
};
[[nodiscard]] Shape shape_of(const Spec& spec);
void set_metadata(gguf_context* gguf, const Spec& spec);

}  // namespace hearth::tiny_models
