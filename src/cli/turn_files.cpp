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
  if (folder_.empty()) return;
  const std::string path = path_of(scope);
  auto saved = read_regular_file(path);
  if (!saved && saved.error().kind == ErrorKind::NotFound) return;
  std::error_code ignored;
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now(),
                                   ignored);  // it is used: forget_old
  const Result<void> taken = saved ? model.turns->load(scope, *saved) : std::unexpected(saved.error());
  if (taken) return log_info("cli", "{} remembered turns of {}", model.turns->turn_count(), model.card.id);
  std::filesystem::rename(path, path + ".bad", ignored);
  log_warning("cli", "the remembered turns in {} cannot be used ({}); the file is now {}.bad", path,
              taken.error().message, path);
}

void TurnFiles::save(const server::ServedModels& models) {
  if (folder_.empty()) return;
  for (const auto& model : models.all()) {
    if (model->turns->turn_count() == 0) continue;
    const std::string scope = turn_scope(*model->hello);
    const std::string path = path_of(scope);
    const std::string bytes = model->turns->save(scope);
    std::string state = std::format("{} {}", bytes.size(), hash_of(bytes));
    const bool first = !written_.contains(path);
    if (written_[path] == state) continue;
    if (auto done = write_file_atomically(path, bytes); !done)
      log_warning("cli", "the turns could not be kept: {}", done.error().message);
    if (first) forget_old(folder_);
    written_[path] = std::move(state);  // a folder that cannot be written is not tried, and complained of, every minute
  }
}

}  // namespace hearth::cli
