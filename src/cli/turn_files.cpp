// See turn_files.h.
#include "cli/turn_files.h"

#include <algorithm>
#include <filesystem>
#include <format>
#include <vector>

#include "base/file.h"
#include "base/log.h"
#include "base/random.h"

namespace hearth::cli {
namespace {

// The memory is bounded to 64 MiB of turns; their saved form is smaller than what they take in memory.
constexpr std::size_t kFileBytesMax = std::size_t{128} << 20;
constexpr std::size_t kFilesKept = 16;

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = text.size();
  for (const char byte : text) hash = mix_u64(hash ^ static_cast<unsigned char>(byte), 1);
  return hash;
}

// What the system refuses now it may give another time; only what was read and is wrong is damage.
bool is_damage(const Error& why) { return why.kind == ErrorKind::InvalidInput || why.kind == ErrorKind::TooLarge; }

// Who opens a pipe that somebody has put there waits for its writer.
Result<std::string> read_regular_file(const std::string& path) {
  std::error_code failed;
  const auto about = std::filesystem::symlink_status(path, failed);
  if (std::filesystem::exists(about) && !std::filesystem::is_regular_file(about))
    return fail(ErrorKind::InvalidInput, "it is no file");
  return read_file(path, kFileBytesMax);
}

// Files of models that were not served for long, and those that were put aside, are given up: all but the kFilesKept used last. By their
// order, not their age: a clock that jumps removes nothing.
void forget_old(const std::string& folder) {
  namespace fs = std::filesystem;
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    std::error_code unknown;
    const std::string name = at->path().filename().string();
    if (!name.starts_with("turns-") || !at->is_regular_file(unknown) || at->is_symlink(unknown)) continue;
    const auto written = at->last_write_time(unknown);
    if (!unknown) files.emplace_back(written, at->path());
  }
  std::ranges::sort(files, std::greater{});
  for (std::size_t i = kFilesKept; i < files.size(); ++i) fs::remove(files[i].second, failed);
}

}  // namespace

std::string turn_scope(const link::Hello& hello) {
  std::string scope =
      std::format("{}\n{}\n{}\n{}\n{}\n", hello.content_digest.empty() ? hello.name : hello.content_digest,
                  hello.architecture, hello.parameter_count, hello.weights_bytes, hello.special_texts.size());
  for (const auto& text : hello.special_texts) scope += text + '\n';
  return scope + hello.chat_template;
}

std::string TurnFiles::path_of(const std::string& scope) const {
  return (std::filesystem::path(folder_) / std::format("turns-{:016x}.bin", hash_of(scope))).string();
}

void TurnFiles::load(server::ServedModel& model, const server::ServedModels& served) const {
  const std::string scope = turn_scope(*model.hello);
  for (const auto& other : served.all())
    if (turn_scope(*other->hello) == scope) {
      model.turns = other->turns;
      return;
    }
  if (!folder_.empty()) static_cast<void>(read(path_of(scope), scope, model));
}

// What lies there is in the model's memory now, or is put aside. False: it cannot be read now, and is not to be written over.
bool TurnFiles::read(const std::string& path, const std::string& scope, const server::ServedModel& model) const {
  auto saved = read_regular_file(path);
  const Result<void> taken = saved ? model.turns->load(scope, *saved) : std::unexpected(saved.error());
  const std::lock_guard lock(mutex_);
  if (!taken && taken.error().kind != ErrorKind::NotFound && !is_damage(taken.error())) {
    if (unread_.insert(path).second)
      log_warning("cli",
                  "the remembered turns in {} cannot be read now ({}); the file stays as it is, and is tried again",
                  path, taken.error().message);
    return false;
  }
  unread_.erase(path);
  if (!taken && taken.error().kind == ErrorKind::NotFound) return true;
  std::error_code ignored;
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now(),
                                   ignored);  // it is used: forget_old
  if (taken) {
    log_info("cli", "{} remembered turns of {}", model.turns->turn_count(), model.card.id);
    return true;
  }
  std::filesystem::rename(path, path + ".bad", ignored);
  log_warning("cli", "the remembered turns in {} cannot be used ({}); the file is now {}.bad", path,
              taken.error().message, path);
  return true;
}

bool TurnFiles::is_unread(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return unread_.contains(path);
}

void TurnFiles::save(const server::ServedModels& models) {
  if (folder_.empty()) return;
  for (const auto& model : models.all()) {
    if (model->turns->turn_count() == 0) continue;
    const std::string scope = turn_scope(*model->hello);
    const std::string path = path_of(scope);
    if (is_unread(path) && !read(path, scope, *model)) continue;
    const std::string bytes = model->turns->save(scope);
    std::string state = std::format("{} {}", bytes.size(), hash_of(bytes));
    const auto known = written_.find(path);
    if (known != written_.end() && known->second == state) continue;
    if (const auto done = write_file_atomically(path, bytes); !done) {
      // Tried again every minute, and said once: its words name another temporary file each time.
      if (unwritten_.insert(path).second)
        log_warning("cli", "the turns could not be kept: {}; it is tried again", done.error().message);
      continue;
    }
    unwritten_.erase(path);
    if (known == written_.end()) forget_old(folder_);
    written_[path] = std::move(state);
  }
}

}  // namespace hearth::cli
