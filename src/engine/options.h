// What the engine process is started with: every knob of the engine, under the name its flag has.
// Parsed from the engine program's command line (engine/options.cpp), written onto it by models/.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::engine {

enum class KvType { Auto, F32, F16, BF16, Q8_0, Q5_1, Q5_0, Q4_1, Q4_0 };
enum class FlashAttention { On, Off, Auto };

struct EngineOptions {
  std::string model_path;                // a GGUF file, or "fake:SCRIPT.json" for the scripted engine of the tests
  std::uint32_t context_tokens = 0;      // 0 = auto: grows to the largest that fits, at most what was trained
  std::uint32_t context_max_tokens = 0;  // how far it may grow; 0 = auto as above, and a given one not at all
  std::uint32_t parallel_jobs = 4;
  std::uint32_t batch_tokens = 2048;  // llama n_batch
  std::uint32_t ubatch_tokens = 512;  // llama n_ubatch
  std::int32_t threads = 0;           // decode; 0 = physical cores
  std::int32_t threads_batch = 0;     // prefill; 0 = as threads
  std::int32_t gpu_layers = -1;       // -1 = all
  KvType kv_type_k = KvType::Auto;    // Auto: per back end, by measurement (ARCHITECTURE.md)
  KvType kv_type_v = KvType::Auto;
  FlashAttention flash_attention = FlashAttention::On;
  // RAM for prefixes that are kept outside the context's own memory; nothing = as much as is sensible here.
  std::optional<std::uint64_t> cache_ram_bytes;
  // A folder for prefixes that outlive the process, empty = none; and how much of the disk they may take, nothing = as much
  // as is sensible here.
  std::string cache_folder;
  std::optional<std::uint64_t> cache_disk_bytes;
  bool mmap = true;
  bool mlock = false;
  bool check_memory = true;      // the pre-flight; off only by the user's explicit word
  bool exact = false;            // answers depend on their own tokens only (exact_engine.h)
  bool vocabulary_only = false;  // no weights, no context: for `hearth debug`
};

// The engine program's flags, named as llama-server's users know them (--model, --ctx N|auto, --ctx-max N, --parallel, --batch-size,
// --ubatch-size, --threads, --threads-batch, --n-gpu-layers N|all, --cache-type-k, --cache-type-v, --cache-ram SIZE|auto,
// --cache-folder PATH, --cache-disk SIZE|auto, --flash-attn on|off|auto, --exact, --no-mmap, --mlock, --no-memory-check; also -m -c -np -b -ub -t -tb -ngl -ctk -ctv -fa).
// `--flag value` and `--flag=value`.
// --vocabulary-only is for hearth's own debug commands.
[[nodiscard]] Result<EngineOptions> parse_options(std::span<const std::string> arguments);

[[nodiscard]] std::string_view kv_type_name(KvType type);  // "f16", "q8_0", ..., "auto"

}  // namespace hearth::engine
