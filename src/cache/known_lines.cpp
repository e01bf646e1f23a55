// See known_lines.h.
#include "cache/known_lines.h"

#include <algorithm>
#include <cstring>
#include <format>
#include <utility>

#include "base/random.h"

namespace hearth::cache {
namespace {

// As std::mismatch, but in steps that the machine compares at once: prompts share tens of thousands of tokens.
std::uint32_t common_of(std::span<const Token> a, std::span<const Token> b) {
  constexpr std::size_t kStep = 256;
  const std::size_t shorter = std::min(a.size(), b.size());
  std::size_t same = 0;
  while (same + kStep <= shorter && std::memcmp(&a[same], &b[same], kStep * sizeof(Token)) == 0) same += kStep;
  while (same < shorter && a[same] == b[same]) ++same;
  return static_cast<std::uint32_t>(same);
}

}  // namespace

void KnownLines::remember(const Root& root, std::span<const Token> tokens, std::uint64_t now_ms) {
  if (tokens.empty() || tokens.size() > kTokensMax) return;
  std::string id;
  bool held = false;
  std::uint32_t uses = 1;
  for (auto line = lines_.begin(); line != lines_.end(); ++line) {
    if (line->root != &root) continue;
    const std::uint32_t common = common_of(line->tokens, tokens);
    if (common < std::min(line->tokens.size(), tokens.size())) continue;
    line->used_ms = now_ms;
    uses = ++line->uses;
    if (common == tokens.size()) {  // nothing new of it
      lines_.splice(lines_.begin(), lines_, line);
      return;
    }
    id = std::move(line->id);
    held = line->held;
    tokens_ -= line->tokens.size();
    lines_.erase(line);
    break;
  }
  if (id.empty()) id = std::format("{:016x}", random_u64());
  tokens_ += tokens.size();
  lines_.push_front({.root = &root,
                     .id = std::move(id),
                     .tokens = {tokens.begin(), tokens.end()},
                     .used_ms = now_ms,
                     .uses = uses,
                     .held = held});
  while (lines_.size() > kLinesMax || tokens_ > kTokensMax) {
    const auto goes = std::ranges::find_if_not(lines_.rbegin(), lines_.rend(), &KnownLine::held);
    if (goes == lines_.rend()) break;
    tokens_ -= goes->tokens.size();
    lines_.erase(std::next(goes).base());
  }
}

void KnownLines::hold(const std::string& id, bool held) {
  for (KnownLine& line : lines_)
    if (line.id == id) line.held = held;
}

KnownLines::Match KnownLines::longest(const Root& root, std::span<const Token> prompt) const {
  Match best;
  for (const KnownLine& line : lines_) {
    if (line.root != &root) continue;
    const std::uint32_t common = common_of(line.tokens, prompt);
    const bool ends_here = common == line.tokens.size();
    if (common < best.common || common == 0) continue;
    if (common == best.common && !(ends_here && best.common < best.line->tokens.size())) continue;
    best = {.line = &line, .common = common};
  }
  return best;
}

void KnownLines::forget(const Root* root) {
  std::erase_if(lines_, [&](const KnownLine& line) {
    const bool goes = root == nullptr || line.root == root;
    if (goes) tokens_ -= line.tokens.size();
    return goes;
  });
}

}  // namespace hearth::cache
