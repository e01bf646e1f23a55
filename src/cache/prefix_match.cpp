// Where a prompt begins: the best of what the lines, RAM and the disk hold. Changes nothing. Prompts are compared when a job
// is placed, never per token.
#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "cache/prefix_cache.h"

namespace hearth::cache {
namespace {

// Bringing a state back costs a thousandth of computing it on a CPU and some tenth on a fast GPU: less gain than this part
// of it (two unrelated prompts share their first few tokens) is not worth the way.
constexpr std::uint32_t kGainPart = 64;
// A disk is some ten times slower than RAM.
constexpr std::uint32_t kDiskGainPart = 8;
// Computing so few tokens takes no longer than waiting for a disk.
constexpr std::uint32_t kDiskTokensMin = 32;

}  // namespace

std::uint32_t common_prefix(std::span<const Token> a, std::span<const Token> b) {
  const auto shorter = static_cast<std::ptrdiff_t>(std::min(a.size(), b.size()));
  const auto [end, other] = std::mismatch(a.begin(), a.begin() + shorter, b.begin());
  return static_cast<std::uint32_t>(end - a.begin());
}

// The last token is computed for its logits, unless they were kept; in exact mode the rest of its unit with it.
std::uint32_t PrefixCache::wanted_max(const Root& root, std::span<const Token> prompt) const {
  if (find_logits(root, prompt) != nullptr) return static_cast<std::uint32_t>(prompt.size());
  return prompt.empty() ? 0 : static_cast<std::uint32_t>(prompt.size() - 1) / unit_ * unit_;
}

LiveMatch PrefixCache::match_live(const Root& root, std::span<const Token> prompt) const {
  LiveMatch match;
  const std::uint32_t most = wanted_max(root, prompt);
  // Of equals, the one whose whole content is used (nothing has to be copied), then the one used last.
  const auto rank = [&](const Line& one) {
    return one.state == Line::State::Idle && storable_tokens(one) == match.usable;
  };
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const Line& candidate = lines_[i];
    if (candidate.state == Line::State::Free || candidate.tokens.empty() || candidate.root != &root) continue;
    const std::uint32_t common =
        std::min({common_prefix(candidate.tokens, prompt), most, candidate.exact_tokens}) / unit_ * unit_;
    if (common == 0) continue;
    const auto sequence = static_cast<Sequence>(i);
    if (common > match.common) {
      match.common = common;
      match.longest = sequence;
    }
    const std::uint32_t usable =
        engine_.usable_prefix(sequence, static_cast<std::uint32_t>(candidate.tokens.size()), common);
    if (usable == 0 || usable < match.usable) continue;
    if (match.best && usable == match.usable) {
      const Line& held = line(*match.best);
      const bool was = rank(held);
      if (rank(candidate) < was || (rank(candidate) == was && candidate.last_used < held.last_used)) continue;
    }
    match.best = sequence;
    match.usable = usable;
  }
  return match;
}

Start PrefixCache::choose_start(const Root& root, std::span<const Token> prompt, Below below) const {
  const LiveMatch live = match_live(root, prompt);
  Start start{.live = live.best, .tokens = live.usable, .longest = live.common};
  if (live.best) {
    const Line& best = line(*live.best);
    const bool all_used = best.state == Line::State::Idle && storable_tokens(best) == live.usable;
    start.way = all_used ? Start::Way::TakeOver : Start::Way::Fork;
    start.live_tokens = live.usable;
  }
  if (!moves() && !disk_) return start;

  const auto whole_units = [&](Match match) {
    start.longest = std::max(start.longest, match.attention_tokens / unit_ * unit_);
    if (!keeps_anchors_) match.tokens = match.tokens / unit_ * unit_;
    return match;
  };
  const std::uint32_t most = wanted_max(root, prompt);
  start.ram = whole_units(ram_.find(root, prompt, most));
  if (disk_ && below == Below::All) start.disk = whole_units(disk_->find(root, prompt, most));
  const bool from_disk = start.disk.tokens > start.ram.tokens + kDiskTokensMin;
  const std::uint32_t known = from_disk ? start.disk.tokens : start.ram.tokens;
  if (known <= start.tokens) return start;
  // What the pool holds of it is shared, not brought back; blocks begin at multiples of their size.
  std::uint32_t shared = live.longest ? std::min(live.common, known) : 0;
  if (shared < known) shared = shared / kBlockTokens * kBlockTokens;
  const std::uint64_t gain = known - start.tokens;
  if (gain * (from_disk ? kDiskGainPart : kGainPart) < known - shared) return start;
  start.way = Start::Way::Import;
  start.from_disk = from_disk;
  start.live = shared > 0 ? live.longest : std::nullopt;
  start.live_tokens = shared;
  start.tokens = known;
  return start;
}

std::uint32_t PrefixCache::usable_tokens(const std::string& salt, std::span<const Token> prompt) const {
  return choose_start(root_of(salt), prompt).tokens;
}

std::vector<TierSpan> PrefixCache::tiers(const Root& root, std::span<const Token> prompt) const {
  const Start start = choose_start(root, prompt);
  std::vector<TierSpan> spans;
  const auto add = [&](std::uint32_t end, Tier tier) {
    const std::uint32_t begin = spans.empty() ? 0 : spans.back().range.end;
    if (end > begin) spans.push_back({.range = {begin, end}, .tier = tier});
  };
  add(start.live_tokens, Tier::Live);
  if (start.way == Start::Way::Import) {
    if (start.from_disk) add(std::min(start.ram.tokens / kBlockTokens * kBlockTokens, start.tokens), Tier::Ram);
    add(start.tokens, start.from_disk ? Tier::Disk : Tier::Ram);
  }
  add(static_cast<std::uint32_t>(prompt.size()), Tier::None);
  return spans;
}

void PrefixCache::expect(const std::string& salt, std::span<const Token> prompt) {
  if (!disk_) return;
  const Start start = choose_start(root_of(salt), prompt);
  if (start.way == Start::Way::Import && start.from_disk) disk_->will_need(start.disk);
}

const KeptLogits* PrefixCache::find_logits(const Root& root, std::span<const Token> prompt) const {
  const auto kept = std::ranges::find_if(
      logits_, [&](const KeptLogits& one) { return one.root == &root && std::ranges::equal(one.prompt, prompt); });
  return kept == logits_.end() ? nullptr : &*kept;
}

void PrefixCache::keep_logits(Sequence sequence, std::span<const float> logits) {
  // A row of a large vocabulary is 600 KB, and what asks the same again does so at once.
  constexpr std::size_t kKeptMax = 4;
  const Line& source = line(sequence);
  if (keeps_anchors_ || unit_ != 1 || find_logits(*source.root, source.tokens) != nullptr) return;
  // What a damaged model says is not kept: the next one to ask shall be told.
  if (std::ranges::any_of(logits, [](float logit) { return std::isnan(logit); })) return;
  if (logits_.size() == kKeptMax) logits_.erase(logits_.begin());
  logits_.push_back({.root = source.root, .prompt = source.tokens, .logits = {logits.begin(), logits.end()}});
}

}  // namespace hearth::cache
