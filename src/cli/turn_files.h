// TurnFiles: the turn memory of each served model on disk (docs/turn-memory-format.md), so that the first prompt after a
// restart is made of the same tokens as the last one before it. One file per model and template in --cache-dir, owner-only; the
// sixteen used last are kept.
// A file that is damaged, or is none, is logged, put aside and forgotten: turns are then rendered plainly. One that the system refuses
// to read now stays: it is tried again before it is written over.
// Who loads a model reads its turns before it is served, so that what is written later holds them too; the main thread writes.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "server/served_models.h"

namespace hearth::cli {

class TurnFiles {
 public:
  // An empty folder: nothing is kept on disk.
  explicit TurnFiles(std::string folder) : folder_(std::move(folder)) {}
  // One of the same scope that is served already has the same turns: both remember in one memory, and keep it in one file.
  void load(server::ServedModel& model, const server::ServedModels& served) const;
  // Writes what has changed since the last time.
  void save(const server::ServedModels& models);

 private:
  [[nodiscard]] std::string path_of(const std::string& scope) const;
  [[nodiscard]] bool read(const std::string& path, const std::string& scope, const server::ServedModel& model) const;
  [[nodiscard]] bool is_unread(const std::string& path) const;

  const std::string folder_;
  std::map<std::string, std::string> written_;  // path -> what lies there, as a size and a checksum in words
  std::set<std::string> unwritten_;             // paths whose last write failed, and that was said
  mutable std::mutex mutex_;
  mutable std::set<std::string> unread_;  // paths that could not be read so far, and that was said; guarded by mutex_
};

// What the tokens of a turn mean something for: the model by its content, its special texts and template. So a file may be renamed and
// served under any name, and another model, of the same name and size but with other words in its vocabulary, is never taken for it.
// Where the content is not certain (its file was changed while it was loaded) the name that the model's file gives stands for it.
[[nodiscard]] std::string turn_scope(const link::Hello& hello);

}  // namespace hearth::cli
