// LlamaEngine: the Engine on libllama. One thread owns it; it must be destroyed on that thread too.
// Loading is a list of steps (load_llama_engine in llama_load.cpp): back ends, the file's header, the memory plan, the
// weights, the context. Each can refuse with a sentence that names the next step; none throws.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <llama.h>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/memory_plan.h"
#include "engine/options.h"

namespace hearth::engine {

// `progress` hears the loaded fraction of the weights, 0..1, on this thread.
[[nodiscard]] Result<std::unique_ptr<Engine>> load_llama_engine(const EngineOptions& options,
                                                                std::function<void(float)> progress);

struct OpenFrame;  // state_frame.h

struct ContextDelete {
  void operator()(llama_context* context) const { llama_free(context); }
};
using ContextPointer = std::unique_ptr<llama_context, ContextDelete>;

// What the library's memory object is. Known kinds only are cut or copied: an unknown one is trusted with nothing but
// appending and clearing (its answers stay right, it only computes more).
struct MemoryTraits {
  MemoryKind kind = MemoryKind::Recurrent;
  bool can_copy = false;
  bool knows_cells = false;         // its state is attention cells, then what cannot be cut
  std::uint32_t window_tokens = 0;  // Window only
};
[[nodiscard]] MemoryTraits memory_traits(const llama_model* model, llama_context* context);

// What an engine needs to make its context anew in another size.
struct GrowthMeans {
  llama_context_params settings{};         // as the present context was made
  SizeLine sizes;                          // of all contexts of the process
  std::uint64_t hidden_weights_bytes = 0;  // weights in RAM that do not show in what is free: mapped files
  bool check_memory = true;
  std::uint32_t limit_tokens = 0;
};

class LlamaEngine final : public Engine {
 public:
  // REQUIRES: `outputs_max` is what the context was made with, and the context has one sequence more than
  // info.sequences_max: the scratch one, through which cells pass on their way out and in. `info` is complete.
  LlamaEngine(std::shared_ptr<llama_model> model, ContextPointer context, EngineInfo info, MemoryTraits traits,
              std::uint32_t outputs_max);

  [[nodiscard]] const EngineInfo& info() const override { return info_; }
  [[nodiscard]] std::shared_ptr<const Tokenizer> tokenizer() const override { return tokenizer_; }
  [[nodiscard]] Result<DecodeOutcome> decode(std::span<const Row> rows) override;
  [[nodiscard]] std::span<const float> logits(std::size_t row_index) const override;
  [[nodiscard]] std::uint32_t usable_prefix(Sequence sequence, std::uint32_t length,
                                            std::uint32_t wanted) const override;
  [[nodiscard]] bool truncate(Sequence sequence, std::uint32_t keep) override;
  [[nodiscard]] bool fork(Sequence from, Sequence to, std::uint32_t count) override;
  void clear(Sequence sequence) override;
  [[nodiscard]] std::vector<std::uint8_t> save(Sequence sequence) const override;
  [[nodiscard]] bool restore(Sequence to, std::span<const std::uint8_t> state, std::uint32_t length) override;
  [[nodiscard]] std::vector<std::uint8_t> export_cells(Sequence from, std::uint32_t begin, std::uint32_t end) override;
  [[nodiscard]] bool share_cells(Sequence from, Sequence to, std::uint32_t count) override;
  [[nodiscard]] bool import_cells(Sequence to, std::uint32_t begin, std::span<const std::uint8_t> cells,
                                  std::uint32_t count) override;
  [[nodiscard]] std::vector<std::uint8_t> snapshot(Sequence from) override;
  [[nodiscard]] bool finish_import(Sequence to, std::uint32_t length, std::span<const std::uint8_t> snapshot) override;

  [[nodiscard]] std::optional<std::uint64_t> room_beside(std::uint32_t context_tokens,
                                                         std::uint64_t outside_bytes) const override;
  [[nodiscard]] Result<void> rebuild(std::uint32_t context_tokens) override;

  // From now on rebuild() works.
  void allow_growth(GrowthMeans means);
  // What the self-test found (round_trip.h).
  void set_state_form(StateForm form) { info_.state_form = form; }
  [[nodiscard]] const MemoryTraits& traits() const { return traits_; }
  // Tokens of a sequence.
  [[nodiscard]] std::uint32_t held_length(Sequence sequence) const;
  // A window's cells written out and read in again: cells that no other sequence shares, in order. False when refused.
  [[nodiscard]] bool own_window(Sequence sequence);

 private:
  class Scratch;  // llama_state.cpp

  void adopt(ContextPointer context);
  [[nodiscard]] bool make_anew(std::uint32_t context_tokens);
  [[nodiscard]] Result<void> check_rows(std::span<const Row> rows) const;
  void fill_batch(std::span<const Row> rows);
  [[nodiscard]] bool in_range(Sequence sequence) const;
  [[nodiscard]] Sequence scratch() const { return static_cast<Sequence>(info_.sequences_max); }
  [[nodiscard]] bool is_importing(Sequence sequence) const { return imported_[static_cast<std::size_t>(sequence)] > 0; }
  [[nodiscard]] bool has_partial_state() const;
  [[nodiscard]] bool append_state(std::vector<std::uint8_t>& bytes, Sequence from, llama_state_seq_flags flags) const;
  [[nodiscard]] bool write_scratch(std::vector<std::uint8_t>& bytes, std::uint32_t begin, std::uint32_t end) const;
  void empty_scratch();
  [[nodiscard]] bool read_cells(Sequence to, const OpenFrame& frame, std::uint32_t count);
  [[nodiscard]] bool holds_exactly(Sequence sequence, std::uint32_t begin, std::uint32_t end) const;

  const std::shared_ptr<llama_model> model_;
  ContextPointer context_;
  llama_memory_t memory_ = nullptr;  // the context's
  std::optional<GrowthMeans> growth_;
  EngineInfo info_;
  const MemoryTraits traits_;
  const std::uint32_t outputs_max_;
  const std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<std::uint32_t> imported_;   // by sequence: tokens of an unfinished import, 0 = none under way
  std::optional<Sequence> scratch_of_;    // whose cells the scratch sequence may share at the moment
  std::vector<std::uint8_t> no_partial_;  // the uncuttable state of an empty sequence, as the library writes it

  // The batch handed to the library, kept to spare allocations: parallel arrays, one entry per row.
  std::vector<llama_token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<std::int32_t> sequence_counts_;  // always 1
  std::vector<llama_seq_id> sequences_;
  std::vector<llama_seq_id*> sequence_pointers_;  // into sequences_
  std::vector<std::int8_t> wants_logits_;
};

}  // namespace hearth::engine
