// FakeDisk: a folder in memory whose every fault comes from a seed. What was appended is seen at once but only survives a power
// cut once it was synced; before, any of its sectors may have arrived, in any order. So do names: of those made, changed and
// removed since sync_names() the first few may have arrived, and of these any removal may not. Operations that write are counted, and the
// power can be cut at any one of them: that one happens in part, all later ones fail, and restarted() is the folder as the next
// process finds it. For tests and simulations; thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "store/disk.h"
#include "store/record.h"

namespace hearth::store {

struct FakeFaults {
  std::uint64_t capacity_bytes = UINT64_MAX;  // more is "no space left"
  std::uint32_t read_error_one_in = 0;        // 0 = never
  std::uint32_t read_flip_one_in = 0;         // a bit of what is read
  std::uint32_t read_short_one_in = 0;        // a read stops before the end of what was asked for
  bool reads_hang = false;                    // until these faults are over; for readers on threads of their own
  std::uint32_t write_error_one_in = 0;
  bool can_punch = true;
  bool read_only = false;  // the folder cannot be written
  // Single files, by name: one that cannot be opened, one of which a listing says nothing else, one that it leaves out.
  std::string unopenable, unknown, unlisted;
};

// What the next process finds: after kill -9 all that was written; after a power cut all that was synced, and of the rest some.
enum class Crash { Process, Power };

class FakeDisk final : public Disk {
 public:
  explicit FakeDisk(std::uint64_t seed = 0, FakeFaults faults = {});

  // The files outlive their FakeDisk, as a folder does its process.
  struct Folder;
  FakeDisk(std::shared_ptr<Folder> folder, std::uint64_t seed, FakeFaults faults = {});
  [[nodiscard]] std::shared_ptr<Folder> folder() const { return folder_; }
  // As it is found after the crash. REQUIRES: nobody uses the old one any more.
  [[nodiscard]] static std::shared_ptr<Folder> restarted(const Folder& folder, Crash crash, std::uint64_t seed);

  void set_faults(FakeFaults faults);
  // The writing operation of this number, from now on counted from 0, is the last, and happens in part.
  void crash_at(std::uint64_t operation);
  [[nodiscard]] bool crashed() const;
  [[nodiscard]] std::uint64_t operations() const;  // writing ones, so far
  // For damage by hand. nullptr: there is none.
  [[nodiscard]] Bytes* bytes_of(const std::string& name);
  void put(const std::string& name, Bytes bytes);
  void remove_folder();  // with all that is in it, as `rm -rf` does

  [[nodiscard]] Result<std::vector<FileInfo>> list() override;
  [[nodiscard]] Result<std::unique_ptr<ReadFile>> open(const std::string& name) override;
  [[nodiscard]] Result<std::unique_ptr<WriteFile>> create(const std::string& name) override;
  [[nodiscard]] Result<void> rename(const std::string& from, const std::string& to) override;
  [[nodiscard]] Result<void> remove(const std::string& name) override;
  [[nodiscard]] Result<void> sync_names() override;
  [[nodiscard]] Result<bool> punch(const std::string& name, std::uint64_t offset, std::uint64_t bytes) override;
  [[nodiscard]] Result<std::uint64_t> free_bytes() override;
  [[nodiscard]] bool lock() override;
  [[nodiscard]] bool begin_anew() override;
  [[nodiscard]] std::string where() const override { return "fake"; }

 private:
  friend class FakeReadFile;
  friend class FakeWriteFile;
  struct State;
  enum class Step { Go, Part, Refuse };

  const std::shared_ptr<Folder> folder_;
  const std::shared_ptr<State> state_;  // shared with open files
};

}  // namespace hearth::store
