// A trunk as a file (docs/trunk-format.md): the tokens of a line and the state that was kept of it, to be carried to another
// cache of the same model. Written in parts, read as it comes; nothing in a file is believed before its checksum fits, and no
// memory is taken that its bytes have not filled. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cache/chain_hash.h"
#include "cache/worth.h"

namespace hearth::cache {

inline constexpr std::size_t kTrunkTokensMax = std::size_t{4} << 20;
inline constexpr std::size_t kTrunkAnchorsMax = 64;                           // a line keeps at most kLineAnchorsMax
inline constexpr std::uint64_t kTrunkPieceBytesMax = std::uint64_t{2} << 30;  // the state of a large model at one place
inline constexpr std::size_t kTrunkDigestBytes = 32;

struct TrunkPiece {
  bool is_anchor = false;  // else a block
  AnchorKind kind = AnchorKind::Turn;
  std::uint32_t begin = 0, end = 0;  // of a block; an anchor is at `end`, and its begin is 0
  std::uint64_t bytes = 0;
  bool operator==(const TrunkPiece&) const = default;
};

struct TrunkHeader {
  Hash identity{};  // of model content, KV types and back end: Root of no key
  std::vector<Token> tokens;
  std::vector<TrunkPiece> pieces;  // the blocks in order, then the anchors in order
  bool operator==(const TrunkHeader&) const = default;
};

// The file up to the first piece's bytes. REQUIRES: a header that a reader takes.
[[nodiscard]] std::string encode_trunk_header(const TrunkHeader& header);
// Header, and each piece's bytes and digest.
[[nodiscard]] std::uint64_t trunk_file_bytes(const TrunkHeader& header);

// Takes a file cut anywhere. After an Error it takes nothing more.
class TrunkReader {
 public:
  // What a whole piece is given to; its Error ends the reading.
  using Sink = std::function<Result<void>(const TrunkHeader&, const TrunkPiece&, std::vector<std::uint8_t>&&)>;
  // Files of another identity, and of more than `bytes_max` bytes of state, are refused.
  TrunkReader(const Hash& identity, std::uint64_t bytes_max, Sink sink);

  [[nodiscard]] Result<void> feed(std::span<const std::uint8_t> bytes);
  [[nodiscard]] bool complete() const { return state_ == State::Complete; }
  [[nodiscard]] std::uint64_t bytes_taken() const { return taken_; }
  [[nodiscard]] const TrunkHeader& header() const { return header_; }  // once the first piece was given

 private:
  enum class State { Start, Table, Piece, Complete, Failed };
  [[nodiscard]] Result<void> step();
  [[nodiscard]] Result<void> read_start();
  [[nodiscard]] Result<void> read_table();
  [[nodiscard]] Result<void> end_piece();
  [[nodiscard]] Result<void> check_pieces() const;

  const Hash identity_;
  const std::uint64_t bytes_max_;
  const Sink sink_;
  State state_ = State::Start;
  TrunkHeader header_;
  std::size_t token_count_ = 0, piece_count_ = 0;
  std::size_t piece_ = 0;            // the one that is being read
  std::uint64_t wanted_ = 0;         // bytes that held_ must have before the next step
  std::vector<std::uint8_t> held_;   // of this step
  std::vector<std::uint8_t> start_;  // the bytes before the table: part of what its digest is of
  std::uint64_t taken_ = 0;
};

}  // namespace hearth::cache
