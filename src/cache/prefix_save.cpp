// What rests goes on to the slower tiers without leaving the faster one: a copy of idle lines to RAM, and from there to the disk.
// So a crash loses little, and a line whose cells are needed leaves at once.
#include <algorithm>

#include "base/check.h"
#include "cache/prefix_cache.h"

namespace hearth::cache {
namespace {

// What became due is gathered for so long: fewer, larger files.
constexpr std::int64_t kRoundEveryMs = 1'000;
constexpr std::int64_t kSendEveryMs = 10'000;

}  // namespace

// Whole blocks only: what a tail holds is computed in a moment. Other memories than attention are in RAM as far as it helps:
// up to their anchors. False: there is nothing to copy.
bool PrefixCache::copy_block() {
  if (keeps_anchors_) return false;
  const auto whole = [&](const Line& one) { return storable_tokens(one) / kBlockTokens * kBlockTokens; };
  std::optional<Sequence> newest;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const Line& one = lines_[i];
    if (one.state == Line::State::Idle && one.copied < whole(one) &&
        (!newest || one.last_used > line(*newest).last_used))
      newest = static_cast<Sequence>(i);
  }
  if (!newest) return false;
  Line& source = line(*newest);
  const ExportStep copied = export_block(*newest, whole(source));
  source.copied = copied == ExportStep::Some ? source.in_ram : whole(source);
  return true;
}

bool PrefixCache::save_step(std::int64_t budget_us, bool jobs_run) {
  if (!disk_) return false;
  disk_->tick();
  if (!saver_) return false;
  disk_->set_pace(jobs_run ? store::Pace::Beside : store::Pace::Alone);
  if (!moves() || !disk_->takes()) return false;
  const std::int64_t began_us = clock_.now_us();
  bool more = copy_block();
  while (more && clock_.now_us() - began_us < budget_us) more = copy_block();
  const std::int64_t now_ms = clock_.now_ms();
  if (!more && now_ms - rounded_ms_ >= kRoundEveryMs) {
    rounded_ms_ = now_ms;
    static_cast<void>(saver_->round(static_cast<std::uint64_t>(now_ms), Haste::Usual));
    if (!jobs_run || now_ms - sent_ms_ >= kSendEveryMs) {
      sent_ms_ = now_ms;
      disk_->send();
    }
  }
  return more;
}

void PrefixCache::save_all(std::chrono::milliseconds limit) {
  if (!saver_) return;
  const auto until = std::chrono::steady_clock::now() + limit;
  const auto left = [&] {
    return std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  };
  std::vector<Sequence> idle;
  for (std::size_t i = 0; i < lines_.size(); ++i)
    if (lines_[i].state == Line::State::Idle) idle.push_back(static_cast<Sequence>(i));
  std::ranges::sort(idle, std::greater{}, [&](Sequence sequence) { return line(sequence).last_used; });
  for (const Sequence sequence : idle)
    if (left().count() > 0) static_cast<void>(export_whole(sequence));
  // More than the queue takes at once goes in parts.
  bool more = true;
  while (more && left().count() > 0) {
    const std::uint64_t begun_anew = disk_->begun_anew();
    more = saver_->round(now_ms(), Haste::Last);
    disk_->flush(std::max(left(), std::chrono::milliseconds(1)));
    more = more || disk_->begun_anew() != begun_anew;  // its files were removed: all of it once more
    if (!disk_->takes()) return;
  }
}

}  // namespace hearth::cache
