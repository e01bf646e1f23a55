// See cache_desk.h.
#include "cache/cache_desk.h"

#include <algorithm>
#include <format>
#include <utility>

#include "base/log.h"
#include "engine/state_frame.h"

namespace hearth::cache {
namespace {

// Parts follow each other at once; a client that was stopped never comes again.
constexpr std::uint64_t kAbandonedMs = 60'000;

// The frame that every piece of state begins with (engine/state_frame.h) must be for the place that the table says.
bool is_for(const TrunkPiece& piece, std::span<const std::uint8_t> bytes) {
  const auto frame =
      engine::open_frame(bytes, piece.is_anchor ? engine::StatePart::Snapshot : engine::StatePart::Cells);
  return frame && frame->begin == piece.begin && frame->end == piece.end;
}

// Appends bytes [at, at + limit) of a stretch that lies at [begin, begin + stretch.size()) of a file.
void append_overlap(std::string& out, std::uint64_t at, std::size_t limit, std::uint64_t begin,
                    std::span<const std::uint8_t> stretch) {
  const std::uint64_t from = std::max(at + out.size(), begin);
  const std::uint64_t to = std::min<std::uint64_t>(at + limit, begin + stretch.size());
  if (from >= to || from != at + out.size()) return;
  const auto part = stretch.subspan(static_cast<std::size_t>(from - begin), static_cast<std::size_t>(to - from));
  out.append(reinterpret_cast<const char*>(part.data()), part.size());
}

}  // namespace

CacheDesk::~CacheDesk() {
  end_export();
  unpin_all(nullptr);
}

std::uint64_t CacheDesk::bytes_of(const Match& match) const {
  std::uint64_t bytes = match.anchor ? ram_.snapshot(*match.anchor).size() : 0;
  for (const BlockId id : match.blocks) bytes += ram_.bytes(id).size();
  return bytes;
}

Result<std::uint64_t> CacheDesk::pin(const KnownLine& line) {
  if (ram_.budget_bytes() == 0)
    return fail(ErrorKind::InvalidInput,
                "the cache has no RAM to pin it in: give it some (--cache-ram, or POST /v1/hearth/cache)");
  const std::string id = line.id;
  const auto before = std::ranges::find(pins_, id, &Pin::line_id);  // it may have grown
  const std::uint64_t bytes_before = before == pins_.end() ? 0 : before->bytes;
  Match match = ram_.find(*line.root, line.tokens, static_cast<std::uint32_t>(line.tokens.size()));
  if (match.tokens == 0)
    return fail(ErrorKind::NotFound, "RAM holds nothing of this line now: send its prompt once more, then pin it");
  const std::uint64_t bytes = bytes_of(match);
  if (before == pins_.end() && pins_.size() == kPinsMax)
    return fail(ErrorKind::TooLarge, std::format("{} lines are pinned already; unpin one first", kPinsMax));
  if (pinned_bytes_ - bytes_before + bytes > ram_.budget_bytes() / 2)
    return fail(
        ErrorKind::TooLarge,
        std::format("{} bytes more would pin over half of the cache's {} bytes of RAM; unpin a line or give it more "
                    "(--cache-ram)",
                    bytes, ram_.budget_bytes()));
  ram_.pin(match);
  if (before != pins_.end()) unpin(id);
  pinned_bytes_ += bytes;
  pins_.push_back({.line_id = id, .root = line.root, .match = std::move(match), .bytes = bytes});
  known_.hold(id, true);
  return bytes;
}

bool CacheDesk::unpin(const std::string& line_id) {
  const auto pin = std::ranges::find(pins_, line_id, &Pin::line_id);
  if (pin == pins_.end()) return false;
  pinned_bytes_ -= pin->bytes;
  ram_.unpin(pin->match);
  known_.hold(pin->line_id, false);
  pins_.erase(pin);
  return true;
}

bool CacheDesk::is_pinned(const std::string& line_id) const {
  return std::ranges::contains(pins_, line_id, &Pin::line_id);
}

void CacheDesk::unpin_all(const Root* root) {
  for (auto pin = pins_.begin(); pin != pins_.end();) {
    const auto here = pin++;
    if (root == nullptr || here->root == root) unpin(std::string(here->line_id));
  }
}

void CacheDesk::fit_budget(std::uint64_t pinned_bytes_max) {
  if (ram_.counts().bytes() > ram_.budget_bytes()) {
    end_export();
    import_.reset();
  }
  while (!pins_.empty() && pinned_bytes_ > pinned_bytes_max) {
    log_info("cache", "line {} is not pinned any more: the cache has less RAM", pins_.front().line_id);
    unpin(std::string(pins_.front().line_id));
  }
}

void CacheDesk::tick(std::uint64_t now_ms) {
  if (export_ && now_ms - std::min(now_ms, export_->now_ms) > kAbandonedMs) end_export();
  if (import_ && now_ms - std::min(now_ms, import_->now_ms) > kAbandonedMs) import_.reset();
}

void CacheDesk::end_transfers(const Root* root) {
  if (export_ && (root == nullptr || export_->root == root)) end_export();
  if (import_ && (root == nullptr || import_->root == root)) import_.reset();
}

Result<void> CacheDesk::begin_export(const KnownLine& line, const Hash& identity) {
  end_export();
  Match match = ram_.find(*line.root, line.tokens, static_cast<std::uint32_t>(line.tokens.size()));
  Export begun{.line_id = line.id, .root = line.root, .header = {.identity = identity}};
  std::uint32_t covered = 0;
  std::size_t blocks = 0;
  for (; blocks < match.blocks.size(); ++blocks) {
    const Range range = ram_.range(match.blocks[blocks]);
    if (range.end > std::max(match.tokens, match.attention_tokens)) break;  // another line's from some token on
    begun.header.pieces.push_back(
        {.begin = range.begin, .end = range.end, .bytes = ram_.bytes(match.blocks[blocks]).size()});
    covered = range.end;
  }
  match.blocks.resize(blocks);
  if (covered == 0)
    return fail(ErrorKind::NotFound, "RAM holds nothing of this line now: send its prompt once more, then export it");
  begun.header.tokens.assign(line.tokens.begin(), line.tokens.begin() + covered);
  // The anchors on the way, the deepest first.
  Match at = match;
  while (needs_snapshots_ && at.anchor && begun.anchors.size() < kTrunkAnchorsMax) {
    if (at.tokens <= covered) begun.anchors.insert(begun.anchors.begin(), *at.anchor);
    at = ram_.find(*line.root, line.tokens, at.tokens - 1);
  }
  match.anchor = {};
  for (const AnchorId id : begun.anchors) {
    const auto snapshot = ram_.snapshot(id);
    const auto frame = engine::open_frame(snapshot, engine::StatePart::Snapshot);
    begun.header.pieces.push_back(
        {.is_anchor = true, .kind = ram_.kind(id), .end = frame ? frame->end : 0, .bytes = snapshot.size()});
  }
  begun.match = std::move(match);
  begun.head = encode_trunk_header(begun.header);
  ram_.pin(begun.match);
  for (const AnchorId id : begun.anchors) ram_.pin(Match{.anchor = id});
  export_ = std::move(begun);
  return {};
}

void CacheDesk::end_export() {
  if (!export_) return;
  const Export ended = *std::exchange(export_, std::nullopt);
  for (const AnchorId id : ended.anchors) ram_.unpin(Match{.anchor = id});
  ram_.unpin(ended.match);
}

std::span<const std::uint8_t> CacheDesk::piece_bytes(const Export& running, std::size_t index) const {
  const std::size_t blocks = running.match.blocks.size();
  return index < blocks ? ram_.bytes(running.match.blocks[index]) : ram_.snapshot(running.anchors[index - blocks]);
}

Result<CacheDesk::Part> CacheDesk::export_part(const KnownLine& line, const Hash& identity, std::uint64_t offset,
                                               std::size_t bytes_max, std::uint64_t now_ms) {
  if (offset == 0) TRY(begin_export(line, identity));
  if (!export_ || export_->line_id != line.id)
    return fail(ErrorKind::InvalidInput,
                "this export has ended, or another has begun since; begin again from offset 0");
  Export& running = *export_;
  running.now_ms = now_ms;
  Part part{.total_bytes = trunk_file_bytes(running.header),
            .tokens = static_cast<std::uint32_t>(running.header.tokens.size())};
  const auto add = [&](std::uint64_t begin, std::span<const std::uint8_t> stretch) {
    append_overlap(part.bytes, offset, bytes_max, begin, stretch);
  };
  add(0, {reinterpret_cast<const std::uint8_t*>(running.head.data()), running.head.size()});
  std::uint64_t begin = running.head.size();
  for (std::size_t i = 0; i < running.header.pieces.size() && begin < offset + bytes_max; ++i) {
    const auto bytes = piece_bytes(running, i);
    const std::uint64_t end = begin + bytes.size() + kTrunkDigestBytes;
    if (end > offset) {
      add(begin, bytes);
      if (offset + bytes_max > begin + bytes.size()) {
        if (running.piece != i) running.digest = content_hash(bytes);
        running.piece = i;
        add(begin + bytes.size(), running.digest);
      }
    }
    begin = end;
  }
  return part;
}

Result<void> CacheDesk::take_piece(const Import& import, const TrunkHeader& header, const TrunkPiece& piece,
                                   std::vector<std::uint8_t>&& bytes) {
  if (!is_for(piece, bytes) || (piece.is_anchor && !needs_snapshots_))
    return fail(ErrorKind::InvalidInput, "this is no trunk file that can be used: a piece is not for its place");
  const bool kept = piece.is_anchor ? ram_.put_anchor(*import.root, header.tokens, piece.end, std::move(bytes),
                                                      piece.kind, import.now_ms)
                                    : ram_.put_block(*import.root, header.tokens, {piece.begin, piece.end},
                                                     std::move(bytes), LineKind::Conversation, import.now_ms);
  // An anchor less makes the trunk worse, not wrong.
  if (kept || piece.is_anchor) return {};
  return fail(ErrorKind::TooLarge,
              std::format("the cache had no room for the trunk from token {} on; see --cache-ram", piece.begin));
}

Result<CacheDesk::Taken> CacheDesk::import_part(const Root& root, const Hash& identity, std::uint64_t offset,
                                                std::span<const std::uint8_t> bytes, std::uint64_t now_ms) {
  if (offset == 0) {
    import_ = Import{.root = &root};
    // The reader lives in import_, and is called only while it does.
    import_->reader = std::make_unique<TrunkReader>(
        identity, ram_.budget_bytes(),
        [this](const TrunkHeader& header, const TrunkPiece& piece, std::vector<std::uint8_t>&& content) {
          return take_piece(*import_, header, piece, std::move(content));
        });
  }
  if (!import_ || import_->root != &root || import_->reader->bytes_taken() != offset)
    return fail(ErrorKind::InvalidInput, "this part does not follow the last one; begin again from offset 0");
  import_->now_ms = now_ms;
  TrunkReader& reader = *import_->reader;
  if (auto fed = reader.feed(bytes); !fed) {
    import_.reset();
    return std::unexpected(fed.error());
  }
  Taken taken{.bytes = reader.bytes_taken(), .complete = reader.complete()};
  if (taken.complete) {
    taken.tokens = static_cast<std::uint32_t>(reader.header().tokens.size());
    known_.remember(root, reader.header().tokens, now_ms);
    import_.reset();
  }
  return taken;
}

}  // namespace hearth::cache
