// See extent_format.h. Structs of fixed size are copied as they lie in memory; every field has its place by static_assert.
#include "store/extent_format.h"

#include <bit>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <format>
#include <string_view>

#include "base/check.h"
#include "base/raw_bytes.h"

namespace hearth::store {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::uint64_t kExtentMagic = 0x314E455854564B48;   // "HKVTXEN1"
constexpr std::uint64_t kTrailerMagic = 0x31444E4554564B48;  // "HKVTEND1"
constexpr std::uint64_t kIndexMagic = 0x3158444954564B48;    // "HKVTIDX1"
constexpr std::uint32_t kRecordMagic = 0x43455248;           // "HREC"

struct HeaderBytes {
  std::uint64_t magic = kExtentMagic;
  std::uint32_t version = kFormatVersion, reserved = 0;
  std::uint64_t id = 0, created_unix_ms = 0;
};
static_assert(sizeof(HeaderBytes) == kExtentHeaderBytes);

struct RecordBytes {
  std::uint32_t magic = kRecordMagic;
  std::uint32_t codec = 0;
  std::uint64_t stored_bytes = 0;
  Digest digest{};
};
static_assert(sizeof(RecordBytes) == kRecordHeaderBytes);

struct TrailerBytes {
  std::uint64_t footer_offset = 0, footer_bytes = 0;
  std::uint32_t entry_count = 0, version = kFormatVersion;
  Digest digest{};
  std::uint64_t magic = kTrailerMagic;
};
static_assert(sizeof(TrailerBytes) == kTrailerBytes);

struct EntryBytes {
  std::uint8_t kind = 0, codec = 0, anchor_kind = 0, line_kind = 0;
  std::uint32_t begin = 0, token_count = 0, uses = 0, branches = 0, reserved = 0;
  std::uint64_t extent = 0, offset = 0, stored_bytes = 0, raw_bytes = 0;
  std::uint64_t stored_unix_ms = 0, used_unix_ms = 0;
  Digest root{}, parent{}, name{}, digest{};
};
static_assert(sizeof(EntryBytes) == 200);

struct IndexBytes {
  std::uint64_t magic = kIndexMagic;
  std::uint32_t version = kFormatVersion, reserved = 0;
  std::uint64_t written_unix_ms = 0, day = 0, day_bytes = 0;
  std::uint64_t extent_count = 0, entry_count = 0;
};
static_assert(sizeof(IndexBytes) == 56);

std::unexpected<Error> wrong(std::string_view what) { return fail(ErrorKind::InvalidInput, std::string(what)); }
std::unexpected<Error> wrong_version(std::uint32_t version) {
  return wrong(std::format("it has format version {}, this program reads {}", version, kFormatVersion));
}

void append_entry(Bytes& to, const Entry& entry) {
  const Meta& meta = entry.meta;
  CHECK(!meta.tokens.empty() && meta.tokens.size() <= kRecordTokensMax);
  append_raw(to, EntryBytes{.kind = static_cast<std::uint8_t>(meta.key.kind),
                            .codec = static_cast<std::uint8_t>(entry.place.codec),
                            .anchor_kind = meta.anchor_kind,
                            .line_kind = meta.line_kind,
                            .begin = meta.begin,
                            .token_count = static_cast<std::uint32_t>(meta.tokens.size()),
                            .uses = meta.uses,
                            .branches = meta.branches,
                            .extent = entry.place.extent,
                            .offset = entry.place.offset,
                            .stored_bytes = entry.place.stored_bytes,
                            .raw_bytes = entry.place.raw_bytes,
                            .stored_unix_ms = meta.stored_unix_ms,
                            .used_unix_ms = meta.used_unix_ms,
                            .root = meta.root,
                            .parent = meta.parent,
                            .name = meta.key.name,
                            .digest = entry.place.digest});
  const std::size_t before = to.size();
  to.resize(before + meta.tokens.size() * sizeof(std::int32_t));
  std::memcpy(to.data() + before, meta.tokens.data(), meta.tokens.size() * sizeof(std::int32_t));
}

// `end`: what records may reach up to in their file.
Result<Entry> take_entry(std::span<const std::uint8_t>& from, std::uint64_t end) {
  if (from.size() < sizeof(EntryBytes)) return wrong("its table is cut off");
  const auto read = take_raw<EntryBytes>(from);
  if (read.kind > kRecordKindLast || read.codec > kCodecLast)
    return wrong("its table names a kind that does not exist");
  if (read.token_count == 0 || read.token_count > kRecordTokensMax ||
      from.size() / sizeof(std::int32_t) < read.token_count)
    return wrong("its table promises tokens that are not there");
  const bool inside = read.offset >= kExtentHeaderBytes && read.offset <= end && read.stored_bytes <= kRecordBytesMax &&
                      end - read.offset >= kRecordHeaderBytes &&
                      read.stored_bytes <= end - read.offset - kRecordHeaderBytes;
  const bool sized = read.raw_bytes > 0 && read.raw_bytes <= kRecordBytesMax && read.stored_bytes > 0 &&
                     (read.codec != static_cast<std::uint8_t>(Codec::Raw) || read.raw_bytes == read.stored_bytes);
  if (!inside || !sized) return wrong("its table points outside of it");
  Entry entry{.meta = {.key = {.kind = static_cast<RecordKind>(read.kind), .name = read.name},
                       .root = read.root,
                       .parent = read.parent,
                       .begin = read.begin,
                       .tokens = {},
                       .anchor_kind = read.anchor_kind,
                       .line_kind = read.line_kind,
                       .uses = read.uses,
                       .branches = read.branches,
                       .stored_unix_ms = read.stored_unix_ms,
                       .used_unix_ms = read.used_unix_ms},
              .place = {.extent = read.extent,
                        .offset = read.offset,
                        .stored_bytes = read.stored_bytes,
                        .raw_bytes = read.raw_bytes,
                        .codec = static_cast<Codec>(read.codec),
                        .digest = read.digest}};
  entry.meta.tokens.resize(read.token_count);
  std::memcpy(entry.meta.tokens.data(), from.data(), read.token_count * sizeof(std::int32_t));
  from = from.subspan(read.token_count * sizeof(std::int32_t));
  return entry;
}

}  // namespace

Digest table_digest(std::uint64_t id, std::span<const std::uint8_t> table) {
  return Digester("hearth cache table 1").add(id).add(table).finish();
}

Digest index_digest(std::span<const std::uint8_t> bytes) {
  return Digester("hearth cache index 1").add(bytes).finish();
}

Bytes extent_header(std::uint64_t id, std::uint64_t created_unix_ms) {
  Bytes bytes;
  append_raw(bytes, HeaderBytes{.id = id, .created_unix_ms = created_unix_ms});
  return bytes;
}

RecordDigester::RecordDigester(const Key& key, const Place& place) : digester_("hearth cache record 1") {
  digester_.add(key.name)
      .add(static_cast<std::uint64_t>(key.kind))
      .add(static_cast<std::uint64_t>(place.codec))
      .add(place.raw_bytes)
      .add(place.stored_bytes);
}

Digest record_digest(const Key& key, const Place& place, std::span<const std::uint8_t> stored) {
  RecordDigester digester(key, place);
  digester.add(stored);
  return digester.finish();
}

Bytes record_header(const Place& place) {
  Bytes bytes;
  append_raw(bytes, RecordBytes{.codec = static_cast<std::uint32_t>(place.codec),
                                .stored_bytes = place.stored_bytes,
                                .digest = place.digest});
  return bytes;
}

Bytes extent_footer(std::uint64_t id, std::uint64_t offset, std::span<const Entry> entries) {
  Bytes bytes;
  for (const Entry& entry : entries) append_entry(bytes, entry);
  const std::uint64_t footer_bytes = bytes.size();
  append_raw(bytes, TrailerBytes{.footer_offset = offset,
                                 .footer_bytes = footer_bytes,
                                 .entry_count = static_cast<std::uint32_t>(entries.size()),
                                 .digest = table_digest(id, bytes)});
  return bytes;
}

Result<ExtentHeader> read_extent_header(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < sizeof(HeaderBytes)) return wrong("it is too short");
  const auto read = take_raw<HeaderBytes>(bytes);
  if (read.magic != kExtentMagic) return wrong("it does not begin as an extent does");
  if (read.version != kFormatVersion) return wrong_version(read.version);
  return ExtentHeader{.id = read.id, .created_unix_ms = read.created_unix_ms};
}

Result<Trailer> read_trailer(std::span<const std::uint8_t> bytes, std::uint64_t file_bytes) {
  if (bytes.size() != sizeof(TrailerBytes) || file_bytes < kExtentHeaderBytes + sizeof(TrailerBytes))
    return wrong("it is too short");
  const auto read = take_raw<TrailerBytes>(bytes);
  if (read.magic != kTrailerMagic) return wrong("its end is missing");
  if (read.version != kFormatVersion) return wrong_version(read.version);
  const std::uint64_t end = file_bytes - sizeof(TrailerBytes);
  if (read.footer_bytes > kFooterBytesMax || read.footer_offset < kExtentHeaderBytes || read.footer_offset > end ||
      read.footer_bytes != end - read.footer_offset || read.entry_count > read.footer_bytes / sizeof(EntryBytes))
    return wrong("its table lies elsewhere than its end says");
  return Trailer{.footer_offset = read.footer_offset,
                 .footer_bytes = read.footer_bytes,
                 .entry_count = read.entry_count,
                 .digest = read.digest};
}

Result<std::vector<Entry>> read_footer(std::uint64_t id, const Trailer& trailer, std::span<const std::uint8_t> bytes) {
  if (bytes.size() != trailer.footer_bytes || table_digest(id, bytes) != trailer.digest)
    return wrong("the checksum of its table is wrong");
  std::vector<Entry> entries;
  entries.reserve(trailer.entry_count);
  for (std::uint32_t i = 0; i < trailer.entry_count; ++i) {
    TRY_ASSIGN(Entry entry, take_entry(bytes, trailer.footer_offset));
    entry.place.extent = id;  // the file's name and header say so, whatever stands here
    entries.push_back(std::move(entry));
  }
  if (!bytes.empty()) return wrong("its table has an unknown rest");
  return entries;
}

Result<void> check_record_header(std::span<const std::uint8_t> bytes, const Place& place) {
  if (bytes.size() < sizeof(RecordBytes)) return wrong("the record is cut off");
  const auto read = take_raw<RecordBytes>(bytes);
  if (read.magic == 0 && read.stored_bytes == 0) return fail(ErrorKind::NotFound, "the record was given back");
  if (read.magic != kRecordMagic || read.codec != static_cast<std::uint32_t>(place.codec) ||
      read.stored_bytes != place.stored_bytes || read.digest != place.digest)
    return wrong("another record lies there");
  return {};
}

Bytes write_index(const Index& index) {
  Bytes bytes;
  bytes.reserve(sizeof(IndexBytes) + index.extents.size() * 16 + index.entries.size() * (sizeof(EntryBytes) + 1024) +
                32);
  append_raw(bytes, IndexBytes{.written_unix_ms = index.written_unix_ms,
                               .day = index.day,
                               .day_bytes = index.day_bytes,
                               .extent_count = index.extents.size(),
                               .entry_count = index.entries.size()});
  for (const auto& [id, size] : index.extents) {
    append_raw(bytes, id);
    append_raw(bytes, size);
  }
  for (const Entry& entry : index.entries) append_entry(bytes, entry);
  append_raw(bytes, index_digest(bytes));
  return bytes;
}

Result<Index> read_index(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < sizeof(IndexBytes) + sizeof(Digest)) return wrong("it is too short");
  const std::span<const std::uint8_t> whole = bytes.first(bytes.size() - sizeof(Digest));
  auto rest = whole;
  const auto head = take_raw<IndexBytes>(rest);
  if (head.magic != kIndexMagic) return wrong("it does not begin as an index does");
  if (head.version != kFormatVersion) return wrong_version(head.version);
  const Digest digest = index_digest(whole);
  if (std::memcmp(digest.data(), bytes.data() + whole.size(), digest.size()) != 0)
    return wrong("its checksum is wrong");
  Index index{.written_unix_ms = head.written_unix_ms,
              .day = head.day,
              .day_bytes = head.day_bytes,
              .extents = {},
              .entries = {}};
  if (head.extent_count > rest.size() / 16) return wrong("it promises extents that are not there");
  for (std::uint64_t i = 0; i < head.extent_count; ++i) {
    const auto id = take_raw<std::uint64_t>(rest);
    index.extents[id] = take_raw<std::uint64_t>(rest);
  }
  if (head.entry_count > rest.size() / sizeof(EntryBytes)) return wrong("it promises records that are not there");
  index.entries.reserve(head.entry_count);
  for (std::uint64_t i = 0; i < head.entry_count; ++i) {
    std::uint64_t extent = 0;
    if (rest.size() >= sizeof(EntryBytes))
      std::memcpy(&extent, rest.data() + offsetof(EntryBytes, extent), sizeof extent);
    const auto file = index.extents.find(extent);
    if (file == index.extents.end()) return wrong("it names an extent that it does not list");
    TRY_ASSIGN(Entry entry, take_entry(rest, file->second));
    index.entries.push_back(std::move(entry));
  }
  if (!rest.empty()) return wrong("it has an unknown rest");
  return index;
}

std::string extent_name(std::uint64_t id) { return std::format("{:016x}.kv", id); }

std::optional<std::uint64_t> extent_id(std::string_view name) {
  std::uint64_t id = 0;
  if (name.size() != 19 || !name.ends_with(".kv")) return std::nullopt;
  const auto [end, error] = std::from_chars(name.data(), name.data() + 16, id, 16);
  if (error != std::errc{} || end != name.data() + 16 || extent_name(id) != name) return std::nullopt;
  return id;
}

bool is_cache_file(std::string_view name) {
  for (const std::string_view ending : {kTemporary, kBad})
    if (name.ends_with(ending)) name.remove_suffix(ending.size());
  return extent_id(name) || name == kIndexName || name == "index" || name == kSecretName || name == kLockName;
}

}  // namespace hearth::store
