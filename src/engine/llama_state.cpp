// State on its way out of a LlamaEngine and back in. The engine's thread.
//
// Cells leave through the scratch sequence: it shares them for a moment (only metadata moves), the library writes it out,
// and it lets go. They come back the same way: read into scratch, handed on to the sequence they are for. The library
// writes a state as attention cells and then, where there is such a part, the partial state that cannot be cut (recurrent
// state, sliding windows). Exported cells always carry the partial state of an empty sequence instead of their own: it
// travels apart, as a snapshot. What must hold: scratch is empty outside this file, but that it keeps sharing the last piece of an
// import (scratch_of_) until the next piece, or until cells are computed, cut, cleared, shared, exported or restored: each emptying is a pass over the whole pool, and the
// library empties what it reads into by itself. Nothing is copied onto positions that the destination holds already.
#include <new>
#include <utility>

#include "base/check.h"
#include "engine/llama_engine.h"
#include "engine/state_frame.h"

namespace hearth::engine {
namespace {

constexpr llama_state_seq_flags kEverything = LLAMA_STATE_SEQ_FLAGS_NONE;
constexpr llama_state_seq_flags kPartial = LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY;

// What the library puts before each state: a magic number and a sequence, read back but without meaning.
constexpr std::size_t kLibraryHeaderBytes = 8;

}  // namespace

// The scratch sequence for one passage: empty before and after, whatever happens between.
class LlamaEngine::Scratch {
 public:
  Scratch(LlamaEngine& engine, Sequence of) : engine_(engine) {
    engine_.empty_scratch();
    engine_.scratch_of_ = of;
  }
  ~Scratch() { engine_.empty_scratch(); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

 private:
  LlamaEngine& engine_;
};

void LlamaEngine::empty_scratch() {
  if (std::exchange(scratch_of_, std::nullopt)) llama_memory_seq_rm(memory_, scratch(), -1, -1);
}

bool LlamaEngine::has_partial_state() const { return traits_.kind != MemoryKind::Attention; }

bool LlamaEngine::append_state(std::vector<std::uint8_t>& bytes, Sequence from, llama_state_seq_flags flags) const {
  const std::size_t before = bytes.size();
  const std::size_t size = llama_state_seq_get_size_ext(context_.get(), from, flags);
  try {
    bytes.resize(before + size);
  } catch (const std::bad_alloc&) {
    return false;
  }
  return size > 0 && llama_state_seq_get_data_ext(context_.get(), bytes.data() + before, size, from, flags) == size;
}

std::vector<std::uint8_t> LlamaEngine::export_cells(Sequence from, std::uint32_t begin, std::uint32_t end) {
  CHECK(in_range(from) && !is_importing(from) && begin < end);
  if (info_.state_form != StateForm::Cells || end > held_length(from)) return {};
  std::vector<std::uint8_t> bytes = framed();
  if (traits_.kind != MemoryKind::Recurrent) {
    const Scratch cleared(*this, from);
    llama_memory_seq_cp(memory_, from, scratch(), static_cast<llama_pos>(begin), static_cast<llama_pos>(end));
    if (!write_scratch(bytes, begin, end)) return {};
  }
  close_frame(bytes, StatePart::Cells, begin, end);
  return bytes;
}

// The attention cells of the scratch sequence, then no_partial_.
bool LlamaEngine::write_scratch(std::vector<std::uint8_t>& bytes, std::uint32_t begin, std::uint32_t end) const {
  if (traits_.kind == MemoryKind::Attention)
    return holds_exactly(scratch(), begin, end) && append_state(bytes, scratch(), kEverything);
  // Recurrent state came along with the copy and may be tens of MB: let go of it before it is written. Reading an empty
  // state drops that of the scratch sequence, and its attention cells stay.
  if (traits_.kind == MemoryKind::Hybrid &&
      llama_state_seq_set_data_ext(context_.get(), no_partial_.data(), no_partial_.size(), scratch(), kPartial) !=
          no_partial_.size())
    return false;
  const std::size_t partial = llama_state_seq_get_size_ext(context_.get(), scratch(), kPartial) - kLibraryHeaderBytes;
  if (!append_state(bytes, scratch(), kEverything) || partial > bytes.size() - sizeof(StateFrame)) return false;
  bytes.resize(bytes.size() - partial);
  bytes.insert(bytes.end(), no_partial_.begin() + kLibraryHeaderBytes, no_partial_.end());
  return true;
}

bool LlamaEngine::holds_exactly(Sequence sequence, std::uint32_t begin, std::uint32_t end) const {
  return llama_memory_seq_pos_min(memory_, sequence) == static_cast<llama_pos>(begin) && held_length(sequence) == end;
}

bool LlamaEngine::share_cells(Sequence from, Sequence to, std::uint32_t count) {
  CHECK(in_range(from) && in_range(to) && from != to && count > 0 && !is_importing(from) && !is_importing(to));
  DCHECK(held_length(to) == 0);
  empty_scratch();
  if (info_.state_form != StateForm::Cells || count > held_length(from)) return false;
  if (traits_.kind != MemoryKind::Recurrent) {
    llama_memory_seq_cp(memory_, from, to, 0, static_cast<llama_pos>(count));
    // What cannot be cut came along with the copy, for another position: finish_import() brings the right one. Until then
    // recurrent state is dropped, and a window gets cells of its own: shared ones cannot be overwritten, and the ring that
    // `from` goes on in would be full of them.
    const bool apart = traits_.kind == MemoryKind::Hybrid
                           ? llama_state_seq_set_data_ext(context_.get(), no_partial_.data(), no_partial_.size(), to,
                                                          kPartial) == no_partial_.size()
                           : traits_.kind != MemoryKind::Window || own_window(to);
    if (!apart) {
      clear(to);
      return false;
    }
  }
  imported_[static_cast<std::size_t>(to)] = count;
  return true;
}

bool LlamaEngine::import_cells(Sequence to, std::uint32_t begin, std::span<const std::uint8_t> cells,
                               std::uint32_t count) {
  CHECK(in_range(to));
  std::uint32_t& imported = imported_[static_cast<std::size_t>(to)];
  const auto frame = open_frame(cells, StatePart::Cells);
  const bool fits = info_.state_form == StateForm::Cells && frame && frame->begin == begin && count > 0 &&
                    count <= frame->end - begin && imported == begin && (begin > 0 || held_length(to) == 0);
  if (fits && (traits_.kind == MemoryKind::Recurrent || read_cells(to, *frame, count))) {
    imported = begin + count;
    return true;
  }
  clear(to);
  return false;
}

bool LlamaEngine::read_cells(Sequence to, const OpenFrame& frame, std::uint32_t count) {
  // A payload with no cells in it leaves scratch as it was. The piece before of the same import is told from this one by its
  // place, where the memory can be asked; another's may stand at the very same.
  if (traits_.kind != MemoryKind::Attention || scratch_of_ != to) empty_scratch();
  scratch_of_ = to;
  if (llama_state_seq_set_data(context_.get(), frame.payload.data(), frame.payload.size(), scratch()) !=
      frame.payload.size())
    return false;
  // Only attention alone can be asked: the library answers for a whole of parts, of which one is missing yet.
  if (traits_.kind == MemoryKind::Attention && !holds_exactly(scratch(), frame.begin, frame.end)) return false;
  llama_memory_seq_cp(memory_, scratch(), to, static_cast<llama_pos>(frame.begin),
                      static_cast<llama_pos>(frame.begin + count));
  return true;
}

std::vector<std::uint8_t> LlamaEngine::snapshot(Sequence from) {
  CHECK(in_range(from) && !is_importing(from));
  const std::uint32_t length = held_length(from);
  if (info_.state_form != StateForm::Cells || !has_partial_state() || length == 0) return {};
  std::vector<std::uint8_t> bytes = framed();
  // Of a window the library writes what the next token looks at, and no older cells that are still there.
  if (!append_state(bytes, from, kPartial)) return {};
  close_frame(bytes, StatePart::Snapshot, 0, length);
  return bytes;
}

bool LlamaEngine::finish_import(Sequence to, std::uint32_t length, std::span<const std::uint8_t> snapshot) {
  CHECK(in_range(to));
  empty_scratch();
  std::uint32_t& imported = imported_[static_cast<std::size_t>(to)];
  bool fits = length > 0 && imported == length;
  if (fits && has_partial_state()) {
    const auto frame = open_frame(snapshot, StatePart::Snapshot);
    fits = frame && frame->end == length &&
           llama_state_seq_set_data_ext(context_.get(), frame->payload.data(), frame->payload.size(), to, kPartial) ==
               frame->payload.size();
  }
  if (fits && held_length(to) == length) {
    imported = 0;
    return true;
  }
  clear(to);
  return false;
}

std::vector<std::uint8_t> LlamaEngine::save(Sequence sequence) const {
  CHECK(in_range(sequence) && !is_importing(sequence));
  const std::uint32_t length = held_length(sequence);
  if (info_.state_form == StateForm::None || length == 0) return {};
  std::vector<std::uint8_t> bytes = framed();
  if (!append_state(bytes, sequence, kEverything)) return {};
  close_frame(bytes, StatePart::Whole, 0, length);
  return bytes;
}

bool LlamaEngine::restore(Sequence to, std::span<const std::uint8_t> state, std::uint32_t length) {
  CHECK(in_range(to) && !is_importing(to));
  DCHECK(held_length(to) == 0);
  empty_scratch();
  const auto frame = open_frame(state, StatePart::Whole);
  const bool taken = info_.state_form != StateForm::None && frame && frame->end == length &&
                     llama_state_seq_set_data(context_.get(), frame->payload.data(), frame->payload.size(), to) ==
                         frame->payload.size();
  if (taken && held_length(to) == length) return true;
  clear(to);
  return false;
}

}  // namespace hearth::engine
