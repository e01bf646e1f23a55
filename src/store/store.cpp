// Reading, writing and dropping records.
#include "store/store.h"

#include <algorithm>
#include <array>
#include <format>
#include <new>
#include <optional>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"
#include "store/compression.h"

namespace hearth::store {
namespace {

constexpr std::size_t kOpenFilesMax = 64;
// Small files are gathered long before; a folder with more would not be listed whole (posix_disk.cpp).
constexpr std::size_t kExtentsMax = 1U << 15U;
// Hashed while it is in the processor's cache still.
constexpr std::size_t kReadPieceBytes = std::size_t{1} << 20;
constexpr std::uint64_t kDayMs = 24ULL * 3600 * 1000;
constexpr const char* kIndexMaking = "index.tmp";

std::uint64_t record_bytes(const Place& place) { return kRecordHeaderBytes + place.stored_bytes; }

}  // namespace

Result<Store::FilePointer> Store::file_of(std::uint64_t extent) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(open_files_, extent, &std::pair<std::uint64_t, FilePointer>::first);
    if (found != open_files_.end()) {
      open_files_.splice(open_files_.begin(), open_files_, found);
      return found->second;
    }
  }
  const std::uint64_t begun_anew = begun_anew_;
  TRY_ASSIGN(FilePointer file, disk_->open(extent_name(extent)));
  const std::lock_guard lock(mutex_);
  if (begun_anew != begun_anew_) return file;  // perhaps a removed one, whose room would stay taken
  open_files_.emplace_front(extent, file);
  if (open_files_.size() > kOpenFilesMax) open_files_.pop_back();
  return file;
}

Result<std::shared_ptr<const Bytes>> Store::read_stored(const Key& key, const Place& place) {
  TRY_ASSIGN(const FilePointer file, file_of(place.extent));
  std::array<std::uint8_t, kRecordHeaderBytes> header{};
  TRY_ASSIGN(const std::size_t header_bytes, file->read_at(place.offset, header));
  TRY(check_record_header(std::span(header).first(header_bytes), place));
  const std::shared_ptr<Bytes> stored = buffers_.take(place.stored_bytes);
  RecordDigester digester(key, place);
  for (std::span<std::uint8_t> rest = *stored; !rest.empty();) {
    const std::span<std::uint8_t> piece = rest.first(std::min(rest.size(), kReadPieceBytes));
    rest = rest.subspan(piece.size());
    const std::uint64_t offset = place.offset + kRecordHeaderBytes + (place.stored_bytes - rest.size() - piece.size());
    TRY_ASSIGN(const std::size_t got, file->read_at(offset, piece));
    if (got != piece.size()) return fail(ErrorKind::InvalidInput, "the record is cut off");
    digester.add(piece);
  }
  if (digester.finish() != place.digest) return fail(ErrorKind::InvalidInput, "the record's checksum is wrong");
  return stored;
}

Result<std::shared_ptr<const Bytes>> Store::unpack(const Bytes& stored, const Place& place) {
  // Before memory is taken for what they claim.
  if (!decompresses_to(stored, place.raw_bytes)) return fail(ErrorKind::InvalidInput, "the record does not decompress");
  const std::shared_ptr<Bytes> raw = buffers_.take(place.raw_bytes);
  TRY(decompress(stored, *raw));
  return raw;
}

Result<std::shared_ptr<const Bytes>> Store::read(const Key& key, const Place& place) {
  Result<std::shared_ptr<const Bytes>> bytes;
  try {
    bytes = read_stored(key, place);
    if (bytes && place.codec == Codec::Zstd) bytes = unpack(**bytes, place);
  } catch (const std::bad_alloc&) {
    bytes = fail(ErrorKind::NoMemory, "no memory for the record");
  }
  const std::lock_guard lock(mutex_);
  if (bytes) {
    counts_.read_bytes += record_bytes(place);
    ++counts_.records_read;
  } else if (bytes.error().kind != ErrorKind::NotFound) {
    ++counts_.rejected;
  }
  return bytes;
}

void Store::will_need(const Place& place) {
  if (const auto file = file_of(place.extent)) (*file)->will_need(place.offset, record_bytes(place));
}

Result<std::vector<Place>> Store::write(std::span<const Write> records, const Pause& pause) {
  const auto source = [&](std::size_t i) -> std::optional<Stored> {
    const Write& record = records[i];
    Stored stored{.meta = &record.meta, .raw_bytes = record.bytes->size(), .bytes = record.bytes};
    if (std::optional<Bytes> smaller = compress(*record.bytes)) {
      stored.codec = Codec::Zstd;
      stored.bytes = std::make_shared<const Bytes>(*std::move(smaller));
    }
    return stored;
  };
  return commit(records.size(), source, pause);
}

Result<Store::Gathered> Store::gather(std::span<const Entry> records, const Pause& pause) {
  Gathered gathered;
  const auto source = [&](std::size_t i) -> std::optional<Stored> {
    const Entry& record = records[i];
    auto bytes = read_stored(record.meta.key, record.place);
    if (!bytes) {
      gathered.unreadable.push_back({.index = i, .why = std::move(bytes).error()});
      return std::nullopt;
    }
    return Stored{.meta = &record.meta,
                  .codec = record.place.codec,
                  .raw_bytes = record.place.raw_bytes,
                  .bytes = *std::move(bytes)};
  };
  TRY_ASSIGN(gathered.places, commit(records.size(), source, pause));
  buffers_.release();  // nobody waits for the next time
  return gathered;
}

Result<void> Store::name(const std::string& making, const std::string& made) {
  TRY(disk_->rename(making, made));
  return disk_->sync_names();
}

bool Store::has_extent(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  return extents_.contains(id);
}

// People clear caches with rm, also of what runs.
void Store::begin_anew_if_removed() {
  must_list_ = disk_->begin_anew() || must_list_;
  if (!must_list_) return;
  const auto files = disk_->list();
  if (!files) return;  // the next time
  must_list_ = false;
  std::unordered_set<std::uint64_t> there;
  for (const FileInfo& file : *files)
    if (const auto id = extent_id(file.name)) there.insert(*id);
  decltype(open_files_) gone;  // closed after the lock: the last to hold a removed file has to free it
  std::size_t lost = 0;
  {
    const std::lock_guard lock(mutex_);
    lost = std::erase_if(extents_, [&](const auto& extent) { return !there.contains(extent.first); });
    if (lost > 0) gone.swap(open_files_);
    if (lost > 0) ++begun_anew_;
  }
  std::erase_if(unremoved_, [&](std::uint64_t id) { return !there.contains(id); });
  if (lost == 0) return;
  log_warning("store", "{} of the cache's files in {} were removed by somebody; what they held is computed again", lost,
              disk_->where());
  if (const auto saved = keep_secret(); !saved)
    log_warning("store", "{}: {}; what keyed callers compute is not found again after a restart", disk_->where(),
                saved.error().message);
}

Result<std::vector<Place>> Store::commit(std::size_t count, const Source& source, const Pause& pause) {
  CHECK(!read_only_ && count > 0);
  begin_anew_if_removed();
  if (const std::lock_guard lock(mutex_); extents_.size() >= kExtentsMax)
    return fail(ErrorKind::TooLarge, "there are too many files");
  const std::uint64_t id = mix_u64(options_.id_seed, ids_made_++);
  const std::string making = extent_name(id) + ".tmp";
  std::uint64_t bytes = 0;
  Result<std::vector<Place>> places;
  try {
    places = write_extent(id, count, source, pause, bytes);
  } catch (const std::bad_alloc&) {
    places = fail(ErrorKind::NoMemory, "no memory to write with");
  }
  const bool is_empty = places && places->empty();  // nothing of it could be read
  if (places && !is_empty)
    if (const auto named = name(making, extent_name(id)); !named) places = std::unexpected(named.error());
  if (!places || is_empty) {
    static_cast<void>(disk_->remove(making));
    // The sync of a rename that has happened may have failed: the file must not come back as something that was never promised.
    static_cast<void>(disk_->remove(extent_name(id)));
  }
  const std::lock_guard lock(mutex_);
  count_written(bytes);
  if (!places) {
    ++counts_.write_errors;
  } else if (!is_empty) {
    counts_.records_written += places->size();
    extents_[id] = {.bytes = bytes, .hole_bytes = 0, .records = places->size()};
  }
  return places;
}

Result<void> Store::check_room() const {
  if (options_.free_bytes_min == 0) return {};
  TRY_ASSIGN(const std::uint64_t free, disk_->free_bytes());
  if (free < options_.free_bytes_min)
    return fail(ErrorKind::TooLarge, std::format("the disk is nearly full ({} MB are free)", free >> 20));
  return {};
}

std::uint64_t Store::bytes_that_fit(std::uint64_t spare_bytes) const {
  const auto free = disk_->free_bytes();
  if (options_.free_bytes_min == 0 || !free) return UINT64_MAX;
  const std::uint64_t room = counts().file_bytes + *free;
  return room - std::min(room, options_.free_bytes_min + spare_bytes);
}

// `bytes`: of the file so far, also when it fails.
Result<std::vector<Place>> Store::write_extent(std::uint64_t id, std::size_t count, const Source& source,
                                               const Pause& pause, std::uint64_t& bytes) {
  TRY_ASSIGN(const auto file, disk_->create(extent_name(id) + ".tmp"));
  const auto append = [&](std::span<const std::uint8_t> more) {
    bytes += more.size();
    return file->append(more);
  };
  TRY(append(extent_header(id, now_ms())));
  std::vector<Entry> entries;
  std::vector<Place> places;
  for (std::size_t i = 0; i < count; ++i) {
    const auto began = std::chrono::steady_clock::now();
    TRY(check_room());
    const std::optional<Stored> record = source(i);
    if (!record) continue;
    Place place{.extent = id,
                .offset = bytes,
                .stored_bytes = record->bytes->size(),
                .raw_bytes = record->raw_bytes,
                .codec = record->codec};
    place.digest = record_digest(record->meta->key, place, *record->bytes);
    TRY(append(record_header(place)));
    TRY(append(*record->bytes));
    places.push_back(place);
    entries.push_back({.meta = *record->meta, .place = place});
    if (pause) pause(std::chrono::steady_clock::now() - began);
  }
  if (places.empty()) return places;
  TRY(append(extent_footer(id, bytes, entries)));
  TRY(file->sync());
  return places;
}

// One that cannot be removed still takes its room: it is counted, and tried again.
void Store::remove_empty(std::uint64_t extent) {
  const auto removed = disk_->remove(extent_name(extent));
  const std::lock_guard lock(mutex_);
  if (removed || removed.error().kind == ErrorKind::NotFound) {
    extents_.erase(extent);
    std::erase(unremoved_, extent);
  } else if (!std::ranges::contains(unremoved_, extent)) {
    unremoved_.push_back(extent);
  }
}

void Store::drop(std::span<const Place> places) {
  if (read_only_) return;
  for (const std::uint64_t extent : std::vector(unremoved_)) remove_empty(extent);
  for (const Place& place : places) {
    bool is_last = false;
    {
      const std::lock_guard lock(mutex_);
      const auto extent = extents_.find(place.extent);
      if (extent == extents_.end() || extent->second.records == 0) continue;
      is_last = --extent->second.records == 0;
      if (is_last) std::erase_if(open_files_, [&](const auto& open) { return open.first == place.extent; });
    }
    if (is_last) {
      remove_empty(place.extent);
      continue;
    }
    const auto given_back = disk_->punch(extent_name(place.extent), place.offset, record_bytes(place));
    const std::lock_guard lock(mutex_);
    if (given_back) counts_.makes_holes = *given_back;
    if (const auto extent = extents_.find(place.extent); extent != extents_.end() && given_back.value_or(false))
      extent->second.hole_bytes += record_bytes(place);
  }
}

Result<void> Store::save_index(std::vector<Entry> entries) {
  CHECK(!read_only_);
  begin_anew_if_removed();
  Index index{.written_unix_ms = now_ms(), .day = 0, .day_bytes = 0, .extents = {}, .entries = std::move(entries)};
  {
    const std::lock_guard lock(mutex_);
    count_written(0);  // what is said of a day is of this one
    index.day = day_;
    index.day_bytes = day_bytes_;
  }
  // Only extents whose records the caller knows: one that was just written is read by its own table next time. Without the mutex: which
  // extents there are and how large is this thread's to change, and a look at each of 100,000 entries takes longer than a step may wait.
  std::erase_if(index.entries, [&](const Entry& entry) {
    const auto extent = extents_.find(entry.place.extent);
    if (extent != extents_.end()) index.extents[extent->first] = extent->second.bytes;
    return extent == extents_.end();
  });
  std::uint64_t bytes = 0;
  const auto save = [&]() -> Result<void> {
    TRY(keep_secret());
    const Bytes whole = write_index(index);
    bytes = whole.size();
    if (bytes > kIndexBytesMax) return fail(ErrorKind::TooLarge, "the index is too large");
    static_cast<void>(disk_->remove(kIndexMaking));  // of a try that failed, where it could not be removed
    TRY_ASSIGN(const auto file, disk_->create(kIndexMaking));
    TRY(file->append(whole));
    TRY(file->sync());
    return name(kIndexMaking, kIndexName);
  };
  Result<void> saved;
  try {
    saved = save();
  } catch (const std::bad_alloc&) {
    saved = fail(ErrorKind::NoMemory, "no memory to write with");
  }
  if (!saved) static_cast<void>(disk_->remove(kIndexMaking));
  const std::lock_guard lock(mutex_);
  count_written(bytes);
  if (saved)
    index_bytes_ = bytes;
  else
    ++counts_.write_errors;
  return saved;
}

// REQUIRES: mutex_ is held. A clock that jumps only begins another day.
void Store::count_written(std::uint64_t bytes) {
  counts_.written_bytes += bytes;
  const std::uint64_t today = now_ms() / kDayMs;
  if (today != day_) {
    day_ = today;
    day_bytes_ = 0;
  }
  day_bytes_ += bytes;
}

StoreCounts Store::counts() const {
  const std::lock_guard lock(mutex_);
  StoreCounts counts = counts_;
  counts.extents = extents_.size();
  counts.file_bytes = index_bytes_ + bad_bytes_;
  for (const auto& [id, extent] : extents_)
    counts.file_bytes += extent.bytes - std::min(extent.bytes, extent.hole_bytes);
  counts.written_today_bytes = now_ms() / kDayMs == day_ ? day_bytes_ : 0;
  return counts;
}

}  // namespace hearth::store
