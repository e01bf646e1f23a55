// See importer.h.
#include "cache/importer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace hearth::cache {
namespace {

// Asked of the disk and not yet taken in: enough for it to be busy while a batch is computed.
constexpr std::uint64_t kAheadBytes = std::uint64_t{128} << 20;

std::uint32_t wanted_tokens(const Import& import) { return static_cast<std::uint32_t>(import.tokens.size()); }

}  // namespace

Import Importer::begin(const Start& start, std::span<const Token> prompt) {
  Import import{
      .ram = start.ram, .tokens = {prompt.begin(), prompt.begin() + start.tokens}, .arrived = start.live_tokens};
  for (const BlockId block : start.ram.blocks) import.pieces.push_back({.range = ram_.range(block), .block = block});
  ram_.pin(import.ram);
  if (!start.from_disk) return import;
  import.disk = start.disk;
  import.anchor_on_disk = start.disk.anchor.has_value();
  // What RAM has of it comes from there: whole blocks that agree to their end. A tail that does, too, ends where no block of the
  // disk begins.
  std::erase_if(import.pieces, [&](const Piece& piece) {
    return piece.range.end > start.ram.tokens || piece.range.end % kBlockTokens != 0;
  });
  for (std::size_t i = import.pieces.size(); i < start.disk.blocks.size(); ++i)
    import.pieces.push_back(
        {.range = disk_->range(start.disk.blocks[i]), .on_disk = true, .block = start.disk.blocks[i]});
  disk_->pin(import.disk);
  fetch_ahead(import);
  return import;
}

void Importer::fetch_ahead(Import& import) {
  const auto ask_for_anchor = [&] {
    if (!import.anchor_on_disk || import.anchor_ticket || import.anchor_bytes) return;
    // Not by the pieces taken: what the pool shares already may be all of them, and then the anchor is what is missing.
    if (import.arrived < wanted_tokens(import) && fetched_bytes_ >= ahead_bytes_max_) return;
    import.anchor_ticket = disk_->fetch(*import.disk.anchor);
    import.anchor_fetched_bytes = disk_->bytes_of(*import.disk.anchor);
    fetched_bytes_ += import.anchor_fetched_bytes;
  };
  // First, for without the state the blocks are of no use: whether it can be read is known before they are brought in. One so large
  // that little room would be left for reading blocks ahead comes behind them.
  const bool leaves_room = import.anchor_on_disk && disk_->bytes_of(*import.disk.anchor) <= ahead_bytes_max_ / 2;
  if (leaves_room || import.arrived == wanted_tokens(import)) ask_for_anchor();
  const auto may_ask = [&] {
    return import.fetched_bytes == 0 || (import.fetched_bytes < kAheadBytes && fetched_bytes_ < ahead_bytes_max_);
  };
  for (; import.next_fetch < import.pieces.size() && may_ask(); ++import.next_fetch) {
    Piece& piece = import.pieces[import.next_fetch];
    if (!piece.on_disk || piece.range.end <= import.arrived) continue;
    piece.ticket = disk_->fetch(piece.block);
    piece.bytes = disk_->bytes_of(piece.block);
    import.fetched_bytes += piece.bytes;
    fetched_bytes_ += piece.bytes;
  }
  if (import.next_fetch == import.pieces.size()) ask_for_anchor();
}

// The piece's bytes when they are there; nothing when they are not yet, or never will be (is_broken).
std::shared_ptr<const store::Bytes> Importer::take_fetched(Import& import, Piece& piece) {
  fetch_ahead(import);
  CHECK(piece.ticket);
  auto outcome = disk_->arrived(*piece.ticket);
  if (!outcome) return nullptr;
  piece.ticket.reset();
  import.fetched_bytes -= piece.bytes;
  fetched_bytes_ -= piece.bytes;
  if (*outcome) return **outcome;
  import.leaves_disk = !disk_->reject(piece.block, outcome->error());
  import.is_broken = true;
  return nullptr;
}

Importer::Step Importer::step(Sequence sequence, Import& import) {
  const std::uint32_t wanted = wanted_tokens(import);
  if (import.anchor_ticket && !import.is_broken) static_cast<void>(anchor_is_there(import));
  while (!import.is_broken && import.arrived < wanted && import.next_piece < import.pieces.size()) {
    Piece& piece = import.pieces[import.next_piece];
    const std::uint32_t end = std::min(piece.range.end, wanted);
    if (end <= import.arrived) {  // shared with a line that was in the pool already
      ++import.next_piece;
      continue;
    }
    CHECK(piece.range.begin == import.arrived);
    std::shared_ptr<const store::Bytes> fetched;
    if (piece.on_disk) {
      fetched = take_fetched(import, piece);
      if (import.is_broken) break;
      if (!fetched) return Step::Waits;
    }
    const std::span<const std::uint8_t> cells = fetched ? std::span(*fetched) : ram_.bytes(piece.block);
    if (!engine_.import_cells(sequence, import.arrived, cells, end - import.arrived)) {
      if (piece.on_disk) import.refused = piece.block;
      return Step::NoRoom;
    }
    import.refused.reset();
    (piece.on_disk ? import.brought.disk : import.brought.ram) += end - import.arrived;
    import.arrived = end;
    ++import.next_piece;
    return Step::Took;
  }
  if (!import.is_broken && import.arrived == wanted && !anchor_is_there(import)) return Step::Waits;
  return Step::Done;
}

// The state of an anchor on the disk has come, or never will.
bool Importer::anchor_is_there(Import& import) {
  if (!import.anchor_on_disk || import.anchor_bytes) return true;
  fetch_ahead(import);
  CHECK(import.anchor_ticket);
  auto outcome = disk_->arrived(*import.anchor_ticket);
  if (!outcome) return false;
  import.anchor_ticket.reset();
  if (*outcome) {
    import.anchor_bytes = **outcome;
  } else {
    import.leaves_disk = !disk_->reject(*import.disk.anchor, outcome->error());
    import.is_broken = true;
  }
  return true;
}

// What was asked for and not taken in is asked for again, or not needed any more.
void Importer::forget_fetched(Import& import) {
  for (Piece& piece : import.pieces)
    if (piece.ticket) disk_->forget(*std::exchange(piece.ticket, std::nullopt));
  import.next_fetch = 0;
  fetched_bytes_ -= std::exchange(import.fetched_bytes, 0);
  if (!import.anchor_bytes) forget_anchor(import);
}

void Importer::forget_anchor(Import& import) {
  if (import.anchor_ticket) disk_->forget(*std::exchange(import.anchor_ticket, std::nullopt));
  import.anchor_bytes.reset();
  fetched_bytes_ -= std::exchange(import.anchor_fetched_bytes, 0);
}

void Importer::restart(Import& import) {
  forget_fetched(import);
  import.arrived = 0;
  import.brought = {};
  import.next_piece = 0;
}

std::uint32_t Importer::finish(Sequence sequence, Import& import) {
  const bool needs_state = import.anchor_on_disk || import.ram.anchor.has_value();
  std::span<const std::uint8_t> state;
  if (import.anchor_bytes)
    state = *import.anchor_bytes;
  else if (!import.anchor_on_disk && import.ram.anchor)
    state = ram_.snapshot(*import.ram.anchor);
  // What is broken is still good as far as it came, where a state can be cut.
  const bool whole = import.arrived == wanted_tokens(import) || (import.is_broken && !needs_state);
  const bool is_complete = whole && import.arrived > 0 && !(import.anchor_on_disk && !import.anchor_bytes);
  const bool ended = is_complete && engine_.finish_import(sequence, import.arrived, state);
  if (is_complete && !ended && import.anchor_on_disk) import.refused = *import.disk.anchor;
  drop(import);
  return ended ? import.arrived : 0;
}

void Importer::drop(Import& import) {
  forget_fetched(import);
  forget_anchor(import);
  ram_.unpin(import.ram);
  if (disk_ != nullptr) disk_->unpin(import.disk);
}

}  // namespace hearth::cache
