// See batch_store.h.
#include "server/batch_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <format>
#include <system_error>

#include "base/check.h"
#include "base/file.h"
#include "base/log.h"
#include "base/random.h"

namespace hearth::server {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileBytesMax = kBatchTextBytesMax + 64;  // and the first line
constexpr std::string_view kGone = ".gone";  // a batch goes as a whole, by a rename, and then file by file
constexpr std::string_view kMagic = "hearth-batch 1 ";

std::uint64_t checksum(std::string_view bytes) {
  std::uint64_t sum = mix_u64(0, bytes.size());
  for (std::size_t i = 0; i < bytes.size(); ++i) sum = mix_u64(sum ^ static_cast<unsigned char>(bytes[i]), i);
  return sum;
}

std::string head_of(std::string_view text) {
  return std::format("{}{:016x} {}\n", kMagic, checksum(text), text.size());
}

// What a removal left that was cut short.
void remove_leftovers(const std::string& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    if (at->path().filename().string().ends_with(kGone)) found.push_back(at->path());
  for (const fs::path& path : found) fs::remove_all(path, error);
}

bool is_name(std::string_view name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

}  // namespace

bool is_batch_id(std::string_view text) {
  if (!text.starts_with(kBatchPrefix) || text.size() != kBatchPrefix.size() + 24) return false;
  return std::ranges::all_of(text.substr(kBatchPrefix.size()), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

BatchStore::~BatchStore() {
  if (lock_ >= 0) ::close(lock_);
}

Result<void> BatchStore::open() {
  if (folder_.empty()) return {};
  std::error_code error;
  if (fs::create_directories(folder_, error)) {
    fs::permissions(folder_, fs::perms::owner_all, error);
    if (auto synced = sync_folder(fs::path(folder_).parent_path().string()); !synced)
      log_warning("server", "message batches may not outlive a loss of power: {}", synced.error().message);
  }
  const std::string path = (fs::path(folder_) / "lock").string();
  lock_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) == 0) {
    remove_leftovers(folder_);
    return {};
  }
  const std::string why = lock_ >= 0 && errno == EWOULDBLOCK ? "another server works there" : std::strerror(errno);
  auto failed = fail(ErrorKind::Io, std::format("{}: {}", folder_, why));
  folder_.clear();
  return failed;
}

std::string BatchStore::path_of(const std::string& id) const { return (fs::path(folder_) / id).string(); }

Result<void> BatchStore::write(const std::string& id, const std::string& name, std::string_view text) {
  CHECK(is_batch_id(id) && is_name(name));
  if (folder_.empty()) {
    const std::lock_guard lock(mutex_);
    memory_[id][name] = text;
    return {};
  }
  std::error_code error;
  if (fs::create_directories(path_of(id), error)) {
    fs::permissions(path_of(id), fs::perms::owner_all, error);
    TRY(sync_folder(folder_));
  }
  return write_file_atomically((fs::path(path_of(id)) / name).string(), head_of(text) + std::string(text));
}

Result<std::string> BatchStore::read(const std::string& id, const std::string& name) const {
  CHECK(is_batch_id(id) && is_name(name));
  if (folder_.empty()) {
    const std::lock_guard lock(mutex_);
    const auto batch = memory_.find(id);
    if (batch == memory_.end() || !batch->second.contains(name)) return fail(ErrorKind::NotFound, "no such file");
    return batch->second.at(name);
  }
  const std::string path = (fs::path(path_of(id)) / name).string();
  std::error_code error;
  const auto type = fs::symlink_status(path, error).type();
  if (type == fs::file_type::none) return fail(ErrorKind::Io, path + ": " + error.message());
  if (type == fs::file_type::not_found) return fail(ErrorKind::NotFound, path + " is not there");
  if (type != fs::file_type::regular) return fail(ErrorKind::InvalidInput, path + " is no file");
  auto bytes = read_file(path, kFileBytesMax);
  if (!bytes && bytes.error().kind == ErrorKind::TooLarge) return fail(ErrorKind::InvalidInput, bytes.error().message);
  if (!bytes) return bytes;
  const std::size_t head_end = bytes->find('\n');
  const auto text = head_end == std::string::npos ? std::string_view() : std::string_view(*bytes).substr(head_end + 1);
  if (head_end == std::string::npos || bytes->compare(0, head_end + 1, head_of(text)) != 0)
    return fail(ErrorKind::InvalidInput, path + " is not as it was written");
  return std::string(text);
}

void BatchStore::mark(const std::string& id, const std::string& name) {
  CHECK(is_batch_id(id) && is_name(name));
  if (folder_.empty()) return;
  const std::string path = (fs::path(path_of(id)) / name).string();
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file >= 0) ::close(file);
}

void BatchStore::unmark(const std::string& id, const std::string& name) {
  CHECK(is_batch_id(id) && is_name(name));
  if (!folder_.empty()) ::unlink((fs::path(path_of(id)) / name).c_str());
}

Result<void> BatchStore::remove(const std::string& id) {
  CHECK(is_batch_id(id));
  if (folder_.empty()) {
    const std::lock_guard lock(mutex_);
    memory_.erase(id);
    return {};
  }
  const std::string gone = path_of(id) + std::string(kGone);
  std::error_code error, ignored;
  fs::remove_all(gone, ignored);
  fs::rename(path_of(id), gone, error);
  if (error == std::errc::no_such_file_or_directory) return {};
  if (error) return fail(ErrorKind::Io, path_of(id) + ": " + error.message());
  static_cast<void>(sync_folder(folder_));  // it comes back at worst
  fs::remove_all(gone, ignored);
  return {};
}

void BatchStore::set_aside(const std::string& id) {
  CHECK(is_batch_id(id));
  if (folder_.empty()) return;
  std::error_code ignored;
  fs::remove_all(path_of(id) + ".bad", ignored);
  fs::rename(path_of(id), path_of(id) + ".bad", ignored);
}

Result<std::vector<std::string>> BatchStore::ids() const {
  std::vector<std::string> found;
  if (folder_.empty()) return found;  // a memory begins empty
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (is_batch_id(name) && at->symlink_status(error).type() == fs::file_type::directory) found.push_back(name);
  }
  if (error) return fail(ErrorKind::Io, folder_ + ": " + error.message());
  return found;
}

Result<std::vector<std::string>> BatchStore::names(const std::string& id) const {
  std::vector<std::string> found;
  if (folder_.empty()) return found;
  std::error_code error;
  for (fs::directory_iterator at(path_of(id), error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename().string();
    if (is_name(name)) found.push_back(std::move(name));
  }
  if (error) return fail(ErrorKind::Io, path_of(id) + ": " + error.message());
  return found;
}

std::size_t BatchStore::file_bytes(const std::string& id, const std::string& name) const {
  std::error_code error;
  const auto bytes = folder_.empty() ? 0 : fs::file_size(fs::path(path_of(id)) / name, error);
  return error ? 0 : static_cast<std::size_t>(bytes);
}

}  // namespace hearth::server
