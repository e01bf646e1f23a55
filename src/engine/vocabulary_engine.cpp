// See vocabulary_engine.h.
#include "engine/vocabulary_engine.h"

#include <algorithm>
#include <utility>

#include "engine/llama_tokenizer.h"

namespace hearth::engine {

VocabularyEngine::VocabularyEngine(std::shared_ptr<llama_model> model, EngineInfo info)
    : info_(std::move(info)), tokenizer_(std::make_shared<LlamaTokenizer>(std::move(model))) {
  info_.context_tokens = std::max(1U, info_.trained_context_tokens);
  info_.sequences_max = 1;
  info_.batch_tokens_max = 1;
}

Result<DecodeOutcome> VocabularyEngine::decode(std::span<const Row> /*rows*/) {
  return fail(ErrorKind::Unavailable, "only this model's vocabulary is loaded: it cannot answer");
}

}  // namespace hearth::engine
