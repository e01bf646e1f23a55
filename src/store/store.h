// Store: records in extents on a Disk (docs/cache-format.md). An extent is written whole and then never changed: it is there,
// synced, under its name, or it is not there at all. What is dropped leaves a hole; an extent without records is removed. The
// index is a copy of what the extents say of themselves and may be lost or old.
//
// One process writes a folder; another one that opens it reads only, and what vanishes under it was "given back".
// Thread-safe; every call but counts() waits for the disk. One thread writes (write, drop, save_index).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/disk.h"
#include "store/extent_format.h"
#include "store/read_buffers.h"
#include "store/record.h"
#include "store/store_options.h"

namespace hearth::store {

class Store {
 public:
  // Everything that is wrong with single files is logged and left out; an Error only when the folder cannot be used at all.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(std::unique_ptr<Disk> disk, StoreOptions options);

  // What was there when the store was opened; once, the rest of the time it is the caller's. Of two of one name the first is there.
  [[nodiscard]] std::vector<Entry> take_entries() { return std::exchange(entries_, {}); }
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }
  // 32 random bytes that are this folder's own. Zeros in a folder that cannot be written and has none.
  [[nodiscard]] const Digest& secret() const { return secret_; }

  // The record's bytes as they were written, verified. NotFound: given back or vanished; InvalidInput: damaged; Io.
  // The memory is used again when the last owner lets go.
  [[nodiscard]] Result<std::shared_ptr<const Bytes>> read(const Key& key, const Place& place);
  void release_read_buffers() { buffers_.release(); }
  // A hint that it will be read soon.
  void will_need(const Place& place);

  // One new extent, committed when it returns. Nothing is left of it on an Error (TooLarge: the disk is full). `pause` is
  // called after each record with the time it took.
  using Pause = std::function<void(std::chrono::steady_clock::duration)>;
  [[nodiscard]] Result<std::vector<Place>> write(std::span<const Write> records, const Pause& pause = {});
  // Records that are there already, once more in one new extent: many small files become few. The old ones are still there.
  // One that cannot be read is left out, and `unreadable` says why.
  struct Unreadable {
    std::size_t index = 0;  // among the records
    Error why;
  };
  struct Gathered {
    std::vector<Place> places;  // of the others, in order
    std::vector<Unreadable> unreadable;
  };
  [[nodiscard]] Result<Gathered> gather(std::span<const Entry> records, const Pause& pause = {});
  // Their room is given back. What cannot be found any more is passed over.
  void drop(std::span<const Place> places);
  [[nodiscard]] Result<void> save_index(std::vector<Entry> entries);

  [[nodiscard]] bool read_only() const { return read_only_; }
  // How often files of it were removed under this process. What has_extent() no more is gone.
  [[nodiscard]] std::uint64_t begun_anew() const { return begun_anew_; }
  [[nodiscard]] bool has_extent(std::uint64_t id) const;
  [[nodiscard]] StoreCounts counts() const;
  // What the files here may hold together so that the disk keeps free what it must, and `spare_bytes` more. Waits for the disk.
  [[nodiscard]] std::uint64_t bytes_that_fit(std::uint64_t spare_bytes) const;
  [[nodiscard]] std::string where() const { return disk_->where(); }

 private:
  struct Extent {
    std::uint64_t bytes = 0;       // of the file
    std::uint64_t hole_bytes = 0;  // of them, given back
    std::uint64_t records = 0;
  };
  using FilePointer = std::shared_ptr<const ReadFile>;

  Store(std::unique_ptr<Disk> disk, StoreOptions options);

  // store_open.cpp
  Result<void> scan();
  void tidy(std::vector<FileInfo>& files);
  [[nodiscard]] Index load_index(const std::vector<FileInfo>& files);
  [[nodiscard]] Result<std::vector<Entry>> load_extent(std::uint64_t id, const FileInfo& file);
  void load_secret();
  [[nodiscard]] Result<void> save_secret();
  [[nodiscard]] Result<void> keep_secret();
  [[nodiscard]] bool keeps_bad(const FileInfo& file);
  [[nodiscard]] bool set_aside(const FileInfo& file, const Error& why);
  void look_for_unlisted(const Index& index);

  // store.cpp
  [[nodiscard]] Result<FilePointer> file_of(std::uint64_t extent);
  // A record as it goes into a file.
  struct Stored {
    const Meta* meta = nullptr;
    Codec codec = Codec::Raw;
    std::uint64_t raw_bytes = 0;
    std::shared_ptr<const Bytes> bytes;
  };
  using Source = std::function<std::optional<Stored>(std::size_t)>;  // nothing: this one is left out
  [[nodiscard]] Result<std::shared_ptr<const Bytes>> read_stored(const Key& key, const Place& place);
  [[nodiscard]] Result<std::shared_ptr<const Bytes>> unpack(const Bytes& stored, const Place& place);
  [[nodiscard]] Result<std::vector<Place>> commit(std::size_t count, const Source& source, const Pause& pause);
  [[nodiscard]] Result<std::vector<Place>> write_extent(std::uint64_t id, std::size_t count, const Source& source,
                                                        const Pause& pause, std::uint64_t& bytes);
  [[nodiscard]] Result<void> check_room() const;
  void remove_empty(std::uint64_t extent);
  void begin_anew_if_removed();
  [[nodiscard]] Result<void> name(const std::string& making, const std::string& made);  // survives a power cut
  void count_written(std::uint64_t bytes);
  [[nodiscard]] std::uint64_t now_ms() const { return options_.unix_ms(); }

  const std::unique_ptr<Disk> disk_;
  ReadBuffers buffers_;
  const StoreOptions options_;
  std::atomic<std::uint64_t> begun_anew_ = 0;
  bool read_only_ = false;  // constant once opened, as the next two
  Digest secret_{};
  std::vector<Entry> entries_;
  std::uint64_t ids_made_ = 0;            // the writing thread's
  bool must_list_ = false;                // the folder is not what it was; the writing thread's
  std::vector<std::uint64_t> unremoved_;  // extents without records whose files are still there; the writing thread's
  std::size_t bad_files_ = 0;             // constant once opened

  mutable std::mutex mutex_;
  // Guarded, as all that follows. Which there are, and their `bytes`, only the writing thread changes: it may read these without.
  std::map<std::uint64_t, Extent> extents_;
  std::uint64_t index_bytes_ = 0, bad_bytes_ = 0;
  std::list<std::pair<std::uint64_t, FilePointer>> open_files_;  // the one used last is the first
  std::uint64_t day_ = 0, day_bytes_ = 0;
  StoreCounts counts_;
};

}  // namespace hearth::store
