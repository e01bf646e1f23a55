// The bytes of an extent and of the index (docs/cache-format.md). Readers trust nothing: whatever the bytes, they return entries
// that lie within the file, or an Error. Pure, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/record.h"

namespace hearth::store {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::uint64_t kExtentHeaderBytes = 32;
inline constexpr std::uint64_t kTrailerBytes = 64;

// Bounds of what a reader believes. An extent's target size is the store's matter.
inline constexpr std::uint64_t kRecordBytesMax = std::uint64_t{8} << 30;
inline constexpr std::uint64_t kFooterBytesMax = std::uint64_t{256} << 20;
inline constexpr std::uint64_t kIndexBytesMax = std::uint64_t{512} << 20;
inline constexpr std::uint32_t kRecordTokensMax = 4096;

// ---- writing
[[nodiscard]] Bytes extent_header(std::uint64_t id, std::uint64_t created_unix_ms);
// What guards a record: begun with what it is, then all of its stored bytes, in as many pieces as one likes.
class RecordDigester {
 public:
  RecordDigester(const Key& key, const Place& place);
  void add(std::span<const std::uint8_t> stored) { digester_.add(stored); }
  [[nodiscard]] Digest finish() const { return digester_.finish(); }

 private:
  Digester digester_;
};
[[nodiscard]] Digest record_digest(const Key& key, const Place& place, std::span<const std::uint8_t> stored);
[[nodiscard]] Bytes record_header(const Place& place);
// The table of all records, and the trailer behind it. `offset`: where it begins in the file.
[[nodiscard]] Bytes extent_footer(std::uint64_t id, std::uint64_t offset, std::span<const Entry> entries);

// What guards a table, and the index before its last 32 bytes.
[[nodiscard]] Digest table_digest(std::uint64_t id, std::span<const std::uint8_t> table);
[[nodiscard]] Digest index_digest(std::span<const std::uint8_t> bytes);

// ---- reading
struct ExtentHeader {
  std::uint64_t id = 0, created_unix_ms = 0;
};
[[nodiscard]] Result<ExtentHeader> read_extent_header(std::span<const std::uint8_t> bytes);
struct Trailer {
  std::uint64_t footer_offset = 0, footer_bytes = 0;
  std::uint32_t entry_count = 0;
  Digest digest{};
};
// `bytes`: the file's last kTrailerBytes.
[[nodiscard]] Result<Trailer> read_trailer(std::span<const std::uint8_t> bytes, std::uint64_t file_bytes);
[[nodiscard]] Result<std::vector<Entry>> read_footer(std::uint64_t id, const Trailer& trailer,
                                                     std::span<const std::uint8_t> bytes);
// NotFound when the record was given back (zeros), InvalidInput when it is another one than `place` says.
[[nodiscard]] Result<void> check_record_header(std::span<const std::uint8_t> bytes, const Place& place);

// ---- the index: what all extents hold, as it was when it was written
struct Index {
  std::uint64_t written_unix_ms = 0;
  std::uint64_t day = 0, day_bytes = 0;            // bytes written to the folder on that day (days of Unix time)
  std::map<std::uint64_t, std::uint64_t> extents;  // id -> bytes of the file
  std::vector<Entry> entries;                      // each in one of these extents
};
[[nodiscard]] Bytes write_index(const Index& index);
[[nodiscard]] Result<Index> read_index(std::span<const std::uint8_t> bytes);

// ---- the names of a folder's files
inline constexpr const char* kIndexName = "index.bin";
inline constexpr std::string_view kSecretName = "secret", kLockName = "lock";
inline constexpr std::string_view kTemporary = ".tmp", kBad = ".bad";  // behind another name: being written, put aside
// "00c0ffee00c0ffee.kv"
[[nodiscard]] std::string extent_name(std::uint64_t id);
[[nodiscard]] std::optional<std::uint64_t> extent_id(std::string_view name);
[[nodiscard]] bool is_cache_file(std::string_view name);  // one that a store may have made

}  // namespace hearth::store
