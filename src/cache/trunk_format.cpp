// See trunk_format.h.
#include "cache/trunk_format.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <format>
#include <utility>

#include "base/check.h"
#include "base/raw_bytes.h"

namespace hearth::cache {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers and tokens are written as they lie in memory");

constexpr std::uint32_t kMagic = 0x314B5448;  // "HTK1" as its bytes lie in the file
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kStartBytes = 4 + 2 + 2 + 32 + 4 + 4;
constexpr std::size_t kPieceBytes = 1 + 1 + 2 + 4 + 4 + 8;

Error broken(std::string what) {
  return {ErrorKind::InvalidInput, "this is no trunk file that can be used: " + std::move(what)};
}

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

std::string encode_trunk_header(const TrunkHeader& header) {
  std::string out;
  append_raw(out, kMagic);
  append_raw(out, kVersion);
  append_raw(out, std::uint16_t{0});
  append_raw(out, header.identity);
  append_raw(out, static_cast<std::uint32_t>(header.tokens.size()));
  append_raw(out, static_cast<std::uint32_t>(header.pieces.size()));
  out.append(reinterpret_cast<const char*>(header.tokens.data()), header.tokens.size() * sizeof(Token));
  for (const TrunkPiece& piece : header.pieces) {
    append_raw(out, static_cast<std::uint8_t>(piece.is_anchor ? 1 : 0));
    append_raw(out, static_cast<std::uint8_t>(piece.kind));
    append_raw(out, std::uint16_t{0});
    append_raw(out, piece.begin);
    append_raw(out, piece.end);
    append_raw(out, piece.bytes);
  }
  append_raw(out, content_hash(bytes_of(out)));
  return out;
}

std::uint64_t trunk_file_bytes(const TrunkHeader& header) {
  std::uint64_t bytes =
      kStartBytes + header.tokens.size() * sizeof(Token) + header.pieces.size() * kPieceBytes + kTrunkDigestBytes;
  for (const TrunkPiece& piece : header.pieces) bytes += piece.bytes + kTrunkDigestBytes;
  return bytes;
}

TrunkReader::TrunkReader(const Hash& identity, std::uint64_t bytes_max, Sink sink)
    : identity_(identity), bytes_max_(bytes_max), sink_(std::move(sink)), wanted_(kStartBytes) {}

Result<void> TrunkReader::feed(std::span<const std::uint8_t> bytes) {
  if (state_ == State::Failed) return std::unexpected(broken("it was refused before"));
  while (!bytes.empty()) {
    if (state_ == State::Complete) {
      state_ = State::Failed;
      return std::unexpected(broken("bytes follow its end"));
    }
    const std::size_t part = std::min<std::uint64_t>(bytes.size(), wanted_ - held_.size());
    held_.insert(held_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(part));
    bytes = bytes.subspan(part);
    taken_ += part;
    if (held_.size() < wanted_) return {};
    if (auto done = step(); !done) {
      state_ = State::Failed;
      held_ = {};
      return done;
    }
  }
  return {};
}

Result<void> TrunkReader::step() {
  switch (state_) {
    case State::Start: return read_start();
    case State::Table: return read_table();
    case State::Piece: return end_piece();
    case State::Complete:
    case State::Failed: break;
  }
  CHECK(false);
}

Result<void> TrunkReader::read_start() {
  std::span<const std::uint8_t> rest = held_;
  if (take_raw<std::uint32_t>(rest) != kMagic) return std::unexpected(broken("it does not begin with HTK1"));
  if (const auto version = take_raw<std::uint16_t>(rest); version != kVersion)
    return std::unexpected(broken(std::format("its version is {}, this Hearth knows {}", version, kVersion)));
  if (take_raw<std::uint16_t>(rest) != 0)
    return std::unexpected(broken("it has flags that this version does not know"));
  header_.identity = take_raw<Hash>(rest);
  if (header_.identity != identity_)
    return std::unexpected(broken(
        "it was made with another model file, library version, back end or other settings of the engine (KV types, "
        "flash attention, --exact) than this server's"));
  token_count_ = take_raw<std::uint32_t>(rest);
  piece_count_ = take_raw<std::uint32_t>(rest);
  if (token_count_ == 0 || token_count_ > kTrunkTokensMax)
    return std::unexpected(broken(std::format("it speaks of {} tokens", token_count_)));
  if (piece_count_ == 0 || piece_count_ > token_count_ / kBlockTokens + 1 + kTrunkAnchorsMax)
    return std::unexpected(broken(std::format("it speaks of {} pieces", piece_count_)));
  start_ = std::exchange(held_, {});
  wanted_ = token_count_ * sizeof(Token) + piece_count_ * kPieceBytes + kTrunkDigestBytes;
  state_ = State::Table;
  return {};
}

Result<void> TrunkReader::read_table() {
  start_.insert(start_.end(), held_.begin(), held_.end() - kTrunkDigestBytes);
  std::span<const std::uint8_t> digest = std::span(held_).last(kTrunkDigestBytes);
  if (take_raw<Hash>(digest) != content_hash(start_)) return std::unexpected(broken("its table is damaged"));
  std::span<const std::uint8_t> rest = held_;
  header_.tokens.resize(token_count_);
  std::memcpy(header_.tokens.data(), rest.data(), token_count_ * sizeof(Token));
  rest = rest.subspan(token_count_ * sizeof(Token));
  for (std::size_t i = 0; i < piece_count_; ++i) {
    const auto tag = take_raw<std::uint8_t>(rest);
    const auto kind = take_raw<std::uint8_t>(rest);
    const auto unused = take_raw<std::uint16_t>(rest);
    TrunkPiece piece{.is_anchor = tag == 1, .kind = static_cast<AnchorKind>(kind)};
    piece.begin = take_raw<std::uint32_t>(rest);
    piece.end = take_raw<std::uint32_t>(rest);
    piece.bytes = take_raw<std::uint64_t>(rest);
    if (tag > 1 || unused != 0 || kind > static_cast<std::uint8_t>(AnchorKind::Branch))
      return std::unexpected(broken(std::format("piece {} is of a kind that this version does not know", i)));
    header_.pieces.push_back(piece);
  }
  TRY(check_pieces());
  start_ = {};
  held_ = {};
  wanted_ = header_.pieces.front().bytes + kTrunkDigestBytes;
  state_ = State::Piece;
  return {};
}

// Blocks cover the tokens from 0 without gaps, each begun at a multiple of its size; anchors follow, at rising positions.
Result<void> TrunkReader::check_pieces() const {
  std::uint32_t covered = 0, last_anchor = 0;
  std::uint64_t bytes = 0;
  for (const TrunkPiece& piece : header_.pieces) {
    const bool in_order = piece.is_anchor ? piece.begin == 0 && piece.end > last_anchor && piece.end <= covered
                                          : last_anchor == 0 && piece.begin == covered && covered % kBlockTokens == 0 &&
                                                piece.end > piece.begin && piece.end - piece.begin <= kBlockTokens;
    if (!in_order || piece.end > token_count_) return std::unexpected(broken("its pieces do not fit together"));
    if (piece.bytes == 0 || piece.bytes > kTrunkPieceBytesMax)
      return std::unexpected(broken("a piece has an impossible size"));
    (piece.is_anchor ? last_anchor : covered) = piece.end;
    bytes += piece.bytes;
  }
  if (covered == 0) return std::unexpected(broken("it has no state"));
  if (bytes > bytes_max_)
    return fail(ErrorKind::TooLarge,
                std::format("the trunk has {} bytes of state, and the cache has room for {}; see --cache-ram", bytes,
                            bytes_max_));
  return {};
}

Result<void> TrunkReader::end_piece() {
  std::span<const std::uint8_t> digest = std::span(held_).last(kTrunkDigestBytes);
  const Hash expected = take_raw<Hash>(digest);
  std::vector<std::uint8_t> bytes = std::exchange(held_, {});
  bytes.resize(bytes.size() - kTrunkDigestBytes);
  if (content_hash(bytes) != expected) return std::unexpected(broken(std::format("piece {} is damaged", piece_)));
  TRY(sink_(header_, header_.pieces[piece_], std::move(bytes)));
  if (++piece_ == header_.pieces.size()) {
    state_ = State::Complete;
    wanted_ = 0;
  } else {
    wanted_ = header_.pieces[piece_].bytes + kTrunkDigestBytes;
  }
  return {};
}

}  // namespace hearth::cache
