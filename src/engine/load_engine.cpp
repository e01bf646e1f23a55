// See load_engine.h.
#include "engine/load_engine.h"

#include "engine/fake_engine.h"
#include "engine/llama_engine.h"

namespace hearth::engine {

Result<std::unique_ptr<Engine>> load_engine(const EngineOptions& options, std::function<void(float)> progress) {
  if (options.model_path.starts_with("fake:")) return load_fake_engine(options);
  return load_llama_engine(options, std::move(progress));
}

}  // namespace hearth::engine
