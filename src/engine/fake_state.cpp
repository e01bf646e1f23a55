// State out of and into the fake engine: each cell's token and its hash (of the tokens before it, and in an exact engine of
// how they were computed), so that a piece that comes back in a wrong place is noticed. As strict as the real engine:
// room, lengths, order, snapshots. The engine's thread.
#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "engine/fake_engine.h"
#include "engine/fake_line.h"
#include "engine/state_frame.h"

namespace hearth::engine {
namespace {

constexpr std::size_t kCellBytes = sizeof(Token) + sizeof(std::uint64_t);

template <class T>
void append_value(std::vector<std::uint8_t>& bytes, const T& value) {
  const std::size_t before = bytes.size();
  bytes.resize(before + sizeof(T));
  std::memcpy(bytes.data() + before, &value, sizeof(T));
}

template <class T>
T value_at(std::span<const std::uint8_t> bytes, std::size_t offset) {
  T value;
  CHECK(offset + sizeof(T) <= bytes.size());
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

}  // namespace

std::uint64_t FakeEngine::hash_of(const Line& line) const {
  return line.cells.empty() ? kFakeHashSeed : cells_[line.cells.back()].hash;
}

void FakeEngine::write_cells(std::vector<std::uint8_t>& bytes, const Line& line, std::uint32_t begin,
                             std::uint32_t end) const {
  for (std::uint32_t i = begin; i < end; ++i) {
    append_value(bytes, cells_[line.cells[i]].token);
    append_value(bytes, cells_[line.cells[i]].hash);
  }
}

void FakeEngine::read_cells(Line& line, std::span<const std::uint8_t> payload, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i)
    append(line, value_at<Token>(payload, i * kCellBytes),
           value_at<std::uint64_t>(payload, i * kCellBytes + sizeof(Token)));
}

std::vector<std::uint8_t> FakeEngine::export_cells(Sequence from, std::uint32_t begin, std::uint32_t end) {
  const Line& line = line_of(from);
  CHECK(line.imported == 0 && begin < end);
  if (info_.state_form != StateForm::Cells || end > line.cells.size()) return {};
  std::vector<std::uint8_t> bytes = framed();
  append_value(bytes, begin == 0 ? kFakeHashSeed : cells_[line.cells[begin - 1]].hash);
  write_cells(bytes, line, begin, end);
  close_frame(bytes, StatePart::Cells, begin, end);
  return bytes;
}

bool FakeEngine::share_cells(Sequence from, Sequence to, std::uint32_t count) {
  const Line& source = line_of(from);
  Line& target = line_of(to);
  CHECK(from != to && count > 0 && source.imported == 0 && target.cells.empty() && target.imported == 0);
  if (refuses_ || info_.state_form != StateForm::Cells || count > source.cells.size()) return false;
  target.cells.assign(source.cells.begin(), source.cells.begin() + count);
  for (const std::uint32_t index : target.cells) ++cells_[index].holders;
  target.imported = count;
  target.answer_start = 0;
  return true;
}

bool FakeEngine::import_cells(Sequence to, std::uint32_t begin, std::span<const std::uint8_t> cells,
                              std::uint32_t count) {
  Line& line = line_of(to);
  const auto frame = open_frame(cells, StatePart::Cells);
  // The real engine takes in the whole piece before it drops what is not wanted: that much room is needed.
  const bool fits = !refuses_ && info_.state_form == StateForm::Cells && frame && frame->begin == begin && count > 0 &&
                    count <= frame->end - begin && line.imported == begin && line.cells.size() == begin &&
                    frame->end - begin <= free_cells_.size();
  if (!fits) {
    clear(to);
    return false;
  }
  CHECK(frame->payload.size() == sizeof(std::uint64_t) + (frame->end - begin) * kCellBytes);
  CHECK(value_at<std::uint64_t>(frame->payload, 0) == hash_of(line));  // cells of other tokens than those before them
  read_cells(line, frame->payload.subspan(sizeof(std::uint64_t)), count);
  line.imported = begin + count;
  return true;
}

std::vector<std::uint8_t> FakeEngine::snapshot(Sequence from) {
  const Line& line = line_of(from);
  CHECK(line.imported == 0);
  if (info_.state_form != StateForm::Cells || info_.memory_kind == MemoryKind::Attention || line.cells.empty())
    return {};
  std::vector<std::uint8_t> bytes = framed();
  append_value(bytes, hash_of(line));
  close_frame(bytes, StatePart::Snapshot, 0, static_cast<std::uint32_t>(line.cells.size()));
  return bytes;
}

bool FakeEngine::finish_import(Sequence to, std::uint32_t length, std::span<const std::uint8_t> snapshot) {
  Line& line = line_of(to);
  bool fits = !refuses_ && length > 0 && line.imported == length;
  if (fits && info_.memory_kind != MemoryKind::Attention) {
    const auto frame = open_frame(snapshot, StatePart::Snapshot);
    fits = frame && frame->end == length;
    if (fits) CHECK(value_at<std::uint64_t>(frame->payload, 0) == hash_of(line));  // the snapshot of another line
  }
  if (!fits) {
    clear(to);
    return false;
  }
  line.imported = 0;
  line.answer_start = 0;
  line.cut_floor = length;
  return true;
}

std::vector<std::uint8_t> FakeEngine::save(Sequence sequence) const {
  const Line& line = line_of(sequence);
  CHECK(line.imported == 0);
  if (info_.state_form == StateForm::None || line.cells.empty()) return {};
  std::vector<std::uint8_t> bytes = framed();
  write_cells(bytes, line, 0, static_cast<std::uint32_t>(line.cells.size()));
  close_frame(bytes, StatePart::Whole, 0, static_cast<std::uint32_t>(line.cells.size()));
  return bytes;
}

bool FakeEngine::restore(Sequence to, std::span<const std::uint8_t> state, std::uint32_t length) {
  Line& line = line_of(to);
  CHECK(line.cells.empty() && line.imported == 0);
  const auto frame = open_frame(state, StatePart::Whole);
  if (refuses_ || info_.state_form == StateForm::None || !frame || frame->end != length ||
      frame->payload.size() != length * kCellBytes || length > free_cells_.size())
    return false;
  read_cells(line, frame->payload, length);
  line.answer_start = 0;
  line.cut_floor = length;
  return true;
}

void FakeEngine::make_cells(std::uint32_t count) {
  lines_.assign(options_.script.sequences, {});
  cells_.assign(count, {});
  free_cells_.clear();
  for (std::uint32_t i = count; i > 0; --i) free_cells_.push_back(i - 1);
  cells_used_ = 0;
}

std::optional<std::uint64_t> FakeEngine::room_beside(std::uint32_t context_tokens, std::uint64_t) const {
  return context_tokens <= info_.context_limit_tokens ? room_bytes_ : std::nullopt;
}

Result<void> FakeEngine::rebuild(std::uint32_t context_tokens) {
  CHECK(context_tokens > info_.context_tokens && context_tokens <= info_.context_limit_tokens);
  const bool fails = std::exchange(rebuild_fails_, false);
  const auto cells = static_cast<std::uint32_t>(cells_.size());
  make_cells(fails ? cells : cells + context_tokens - info_.context_tokens);
  if (!fails) info_.context_tokens = context_tokens;
  if (fails) return fail(ErrorKind::NoMemory, "the fake engine was told to have no memory");
  return {};
}

}  // namespace hearth::engine
