// ExactEngine: answers that depend on nothing but their own tokens (`--exact`). Float sums change with the shape of a
// batch and with the place of cells in the pool; so here every sequence has a lane, a LlamaEngine with one sequence in a
// context of its own on the shared model. In a lane a cell's index is its position, and no other sequence is ever in the
// batch. What is left is the caller's: prefill in chunks from one multiple of prefill_unit to the next (EngineInfo).
// Then cold = live = restored = forked = beside others, bit for bit; check_exact() tries it when the engine starts.
//
// The price: a whole context for each sequence, and decoding rows that no batch joins. One thread, as any Engine.
#pragma once

#include <memory>
#include <vector>

#include "engine/engine.h"
#include "engine/llama_engine.h"

namespace hearth::engine {

// A chunk of this size is computed by the same kernels on every model that was measured; a mixture of experts needs 256.
inline constexpr std::uint32_t kExactUnit = 256;

class ExactEngine final : public Engine {
 public:
  // REQUIRES: at least one lane; all alike, of one sequence and nothing in it.
  explicit ExactEngine(std::vector<std::unique_ptr<LlamaEngine>> lanes);

  [[nodiscard]] const EngineInfo& info() const override { return info_; }
  [[nodiscard]] std::shared_ptr<const Tokenizer> tokenizer() const override { return lanes_.front()->tokenizer(); }
  // InvalidInput when a sequence's rows are neither one row nor a chunk as prefill_unit has it.
  [[nodiscard]] Result<DecodeOutcome> decode(std::span<const Row> rows) override;
  [[nodiscard]] std::span<const float> logits(std::size_t row_index) const override;
  [[nodiscard]] std::uint32_t usable_prefix(Sequence sequence, std::uint32_t length,
                                            std::uint32_t wanted) const override;
  [[nodiscard]] bool truncate(Sequence sequence, std::uint32_t keep) override;
  // By bytes, from lane to lane.
  [[nodiscard]] bool fork(Sequence from, Sequence to, std::uint32_t count) override;
  void clear(Sequence sequence) override;
  [[nodiscard]] std::vector<std::uint8_t> save(Sequence sequence) const override;
  [[nodiscard]] bool restore(Sequence to, std::span<const std::uint8_t> state, std::uint32_t length) override;
  [[nodiscard]] std::vector<std::uint8_t> export_cells(Sequence from, std::uint32_t begin, std::uint32_t end) override;
  [[nodiscard]] bool share_cells(Sequence from, Sequence to, std::uint32_t count) override;  // by bytes, as fork()
  [[nodiscard]] bool import_cells(Sequence to, std::uint32_t begin, std::span<const std::uint8_t> cells,
                                  std::uint32_t count) override;
  // A sliding window has its snapshots at multiples of prefill_unit only.
  [[nodiscard]] std::vector<std::uint8_t> snapshot(Sequence from) override;
  [[nodiscard]] bool finish_import(Sequence to, std::uint32_t length, std::span<const std::uint8_t> snapshot) override;
  [[nodiscard]] std::optional<std::uint64_t> room_beside(std::uint32_t context_tokens,
                                                         std::uint64_t outside_bytes) const override;
  [[nodiscard]] Result<void> rebuild(std::uint32_t context_tokens) override;

 private:
  struct RowPlace {
    Sequence lane = 0;
    std::size_t row = 0;  // in the lane's batch
  };
  [[nodiscard]] LlamaEngine& lane(Sequence sequence);
  [[nodiscard]] const LlamaEngine& lane(Sequence sequence) const;
  [[nodiscard]] Result<void> sort_rows(std::span<const Row> rows);
  [[nodiscard]] bool have_room() const;
  [[nodiscard]] bool is_window() const { return info_.memory_kind == MemoryKind::Window; }

  const std::vector<std::unique_ptr<LlamaEngine>> lanes_;
  EngineInfo info_;
  std::vector<std::vector<Row>> rows_of_lane_;  // of the last decode
  std::vector<RowPlace> places_;                // of the last decode's rows
};

// The promise above, tried with the loaded model: a prefix computed, computed again where something else lived, and brought
// back there, then some tokens more; all logits equal bit for bit. Costs some 650 tokens of prefill. An Unsupported error
// says what differed. REQUIRES: the engine holds nothing; it does not afterwards.
[[nodiscard]] Result<void> check_exact(ExactEngine& engine);

}  // namespace hearth::engine
