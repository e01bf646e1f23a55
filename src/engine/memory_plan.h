// The memory plan's decisions, as pure functions of measured sizes: how many sequences, how long a context, and the
// sentence for a user whose machine is too small. Measuring is memory_probe.h's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::engine {

inline constexpr std::string_view kRamPool = "RAM";
inline constexpr std::uint32_t kContextStep = 256;        // the library rounds a context up to this
inline constexpr std::uint32_t kContextTokensMin = 4096;  // less than this no coding agent can work with

// What one place of memory (the machine's RAM, one GPU) has to hold at one context size.
struct PoolUse {
  std::string name;  // "RAM", "CUDA0"
  std::uint64_t weights_bytes = 0;
  std::uint64_t context_bytes = 0;  // KV cells and recurrent or window state
  std::uint64_t compute_bytes = 0;
  std::uint64_t free_bytes = 0;

  [[nodiscard]] std::uint64_t need_bytes() const { return weights_bytes + context_bytes + compute_bytes; }
};
using Measure = std::vector<PoolUse>;  // the same pools in the same order in every measure of a model

// What stays free beside the engine: the front, the operating system's own needs, and the page cache's last pages.
[[nodiscard]] std::uint64_t reserve_bytes(const PoolUse& pool);
[[nodiscard]] bool fits(const Measure& measure);

// The measure of another context size, on the line through two measures.
[[nodiscard]] Measure extrapolate(const Measure& small, std::uint32_t small_tokens, const Measure& large,
                                  std::uint32_t large_tokens, std::uint32_t tokens);

// The largest context, a multiple of kContextStep in [kContextTokensMin, tokens_max], whose line through two measures
// stays within every pool; 0 when even the smallest does not. REQUIRES: small_tokens < large_tokens.
[[nodiscard]] std::uint32_t largest_context(const Measure& small, std::uint32_t small_tokens, const Measure& large,
                                            std::uint32_t large_tokens, std::uint32_t tokens_max);

// Two measures, and with them those of all other lengths.
struct SizeLine {
  Measure small, large;
  std::uint32_t small_tokens = 0, large_tokens = 0;  // both 0: nothing was measured
};

// A context that grows begins with as many tokens as a quarter of the RAM beside the weights holds, at least with
// kStartTokens: what is not a pool of cells can hold prefixes of conversations that rest. Other pools are filled at once,
// for nothing else would use them. At most `tokens_max`.
inline constexpr std::uint32_t kStartTokens = 32768;
[[nodiscard]] std::uint32_t start_context(const SizeLine& line, std::uint32_t tokens_max);

// What a context of so many tokens takes of RAM; 0 when nothing was measured.
[[nodiscard]] std::uint64_t held_bytes(const SizeLine& line, std::uint32_t tokens);

// Growing from `held_tokens` to `tokens` while the model is loaded. `now`: what is free in each pool of the line, and the
// weights that are in memory but do not show there (mapped files). `outside_bytes` of RAM hold states that left the pool.
// Nothing when it does not fit even without those; else how many bytes of them may stay, and come, before it is done.
[[nodiscard]] std::optional<std::uint64_t> room_to_grow(const SizeLine& line, const Measure& now,
                                                        std::uint32_t held_tokens, std::uint32_t tokens,
                                                        std::uint64_t outside_bytes);

// How many sequences the engine gets: one per running job, one spare, and the rest for idle prefixes that the next request
// may continue. They cost nothing on plain attention (they share the cells) and a whole state each on other memories,
// where idle ones may take an eighth of what is free. `bytes_per_sequence` 0 = they cost nothing.
[[nodiscard]] std::uint32_t choose_sequences(std::uint32_t parallel_jobs, std::uint64_t bytes_per_sequence,
                                             std::uint64_t free_bytes);

// Names every number and the next step. `context_fits`: the largest that would, 0 when none does. `state_bytes`: the part
// of context_bytes that does not grow with the context. `automatic`: the user left the size to us.
struct Shortage {
  std::string model;
  std::uint32_t context_tokens = 0;
  std::uint32_t context_fits = 0;
  std::uint64_t state_bytes = 0;
  bool kv_is_quantized = false;
  bool automatic = false;
};
[[nodiscard]] Error no_memory(const Measure& measure, const Shortage& shortage);

[[nodiscard]] std::string format_bytes(std::uint64_t bytes);  // "17.3 GiB", "512 MiB"

}  // namespace hearth::engine
