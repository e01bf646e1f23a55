// The start-up check of an exact engine (exact_engine.h).
#include <cstring>
#include <format>
#include <vector>

#include "engine/exact_engine.h"

namespace hearth::engine {
namespace {

constexpr std::uint32_t kPrefix = kExactUnit;
constexpr std::uint32_t kPromptEnd = kExactUnit + 40;  // a last chunk of another size
constexpr std::uint32_t kEnd = kPromptEnd + 3;         // then row by row
constexpr std::uint32_t kOther = 70;                   // tokens of what lived in the lane before

Token token_at(const Engine& engine, std::uint32_t position, std::uint32_t text) {
  return static_cast<Token>((position * 37 + 11 + text * 101) % engine.info().vocabulary_count);
}

Result<void> feed(ExactEngine& engine, Sequence sequence, std::uint32_t begin, std::uint32_t end,
                  std::uint32_t text = 0) {
  std::vector<Row> rows;
  for (std::uint32_t i = begin; i < end; ++i)
    rows.push_back({token_at(engine, i, text), static_cast<std::int32_t>(i), sequence, i + 1 == end});
  TRY_ASSIGN(const DecodeOutcome outcome, engine.decode(rows));
  if (outcome != DecodeOutcome::Done)
    return fail(ErrorKind::NoMemory, "the context is too small for its start-up check");
  return {};
}

// The logits at the end of the prompt and after each token behind it; the sequence holds the prefix. Empty again then.
Result<std::vector<float>> go_on(ExactEngine& engine, Sequence sequence) {
  std::vector<float> all;
  const auto keep = [&](std::size_t row) {
    const auto logits = engine.logits(row);
    all.insert(all.end(), logits.begin(), logits.end());
  };
  TRY(feed(engine, sequence, kPrefix, kPromptEnd));
  keep(kPromptEnd - kPrefix - 1);
  for (std::uint32_t i = kPromptEnd; i < kEnd; ++i) {
    TRY(feed(engine, sequence, i, i + 1));
    keep(0);
  }
  engine.clear(sequence);
  return all;
}

Result<void> compare(const std::vector<float>& expected, const std::vector<float>& found, std::string_view what) {
  if (expected.size() == found.size() &&
      std::memcmp(expected.data(), found.data(), expected.size() * sizeof(float)) == 0)
    return {};
  return fail(
      ErrorKind::InvalidInput,
      std::format("--exact cannot be kept with this model on this back end: the same tokens have other logits {}; "
                  "start without --exact, or try --threads 1 or another --cache-type-k/-v",
                  what));
}

Result<void> disturb(ExactEngine& engine, Sequence sequence) {
  TRY(feed(engine, sequence, 0, kOther, 1));
  engine.clear(sequence);
  return {};
}

}  // namespace

Result<void> check_exact(ExactEngine& engine) {
  if (engine.info().state_form != StateForm::Cells)
    return fail(
        ErrorKind::InvalidInput,
        "--exact cannot be kept with this model: its state does not leave the pool in pieces; start without --exact");
  const auto used = static_cast<Sequence>(engine.info().sequences_max - 1);
  TRY(feed(engine, 0, 0, kPrefix));
  const auto cells = engine.export_cells(0, 0, kPrefix);
  const auto state = engine.snapshot(0);
  TRY_ASSIGN(const std::vector<float> cold, go_on(engine, 0));

  TRY(disturb(engine, used));
  TRY(feed(engine, used, 0, kPrefix));
  TRY_ASSIGN(const std::vector<float> again, go_on(engine, used));
  TRY(compare(cold, again, "when they are computed a second time"));

  TRY(disturb(engine, used));
  if (!engine.import_cells(used, 0, cells, kPrefix) || !engine.finish_import(used, kPrefix, state))
    return fail(ErrorKind::InvalidInput,
                "--exact cannot be kept with this model: its state does not come back; start without --exact");
  TRY_ASSIGN(const std::vector<float> restored, go_on(engine, used));
  return compare(cold, restored, "when a prefix comes back from the cache");
}

}  // namespace hearth::engine
