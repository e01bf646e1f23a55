// Engine: tokens in, logits out, and the KV that makes a prefix cheap. Two implementations: LlamaEngine (the only code
// that includes llama.h) and FakeEngine (deterministic, scriptable). One thread owns an Engine; any may use a Tokenizer.
//
// A sequence is one line of tokens with its state, [0, length) without gaps. What may be done with a state depends on
// the model's memory (MemoryKind): attention can be cut anywhere, recurrent state only extended, a sliding window cut
// only while the cells before the cut are still there. usable_prefix() answers for all of them; nobody else asks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/engine_info.h"

namespace hearth::engine {

// Thread-safe, immutable.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  // No BOS or EOS is added. parse_special: control tokens written in the text become those tokens.
  [[nodiscard]] virtual std::vector<Token> tokenize(std::string_view text, bool parse_special) const = 0;
  // The token's bytes; empty for control tokens.
  [[nodiscard]] virtual std::string piece(Token token) const = 0;
  // As it is written: as piece(), but control tokens are shown too.
  [[nodiscard]] virtual std::string shown(Token token) const { return piece(token); }
  [[nodiscard]] virtual bool is_end_of_generation(Token token) const = 0;
  [[nodiscard]] virtual std::string bos_text() const = 0;
  [[nodiscard]] virtual std::string eos_text() const = 0;
  [[nodiscard]] virtual bool adds_bos() const = 0;
  // Text of every control and user-defined token, longest first.
  [[nodiscard]] virtual std::vector<std::string> special_texts() const = 0;
};

struct Row {
  Token token = 0;
  std::int32_t position = 0;  // must be the sequence's length at that moment, rows of one sequence in order
  Sequence sequence = 0;
  bool wants_logits = false;
};

enum class DecodeOutcome {
  Done,
  NoRoom,  // no cells for this batch; nothing changed: free some and try again
  Later,   // the engine wants to be asked again (it gave way after a while); nothing changed
};

class Engine {
 public:
  virtual ~Engine() = default;
  [[nodiscard]] virtual const EngineInfo& info() const = 0;
  [[nodiscard]] virtual std::shared_ptr<const Tokenizer> tokenizer() const = 0;

  // One forward pass. REQUIRES: 1..batch_tokens_max rows. An Error leaves the sequences of the batch undefined:
  // clear them. InvalidInput/Internal as the library reports it.
  [[nodiscard]] virtual Result<DecodeOutcome> decode(std::span<const Row> rows) = 0;
  // Logits of row `row_index` of the last decode (it had wants_logits); valid until the next decode.
  [[nodiscard]] virtual std::span<const float> logits(std::size_t row_index) const = 0;

  // How many leading tokens of a sequence that holds `length` tokens can be kept when only the first `wanted` are
  // right: `wanted` where the state can be cut, `length` when wanted == length, else 0. Never a guess.
  [[nodiscard]] virtual std::uint32_t usable_prefix(Sequence sequence, std::uint32_t length,
                                                    std::uint32_t wanted) const = 0;
  // Drops [keep, end). REQUIRES: usable_prefix allowed `keep`. False when the state refused: clear and recompute.
  [[nodiscard]] virtual bool truncate(Sequence sequence, std::uint32_t keep) = 0;
  // `to` becomes a copy of the first `count` tokens of `from`, sharing cells. REQUIRES: `to` is empty and
  // usable_prefix allowed `count`. False when refused (`to` is then empty).
  [[nodiscard]] virtual bool fork(Sequence from, Sequence to, std::uint32_t count) = 0;
  virtual void clear(Sequence sequence) = 0;

  // A sequence's whole state as bytes, and back into an empty sequence: bit for bit what was saved. Empty when it cannot
  // be saved; false when refused (`to` is then empty).
  [[nodiscard]] virtual std::vector<std::uint8_t> save(Sequence sequence) const = 0;
  [[nodiscard]] virtual bool restore(Sequence to, std::span<const std::uint8_t> state, std::uint32_t length) = 0;

  // State in pieces. Bytes that an engine of the same model, KV types and flash attention made may be handed in; they are
  // trusted but for their length and their positions. See StateForm.
  //
  // The attention cells [begin, end) of a sequence as bytes; what cannot be cut is not in them. Never disturbs the sequence.
  // Empty when refused: the sequence does not hold them, or there is no memory.
  [[nodiscard]] virtual std::vector<std::uint8_t> export_cells(Sequence from, std::uint32_t begin,
                                                               std::uint32_t end) = 0;
  // Begins an import: the empty `to` shares the first `count` attention cells of `from`, which goes on undisturbed. What
  // cannot be cut does not come along. False when refused: `to` is then empty.
  [[nodiscard]] virtual bool share_cells(Sequence from, Sequence to, std::uint32_t count) = 0;
  // Appends exported cells to `to`, which is empty (begin == 0) or holds [0, begin) by earlier imports. They were exported
  // from `begin`; the leading `count` of them are kept. False when refused (no room, or they do not fit): `to` is then
  // empty. Until finish_import() the sequence may only be imported into or cleared.
  [[nodiscard]] virtual bool import_cells(Sequence to, std::uint32_t begin, std::span<const std::uint8_t> cells,
                                          std::uint32_t count) = 0;
  // What cannot be cut, as the sequence stands now. Empty for MemoryKind::Attention, which needs none, and when refused.
  [[nodiscard]] virtual std::vector<std::uint8_t> snapshot(Sequence from) = 0;
  // Ends an import: `to` holds exactly `length` tokens and may be used again. `snapshot` was taken at that length (of the
  // same tokens: nobody can check that here). False when refused: `to` is then empty.
  [[nodiscard]] virtual bool finish_import(Sequence to, std::uint32_t length,
                                           std::span<const std::uint8_t> snapshot) = 0;

  // Nothing when memory does not hold a pool of that size in this one's place; else how much RAM the states that left the
  // pool may take during the change and after it. They take `outside` bytes now.
  [[nodiscard]] virtual std::optional<std::uint64_t> room_beside(std::uint32_t tokens, std::uint64_t outside) const;
  // Such a pool: every sequence is empty then, info() is another. NoMemory: empty, too, but of the old size.
  [[nodiscard]] virtual Result<void> rebuild(std::uint32_t context_tokens);
};

}  // namespace hearth::engine
