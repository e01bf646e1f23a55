// A larger context for a model that is loaded: the old one is freed first, for both at once may not fit, and what was in it
// has left it before (the caller's part). The engine's thread.
#include <exception>
#include <format>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "engine/llama_engine.h"
#include "engine/llama_log.h"
#include "engine/memory_probe.h"

namespace hearth::engine {

void LlamaEngine::allow_growth(GrowthMeans means) {
  info_.context_limit_tokens = std::max(info_.context_tokens, means.limit_tokens);
  growth_ = std::move(means);
}

std::optional<std::uint64_t> LlamaEngine::room_beside(std::uint32_t context_tokens, std::uint64_t outside_bytes) const {
  if (!growth_ || context_tokens <= info_.context_tokens || context_tokens > info_.context_limit_tokens)
    return std::nullopt;
  if (!growth_->check_memory)
    return outside_bytes + held_bytes(growth_->sizes, info_.context_tokens);  // the user knows better
  Measure now = free_now(growth_->sizes);
  for (PoolUse& pool : now)
    if (pool.name == kRamPool) pool.weights_bytes = growth_->hidden_weights_bytes;
  return room_to_grow(growth_->sizes, now, info_.context_tokens, context_tokens, outside_bytes);
}

Result<void> LlamaEngine::rebuild(std::uint32_t context_tokens) {
  if (!growth_) return Engine::rebuild(context_tokens);
  const std::uint32_t before = info_.context_tokens;
  if (make_anew(context_tokens)) return {};
  const std::string said = last_llama_errors();
  // What was there a moment ago is there again, or this process is of no use: the front starts another.
  CHECK(make_anew(before));
  return fail(ErrorKind::NoMemory,
              std::format("libllama could not make a context of {} tokens ({})", context_tokens, said));
}

bool LlamaEngine::make_anew(std::uint32_t context_tokens) {
  context_.reset();
  growth_->settings.n_ctx = context_tokens;
  forget_llama_errors();
  try {
    ContextPointer made(llama_init_from_model(model_.get(), growth_->settings));
    if (!made) return false;
    adopt(std::move(made));
  } catch (const std::exception& thrown) {
    log_warning("engine", "libllama failed while making a context: {}", thrown.what());
    context_.reset();
    return false;
  }
  return true;
}

}  // namespace hearth::engine
