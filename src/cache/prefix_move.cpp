// The ways between pool and RAM, in slices: a slice lasts about as long as it is told to, but moves at least one block, so that
// running streams hardly notice. What goes on to the disk is prefix_save.cpp. In a unified pool every step of every running job
// pays for the highest used cell, so a conversation that rests must not rest there.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cache/prefix_cache.h"

namespace hearth::cache {
namespace {

// So many free lines are kept ready, so that a job that arrives need not wait for a demotion.
constexpr std::ptrdiff_t kFreeLinesMin = 2;

}  // namespace

// ---- from RAM and disk to the pool -----------------------------------------------------------------------------------

bool PrefixCache::begin_import(Sequence target, const Start& start, std::span<const Token> prompt) {
  if (start.live_tokens > 0 && !engine_.share_cells(*start.live, target, start.live_tokens)) return false;
  Line& begun = line(target);
  begun.in_ram = begun.copied = 0;
  begun.tokens.clear();
  begun.exact_tokens = 0;
  begun.import = importer_.begin(start, prompt);
  return true;
}

ImportStep PrefixCache::import_step(Sequence sequence, std::int64_t budget_us) {
  Line& filled = line(sequence);
  CHECK(filled.import && filled.state == Line::State::Running);
  if (disk_) disk_->tick();
  Import& import = *filled.import;
  const std::int64_t began_us = clock_.now_us();
  const auto spent_us = [&] { return clock_.now_us() - began_us; };
  std::optional<ImportStep> result;
  while (!result) {
    const std::uint32_t before = import.arrived;
    const Importer::Step step = importer_.step(sequence, import);
    if (step == Importer::Step::Took) {
      totals_.tokens_imported += import.arrived - before;
      if (spent_us() >= budget_us && import.arrived < import.tokens.size()) result = ImportStep::More;
    } else if (step == Importer::Step::Waits) {
      result = ImportStep::Waits;
    } else {
      // No room, most likely. What lies idle in the pool is older than what is wanted now; then from the beginning.
      if (step == Importer::Step::NoRoom) importer_.restart(import);
      if (step == Importer::Step::Done || !make_room()) result = end_import(filled, sequence);
    }
  }
  totals_.import_us += static_cast<std::uint64_t>(spent_us());
  return *result;
}

ImportStep PrefixCache::end_import(Line& filled, Sequence sequence) {
  Import import = std::move(*filled.import);
  filled.import.reset();
  const std::uint32_t held = importer_.finish(sequence, import);
  if (held == 0) engine_.clear(sequence);
  // What the engine refuses though nothing else is in the pool is no matter of room.
  const bool is_alone = std::ranges::count(lines_, Line::State::Free, &Line::state) + 1 == std::ssize(lines_);
  if (held == 0 && import.refused && is_alone) {
    import.is_broken = true;
    import.leaves_disk = !disk_->reject(*import.refused, {ErrorKind::Internal, "the engine does not take it"});
  }
  std::uint32_t forked = 0;
  if (held == 0 && import.is_broken) {
    // The longest of what is left. Ends, because each try forgets something of the disk or does without it.
    Start again = choose_start(*filled.root, import.tokens, import.leaves_disk ? Below::Ram : Below::All);
    if (again.way == Start::Way::Fork || again.way == Start::Way::TakeOver) forked = fork_instead(again, sequence);
    again.live_tokens = 0;
    if (again.way == Start::Way::Import && begin_import(sequence, again, import.tokens)) return ImportStep::More;
  }
  ++totals_.imports;
  if (held == 0) ++totals_.imports_failed;
  if (disk_ && !import.disk.blocks.empty()) disk_->count_hit(held);
  filled.tokens.assign(import.tokens.begin(), import.tokens.begin() + held + forked);
  filled.exact_tokens = held + forked;
  if (held > 0) filled.brought = import.brought;
  return ImportStep::Ready;
}

// The job has its line already: a line that could go on as it is, is copied too. Returns how many tokens came; 0 where the state
// refuses.
std::uint32_t PrefixCache::fork_instead(const Start& start, Sequence target) {
  line(*start.live).last_used = tick_;
  if (!engine_.fork(*start.live, target, start.tokens)) {
    engine_.clear(target);
    return 0;
  }
  ++totals_.forks;
  return start.tokens;
}

// ---- from the pool to RAM ---------------------------------------------------------------------------------------------

std::uint32_t PrefixCache::storable_tokens(const Line& held) const { return held.exact_tokens / unit_ * unit_; }

// How much of an idle line lies in cells that a running one needs anyway.
std::uint32_t PrefixCache::shared_with_running(const Line& idle) const {
  std::uint32_t most = 0;
  for (const Line& other : lines_)
    if (other.state == Line::State::Running && other.root == idle.root)
      most = std::max(most, common_prefix(other.tokens, idle.tokens));
  return most;
}

std::optional<Sequence> PrefixCache::next_to_demote(bool jobs_run) const {
  const bool lines_short = std::ranges::count(lines_, Line::State::Free, &Line::state) <
                           std::min<std::ptrdiff_t>(kFreeLinesMin, static_cast<std::ptrdiff_t>(lines_.size()) / 2);
  std::uint64_t idle_tokens = 0;
  std::optional<Sequence> oldest, oldest_costly;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const Line& one = lines_[i];
    if (one.state != Line::State::Idle || one.ram_refused) continue;
    const auto sequence = static_cast<Sequence>(i);
    if (!oldest || one.last_used < line(*oldest).last_used) oldest = sequence;
    if (!jobs_run) continue;
    const std::uint64_t costs = one.tokens.size() - shared_with_running(one);
    idle_tokens += costs;
    if (costs > 0 && (!oldest_costly || one.last_used < line(*oldest_costly).last_used)) oldest_costly = sequence;
  }
  if (lines_short) return oldest;
  return idle_tokens > limits_.idle_tokens_free ? oldest_costly : std::nullopt;
}

// The next block of [0, end) that RAM does not have. All: it has them.
ExportStep PrefixCache::export_block(Sequence sequence, std::uint32_t end) {
  Line& source = line(sequence);
  const std::span<const Token> tokens = std::span(source.tokens).first(end);
  const auto missing = ram_.next_missing(*source.root, tokens, source.in_ram);
  if (!missing) {
    source.in_ram = end / kBlockTokens * kBlockTokens;
    return ExportStep::All;
  }
  const std::int64_t began_us = clock_.now_us();
  std::vector<std::uint8_t> cells = engine_.export_cells(sequence, missing->begin, missing->end);
  const bool kept =
      !cells.empty() && ram_.put_block(*source.root, tokens, *missing, std::move(cells), source.kind, now_ms());
  totals_.export_us += static_cast<std::uint64_t>(clock_.now_us() - began_us);
  if (!kept) return ExportStep::Refused;
  totals_.tokens_exported += missing->end - missing->begin;
  source.in_ram = missing->end / kBlockTokens * kBlockTokens;
  return ExportStep::Some;
}

void PrefixCache::keep_blocks(Sequence sequence) {
  const Line& source = line(sequence);
  if (!keeps_anchors_ || !moves() || source.ram_refused) return;
  const std::uint32_t full = storable_tokens(source) / kBlockTokens * kBlockTokens;
  ExportStep slice = source.in_ram < full ? ExportStep::Some : ExportStep::All;
  while (slice == ExportStep::Some) slice = export_block(sequence, full);
}

ExportStep PrefixCache::export_slice(Sequence sequence) {
  const Line& source = line(sequence);
  const ExportStep blocks = export_block(sequence, storable_tokens(source));
  if (blocks != ExportStep::All) return blocks;
  // The end of a line that cannot be cut is a place to go on from.
  const auto length = static_cast<std::uint32_t>(source.tokens.size());
  // The tree says the same of blocks that are kept and of those it lost in between, when a budget shrank.
  const std::span<const Token> stored = std::span(source.tokens).first(storable_tokens(source));
  if (ram_.find(*source.root, stored, storable_tokens(source)).attention_tokens < stored.size())
    return ExportStep::Refused;
  if (!keeps_anchors_ || length != storable_tokens(source) || ram_.has_anchor(*source.root, source.tokens, length))
    return ExportStep::All;
  std::vector<std::uint8_t> state = engine_.snapshot(sequence);
  if (state.empty() ||
      !ram_.put_anchor(*source.root, source.tokens, length, std::move(state), AnchorKind::ReplyEnd, now_ms()))
    return ExportStep::Refused;
  ++totals_.anchors;
  return ExportStep::All;
}

// False: RAM did not take all of it.
bool PrefixCache::export_whole(Sequence sequence) {
  if (!moves()) return false;
  line(sequence).in_ram = 0;  // some of it may have been evicted since
  ExportStep slice = ExportStep::Some;
  while (slice == ExportStep::Some) slice = export_slice(sequence);
  if (slice == ExportStep::All) ++totals_.demoted;
  return slice == ExportStep::All;
}

bool PrefixCache::demote_step(std::int64_t budget_us, bool jobs_run) {
  desk_.tick(now_ms());
  if (!moves()) return false;
  if (!demoted_) {
    demoted_ = next_to_demote(jobs_run);
    if (!demoted_) return false;
    line(*demoted_).in_ram = 0;
  }
  const Sequence sequence = *demoted_;
  const std::int64_t began_us = clock_.now_us();
  ExportStep slice = ExportStep::Some;
  while (slice == ExportStep::Some) {
    slice = export_slice(sequence);
    if (clock_.now_us() - began_us >= budget_us) break;
  }
  if (slice == ExportStep::Refused) {
    demoted_.reset();
    line(sequence).ram_refused = true;  // it stays where it is until its cells are needed
  } else if (slice == ExportStep::All) {
    ++totals_.demoted;
    drop(sequence);
  }
  return true;
}

}  // namespace hearth::cache
