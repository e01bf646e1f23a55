// See model_folder.h.
#include "store/model_folder.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <format>
#include <system_error>
#include <utility>
#include <vector>

#include "base/log.h"
#include "store/posix_disk.h"

namespace hearth::store {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kModelsMax = 256;
constexpr std::size_t kNameLength = 32;
constexpr std::chrono::hours kKept{7 * 24};
constexpr std::chrono::hours kUsedStamp{24};  // a model that stays loaded and writes nothing is marked as used so often
constexpr std::uint64_t kParts = 4;           // of the budget, one at least for each model that is loaded
constexpr std::uint64_t kShrinkBytesMost = std::uint64_t{128} << 20;  // at a time: who loads it meanwhile has to wait

struct Neighbour {
  std::string name;
  std::uint64_t bytes = 0;
  fs::file_time_type used;
};

bool is_model_name(const std::string& name) {
  return name.size() == kNameLength && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::uint64_t bytes_in(Disk& disk) {
  std::uint64_t bytes = 0;
  if (const auto files = disk.list())
    for (const FileInfo& file : *files)
      if (is_cache_file(file.name)) bytes += std::min(file.bytes, file.allocated_bytes);
  return bytes;
}

std::vector<Neighbour> neighbours_of(const std::string& parent, const std::string& name) {
  std::vector<Neighbour> found;
  std::error_code failed;
  for (fs::directory_iterator entry(parent, failed), end; !failed && entry != end; entry.increment(failed)) {
    const std::string other = entry->path().filename().string();
    if (!is_model_name(other) || other == name || found.size() == kModelsMax) continue;
    std::error_code ignored;
    if (!fs::is_directory(fs::symlink_status(entry->path(), ignored))) continue;
    if (const auto disk = open_disk(entry->path().string()))
      found.push_back({.name = other, .bytes = bytes_in(**disk), .used = fs::last_write_time(entry->path(), ignored)});
  }
  return found;
}

// False: a process has it open. File by file through its descriptor, so that no link leads elsewhere, and no file that the cache
// has not made: somebody else's folder may be called so too. The lock keeps others out until it goes as the last one.
bool remove_folder(const std::string& path) {
  const auto disk = open_disk(path);
  if (!disk || !(*disk)->lock()) return false;
  bool more = true;
  while (more) {  // a listing may not show all
    more = false;
    if (const auto files = (*disk)->list())
      for (const FileInfo& file : *files)
        more = (is_cache_file(file.name) && file.name != kLockName && (*disk)->remove(file.name).has_value()) || more;
  }
  static_cast<void>((*disk)->remove(std::string(kLockName)));
  std::error_code failed;
  fs::remove(path, failed);  // only when it is empty
  return true;
}

bool is_open(const std::string& path) {
  const auto disk = open_disk(path);
  return disk && !(*disk)->lock();
}

// A folder's date says when it was used; one that others shrink was not.
void shrink_unused(const std::string& path, const Neighbour& other, std::uint64_t excess_bytes, const Shrink& shrink) {
  const std::uint64_t bytes = other.bytes - std::min({excess_bytes, other.bytes / 2, kShrinkBytesMost});
  shrink(path, bytes);
  std::error_code ignored;
  if (!is_open(path)) fs::last_write_time(path, other.used, ignored);  // its model may have been loaded meanwhile
  log_info("store", "the cache of a model that is not loaded makes room ({} of {} MB stay)", bytes >> 20,
           other.bytes >> 20);
}

void mark_used(const std::string& path, std::chrono::hours unless_since) {
  std::error_code failed;
  const auto now = fs::file_time_type::clock::now();
  if (now - fs::last_write_time(path, failed) >= unless_since) fs::last_write_time(path, now, failed);
}

}  // namespace

Result<ModelFolder> open_model_folder(const std::string& cache_folder, const std::string& model) {
  ModelFolder folder{.parent = cache_folder + "/kv", .name = model, .disk = nullptr};
  TRY_ASSIGN(const auto parent, open_disk(folder.parent));  // ours alone, before anything is made in it
  TRY_ASSIGN(folder.disk, open_disk(folder.parent + "/" + model));
  mark_used(folder.parent + "/" + model, std::chrono::hours(0));
  folder.all_bytes = bytes_in(*folder.disk);
  for (const Neighbour& other : neighbours_of(folder.parent, model)) folder.all_bytes += other.bytes;
  return folder;
}

std::uint64_t make_room_beside(const std::string& parent, const std::string& name, std::uint64_t budget_bytes,
                               const Shrink& shrink) {
  mark_used(parent + "/" + name, kUsedStamp);
  std::vector<Neighbour> others = neighbours_of(parent, name);
  std::ranges::sort(others, {}, &Neighbour::used);
  std::uint64_t held = 0;
  for (const Neighbour& other : others) held += other.bytes;
  // What the others have is theirs while this model's half is free.
  const auto now = fs::file_time_type::clock::now();
  std::erase_if(others, [&](const Neighbour& other) {
    const bool leaves =
        held > budget_bytes / 2 && now - other.used >= kKept && remove_folder(parent + "/" + other.name);
    if (!leaves) return false;
    log_info("store", "the cache of a model that was not used for a week has left ({} MB)", other.bytes >> 20);
    held -= other.bytes;
    return true;
  });
  const std::uint64_t beside = budget_bytes - budget_bytes / kParts;
  if (held <= beside) return budget_bytes - held;
  std::uint64_t loaded = 1;
  const Neighbour* shrinks = nullptr;
  for (const Neighbour& other : others) {
    const bool is_loaded = is_open(parent + "/" + other.name);
    loaded += is_loaded ? 1 : 0;
    if (!is_loaded && shrinks == nullptr && other.bytes > 0) shrinks = &other;
  }
  if (shrinks != nullptr && shrink) shrink_unused(parent + "/" + shrinks->name, *shrinks, held - beside, shrink);
  return budget_bytes / std::max(kParts, loaded);
}

}  // namespace hearth::store
