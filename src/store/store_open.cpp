// Opening a folder: what is there, what can be trusted, what is put aside.
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <format>
#include <functional>
#include <iterator>
#include <new>
#include <optional>
#include <string_view>
#include <thread>
#include <unordered_set>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "store/store.h"

namespace hearth::store {
namespace {

// Files that were put aside are for a person to look at; more of them only take room.
constexpr std::size_t kBadFilesMax = 4;
// A file with fewer blocks than bytes has holes; so much may be the file system's own arithmetic.
constexpr std::uint64_t kHoleSlackBytes = 64 * 1024;
constexpr std::chrono::milliseconds kLockLook{50};

Result<Bytes> read_whole(const ReadFile& file, std::uint64_t offset, std::uint64_t bytes) {
  Bytes read(bytes);
  TRY_ASSIGN(const std::size_t got, file.read_at(offset, read));
  if (got != bytes) return fail(ErrorKind::InvalidInput, "it is cut off");
  return read;
}

// Room for what is read once. Large, in pages of 2 MB where the system has them: taking 30,000 small ones costs more time than what
// is read into them.
class Room {
 public:
  explicit Room(std::size_t bytes)
      : bytes_(bytes), room_(std::aligned_alloc(kLargePage, (bytes / kLargePage + 1) * kLargePage)) {
    if (room_ == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    if (bytes >= kLargePage) ::madvise(room_, bytes, MADV_HUGEPAGE);
#endif
  }
  ~Room() { std::free(room_); }
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;
  [[nodiscard]] std::span<std::uint8_t> bytes() const { return {static_cast<std::uint8_t*>(room_), bytes_}; }

 private:
  static constexpr std::size_t kLargePage = std::size_t{2} << 20;
  const std::size_t bytes_;
  void* const room_;
};

// What the system refuses now it may give another time; only what was read and is wrong is damage.
bool is_damage(const Error& why) { return why.kind == ErrorKind::InvalidInput || why.kind == ErrorKind::TooLarge; }

const FileInfo* find_file(const std::vector<FileInfo>& files, std::string_view name) {
  const auto found = std::ranges::find(files, name, &FileInfo::name);
  return found == files.end() || found->is_unknown ? nullptr : &*found;
}

// Of two records of one name those that are there come first: an index that was written before one was given back still names the
// place that it left, and a small hole does not show in the length of a file. Returns how many the system refused to read.
std::uint64_t put_missing_last(Disk& disk, std::vector<Entry>& entries) {
  std::uint64_t unread = 0;
  std::map<std::pair<RecordKind, Digest>, std::size_t> counts;
  for (const Entry& entry : entries) ++counts[{entry.meta.key.kind, entry.meta.key.name}];
  std::ranges::stable_partition(entries, [&](const Entry& entry) {
    if (counts[{entry.meta.key.kind, entry.meta.key.name}] == 1) return true;
    const auto header = disk.open(extent_name(entry.place.extent)).and_then([&](const auto& file) {
      return read_whole(*file, entry.place.offset, kRecordHeaderBytes);
    });
    if (!header && header.error().kind == ErrorKind::Io) ++unread;
    return header && check_record_header(*header, entry.place).has_value();
  });
  return unread;
}

bool lock_in_time(Disk& disk, std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  while (!disk.lock()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(kLockLook);
  }
  return true;
}

StoreOptions completed(StoreOptions options) {
  if (!options.unix_ms) options.unix_ms = unix_now_ms;
  if (options.id_seed == 0) options.id_seed = random_u64();
  return options;
}

}  // namespace

Store::Store(std::unique_ptr<Disk> disk, StoreOptions options)
    : disk_(std::move(disk)), options_(completed(std::move(options))) {}

Result<std::unique_ptr<Store>> Store::open(std::unique_ptr<Disk> disk, StoreOptions options) {
  auto store = std::unique_ptr<Store>(new Store(std::move(disk), std::move(options)));
  try {
    TRY(store->scan());
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::NoMemory, "no memory for what the cache's files hold");
  }
  return store;
}

Result<void> Store::scan() {
  read_only_ = options_.access == Access::ReadOnly || !lock_in_time(*disk_, options_.lock_patience);
  counts_.read_only = read_only_;
  TRY_ASSIGN(std::vector<FileInfo> files, disk_->list());
  if (!read_only_) tidy(files);
  load_secret();
  Index index = load_index(files);
  day_ = index.day;
  day_bytes_ = index.day_bytes;

  std::unordered_set<std::uint64_t> indexed;  // extents that the index speaks truly of
  for (const FileInfo& file : files) {
    const std::optional<std::uint64_t> id = extent_id(file.name);
    if (!id) continue;
    const auto known = index.extents.find(*id);
    extents_[*id] = {.bytes = file.bytes, .hole_bytes = file.bytes - std::min(file.bytes, file.allocated_bytes)};
    if (known != index.extents.end() && known->second == file.bytes && !file.is_unknown) {
      indexed.insert(*id);
      continue;
    }
    auto entries = load_extent(*id, file);
    if (!entries) {
      if (set_aside(file, entries.error())) extents_.erase(*id);
      continue;
    }
    counts_.index_rebuilt = true;
    std::ranges::move(*entries, std::back_inserter(entries_));
  }
  entries_.reserve(entries_.size() + index.entries.size());
  for (Entry& entry : index.entries)
    if (indexed.contains(entry.place.extent)) entries_.push_back(std::move(entry));
  for (const Entry& entry : entries_) ++extents_[entry.place.extent].records;
  if (!read_only_) look_for_unlisted(index);
  if (counts_.index_rebuilt)
    counts_.unread += put_missing_last(*disk_, entries_);  // the index alone has each name once
  return {};
}

// What the index speaks of and the listing does not was removed; or the listing is not whole, and it must not pass for removed.
void Store::look_for_unlisted(const Index& index) {
  for (const auto& [id, bytes] : index.extents) {
    if (extents_.contains(id)) continue;
    const auto opened = disk_->open(extent_name(id));
    const bool is_gone = !opened && (opened.error().kind == ErrorKind::NotFound ||
                                     opened.error().kind == ErrorKind::Forbidden);  // not ours: not there for us
    if (is_gone) continue;
    const Error why = opened ? Error{ErrorKind::Io, "the folder's listing leaves it out"} : opened.error();
    static_cast<void>(set_aside({.name = extent_name(id)}, why));
  }
}

// One that was put aside and may stay: a few, and not much of the budget, for who loads the model next has to live with the rest.
bool Store::keeps_bad(const FileInfo& file) {
  const std::uint64_t bytes = std::min(file.bytes, file.allocated_bytes);
  if (bad_files_ >= kBadFilesMax || bytes > options_.bad_bytes_max - std::min(options_.bad_bytes_max, bad_bytes_))
    return false;
  ++bad_files_;
  bad_bytes_ += bytes;
  return true;
}

// What a crash left half made is nobody's; of what was put aside only a little is kept, the newest of it.
void Store::tidy(std::vector<FileInfo>& files) {
  std::ranges::stable_sort(files, std::greater(), &FileInfo::modified_s);
  std::erase_if(files, [&](const FileInfo& file) {
    if (!is_cache_file(file.name)) return false;
    const bool is_bad = file.name.ends_with(kBad);
    const bool leaves = is_bad ? !keeps_bad(file) : file.name.ends_with(kTemporary);
    if (leaves) static_cast<void>(disk_->remove(file.name));
    return leaves;
  });
}

Index Store::load_index(const std::vector<FileInfo>& files) {
  const FileInfo* file = find_file(files, kIndexName);
  if (file == nullptr) return {};
  const auto read = [&]() -> Result<Index> {
    if (file->bytes > kIndexBytesMax) return fail(ErrorKind::TooLarge, "it is too large");
    TRY_ASSIGN(const auto opened, disk_->open(file->name));
    const Room room(file->bytes);
    TRY_ASSIGN(const std::size_t got, opened->read_at(0, room.bytes()));
    if (got != file->bytes) return fail(ErrorKind::InvalidInput, "it is cut off");
    return read_index(room.bytes());
  };
  auto index = read();
  if (index) {
    index_bytes_ = file->bytes;
    return std::move(*index);
  }
  log_warning("store", "the index of {} cannot be used ({}); it is made anew from the files", disk_->where(),
              index.error().message);
  ++counts_.rejected;
  if (!read_only_ && is_damage(index.error())) static_cast<void>(disk_->remove(file->name));
  return {};
}

Result<std::vector<Entry>> Store::load_extent(std::uint64_t id, const FileInfo& file) {
  if (file.is_unknown) return fail(ErrorKind::Io, "the system does not say how large it is");
  TRY_ASSIGN(const auto opened, disk_->open(file.name));
  TRY_ASSIGN(const Bytes head, read_whole(*opened, 0, kExtentHeaderBytes));
  TRY_ASSIGN(const ExtentHeader header, read_extent_header(head));
  if (header.id != id) return fail(ErrorKind::InvalidInput, "it has another file's name");
  if (file.bytes < kTrailerBytes) return fail(ErrorKind::InvalidInput, "it is too short");
  TRY_ASSIGN(const Bytes end, read_whole(*opened, file.bytes - kTrailerBytes, kTrailerBytes));
  TRY_ASSIGN(const Trailer trailer, read_trailer(end, file.bytes));
  TRY_ASSIGN(const Bytes table, read_whole(*opened, trailer.footer_offset, trailer.footer_bytes));
  TRY_ASSIGN(std::vector<Entry> entries, read_footer(id, trailer, table));
  if (file.allocated_bytes + kHoleSlackBytes < file.bytes)  // some were given back since
    std::erase_if(entries, [&](const Entry& entry) {
      const auto bytes = read_whole(*opened, entry.place.offset, kRecordHeaderBytes);
      return bytes && !check_record_header(*bytes, entry.place);
    });
  return entries;
}

void Store::load_secret() {
  const auto read = [&]() -> Result<Digest> {
    TRY_ASSIGN(const auto opened, disk_->open(std::string(kSecretName)));
    Digest secret{};
    TRY_ASSIGN(const std::size_t got, opened->read_at(0, secret));
    if (got != secret.size()) return fail(ErrorKind::InvalidInput, "it is too short");
    return secret;
  };
  const auto known = read();
  if (known) {
    secret_ = *known;
    return;
  }
  // A link or another's file is not there for us.
  const bool is_there = known.error().kind != ErrorKind::NotFound && known.error().kind != ErrorKind::Forbidden;
  if (is_there)
    log_warning("store", "the secret of {} cannot be used ({}); what keyed callers had computed is not found",
                disk_->where(), known.error().message);
  if (read_only_) return;
  for (std::size_t i = 0; i < secret_.size(); i += 8) {
    const std::uint64_t random = random_u64();
    for (std::size_t k = 0; k < 8; ++k) secret_[i + k] = static_cast<std::uint8_t>(random >> (8 * k));
  }
  // One that cannot be read now is the only way to what was kept with it: it stays, and this one is forgotten with the process.
  if (is_there && !is_damage(known.error())) return;
  if (const auto saved = save_secret(); !saved)
    log_warning("store", "{}: {}; what keyed callers compute is not found again after a restart", disk_->where(),
                saved.error().message);
}

// A cleaner of old files takes it for one, being read once and never written; who made it still has it.
Result<void> Store::keep_secret() {
  const auto opened = disk_->open(std::string(kSecretName));
  if (opened || opened.error().kind != ErrorKind::NotFound) return {};
  return save_secret();
}

Result<void> Store::save_secret() {
  const std::string making = std::string(kSecretName) + std::string(kTemporary);
  static_cast<void>(disk_->remove(making));  // of a try that failed, where it could not be removed
  const auto save = [&]() -> Result<void> {
    TRY_ASSIGN(const auto file, disk_->create(making));
    TRY(file->append(secret_));
    TRY(file->sync());
    return name(making, std::string(kSecretName));
  };
  auto saved = save();
  if (!saved) static_cast<void>(disk_->remove(making));
  return saved;
}

// True: the file is none of the cache's any more. What could only not be read now stays, and counts, and is looked at again by
// the next process.
bool Store::set_aside(const FileInfo& file, const Error& why) {
  if (why.kind == ErrorKind::NotFound) return true;  // it vanished while we looked
  ++counts_.rejected;
  if (!is_damage(why)) ++counts_.unread;
  const bool moves = !read_only_ && is_damage(why) && keeps_bad(file);
  const bool moved = moves && disk_->rename(file.name, file.name + std::string(kBad)).has_value();
  const bool removed = !read_only_ && is_damage(why) && !moves && disk_->remove(file.name).has_value();
  if (moves && !moved) {  // it stays as what it was
    --bad_files_;
    bad_bytes_ -= std::min(file.bytes, file.allocated_bytes);
  }
  log_warning("store", "{}/{} cannot be used ({}){}; the rest is", disk_->where(), file.name, why.message,
              moved     ? std::format("; it is now {}{}", file.name, kBad)
              : removed ? "; it is removed, as there is no room to put it aside"
                        : "");
  return moved || removed;
}

}  // namespace hearth::store
