// What people ask of the cache, as far as it concerns the lines too.
#include <algorithm>

#include "cache/prefix_cache.h"

namespace hearth::cache {

const KnownLine* PrefixCache::known_line(const std::string* salt, std::string_view id) const {
  const Root* root = salt != nullptr ? &root_of(*salt) : nullptr;
  const KnownLine* found = nullptr;
  for (const KnownLine& one : known_.lines()) {
    if ((root != nullptr && one.root != root) || !std::string_view(one.id).starts_with(id)) continue;
    if (found != nullptr) return nullptr;  // two begin so
    found = &one;
  }
  return found;
}

// The idle line that agrees longest with it goes to RAM, where it can be pinned and exported.
void PrefixCache::bring_to_ram(const KnownLine& known) {
  std::optional<Sequence> best;
  std::uint32_t longest = 0;
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const Line& one = lines_[i];
    if (one.state != Line::State::Idle || one.root != known.root) continue;
    const std::uint32_t common = common_prefix(one.tokens, known.tokens);
    if (common > longest) best = static_cast<Sequence>(i);
    longest = std::max(longest, common);
  }
  if (best) export_whole(*best);
}

std::uint64_t PrefixCache::forget(const std::string* salt) {
  const Root* root = salt != nullptr ? &root_of(*salt) : nullptr;
  const std::uint64_t before = ram_bytes();
  desk_.end_transfers(root);
  desk_.unpin_all(root);
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const auto sequence = static_cast<Sequence>(i);
    if (line(sequence).state == Line::State::Idle && (root == nullptr || line(sequence).root == root)) drop(sequence);
  }
  std::erase_if(logits_, [&](const KeptLogits& one) { return root == nullptr || one.root == root; });
  known_.forget(root);
  if (root != nullptr)
    ram_.drop(*root, {});
  else
    ram_.clear();
  if (disk_) disk_->clear(root);
  return before - std::min(before, ram_bytes());
}

}  // namespace hearth::cache
