// See posix_disk.h.
#include "store/posix_disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <format>
#include <string_view>
#include <utility>

namespace hearth::store {
namespace {

constexpr std::size_t kFilesMax = 1U << 16U;  // twice as many as a store makes
constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;
constexpr const char* kLock = "lock";
constexpr int kLockTries = 8;

class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] bool is_open() const { return number_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(number_, -1); }

 private:
  int number_;
};

std::unexpected<Error> io_error(std::string_view doing, const std::string& path) {
  const int number = errno;
  const ErrorKind kind = number == ENOENT                       ? ErrorKind::NotFound
                         : number == ELOOP                      ? ErrorKind::Forbidden  // a link where a file should be
                         : number == ENOSPC || number == EDQUOT ? ErrorKind::TooLarge
                                                                : ErrorKind::Io;
  return fail(kind, std::format("cannot {} {}: {}", doing, path, std::strerror(number)));
}

// Made where it is not there; ours alone.
Result<Descriptor> open_folder(const std::string& folder) {
  std::error_code failed;
  const std::filesystem::path path(folder);
  std::filesystem::path made;
  for (const auto& part : path) {
    made /= part;
    if (made.empty() || std::filesystem::exists(std::filesystem::symlink_status(made, failed))) continue;
    if (::mkdir(made.c_str(), 0700) != 0 && errno != EEXIST) return io_error("make the folder", made.string());
    // What will be synced in it is lost with it otherwise. Where this is refused the system does it in its own time.
    const std::string parent = made.parent_path().empty() ? "." : made.parent_path().string();
    const Descriptor above(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (above.is_open()) static_cast<void>(::fsync(above.get()));
  }
  Descriptor opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened.is_open()) return io_error("open the folder", folder);
  struct stat about{};
  if (::fstat(opened.get(), &about) != 0) return io_error("look at", folder);
  if (about.st_uid != ::geteuid() || (about.st_mode & kOthersWrite) != 0)
    return fail(ErrorKind::Forbidden,
                std::format("{} belongs to somebody else, or others may write to it; nothing is kept there", folder));
  return opened;
}

class PosixReadFile final : public ReadFile {
 public:
  PosixReadFile(Descriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> to) const override {
    std::size_t filled = 0;
    while (filled < to.size()) {
      const ssize_t got =
          ::pread(file_.get(), to.data() + filled, to.size() - filled, static_cast<off_t>(offset + filled));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return io_error("read", path_);
      if (got == 0) break;
      filled += static_cast<std::size_t>(got);
    }
    return filled;
  }
  void will_need([[maybe_unused]] std::uint64_t offset, [[maybe_unused]] std::uint64_t bytes) const override {
#ifdef POSIX_FADV_WILLNEED
    ::posix_fadvise(file_.get(), static_cast<off_t>(offset), static_cast<off_t>(bytes), POSIX_FADV_WILLNEED);
#endif
  }

 private:
  const Descriptor file_;
  const std::string path_;
};

class PosixWriteFile final : public WriteFile {
 public:
  PosixWriteFile(Descriptor file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  Result<void> append(std::span<const std::uint8_t> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return io_error("write", path_);
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
  }
  Result<void> sync() override {
    if (::fsync(file_.get()) != 0) return io_error("sync", path_);
    return {};
  }

 private:
  const Descriptor file_;
  const std::string path_;
};

class PosixDisk final : public Disk {
 public:
  PosixDisk(Descriptor folder, std::string path) : folder_(std::move(folder)), path_(std::move(path)) {}

  Result<std::vector<FileInfo>> list() override {
    // A descriptor of its own: a listing moves its place.
    Descriptor again(::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!again.is_open()) return io_error("list", path_);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(again.get()), ::closedir);
    if (!entries) return io_error("list", path_);
    static_cast<void>(again.release());  // the listing closes it
    std::vector<FileInfo> files;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(entries.get());
      // A listing that is cut off must not pass for a whole one: what hangs on a file that is gone is worth nothing.
      if (entry == nullptr && errno != 0) return io_error("list", path_);
      if (entry == nullptr || files.size() == kFilesMax) return files;
      struct stat about{};
      const bool is_known = ::fstatat(folder_.get(), entry->d_name, &about, AT_SYMLINK_NOFOLLOW) == 0;
      if (is_known ? !is_ours(about) : errno == ENOENT) continue;
      files.push_back({.name = entry->d_name,
                       .bytes = static_cast<std::uint64_t>(about.st_size),
                       .allocated_bytes = static_cast<std::uint64_t>(about.st_blocks) * 512,
                       .modified_s = about.st_mtime,
                       .is_unknown = !is_known});
    }
  }

  Result<std::unique_ptr<ReadFile>> open(const std::string& name) override {
    TRY_ASSIGN(Descriptor file, open_ours(name, O_RDONLY));
    return std::make_unique<PosixReadFile>(std::move(file), path_of(name));
  }

  Result<std::unique_ptr<WriteFile>> create(const std::string& name) override {
    TRY(check_lock());
    Descriptor file(::openat(folder_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.is_open()) return io_error("create", path_of(name));
    return std::make_unique<PosixWriteFile>(std::move(file), path_of(name));
  }

  Result<void> rename(const std::string& from, const std::string& to) override {
    TRY(check_lock());
    if (::renameat(folder_.get(), from.c_str(), folder_.get(), to.c_str()) != 0)
      return io_error("rename", path_of(from));
    return {};
  }

  Result<void> remove(const std::string& name) override {
    TRY(check_lock());
    if (::unlinkat(folder_.get(), name.c_str(), 0) != 0) return io_error("remove", path_of(name));
    return {};
  }

  Result<void> sync_names() override {
    // EINVAL: a file system whose folders need none.
    if (::fsync(folder_.get()) != 0 && errno != EINVAL) return io_error("sync", path_);
    return {};
  }

  Result<bool> punch([[maybe_unused]] const std::string& name, [[maybe_unused]] std::uint64_t offset,
                     [[maybe_unused]] std::uint64_t bytes) override {
#ifdef FALLOC_FL_PUNCH_HOLE
    TRY(check_lock());
    TRY_ASSIGN(const Descriptor file, open_ours(name, O_WRONLY));
    if (::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                    static_cast<off_t>(bytes)) == 0)
      return true;
    if (errno != EOPNOTSUPP && errno != ENOSYS) return io_error("give back a part of", path_of(name));
#endif
    return false;
  }

  Result<std::uint64_t> free_bytes() override {
    struct statvfs about{};
    if (::fstatvfs(folder_.get(), &about) != 0) return io_error("look at", path_);
    return static_cast<std::uint64_t>(about.f_bavail) * about.f_frsize;
  }

  bool lock() override {
    const bool taken = take_lock();
    writes_ = writes_ || taken;
    return taken;
  }

  bool begin_anew() override {
    if (is_removed()) {
      const std::string parent = std::filesystem::path(path_).parent_path().string();
      const auto above = open_folder(parent.empty() ? "." : parent);  // ours alone, before anything is made in it
      const auto made = above ? open_folder(path_) : Result<Descriptor>(fail(ErrorKind::Forbidden, ""));
      // In place, for other threads open files by this number.
      if (!made || ::dup2(made->get(), folder_.get()) < 0) return false;
      ::fcntl(folder_.get(), F_SETFD, FD_CLOEXEC);
      is_changed_ = true;
    }
    return (!writes_ || take_lock()) && std::exchange(is_changed_, false);
  }

  std::string where() const override { return path_; }

 private:
  static bool is_ours(const struct stat& about) {
    return S_ISREG(about.st_mode) && about.st_uid == ::geteuid() && (about.st_mode & kOthersWrite) == 0;
  }
  // The file that is locked is still the one of that name. A lock on any other keeps nobody out: who removed it may have let go
  // since, and a cleaner of old files removes one that is held.
  [[nodiscard]] bool holds_lock() const {
    struct stat locked{}, named{};
    return lock_.is_open() && ::fstat(lock_.get(), &locked) == 0 &&
           ::fstatat(folder_.get(), kLock, &named, AT_SYMLINK_NOFOLLOW) == 0 && named.st_dev == locked.st_dev &&
           named.st_ino == locked.st_ino;
  }
  [[nodiscard]] bool is_removed() const {
    struct stat about{};
    return ::fstat(folder_.get(), &about) != 0 ? errno == ESTALE : about.st_nlink == 0;
  }
  bool take_lock() {
    for (int i = 0; i < kLockTries && !holds_lock(); ++i) {
      is_changed_ = is_changed_ || writes_;  // it was held: who removed its file may have removed others
      // Not to wait for the reader of a planted pipe.
      lock_ = Descriptor(::openat(folder_.get(), kLock, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
      struct stat about{};
      const bool taken = lock_.is_open() && ::fstat(lock_.get(), &about) == 0 && is_ours(about) &&
                         ::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0;
      if (!taken) lock_ = Descriptor();
      if (!taken) return false;
    }
    return holds_lock();
  }
  // Before each change of what has a name, for two that write would remove each other's files. Who had the lock takes it anew where
  // nobody else has.
  [[nodiscard]] Result<void> check_lock() {
    if (!writes_ || take_lock()) return {};
    return fail(ErrorKind::Forbidden, std::format("{} was removed, or another process writes to it now", path_));
  }
  [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] Result<Descriptor> open_ours(const std::string& name, int how) const {
    // Not O_NONBLOCK's business with a regular file, but a planted pipe must not stop us.
    Descriptor file(::openat(folder_.get(), name.c_str(), how | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file.is_open()) return io_error("open", path_of(name));
    struct stat about{};
    if (::fstat(file.get(), &about) != 0) return io_error("look at", path_of(name));
    if (!is_ours(about))
      return fail(ErrorKind::Forbidden, std::format("{} is not a file of ours alone", path_of(name)));
    return file;
  }

  const Descriptor folder_;
  const std::string path_;
  Descriptor lock_;
  bool writes_ = false;      // had the lock once
  bool is_changed_ = false;  // the folder, or what is in it, since begin_anew()
};

}  // namespace

Result<std::unique_ptr<Disk>> open_disk(const std::string& folder) {
  TRY_ASSIGN(Descriptor opened, open_folder(folder));
  return std::make_unique<PosixDisk>(std::move(opened), folder);
}

}  // namespace hearth::store
