// See exact_engine.h.
#include "engine/exact_engine.h"

#include <algorithm>
#include <format>
#include <utility>

#include "base/check.h"

namespace hearth::engine {
namespace {

constexpr Sequence kOnly = 0;  // a lane's one sequence

Result<void> check_shape(std::span<const Row> rows) {
  const auto begin = static_cast<std::uint32_t>(rows.front().position);
  if (rows.size() == 1 || (begin % kExactUnit == 0 && rows.size() <= kExactUnit)) return {};
  return fail(ErrorKind::InvalidInput, std::format("an exact engine takes one row of a sequence or a chunk from one "
                                                   "multiple of {} to the next, not {} rows from {}",
                                                   kExactUnit, rows.size(), begin));
}

}  // namespace

ExactEngine::ExactEngine(std::vector<std::unique_ptr<LlamaEngine>> lanes) : lanes_(std::move(lanes)) {
  CHECK(!lanes_.empty());
  info_ = lanes_.front()->info();
  info_.exact = true;
  info_.prefill_unit = kExactUnit;
  info_.sequences_max = static_cast<std::uint32_t>(lanes_.size());
  info_.batch_tokens_max = kExactUnit + info_.sequences_max - 1;  // a chunk, and a row of every other sequence
  rows_of_lane_.resize(lanes_.size());
}

LlamaEngine& ExactEngine::lane(Sequence sequence) {
  CHECK(sequence >= 0 && static_cast<std::size_t>(sequence) < lanes_.size());
  return *lanes_[static_cast<std::size_t>(sequence)];
}

const LlamaEngine& ExactEngine::lane(Sequence sequence) const {
  CHECK(sequence >= 0 && static_cast<std::size_t>(sequence) < lanes_.size());
  return *lanes_[static_cast<std::size_t>(sequence)];
}

Result<void> ExactEngine::sort_rows(std::span<const Row> rows) {
  for (std::vector<Row>& of_lane : rows_of_lane_) of_lane.clear();
  places_.clear();
  for (const Row& row : rows) {
    if (row.sequence < 0 || static_cast<std::size_t>(row.sequence) >= lanes_.size())
      return fail(ErrorKind::InvalidInput, std::format("sequence {} is not below {}", row.sequence, lanes_.size()));
    std::vector<Row>& of_lane = rows_of_lane_[static_cast<std::size_t>(row.sequence)];
    places_.push_back({.lane = row.sequence, .row = of_lane.size()});
    of_lane.push_back(row);
    of_lane.back().sequence = kOnly;
  }
  for (const std::vector<Row>& of_lane : rows_of_lane_)
    if (!of_lane.empty()) TRY(check_shape(of_lane));
  return {};
}

// Lanes cannot be taken back once they have computed, so this is asked of all of them before.
bool ExactEngine::have_room() const {
  return std::ranges::all_of(rows_of_lane_, [this](const std::vector<Row>& rows) {
    return rows.empty() || static_cast<std::uint32_t>(rows.back().position) < info_.context_tokens;
  });
}

Result<DecodeOutcome> ExactEngine::decode(std::span<const Row> rows) {
  CHECK(!rows.empty() && rows.size() <= info_.batch_tokens_max);
  TRY(sort_rows(rows));
  if (!have_room()) return DecodeOutcome::NoRoom;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (rows_of_lane_[i].empty()) continue;
    TRY_ASSIGN(const DecodeOutcome outcome, lanes_[i]->decode(rows_of_lane_[i]));
    if (outcome != DecodeOutcome::Done)
      return fail(ErrorKind::Internal, "a lane that should have room for its rows says it has none");
    // A window's cells lie in a ring that turns with every chunk. Put back in order at each unit, they lie as they do when
    // they come back from outside at that place.
    if (is_window() && rows_of_lane_[i].size() == kExactUnit && !lanes_[i]->own_window(kOnly))
      return fail(ErrorKind::Internal, "a window's cells could not be put in order");
  }
  return DecodeOutcome::Done;
}

std::span<const float> ExactEngine::logits(std::size_t row_index) const {
  CHECK(row_index < places_.size());
  return lane(places_[row_index].lane).logits(places_[row_index].row);
}

std::uint32_t ExactEngine::usable_prefix(Sequence sequence, std::uint32_t length, std::uint32_t wanted) const {
  // A window that was cut would go on in cells of another order.
  if (is_window() && wanted != length) return 0;
  return lane(sequence).usable_prefix(kOnly, length, wanted);
}

bool ExactEngine::truncate(Sequence sequence, std::uint32_t keep) { return lane(sequence).truncate(kOnly, keep); }

bool ExactEngine::fork(Sequence from, Sequence to, std::uint32_t count) {
  CHECK(from != to);
  const bool whole = lane(from).usable_prefix(kOnly, count, count) == count;
  if (count == 0 || (!whole && info_.memory_kind != MemoryKind::Attention)) return false;
  const auto state = snapshot(from);
  return share_cells(from, to, count) && finish_import(to, count, state);
}

bool ExactEngine::share_cells(Sequence from, Sequence to, std::uint32_t count) {
  CHECK(from != to && count > 0);
  LlamaEngine& target = lane(to);
  for (std::uint32_t begin = 0; begin < count; begin += kExactUnit) {
    const std::uint32_t end = std::min(count, begin + kExactUnit);
    const auto cells = lane(from).export_cells(kOnly, begin, end);
    if (cells.empty() || !target.import_cells(kOnly, begin, cells, end - begin)) {
      target.clear(kOnly);
      return false;
    }
  }
  return true;
}

void ExactEngine::clear(Sequence sequence) { lane(sequence).clear(kOnly); }

std::vector<std::uint8_t> ExactEngine::save(Sequence sequence) const {
  if (is_window()) return {};  // as it is written, its cells are in the ring's order
  return lane(sequence).save(kOnly);
}

bool ExactEngine::restore(Sequence to, std::span<const std::uint8_t> state, std::uint32_t length) {
  return !is_window() && lane(to).restore(kOnly, state, length);
}

std::vector<std::uint8_t> ExactEngine::export_cells(Sequence from, std::uint32_t begin, std::uint32_t end) {
  return lane(from).export_cells(kOnly, begin, end);
}

bool ExactEngine::import_cells(Sequence to, std::uint32_t begin, std::span<const std::uint8_t> cells,
                               std::uint32_t count) {
  return lane(to).import_cells(kOnly, begin, cells, count);
}

std::vector<std::uint8_t> ExactEngine::snapshot(Sequence from) {
  LlamaEngine& source = lane(from);
  if (is_window() && source.held_length(kOnly) % kExactUnit != 0) return {};
  return source.snapshot(kOnly);
}

bool ExactEngine::finish_import(Sequence to, std::uint32_t length, std::span<const std::uint8_t> snapshot) {
  if (is_window() && length % kExactUnit != 0) {
    lane(to).clear(kOnly);
    return false;
  }
  return lane(to).finish_import(kOnly, length, snapshot);
}

std::optional<std::uint64_t> ExactEngine::room_beside(std::uint32_t context_tokens, std::uint64_t outside_bytes) const {
  return lanes_.front()->room_beside(context_tokens, outside_bytes);  // its sizes are those of all lanes
}

Result<void> ExactEngine::rebuild(std::uint32_t context_tokens) {
  const std::uint32_t before = info_.context_tokens;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    auto made = lanes_[i]->rebuild(context_tokens);
    if (made) continue;
    while (i-- > 0) CHECK(lanes_[i]->rebuild(before));  // smaller than what is there
    return made;
  }
  info_.context_tokens = lanes_.front()->info().context_tokens;
  return {};
}

}  // namespace hearth::engine
