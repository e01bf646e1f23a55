// See round_trip.h.
#include "engine/round_trip.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/log.h"
#include "engine/llama_log.h"

namespace hearth::engine {
namespace {

constexpr Sequence kSequence = 0;
constexpr std::uint32_t kTokens =
    12;  // enough for two pieces; few, because a large model on a CPU takes 0.1 s for each
constexpr std::uint32_t kFirstPiece = 5;

Token test_token(const Engine& engine, std::uint32_t position) {
  return static_cast<Token>((position * 37 + 11) % engine.info().vocabulary_count);
}

// Decodes the test tokens [begin, end); false when the engine would not.
bool feed(Engine& engine, std::uint32_t begin, std::uint32_t end, bool wants_logits) {
  while (begin < end) {
    const std::uint32_t stop = std::min(end, begin + engine.info().batch_tokens_max);
    std::vector<Row> rows;
    for (std::uint32_t i = begin; i < stop; ++i)
      rows.push_back({test_token(engine, i), static_cast<std::int32_t>(i), kSequence, wants_logits && i + 1 == end});
    const auto outcome = engine.decode(rows);
    if (!outcome || *outcome != DecodeOutcome::Done) return false;
    begin = stop;
  }
  return true;
}

// The logits after one more token, empty when the engine would not. The sequence holds nothing afterwards.
std::vector<float> next_logits(Engine& engine) {
  std::vector<float> copy;
  if (feed(engine, kTokens, kTokens + 1, true)) {
    const auto logits = engine.logits(0);
    copy.assign(logits.begin(), logits.end());
  }
  engine.clear(kSequence);
  return copy;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return !a.empty() && a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// In each trip the cells come back to where they were, in an empty pool: sums on several threads may depend on the place.
bool cells_hold(LlamaEngine& engine) {
  engine.set_state_form(StateForm::Cells);
  if (!feed(engine, 0, kTokens, false)) return false;
  const auto first = engine.export_cells(kSequence, 0, kFirstPiece);
  const auto second = engine.export_cells(kSequence, kFirstPiece, kTokens);
  const auto partial = engine.snapshot(kSequence);
  const auto expected = next_logits(engine);
  return engine.import_cells(kSequence, 0, first, kFirstPiece) &&
         engine.import_cells(kSequence, kFirstPiece, second, kTokens - kFirstPiece) &&
         engine.finish_import(kSequence, kTokens, partial) && same_bits(expected, next_logits(engine));
}

bool whole_holds(LlamaEngine& engine) {
  engine.set_state_form(StateForm::Whole);
  if (!feed(engine, 0, kTokens, false)) return false;
  const auto state = engine.save(kSequence);
  const auto expected = next_logits(engine);
  return engine.restore(kSequence, state, kTokens) && same_bits(expected, next_logits(engine));
}

}  // namespace

void find_state_form(LlamaEngine& engine) {
  const bool knows_cells = engine.traits().knows_cells;
  if (knows_cells && cells_hold(engine)) return;
  engine.clear(kSequence);
  const bool whole = whole_holds(engine);
  engine.clear(kSequence);
  if (!whole) engine.set_state_form(StateForm::None);
  log_warning("engine", "{} ({}): {}",
              knows_cells ? "the model's state did not come back as it left the pool"
                          : "this model's memory is one we cannot take apart",
              knows_cells ? last_llama_errors() : std::string(memory_kind_name(engine.info().memory_kind)),
              whole ? "conversations are kept whole only, and share nothing outside the pool"
                    : "conversations cannot be kept outside the pool");
}

}  // namespace hearth::engine
