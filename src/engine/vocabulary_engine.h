// VocabularyEngine: a model of which only the metadata and the vocabulary were read, for people who look at prompts and
// tokens: it is there in a second whatever the model's size. It tokenises; it computes nothing. One thread, as any Engine.
#pragma once

#include <memory>

#include <llama.h>

#include "engine/engine.h"

namespace hearth::engine {

class VocabularyEngine final : public Engine {
 public:
  // `info` needs no more than what describes the model: the sizes are set here.
  VocabularyEngine(std::shared_ptr<llama_model> model, EngineInfo info);

  [[nodiscard]] const EngineInfo& info() const override { return info_; }
  [[nodiscard]] std::shared_ptr<const Tokenizer> tokenizer() const override { return tokenizer_; }
  [[nodiscard]] Result<DecodeOutcome> decode(std::span<const Row> rows) override;
  [[nodiscard]] std::span<const float> logits(std::size_t) const override { return {}; }
  [[nodiscard]] std::uint32_t usable_prefix(Sequence, std::uint32_t, std::uint32_t) const override { return 0; }
  [[nodiscard]] bool truncate(Sequence, std::uint32_t) override { return false; }
  [[nodiscard]] bool fork(Sequence, Sequence, std::uint32_t) override { return false; }
  void clear(Sequence) override {}
  [[nodiscard]] std::vector<std::uint8_t> save(Sequence) const override { return {}; }
  [[nodiscard]] bool restore(Sequence, std::span<const std::uint8_t>, std::uint32_t) override { return false; }
  [[nodiscard]] std::vector<std::uint8_t> export_cells(Sequence, std::uint32_t, std::uint32_t) override { return {}; }
  [[nodiscard]] bool share_cells(Sequence, Sequence, std::uint32_t) override { return false; }
  [[nodiscard]] bool import_cells(Sequence, std::uint32_t, std::span<const std::uint8_t>, std::uint32_t) override {
    return false;
  }
  [[nodiscard]] std::vector<std::uint8_t> snapshot(Sequence) override { return {}; }
  [[nodiscard]] bool finish_import(Sequence, std::uint32_t, std::span<const std::uint8_t>) override { return false; }

 private:
  EngineInfo info_;
  const std::shared_ptr<const Tokenizer> tokenizer_;
};

}  // namespace hearth::engine
