// PrefixCache: what is known already, so that no prefix is computed twice. Three tiers under one roof:
//
//   live   sequences in the engine's pool: the lines. Forks share cells; a job's line becomes idle when the job ends.
//   RAM    blocks of 256 tokens and anchors as bytes (ram_tier.h), shared by every conversation that begins alike.
//   SSD    the same on the disk (disk_tier.h): what RAM holds is written there in the background and outlives the process.
//
// A line is Free, Idle (nobody works on it) or Running (one job's, from place() to release()). Idle lines are demoted: their
// blocks and anchors go to RAM in slices between two steps, then their cells are free. A job that begins with what lies in RAM
// gets it back the same way: its line is `importing` until import_step() says Ready, and must not be decoded before.
// What a line holds is what the engine was fed, token by token; that is the cache's whole truth. A hit changes when an
// answer comes, never what it says. The loop's thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "cache/cache_desk.h"
#include "cache/disk_tier.h"
#include "cache/explanation.h"
#include "cache/importer.h"
#include "cache/known_lines.h"
#include "cache/lines.h"
#include "cache/placement.h"
#include "cache/ram_tier.h"
#include "cache/saver.h"
#include "engine/engine.h"

namespace hearth::cache {

class PrefixCache {
 public:
  // `disk`: nullptr where nothing shall outlive the process. It is not used where nothing leaves the pool.
  PrefixCache(engine::Engine& engine, const Clock& clock, CacheLimits limits, std::unique_ptr<DiskTier> disk = nullptr);

  // A line for a job with this prompt, beginning with the longest usable prefix. nullopt: every line runs. `salt`: prompts
  // of different salts never share anything.
  [[nodiscard]] std::optional<Placement> place(const std::string& salt, std::span<const Token> prompt);
  // One slice of an import, about `budget_us` long but at least one block. Ready: length() tells how much came; where the
  // state refused, less than promised.
  [[nodiscard]] ImportStep import_step(Sequence sequence, std::int64_t budget_us);
  [[nodiscard]] Brought brought(Sequence sequence) const { return line(sequence).brought; }  // of a running line
  // How many leading tokens place() would find now, in any tier. Changes nothing.
  [[nodiscard]] std::uint32_t usable_tokens(const std::string& salt, std::span<const Token> prompt) const;
  // A job with this prompt will come soon: what it needs of the disk is read ahead.
  void expect(const std::string& salt, std::span<const Token> prompt);
  // Where each part of it would come from now, in order and without gaps. Changes nothing.
  [[nodiscard]] std::vector<TierSpan> tiers(const Root& root, std::span<const Token> prompt) const;
  // Why those tokens of a prompt are computed that follow the first `cached` ones.
  [[nodiscard]] Explanation explain(const std::string& salt, std::span<const Token> prompt, std::uint32_t cached) const;
  // The engine was just fed these. REQUIRES: a running line that does not import.
  void append(Sequence sequence, std::span<const Token> tokens);
  // Running to idle, whatever became of the job.
  void release(Sequence sequence);
  // Anything to free, in the engine too. What RAM holds of it stays.
  void drop(Sequence sequence);
  // For memories that cannot be cut: what was computed goes to RAM as it comes, a block or two per chunk, so that ...
  void keep_blocks(Sequence sequence);
  // ... the state of a running line as it stands can be kept there too.
  void keep_anchor(Sequence sequence, AnchorKind kind);
  // The logits after a line as it stands, for the same prompt again; the last few are kept, and only where a line can be
  // cut to them (attention, any batch shape). place() then promises the whole prompt, with Placement::logits.
  void keep_logits(Sequence sequence, std::span<const float> logits);
  // One slice of demotion, about `budget_us` long but at least one block, when cells of idle lines cost running ones time
  // or when few lines are free. False: there is nothing to move.
  bool demote_step(std::int64_t budget_us, bool jobs_run);
  // Cells are needed now: the oldest idle line goes to RAM whole, or is lost where RAM does not take it. False: none is.
  bool make_room();
  // Every line goes to RAM, as far as it takes them; all are free then. REQUIRES: none runs.
  void vacate();
  // What rests is copied to RAM and written to the disk, about `budget_us` long. True: there is more to do at once.
  bool save_step(std::int64_t budget_us, bool jobs_run);
  // Everything that is worth it goes to the disk, or the time is over. Running lines are left as they stand.
  void save_all(std::chrono::milliseconds limit);
  void set_ram_budget(std::uint64_t bytes);
  void set_transit_budget(std::uint64_t bytes);  // while lines move: what is pinned may take all of it
  // For people (prefix_orders.cpp). Of one salt, or with nullptr of all.
  [[nodiscard]] const KnownLine* known_line(const std::string* salt, std::string_view id) const;
  [[nodiscard]] const Root& root_of(const std::string& salt) const;
  [[nodiscard]] CacheDesk& desk() { return desk_; }
  void bring_to_ram(const KnownLine& known);
  std::uint64_t forget(const std::string* salt);  // all that rests; bytes of RAM that are free then
  // What computing a token costs here: what is kept is weighed by the time it saves.
  void set_prefill_cost(double us_per_token) { ram_.set_cost({.token_us = us_per_token}); }
  [[nodiscard]] std::uint64_t ram_bytes() const;

  [[nodiscard]] std::uint32_t length(Sequence sequence) const;
  [[nodiscard]] bool keeps_anchors() const { return keeps_anchors_; }  // state can be kept at chosen places only
  [[nodiscard]] std::map<std::string, std::uint64_t> counters() const;
  [[nodiscard]] std::uint32_t running_count() const;
  void check_invariants() const;

 private:
  // prefix_match.cpp: where a prompt begins
  [[nodiscard]] std::uint32_t wanted_max(const Root& root, std::span<const Token> prompt) const;
  [[nodiscard]] const KeptLogits* find_logits(const Root& root, std::span<const Token> prompt) const;
  [[nodiscard]] LiveMatch match_live(const Root& root, std::span<const Token> prompt) const;
  [[nodiscard]] Start choose_start(const Root& root, std::span<const Token> prompt, Below below = Below::All) const;

  // prefix_cache.cpp
  [[nodiscard]] RamTierOptions ram_options();
  [[nodiscard]] std::optional<Sequence> take_free(std::optional<Sequence> spare);
  [[nodiscard]] std::optional<Sequence> oldest_idle(std::optional<Sequence> spare) const;
  [[nodiscard]] std::optional<Sequence> target_for(Start& start);
  [[nodiscard]] std::uint32_t begin(const Start& start, std::span<const Token> prompt, Sequence target);

  // prefix_move.cpp: between pool and RAM; prefix_save.cpp: copy_block()
  [[nodiscard]] bool copy_block();
  bool begin_import(Sequence target, const Start& start, std::span<const Token> prompt);
  [[nodiscard]] ImportStep end_import(Line& line, Sequence sequence);
  [[nodiscard]] std::uint32_t fork_instead(const Start& start, Sequence target);
  [[nodiscard]] std::optional<Sequence> next_to_demote(bool jobs_run) const;
  [[nodiscard]] ExportStep export_block(Sequence sequence, std::uint32_t end);
  [[nodiscard]] ExportStep export_slice(Sequence sequence);
  bool export_whole(Sequence sequence);
  [[nodiscard]] std::uint32_t shared_with_running(const Line& idle) const;
  [[nodiscard]] std::uint32_t storable_tokens(const Line& line) const;

  [[nodiscard]] bool moves() const { return can_move_ && ram_.budget_bytes() > 0; }
  [[nodiscard]] std::uint64_t now_ms() const { return static_cast<std::uint64_t>(clock_.now_ms()); }
  Line& line(Sequence sequence) { return lines_[static_cast<std::size_t>(sequence)]; }
  [[nodiscard]] const Line& line(Sequence sequence) const { return lines_[static_cast<std::size_t>(sequence)]; }

  engine::Engine& engine_;
  const Clock& clock_;
  const CacheLimits limits_;
  const bool keeps_anchors_, can_move_;  // the latter: whether states can leave the pool at all
  const std::uint32_t unit_;             // exact mode: only whole units are reused; else 1
  std::vector<Line> lines_;              // one per sequence
  mutable std::map<std::string, Root> roots_;
  std::unique_ptr<DiskTier> disk_;  // before RAM, which hands over what it evicts
  RamTier ram_;
  Importer importer_;
  std::unique_ptr<Saver> saver_;  // with a disk that may be written
  std::int64_t rounded_ms_ = 0, sent_ms_ = 0;
  std::optional<Sequence> demoted_;  // the idle line that is on its way to RAM
  std::vector<KeptLogits> logits_;   // the one kept last is the last
  KnownLines known_;
  CacheDesk desk_;
  std::uint64_t tick_ = 0;
  CacheTotals totals_;
};

}  // namespace hearth::cache
