// See gone_log.h.
#include "cache/gone_log.h"

#include <algorithm>
#include <ranges>

#include "cache/prefix_tree.h"

namespace hearth::cache {

void GoneLog::add(GoneEvent event, std::span<const Token> tokens) {
  event.token_count = static_cast<std::uint32_t>(std::min(tokens.size(), GoneEvent::kTokensKept));
  std::ranges::copy(tokens.first(event.token_count), event.tokens.begin());
  event.what_for = what_for_;
  event.same_root = what_for_ == GoneFor::Line && root_ == event.root;
  event.for_tokens = tokens_;
  event.gone_ms = now_ms_;
  if (events_.size() == kEventsMax) events_.pop_front();
  events_.push_back(event);
}

bool ran_through(const GoneEvent& event, std::span<const Token> line) {
  if (line.size() <= event.begin) return false;
  const std::span<const Token> rest = line.subspan(event.begin);
  const std::size_t compared = std::min<std::size_t>(event.token_count, rest.size());
  return std::ranges::equal(rest.first(compared), std::span(event.tokens).first(compared));
}

std::optional<GoneEvent> last_gone(const PrefixTree& tree, const Root& root, std::span<const Token> line, Range within,
                                   bool anchors) {
  for (const GoneEvent& event : tree.gone().events() | std::views::reverse) {
    if (event.is_anchor != anchors || event.root != root || !ran_through(event, line)) continue;
    const bool in_range = anchors ? event.end > within.begin && event.end <= within.end : event.begin == within.begin;
    if (!in_range) continue;
    const Walk walk = tree.walk(root, line.first(event.begin));
    // Without a node there the whole root is gone: its first block hung at the root itself.
    const bool same_node =
        walk.node == nullptr ? event.begin == 0 : walk.node->end() == event.begin && walk.node->hash == event.parent;
    if (same_node) return event;
  }
  return std::nullopt;
}

}  // namespace hearth::cache
