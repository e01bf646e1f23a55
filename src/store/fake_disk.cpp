// See fake_disk.h.
#include "store/fake_disk.h"

#include <algorithm>
#include <condition_variable>
#include <format>
#include <utility>

#include "base/random.h"

namespace hearth::store {
namespace {

constexpr std::size_t kSectorBytes = 512;

std::unexpected<Error> refused(std::string_view what) {
  return fail(ErrorKind::Io, std::format("fake disk: {}", what));
}

}  // namespace

struct FakeFile {
  Bytes bytes;
  std::size_t synced_bytes = 0;                                // of the front
  std::vector<std::pair<std::uint64_t, std::uint64_t>> holes;  // may be undone by a power cut, bytes and all
  Bytes before_holes;                                          // what the file was before the first of them
};

using Names = std::map<std::string, std::shared_ptr<FakeFile>>;

struct FakeDisk::Folder {
  struct Change {
    std::string from, to;            // both: a rename; one: a removal or a new file
    std::shared_ptr<FakeFile> file;  // of a new one
  };
  Names files;
  Names synced;                 // what a power cut leaves ...
  std::vector<Change> changes;  // ... with some of these
  bool is_removed = false;

  void change(Change change) {
    apply(files, change);
    changes.push_back(std::move(change));
  }
  static void apply(Names& names, const Change& change) {
    std::shared_ptr<FakeFile> file = change.from.empty() ? change.file : names[change.from];
    names.erase(change.from);
    if (!change.to.empty()) names[change.to] = std::move(file);
  }
};

// The counters of one process's life with the folder.
struct FakeDisk::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::shared_ptr<Folder> folder;
  std::uint64_t seed = 0, draws = 0, operations = 0;
  std::optional<std::uint64_t> crash_at;
  bool crashed = false;
  FakeFaults faults;

  std::uint64_t below(std::uint64_t limit) { return limit == 0 ? 0 : mix_u64(seed, draws++) % limit; }
  bool chance(std::uint32_t one_in) { return one_in != 0 && below(one_in) == 0; }
  // What becomes of the next writing operation.
  Step next() {
    if (crashed || faults.read_only) return Step::Refuse;
    if (crash_at == operations++) {
      crashed = true;
      return Step::Part;
    }
    return chance(faults.write_error_one_in) ? Step::Refuse : Step::Go;
  }
  std::uint64_t used_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& [name, file] : folder->files) {
      bytes += file->bytes.size();
      for (const auto& [begin, count] : file->holes) bytes -= std::min(bytes, count);
    }
    return bytes;
  }
};

class FakeReadFile final : public ReadFile {
 public:
  FakeReadFile(std::shared_ptr<FakeDisk::State> state, std::shared_ptr<FakeFile> file)
      : state_(std::move(state)), file_(std::move(file)) {}
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> to) const override {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return !state_->faults.reads_hang; });
    if (state_->chance(state_->faults.read_error_one_in)) return refused("a sector cannot be read");
    const Bytes& bytes = file_->bytes;
    std::size_t count = offset >= bytes.size() ? 0 : std::min<std::size_t>(to.size(), bytes.size() - offset);
    if (count > 0 && state_->chance(state_->faults.read_short_one_in)) count = state_->below(count);
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(offset, bytes.size())), count,
                to.begin());
    if (count > 0 && state_->chance(state_->faults.read_flip_one_in))
      to[state_->below(count)] ^= static_cast<std::uint8_t>(1U << state_->below(8));
    return count;
  }
  void will_need(std::uint64_t, std::uint64_t) const override {}

 private:
  const std::shared_ptr<FakeDisk::State> state_;
  const std::shared_ptr<FakeFile> file_;
};

class FakeWriteFile final : public WriteFile {
 public:
  FakeWriteFile(std::shared_ptr<FakeDisk::State> state, std::shared_ptr<FakeFile> file)
      : state_(std::move(state)), file_(std::move(file)) {}
  Result<void> append(std::span<const std::uint8_t> bytes) override {
    const std::lock_guard lock(state_->mutex);
    const FakeDisk::Step step = state_->next();
    if (step == FakeDisk::Step::Refuse) return refused("a write failed");
    std::size_t count = bytes.size();
    if (step == FakeDisk::Step::Part) count = state_->below(count + 1);
    const std::uint64_t used = state_->used_bytes();
    const bool full = used + count > state_->faults.capacity_bytes;
    if (full) count = state_->faults.capacity_bytes > used ? state_->faults.capacity_bytes - used : 0;
    file_->bytes.insert(file_->bytes.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
    if (step == FakeDisk::Step::Part) return refused("the power went");
    if (full) return fail(ErrorKind::TooLarge, "fake disk: no space left");
    return {};
  }
  Result<void> sync() override {
    const std::lock_guard lock(state_->mutex);
    if (state_->next() != FakeDisk::Step::Go) return refused("a sync failed");
    file_->synced_bytes = file_->bytes.size();
    return {};
  }

 private:
  const std::shared_ptr<FakeDisk::State> state_;
  const std::shared_ptr<FakeFile> file_;
};

FakeDisk::FakeDisk(std::uint64_t seed, FakeFaults faults) : FakeDisk(std::make_shared<Folder>(), seed, faults) {}

FakeDisk::FakeDisk(std::shared_ptr<Folder> folder, std::uint64_t seed, FakeFaults faults)
    : folder_(std::move(folder)), state_(std::make_shared<State>()) {
  state_->folder = folder_;
  state_->seed = seed;
  state_->faults = faults;
}

void FakeDisk::set_faults(FakeFaults faults) {
  const std::lock_guard lock(state_->mutex);
  state_->faults = faults;
  state_->changed.notify_all();
}

void FakeDisk::crash_at(std::uint64_t operation) {
  const std::lock_guard lock(state_->mutex);
  state_->crash_at = operation;
}

bool FakeDisk::crashed() const {
  const std::lock_guard lock(state_->mutex);
  return state_->crashed;
}

std::uint64_t FakeDisk::operations() const {
  const std::lock_guard lock(state_->mutex);
  return state_->operations;
}

Bytes* FakeDisk::bytes_of(const std::string& name) {
  const auto found = folder_->files.find(name);
  return found == folder_->files.end() ? nullptr : &found->second->bytes;
}

void FakeDisk::put(const std::string& name, Bytes bytes) {
  auto file = std::make_shared<FakeFile>();
  file->synced_bytes = bytes.size();
  file->bytes = std::move(bytes);
  folder_->files[name] = folder_->synced[name] = std::move(file);
}

void FakeDisk::remove_folder() {
  const std::lock_guard lock(state_->mutex);
  folder_->files.clear();
  folder_->synced.clear();
  folder_->changes.clear();
  folder_->is_removed = true;
}

bool FakeDisk::begin_anew() {
  const std::lock_guard lock(state_->mutex);
  return std::exchange(folder_->is_removed, false);
}

Result<std::vector<FileInfo>> FakeDisk::list() {
  const std::lock_guard lock(state_->mutex);
  std::vector<FileInfo> files;
  for (const auto& [name, file] : folder_->files) {
    if (name == state_->faults.unlisted) continue;
    if (name == state_->faults.unknown) {
      files.push_back({.name = name, .is_unknown = true});
      continue;
    }
    std::uint64_t holes = 0;
    for (const auto& [begin, bytes] : file->holes) holes += bytes;
    // A file with a hole says so, however small it is here.
    files.push_back({.name = name, .bytes = file->bytes.size(), .allocated_bytes = holes > 0 ? 0 : file->bytes.size()});
  }
  return files;
}

Result<std::unique_ptr<ReadFile>> FakeDisk::open(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  const auto found = folder_->files.find(name);
  if (found == folder_->files.end()) return fail(ErrorKind::NotFound, "fake disk: no such file");
  if (name == state_->faults.unopenable) return refused("the file cannot be opened");
  return std::make_unique<FakeReadFile>(state_, found->second);
}

Result<std::unique_ptr<WriteFile>> FakeDisk::create(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  if (folder_->files.contains(name)) return refused("the file exists");
  if (folder_->is_removed) return fail(ErrorKind::NotFound, "fake disk: no such folder");
  const Step step = state_->next();
  if (step == Step::Refuse || (step == Step::Part && state_->below(2) == 0)) return refused("a file cannot be made");
  auto file = std::make_shared<FakeFile>();
  folder_->change({.from = "", .to = name, .file = file});
  if (step == Step::Part) return refused("the power went");
  return std::make_unique<FakeWriteFile>(state_, std::move(file));
}

Result<void> FakeDisk::rename(const std::string& from, const std::string& to) {
  const std::lock_guard lock(state_->mutex);
  const auto found = folder_->files.find(from);
  if (found == folder_->files.end()) return fail(ErrorKind::NotFound, "fake disk: no such file");
  const Step step = state_->next();
  if (step == Step::Refuse || (step == Step::Part && state_->below(2) == 0)) return refused("a rename failed");
  folder_->change({.from = from, .to = to, .file = nullptr});
  if (step == Step::Part) return refused("the power went");
  return {};
}

Result<void> FakeDisk::remove(const std::string& name) {
  const std::lock_guard lock(state_->mutex);
  const auto found = folder_->files.find(name);
  if (found == folder_->files.end()) return fail(ErrorKind::NotFound, "fake disk: no such file");
  if (state_->next() == Step::Refuse) return refused("a file cannot be removed");
  folder_->change({.from = name, .to = "", .file = nullptr});
  return {};
}

Result<void> FakeDisk::sync_names() {
  const std::lock_guard lock(state_->mutex);
  if (state_->next() != Step::Go) return refused("a sync failed");
  folder_->synced = folder_->files;
  folder_->changes.clear();
  return {};
}

Result<bool> FakeDisk::punch(const std::string& name, std::uint64_t offset, std::uint64_t bytes) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->faults.can_punch) return false;
  const auto found = folder_->files.find(name);
  if (found == folder_->files.end()) return fail(ErrorKind::NotFound, "fake disk: no such file");
  const Step step = state_->next();
  if (step == Step::Refuse) return refused("a hole cannot be made");
  FakeFile& file = *found->second;
  if (file.holes.empty()) file.before_holes = file.bytes;
  const std::uint64_t end = std::min<std::uint64_t>(file.bytes.size(), offset + bytes);
  std::uint64_t count = offset < end ? end - offset : 0;
  if (step == Step::Part) count = state_->below(count + 1);
  std::fill_n(file.bytes.begin() + static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(offset, file.bytes.size())),
              count, std::uint8_t{0});
  file.holes.emplace_back(offset, count);
  if (step == Step::Part) return refused("the power went");
  return true;
}

Result<std::uint64_t> FakeDisk::free_bytes() {
  const std::lock_guard lock(state_->mutex);
  const std::uint64_t used = state_->used_bytes();
  return state_->faults.capacity_bytes > used ? state_->faults.capacity_bytes - used : 0;
}

bool FakeDisk::lock() {
  const std::lock_guard lock(state_->mutex);
  return !state_->faults.read_only;
}

std::shared_ptr<FakeDisk::Folder> FakeDisk::restarted(const Folder& folder, Crash crash, std::uint64_t seed) {
  std::uint64_t draws = 0;
  const auto below = [&](std::uint64_t limit) { return mix_u64(seed, draws++) % limit; };
  auto after = std::make_shared<Folder>();
  Names names = crash == Crash::Power ? folder.synced : folder.files;
  if (crash == Crash::Power) {
    const std::uint64_t arrived = below(folder.changes.size() + 1);
    for (std::size_t i = 0; i < arrived; ++i)
      if (!folder.changes[i].to.empty() || below(2) == 0) Folder::apply(names, folder.changes[i]);
  }
  for (const auto& [name, file] : names) {
    auto copy = std::make_shared<FakeFile>(*file);
    if (crash == Crash::Power) {
      // Of what was not synced each sector came or did not, and the length is anybody's guess.
      for (std::size_t at = copy->synced_bytes; at < copy->bytes.size(); at += kSectorBytes)
        if (below(2) == 0)
          std::fill_n(copy->bytes.begin() + static_cast<std::ptrdiff_t>(at),
                      std::min(kSectorBytes, copy->bytes.size() - at), std::uint8_t{0});
      copy->bytes.resize(copy->synced_bytes + below(copy->bytes.size() - copy->synced_bytes + 1));
      for (const auto& [begin, bytes] : copy->holes)
        if (below(2) == 0)  // the hole was not synced
          for (std::uint64_t i = begin; i < std::min<std::uint64_t>(copy->bytes.size(), begin + bytes); ++i)
            copy->bytes[i] = copy->before_holes[i];
    }
    copy->synced_bytes = copy->bytes.size();
    after->files[name] = after->synced[name] = std::move(copy);
  }
  return after;
}

}  // namespace hearth::store
