// Disk: the seam between the store and a folder of files, so that tests own every fault. PosixDisk is the real one, FakeDisk the
// one of the tests. Names are plain file names in that one folder. Thread-safe where two calls concern different files, and
// ReadFile always.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"

namespace hearth::store {

struct FileInfo {
  std::string name;
  std::uint64_t bytes = 0;
  std::uint64_t allocated_bytes = 0;  // less than `bytes` where there are holes
  std::int64_t modified_s = 0;        // Unix time
  bool is_unknown = false;            // the system says its name now, and nothing else of it
};

class ReadFile {
 public:
  virtual ~ReadFile() = default;
  // Fills `to` from `offset` on. Fewer bytes than asked for only at the file's end.
  [[nodiscard]] virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<std::uint8_t> to) const = 0;
  // A hint that these bytes will be asked for; returns at once.
  virtual void will_need(std::uint64_t offset, std::uint64_t bytes) const = 0;
};

class WriteFile {
 public:
  virtual ~WriteFile() = default;
  [[nodiscard]] virtual Result<void> append(std::span<const std::uint8_t> bytes) = 0;
  [[nodiscard]] virtual Result<void> sync() = 0;  // what was appended survives a power cut
};

class Disk {
 public:
  virtual ~Disk() = default;
  // Regular files that are ours alone; anything else (links, other owners, writable by others) is left out, and so is what is
  // beyond the 65,536th. What the system says nothing of now is_unknown.
  [[nodiscard]] virtual Result<std::vector<FileInfo>> list() = 0;
  // Never follows a link. Forbidden: the file is not ours alone.
  [[nodiscard]] virtual Result<std::unique_ptr<ReadFile>> open(const std::string& name) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<WriteFile>> create(const std::string& name) = 0;  // fails when it exists
  [[nodiscard]] virtual Result<void> rename(const std::string& from, const std::string& to) = 0;  // replaces `to`
  [[nodiscard]] virtual Result<void> remove(const std::string& name) = 0;
  // What was created, renamed and removed so far survives a power cut; before it does all of it, some or none.
  [[nodiscard]] virtual Result<void> sync_names() = 0;
  // The bytes read as zeros, and their room is the disk's again. False: this file system has no holes.
  [[nodiscard]] virtual Result<bool> punch(const std::string& name, std::uint64_t offset, std::uint64_t bytes) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> free_bytes() = 0;
  // True: this Disk alone may write, until it is destroyed; or the lock's file is removed and another has it: Forbidden then.
  [[nodiscard]] virtual bool lock() = 0;
  // True, once each time: somebody removed the folder, which is there again now, or the lock's file, so that what else was there may
  // be gone, too. The lock is held. Files that were opened before can still be read. The thread that writes.
  [[nodiscard]] virtual bool begin_anew() { return false; }
  [[nodiscard]] virtual std::string where() const = 0;  // for people
};

}  // namespace hearth::store
