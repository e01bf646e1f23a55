// The lines: who holds what, and how a job gets its line. Matching is prefix_match.cpp, moving prefix_move.cpp.
#include "cache/prefix_cache.h"

#include <algorithm>
#include <format>
#include <utility>

#include "base/check.h"

namespace hearth::cache {

PrefixCache::PrefixCache(engine::Engine& engine, const Clock& clock, CacheLimits limits, std::unique_ptr<DiskTier> disk)
    : engine_(engine),
      clock_(clock),
      limits_(limits),
      keeps_anchors_(engine.info().memory_kind != engine::MemoryKind::Attention),
      can_move_(engine.info().state_form == engine::StateForm::Cells),
      unit_(std::max<std::uint32_t>(engine.info().prefill_unit, 1)),
      lines_(engine.info().sequences_max),
      disk_(can_move_ ? std::move(disk) : nullptr),
      ram_(ram_options()),
      importer_(engine, ram_, disk_.get()),
      saver_(disk_ && !disk_->read_only() ? std::make_unique<Saver>(ram_, *disk_, keeps_anchors_) : nullptr),
      desk_(ram_, known_, keeps_anchors_) {
  CHECK(!lines_.empty());
}

RamTierOptions PrefixCache::ram_options() {
  RamTierOptions options{.bytes_max = limits_.ram_bytes_max, .needs_snapshots = keeps_anchors_};
  if (disk_ && !disk_->read_only()) {
    const auto save = [this](auto& node) {
      if (saver_) saver_->leaving(node, now_ms());
    };
    options.leaving = save;
    options.anchor_leaving = save;
  }
  return options;
}

// The chain's root, by salt. What shapes the KV is one engine's, so that the salt alone tells roots of a process apart; the rest
// is in it for the disk. There a salt, which comes from a caller's key, is mixed with what only that folder knows.
const Root& PrefixCache::root_of(const std::string& salt) const {
  const auto known = roots_.find(salt);
  if (known != roots_.end()) return known->second;
  const engine::EngineInfo& info = engine_.info();
  const std::string shape = info.exact ? std::format("exact {}", info.prefill_unit) : "any";
  // Not the name that people see: where a file says none it is the file's own, and the content says it with the rest.
  const RootPart parts[] = {{"model", info.content_digest}, {"architecture", info.architecture},
                            {"kv_types", info.kv_types},    {"backend", info.backend},
                            {"state", info.state_version},  {"batch_shape", shape}};
  const std::string known_here = disk_ && !salt.empty() ? salt + hex_of(disk_->secret()) : salt;
  return roots_.emplace(salt, make_root(parts, known_here)).first->second;
}

std::optional<Sequence> PrefixCache::oldest_idle(std::optional<Sequence> spare) const {
  std::optional<Sequence> oldest;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const auto sequence = static_cast<Sequence>(i);
    if (lines_[i].state != Line::State::Idle || sequence == spare) continue;
    if (!oldest || lines_[i].last_used < line(*oldest).last_used) oldest = sequence;
  }
  return oldest;
}

// A free line; where there is none, the idle one that was used longest ago goes to RAM. `spare` stays.
std::optional<Sequence> PrefixCache::take_free(std::optional<Sequence> spare) {
  for (std::size_t i = 0; i < lines_.size(); ++i)
    if (lines_[i].state == Line::State::Free) return static_cast<Sequence>(i);
  const std::optional<Sequence> oldest = oldest_idle(spare);
  if (!oldest) return std::nullopt;
  if (!export_whole(*oldest)) ++totals_.evicted;
  drop(*oldest);
  return oldest;
}

std::optional<Placement> PrefixCache::place(const std::string& salt, std::span<const Token> prompt) {
  CHECK(!prompt.empty());
  ++tick_;
  const Root& root = root_of(salt);
  Start start = choose_start(root, prompt);
  if (start.live) line(*start.live).last_used = tick_;
  // What goes to RAM to make room must not throw out what comes from there.
  // What the pool answers is a use of its copy in RAM too: a conversation that goes on is not old.
  const bool imports = start.way == Start::Way::Import;
  if (!start.ram.blocks.empty()) ram_.touch(start.ram, now_ms());
  if (!start.disk.blocks.empty()) disk_->touch(start.disk);
  if (imports) ram_.pin(start.ram);
  if (imports && start.from_disk) disk_->pin(start.disk);
  const std::optional<Sequence> target = target_for(start);
  std::optional<Placement> placement;
  if (target) placement = Placement{.sequence = *target, .cached_tokens = begin(start, prompt, *target)};
  if (imports && start.from_disk) disk_->unpin(start.disk);
  if (imports) ram_.unpin(start.ram);
  if (!placement) return std::nullopt;

  Line& placed = line(*target);
  placed.state = Line::State::Running;
  placed.root = &root;
  placed.last_used = tick_;
  placed.ram_refused = false;
  placed.brought = {};
  // What goes on from most of what was known is a conversation.
  placed.kind = 2 * std::size_t{placement->cached_tokens} >= prompt.size() ? LineKind::Conversation : LineKind::Unknown;
  placement->importing = placed.import.has_value();
  if (placement->cached_tokens == prompt.size()) placement->logits = find_logits(root, prompt)->logits;
  if (keeps_anchors_ && start.longest > placement->cached_tokens) placement->branch_point = start.longest;
  return placement;
}

// The line that begins so. nullopt: every other one runs.
std::optional<Sequence> PrefixCache::target_for(Start& start) {
  if (start.way == Start::Way::TakeOver) {
    if (demoted_ == start.live) demoted_.reset();
    return start.live;
  }
  if (const auto target = take_free(start.live)) return target;
  if (!start.live || line(*start.live).state != Line::State::Idle) return std::nullopt;
  // An idle source itself goes on, its tail goes to RAM.
  if (!export_whole(*start.live)) ++totals_.evicted;
  if (demoted_ == start.live) demoted_.reset();
  if (start.way == Start::Way::Import) {  // all of it comes from RAM: a line cannot share cells with itself
    engine_.clear(*start.live);
    start.live_tokens = 0;
  }
  return start.live;
}

// Makes `target` hold the beginning that was chosen, or begin to (Import). Returns how many tokens that are.
std::uint32_t PrefixCache::begin(const Start& start, std::span<const Token> prompt, Sequence target) {
  Line& begun = line(target);
  const auto hold = [&](std::uint32_t count) {
    begun.tokens.assign(prompt.begin(), prompt.begin() + count);
    begun.exact_tokens = count;
    begun.in_ram = begun.copied = 0;
    return count;
  };
  switch (start.way) {
    case Start::Way::Nothing: return 0;
    case Start::Way::TakeOver:
      if (begun.tokens.size() == start.tokens || engine_.truncate(target, start.tokens)) return hold(start.tokens);
      break;
    case Start::Way::Fork:
      if (start.live == target ? engine_.truncate(target, start.tokens)
                               : engine_.fork(*start.live, target, start.tokens)) {
        ++totals_.forks;
        return hold(start.tokens);
      }
      break;
    case Start::Way::Import:
      if (begin_import(target, start, prompt)) return start.tokens;
      break;
  }
  drop(target);
  return 0;
}

void PrefixCache::append(Sequence sequence, std::span<const Token> tokens) {
  Line& grown = line(sequence);
  DCHECK(grown.state == Line::State::Running && !grown.import);
  const bool in_shape = unit_ == 1 || (tokens.size() == unit_ && grown.tokens.size() % unit_ == 0);
  if (in_shape && grown.exact_tokens == grown.tokens.size())
    grown.exact_tokens += static_cast<std::uint32_t>(tokens.size());
  grown.tokens.insert(grown.tokens.end(), tokens.begin(), tokens.end());
}

void PrefixCache::release(Sequence sequence) {
  Line& released = line(sequence);
  CHECK(released.state == Line::State::Running);
  if (released.import) return drop(sequence);
  known_.remember(*released.root, released.tokens, now_ms());
  released.last_used = ++tick_;
  released.state = Line::State::Idle;
  if (released.tokens.empty()) drop(sequence);
}

void PrefixCache::drop(Sequence sequence) {
  Line& dropped = line(sequence);
  if (dropped.import) importer_.drop(*dropped.import);
  if (demoted_ == sequence) demoted_.reset();
  engine_.clear(sequence);
  dropped = Line{};
}

void PrefixCache::keep_anchor(Sequence sequence, AnchorKind kind) {
  const Line& source = line(sequence);
  CHECK(source.state == Line::State::Running && source.root != nullptr);
  if (!keeps_anchors_ || !moves() || source.tokens.empty()) return;
  const auto position = static_cast<std::uint32_t>(source.tokens.size());
  if (position != storable_tokens(source) || ram_.has_anchor(*source.root, source.tokens, position)) return;
  line(sequence).in_ram = 0;  // some of it may have been evicted since
  ExportStep slice = ExportStep::Some;
  while (slice == ExportStep::Some) slice = export_block(sequence, position);
  if (slice == ExportStep::Refused) return;
  std::vector<std::uint8_t> state = engine_.snapshot(sequence);
  if (!state.empty() && ram_.put_anchor(*source.root, source.tokens, position, std::move(state), kind, now_ms()))
    ++totals_.anchors;
}

bool PrefixCache::make_room() {
  const std::optional<Sequence> oldest = oldest_idle(std::nullopt);
  if (!oldest) return false;
  if (!export_whole(*oldest)) ++totals_.evicted;
  drop(*oldest);
  return true;
}

// The one used last goes last: what has to leave RAM again for it is older.
void PrefixCache::vacate() {
  CHECK(running_count() == 0);
  while (make_room()) {
  }
}

void PrefixCache::set_ram_budget(std::uint64_t bytes) {
  ram_.set_budget(bytes, now_ms());
  desk_.fit_budget(bytes / 2);
}

void PrefixCache::set_transit_budget(std::uint64_t bytes) {
  ram_.set_budget(bytes, now_ms());
  desk_.fit_budget(bytes);
}

std::uint64_t PrefixCache::ram_bytes() const { return ram_.counts().bytes(); }

std::uint32_t PrefixCache::length(Sequence sequence) const {
  return static_cast<std::uint32_t>(line(sequence).tokens.size());
}

std::uint32_t PrefixCache::running_count() const {
  return static_cast<std::uint32_t>(std::ranges::count(lines_, Line::State::Running, &Line::state));
}

std::map<std::string, std::uint64_t> PrefixCache::counters() const {
  std::map<std::string, std::uint64_t> all{
      {"sequences_free", 0},
      {"sequences_idle", 0},
      {"live_tokens", 0},
      {"sequences_evicted", totals_.evicted},
      {"sequence_forks", totals_.forks},
      {"sequences_demoted", totals_.demoted},
      {"anchors_kept", totals_.anchors},
      {"imports", totals_.imports},
      {"imports_failed", totals_.imports_failed},
      {"tokens_exported", totals_.tokens_exported},
      {"tokens_imported", totals_.tokens_imported},
      {"export_us", totals_.export_us},
      {"import_us", totals_.import_us},
  };
  for (const Line& one : lines_) {
    if (one.state == Line::State::Free) ++all["sequences_free"];
    if (one.state == Line::State::Idle) ++all["sequences_idle"];
    all["live_tokens"] += one.tokens.size();
  }
  const Counts& ram = ram_.counts();
  all["ram_bytes"] = ram.bytes();
  all["ram_budget_bytes"] = ram_.budget_bytes();
  all["ram_pinned_bytes"] = desk_.pinned_bytes();
  all["ram_held_bytes"] = ram.pinned_bytes;  // by pins, and by what is under way
  all["ram_blocks"] = ram.blocks;
  all["ram_anchors"] = ram.anchors;
  all["ram_blocks_evicted"] = ram.gone_blocks[static_cast<std::size_t>(Gone::Budget)];
  all["ram_anchors_evicted"] = ram.gone_anchors[static_cast<std::size_t>(Gone::Budget)];
  if (disk_) disk_->add_counters(all);
  return all;
}

void PrefixCache::check_invariants() const {
  ram_.check_invariants();
  if (disk_) disk_->check_invariants();
  if (saver_) saver_->check_invariants();
  for (const Line& one : lines_) {
    CHECK((one.root == nullptr) == (one.state == Line::State::Free));
    CHECK(one.state != Line::State::Free || (one.tokens.empty() && !one.import));
    CHECK(one.state != Line::State::Idle || (!one.tokens.empty() && !one.import));
    CHECK(!one.import || one.tokens.empty());
    CHECK(one.exact_tokens <= one.tokens.size());
    CHECK(one.last_used <= tick_);
    CHECK(one.tokens.size() <= engine_.info().context_tokens);
  }
  CHECK(!demoted_ || line(*demoted_).state == Line::State::Idle);
}

}  // namespace hearth::cache
