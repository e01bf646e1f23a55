// BatchStore: the files of message batches (docs/batch-format.md): one owner-only folder per batch, each file whole or
// absent, with a version and a checksum. Without a folder it is a map in memory. Any thread, once it is open.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hearth::server {

class BatchStore {
 public:
  // An empty folder: nothing outlives this process.
  explicit BatchStore(std::string folder) : folder_(std::move(folder)) {}
  ~BatchStore();
  BatchStore(const BatchStore&) = delete;
  BatchStore& operator=(const BatchStore&) = delete;

  // Makes the folder and takes its lock: two servers must not run the same batches. Where that fails nothing is read or
  // written there. Once, before everything else.
  [[nodiscard]] Result<void> open();

  // REQUIRES: is_batch_id(id), and a name of letters, digits and hyphens.
  [[nodiscard]] Result<void> write(const std::string& id, const std::string& name, std::string_view text);
  // An empty file, there or not. It outlives the process but not a loss of power, and costs no sync. Without a folder there
  // is nothing to outlive.
  void mark(const std::string& id, const std::string& name);
  void unmark(const std::string& id, const std::string& name);
  // NotFound; InvalidInput for a file that is not what was written; Io for one that the system does not give us now.
  [[nodiscard]] Result<std::string> read(const std::string& id, const std::string& name) const;
  // As a whole, at once for whoever looks; what of it cannot be freed now goes at the next start. Io: it is all there still.
  [[nodiscard]] Result<void> remove(const std::string& id);
  // Puts a batch that cannot be read out of the way, for a person to look at.
  void set_aside(const std::string& id);
  [[nodiscard]] bool in_memory() const { return folder_.empty(); }
  // Of all batches that lie there.
  [[nodiscard]] Result<std::vector<std::string>> ids() const;
  // Of a batch's files.
  [[nodiscard]] Result<std::vector<std::string>> names(const std::string& id) const;
  // How large one of them is on the disk, 0 where that cannot be told.
  [[nodiscard]] std::size_t file_bytes(const std::string& id, const std::string& name) const;

 private:
  [[nodiscard]] std::string path_of(const std::string& id) const;

  std::string folder_;  // empty from a failed open() on
  int lock_ = -1;
  mutable std::mutex mutex_;                                          // of memory_; the file system has its own
  std::map<std::string, std::map<std::string, std::string>> memory_;  // id -> name -> text; only without a folder
};

// What one file may hold: more is not read again, so it must not be written. A body is at most 64 MiB, and what it becomes here
// mostly little more.
inline constexpr std::size_t kBatchTextBytesMax = std::size_t{96} << 20;
inline constexpr std::string_view kBatchPrefix = "msgbatch_";
// It and 24 letters and digits: also what makes it a safe name of a folder.
[[nodiscard]] bool is_batch_id(std::string_view text);

}  // namespace hearth::server
