// For the tests of the SSD tier: a RAM tier with a disk in memory below it, in a process that can end and begin again.
#pragma once

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "base/log.h"
#include "cache/saver.h"
#include "cache/test_lines.h"
#include "store/fake_disk.h"

namespace hearth::cache::testing {

using store::FakeDisk;

// A RAM tier with a disk below it, and the process around them, which can end and begin again.
struct Stack {
  explicit Stack(bool anchors = false, std::uint64_t ram_bytes = 1U << 20, std::uint64_t disk_bytes = 1U << 20)
      : needs_snapshots(anchors), ram_max(ram_bytes), disk_max(disk_bytes) {
    set_log_level(LogLevel::Off);
    start();
  }
  ~Stack() { set_log_level(LogLevel::Info); }

  void start() {
    auto made = std::make_unique<FakeDisk>(folder, 3, faults);
    disk = made.get();
    auto opened = store::Store::open(
        std::move(made), {.unix_ms = [this] { return unix_ms; }, .id_seed = ++starts, .free_bytes_min = free_min});
    REQUIRE(opened);
    tier = std::make_unique<DiskTier>(std::move(*opened), DiskTierOptions{.bytes_max = disk_max,
                                                                          .look_again = [this] { return disk_max; },
                                                                          .needs_snapshots = needs_snapshots,
                                                                          .unix_ms = [this] { return unix_ms; },
                                                                          .steady_ms = [this] { return steady_ms; },
                                                                          .workers = store::Workers::Caller});
    ram = std::make_unique<RamTier>(RamTierOptions{.bytes_max = ram_max,
                                                   .needs_snapshots = needs_snapshots,
                                                   .leaving =
                                                       [this](Block& block) {
                                                         if (saver) saver->leaving(block, now_ms);
                                                       },
                                                   .anchor_leaving =
                                                       [this](Anchor& anchor) {
                                                         if (saver) saver->leaving(anchor, now_ms);
                                                       }});
    saver = std::make_unique<Saver>(*ram, *tier, needs_snapshots);
  }
  void restart(store::Crash crash = store::Crash::Process) {
    saver.reset();
    ram.reset();
    tier.reset();
    folder = FakeDisk::restarted(*folder, crash, 11);
    start();
  }
  void pass(std::uint64_t milliseconds) {
    unix_ms += milliseconds;
    steady_ms += milliseconds;
  }
  // Everything that is asked of the disk is done.
  void settle() {
    tier->send();
    for (int i = 0; i < 1000; ++i) tier->tick();
    tier->check_invariants();
    ram->check_invariants();
    if (saver) saver->check_invariants();
  }
  void save(Haste haste = Haste::Last) {
    static_cast<void>(saver->round(now_ms, haste));
    settle();
  }
  std::uint32_t on_disk(const Line& line) const {
    return tier->find(root, line, static_cast<std::uint32_t>(line.size())).tokens;
  }
  // What a prompt's blocks read back as; empty where one cannot be read.
  std::vector<std::vector<std::uint8_t>> read(const Line& line) {
    const Match match = tier->find(root, line, static_cast<std::uint32_t>(line.size()));
    tier->pin(match);
    std::vector<std::vector<std::uint8_t>> all;
    for (const BlockId id : match.blocks) {
      const Ticket ticket = tier->fetch(id);
      std::optional<DiskTier::Outcome> outcome;
      for (int i = 0; i < 100 && !(outcome = tier->arrived(ticket)); ++i) tier->tick();
      REQUIRE(outcome);
      if (*outcome)
        all.push_back(***outcome);
      else
        static_cast<void>(tier->reject(id, outcome->error()));
    }
    tier->unpin(match);
    return all;
  }

  const Root root = root_named("m");
  const bool needs_snapshots;
  bool can_punch = true;
  const std::uint64_t ram_max;
  std::uint64_t disk_max;
  // Of the next process, from its start on.
  store::FakeFaults faults;
  std::uint64_t free_min = 0;
  std::uint64_t unix_ms = 1'000'000, steady_ms = 500'000, now_ms = 10'000, starts = 0;
  std::shared_ptr<FakeDisk::Folder> folder = FakeDisk().folder();
  FakeDisk* disk = nullptr;
  std::unique_ptr<DiskTier> tier;
  std::unique_ptr<RamTier> ram;
  std::unique_ptr<Saver> saver;
};

}  // namespace hearth::cache::testing
