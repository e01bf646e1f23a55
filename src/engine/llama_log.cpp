// See llama_log.h.
#include "engine/llama_log.h"

#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <llama.h>

#include "base/log.h"

namespace hearth::engine {
namespace {

// The library hands over text in parts; a line is whole at its newline.
struct Captured {
  std::mutex mutex;
  std::string partial;  // guarded by mutex, as all below
  ggml_log_level level = GGML_LOG_LEVEL_NONE;
  std::string errors;
  std::string cpu_variant;
};

Captured& captured() {
  static Captured only;  // the library's callback is per process
  return only;
}

void note_cpu_variant(Captured& to, std::string_view line) {
  constexpr std::string_view kMark = "libggml-cpu-";
  const std::size_t begin = line.find(kMark);
  if (begin == std::string_view::npos) return;
  const std::string_view rest = line.substr(begin + kMark.size());
  to.cpu_variant = rest.substr(0, rest.find('.'));
}

void take_line(Captured& to, ggml_log_level level, std::string_view line) {
  if (line.empty()) return;
  note_cpu_variant(to, line);
  // A full KV is an answer to the scheduler (DecodeOutcome::NoRoom), not news for a person.
  const bool full = line.find("failed to find a memory slot") != std::string_view::npos;
  if (level == GGML_LOG_LEVEL_ERROR && !full) {
    if (!to.errors.empty()) to.errors += "; ";
    to.errors += line;
    if (to.errors.size() > kLlamaErrorBytesMax) to.errors.erase(0, to.errors.size() - kLlamaErrorBytesMax);
  }
  log_debug("llama", "{}", line);
}

void on_log(ggml_log_level level, const char* text, void*) {
  Captured& to = captured();
  const std::lock_guard lock(to.mutex);
  if (level != GGML_LOG_LEVEL_CONT) to.level = level;
  to.partial += text;
  for (std::size_t end = to.partial.find('\n'); end != std::string::npos; end = to.partial.find('\n')) {
    take_line(to, to.level, std::string_view(to.partial).substr(0, end));
    to.partial.erase(0, end + 1);
  }
}

}  // namespace

void capture_llama_log() { llama_log_set(on_log, nullptr); }

std::string last_llama_errors() {
  const std::lock_guard lock(captured().mutex);
  return captured().errors;
}

void forget_llama_errors() {
  const std::lock_guard lock(captured().mutex);
  captured().errors.clear();
}

std::string cpu_variant() {
  const std::lock_guard lock(captured().mutex);
  return captured().cpu_variant;
}

}  // namespace hearth::engine
