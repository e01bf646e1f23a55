// Where libllama's own log goes: to our log at debug level, and the last errors are remembered so that
// an Error can say why. The library's log callback is one per process, and so is this. Any thread.
#pragma once

#include <string>

namespace hearth::engine {

// Idempotent; call before anything else of the library.
void capture_llama_log();
// The last error lines since forget_llama_errors(), joined by "; ", at most kLlamaErrorBytesMax; empty when there were none.
inline constexpr std::size_t kLlamaErrorBytesMax = 600;
[[nodiscard]] std::string last_llama_errors();
void forget_llama_errors();
// The instruction-set variant of the CPU back end that was loaded ("zen4"), empty when it has only one.
[[nodiscard]] std::string cpu_variant();

}  // namespace hearth::engine
