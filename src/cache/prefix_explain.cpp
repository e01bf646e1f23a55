// Why tokens of a prompt are computed. Asked once per job, after it was placed, and only where much is computed.
#include <algorithm>

#include "cache/prefix_cache.h"

namespace hearth::cache {
namespace {

// Enough text to recognise a place by, some 30 words.
constexpr std::size_t kTokensBefore = 12, kTokensAfter = 32;

std::vector<Token> part(std::span<const Token> tokens, std::size_t begin, std::size_t end) {
  begin = std::min(begin, tokens.size());
  end = std::min(end, tokens.size());
  return {tokens.begin() + static_cast<std::ptrdiff_t>(begin), tokens.begin() + static_cast<std::ptrdiff_t>(end)};
}

struct Facts {
  std::uint32_t covered = 0;  // tokens that some tier knows, usable or not
  std::uint32_t usable = 0;   // that could be used now
  std::uint32_t unit = 1;
  bool keeps_anchors = false;
  bool anchor_left = false, block_left = false;  // lately, where it matters
};

Lost why_lost(const Explanation& why, const Facts& facts) {
  if (why.known_tokens == why.cached_tokens) return Lost::Nothing;
  const std::uint32_t wanted = std::min(why.known_tokens, why.prompt_tokens - 1);
  if (wanted == why.cached_tokens) return Lost::LastToken;
  if (wanted / facts.unit * facts.unit == why.cached_tokens) return Lost::ExactUnit;
  if (facts.covered / facts.unit * facts.unit > why.cached_tokens) {
    if (facts.keeps_anchors) return facts.anchor_left ? Lost::AnchorGone : Lost::NoAnchor;
    return facts.usable > why.cached_tokens ? Lost::Refused : Lost::TooLittle;
  }
  return facts.block_left ? Lost::BlocksGone : Lost::NotKept;
}

}  // namespace

Explanation PrefixCache::explain(const std::string& salt, std::span<const Token> prompt, std::uint32_t cached) const {
  const Root& root = root_of(salt);
  const KnownLines::Match match = known_.longest(root, prompt);
  const Start start = choose_start(root, prompt);
  const std::uint32_t covered = start.longest;
  Explanation why{.prompt_tokens = static_cast<std::uint32_t>(prompt.size()), .cached_tokens = cached};
  why.known_tokens = std::max({match.common, covered, cached});
  if (match.line != nullptr && match.common == why.known_tokens) {
    why.line_tokens = static_cast<std::uint32_t>(match.line->tokens.size());
    why.beyond = match.common == match.line->tokens.size() ? Beyond::Continues : Beyond::Differs;
    if (why.beyond == Beyond::Differs && match.common < prompt.size()) {
      const std::size_t at = match.common;
      why.before = part(prompt, at - std::min(at, kTokensBefore), at);
      why.was = part(match.line->tokens, at, at + kTokensAfter);
      why.is = part(prompt, at, at + kTokensAfter);
    }
  } else if (why.known_tokens > 0) {
    why.beyond = Beyond::Continues;  // known to a tier that outlived its tokens' memory
  }
  const Range lost{covered / kBlockTokens * kBlockTokens, why.known_tokens};
  const auto anchor_gone = last_gone(ram_.tree(), root, prompt, {cached, covered}, /*anchors=*/true);
  const auto block_gone = last_gone(ram_.tree(), root, prompt, lost, /*anchors=*/false);
  why.lost = why_lost(why, {.covered = covered,
                            .usable = start.tokens,
                            .unit = unit_,
                            .keeps_anchors = keeps_anchors_,
                            .anchor_left = anchor_gone.has_value(),
                            .block_left = block_gone.has_value()});
  if (why.lost == Lost::AnchorGone) why.gone = anchor_gone;
  if (why.lost == Lost::BlocksGone) why.gone = block_gone;
  if (why.gone) why.gone_ms_ago = now_ms() - std::min(now_ms(), why.gone->gone_ms);
  return why;
}

}  // namespace hearth::cache
