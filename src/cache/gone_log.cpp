// See gone_log.h.
#include "cache/gone_log.h"

#include <algorithm>

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

}  // namespace hearth::cache
