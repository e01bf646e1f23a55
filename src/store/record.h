// What the store keeps and what it says of it: plain values. The store does not know what a record means; the cache does.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/digest.h"

namespace hearth::store {

using Bytes = std::vector<std::uint8_t>;

enum class RecordKind : std::uint8_t { Block, Anchor };
inline constexpr std::uint8_t kRecordKindLast = 1;
enum class Codec : std::uint8_t { Raw, Zstd };
inline constexpr std::uint8_t kCodecLast = 1;

// What names a record: two of one kind and name hold the same state.
struct Key {
  RecordKind kind = RecordKind::Block;
  Digest name{};
  friend bool operator==(const Key&, const Key&) = default;
};

inline constexpr std::uint64_t kRecordHeaderBytes = 48;  // before each record's bytes

// Where a record's bytes lie, and what they must be.
struct Place {
  std::uint64_t extent = 0;
  std::uint64_t offset = 0;  // of the record's header
  std::uint64_t stored_bytes = 0;
  std::uint64_t raw_bytes = 0;
  Codec codec = Codec::Raw;
  Digest digest{};  // of name, kind, lengths and stored bytes
};

// What is known of a record beside its bytes.
struct Meta {
  Key key;
  Digest root{}, parent{};  // where its chain begins; the record before it
  std::uint32_t begin = 0;  // tokens before it
  std::vector<std::int32_t> tokens;
  std::uint8_t anchor_kind = 0, line_kind = 0;  // the cache's enumerations
  std::uint32_t uses = 0, branches = 0;
  std::uint64_t stored_unix_ms = 0, used_unix_ms = 0;
};

struct Entry {
  Meta meta;
  Place place;
};

// A record to be written. The bytes are shared with whoever still needs them in memory.
struct Write {
  Meta meta;
  std::shared_ptr<const Bytes> bytes;
};

}  // namespace hearth::store
