// FakeEngine: an Engine without a model, for tests and simulation. Deterministic: logits are a pure function of the
// tokens that a sequence really holds, so that wrong KV bookkeeping anywhere shows as a wrong answer. It is as strict as
// the real one: positions are CHECKed, what a memory kind cannot do is refused, cells run out.
//
// After the last "<|im_start|>assistant\n" of a sequence the script's answer follows. Where no rule fits, and in
// sequences without that mark, words follow that come from a hash of everything before.
// One thread. State per sequence: a list of shared cells; a fork shares them, as the real unified KV does.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "engine/engine.h"
#include "engine/fake_script.h"
#include "engine/options.h"

namespace hearth::engine {

struct FakeOptions {
  FakeScript script;
  std::uint32_t cells = 0;  // 0 = script.context_tokens
  std::uint32_t batch_tokens_max = 2048;
  float certainty = 50.0F;  // added to the right token's logit; the others lie in [0, 4)
  StateForm state_form = StateForm::Cells;
  bool exact =
      false;  // as EngineInfo::exact: other shapes are CHECKed, and logits tell in which shape a cell was computed
  std::string state_path;                             // counts crashes over restarts; empty: not counted
  std::function<void(std::span<const Row>)> on_pass;  // called for every pass: simulated time goes by there
};

class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(FakeOptions options);
  ~FakeEngine() override;

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
  // Cells know which tokens lie before them: what is imported behind others is a CHECK, as a wrong answer would be hard to
  // trace. So is a snapshot of another line.
  [[nodiscard]] bool share_cells(Sequence from, Sequence to, std::uint32_t count) override;
  [[nodiscard]] bool import_cells(Sequence to, std::uint32_t begin, std::span<const std::uint8_t> cells,
                                  std::uint32_t count) override;
  [[nodiscard]] std::vector<std::uint8_t> snapshot(Sequence from) override;
  [[nodiscard]] bool finish_import(Sequence to, std::uint32_t length, std::span<const std::uint8_t> snapshot) override;
  [[nodiscard]] std::optional<std::uint64_t> room_beside(std::uint32_t context_tokens,
                                                         std::uint64_t outside_bytes) const override;
  [[nodiscard]] Result<void> rebuild(std::uint32_t context_tokens) override;

  // For tests: what a sequence holds, and faults to come.
  [[nodiscard]] std::vector<Token> tokens_of(Sequence sequence) const;
  [[nodiscard]] std::uint32_t cells_used() const { return cells_used_; }
  void fail_next_decode() { decode_fails_ = true; }
  void refuse_state_changes(bool refuse) { refuses_ = refuse; }  // fork, truncate and what comes back answer false
  // What room_beside() says from now on (nothing: memory is short), and whether rebuild() finds that it was wrong.
  void set_room(std::optional<std::uint64_t> bytes) { room_bytes_ = bytes; }
  void fail_next_rebuild() { rebuild_fails_ = true; }
  // The token that follows `tokens`, nullopt for an end of generation, as the logits would have it.
  [[nodiscard]] std::optional<Token> expected_next(std::span<const Token> tokens) const;

 private:
  struct Cell;
  struct Line;

  [[nodiscard]] Line& line_of(Sequence sequence);
  [[nodiscard]] const Line& line_of(Sequence sequence) const;
  [[nodiscard]] std::uint64_t hash_of(const Line& line) const;
  [[nodiscard]] std::vector<std::uint64_t> shapes_of(std::span<const Row> rows) const;
  void make_cells(std::uint32_t count);
  void append(Line& line, Token token, std::uint64_t hash);
  void pop(Line& line, std::size_t keep);
  void write_cells(std::vector<std::uint8_t>& bytes, const Line& line, std::uint32_t begin, std::uint32_t end) const;
  void read_cells(Line& line, std::span<const std::uint8_t> payload, std::uint32_t count);
  [[nodiscard]] Token next_token(Line& line, const FakeRule*& rule) const;
  void update_answer(Line& line) const;
  void write_logits(std::size_t row_index, std::uint64_t hash, Token next);
  [[nodiscard]] bool wait_for(Line& line, std::uint64_t hash, std::int64_t delay_ms);
  void crash_if_due(const FakeRule& rule);

  const FakeOptions options_;
  EngineInfo info_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::vector<Cell> cells_;
  std::vector<std::uint32_t> free_cells_;
  std::uint32_t cells_used_ = 0;
  std::vector<Line> lines_;
  std::vector<float> logits_;                       // one row after the other
  std::vector<std::int64_t> logits_offset_of_row_;  // -1: the row wanted none
  bool decode_fails_ = false;
  bool refuses_ = false;
  std::optional<std::uint64_t> room_bytes_ = std::uint64_t{1} << 40;
  bool rebuild_fails_ = false;
};

// "fake:SCRIPT.json" as an engine; "fake:" alone has no rules.
[[nodiscard]] Result<std::unique_ptr<Engine>> load_fake_engine(const EngineOptions& options);

}  // namespace hearth::engine
