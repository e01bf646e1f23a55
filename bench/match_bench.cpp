// What it costs to find the match of a 100k-token prompt among 1,000 cached conversations and to plan its import: the walk,
// the blocks' places and bytes, and the pins. Every prompt is of another conversation, so that the tree is not in the CPU's caches.
//   match_bench [CONVERSATIONS]
// Target: under 2 ms. Ends with 1 when a match is not what was stored.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/random.h"
#include "cache/ram_tier.h"

namespace {
using namespace hearth;
using cache::kBlockTokens;
using cache::Token;

constexpr std::uint32_t kTrunkTokens = 18'000;  // instructions and tools, shared by the conversations of one project
constexpr std::uint32_t kProjectConversations = 20;
constexpr std::uint32_t kLongTokens = 100'000;
constexpr std::uint32_t kTurnTokens = 2'000;
constexpr std::uint32_t kSnapshotBytes = 64;  // its size does not matter here: nothing copies it

// Conversation `number`: every tenth one is 100k tokens long, the others 20k to 60k.
std::vector<Token> line_of(std::uint32_t number, std::uint32_t tokens) {
  std::vector<Token> line(tokens);
  const std::uint64_t project = number / kProjectConversations;
  for (std::uint32_t i = 0; i < tokens; ++i)
    line[i] = static_cast<Token>(mix_u64(i < kTrunkTokens ? project : 1'000'000 + number, i) % 150'000);
  return line;
}
std::uint32_t tokens_of(std::uint32_t number) {
  return number % 10 == 0 ? kLongTokens : 20'000 + static_cast<std::uint32_t>(mix_u64(7, number) % 40'000);
}

struct Stored {
  cache::RamTier tier;
  cache::Root root;
};

void store(Stored& stored, std::span<const Token> line, bool snapshots, std::uint64_t now_ms) {
  std::uint32_t from = 0;
  while (const auto missing = stored.tier.next_missing(stored.root, line, from)) {
    stored.tier.put_block(stored.root, line, *missing, std::vector<std::uint8_t>(16), cache::LineKind::Conversation,
                          now_ms);
    from = missing->end;
  }
  if (!snapshots) return;
  const auto keep = [&](std::uint32_t position, cache::AnchorKind kind) {
    stored.tier.put_anchor(stored.root, line, position, std::vector<std::uint8_t>(kSnapshotBytes), kind, now_ms);
  };
  keep(kTrunkTokens, cache::AnchorKind::Trunk);
  for (auto turn = kTrunkTokens + kTurnTokens; turn < line.size(); turn += kTurnTokens)
    keep(turn, cache::AnchorKind::Turn);
  keep(static_cast<std::uint32_t>(line.size()), cache::AnchorKind::ReplyEnd);
}

// Everything that is asked before the first byte moves; the sum keeps the compiler from leaving it out.
std::uint64_t plan(cache::RamTier& tier, const cache::Match& match) {
  tier.pin(match);
  std::uint64_t bytes = 0;
  for (const cache::BlockId id : match.blocks) bytes += tier.bytes(id).size() + tier.range(id).begin % 2;
  if (match.anchor) bytes += tier.snapshot(*match.anchor).size();
  return bytes;
}

struct Figures {
  std::vector<double> ms;
  int wrong = 0;
};

void measure(Stored& stored, std::span<const Token> prompt, std::uint32_t expected, Figures& figures) {
  const auto begun = std::chrono::steady_clock::now();
  const cache::Match match = stored.tier.find(stored.root, prompt, static_cast<std::uint32_t>(prompt.size() - 1));
  const std::uint64_t bytes = plan(stored.tier, match);
  figures.ms.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count());
  stored.tier.touch(match, 1'000'000);
  stored.tier.unpin(match);
  if (match.tokens != expected || (expected > 0 && bytes == 0)) ++figures.wrong;
}

int report(const char* what, Figures& figures) {
  std::ranges::sort(figures.ms);
  const std::size_t count = figures.ms.size();
  std::printf("  %-45s median %.3f ms, p95 %.3f ms, longest %.3f ms%s\n", what, figures.ms[count / 2],
              figures.ms[count * 95 / 100], figures.ms.back(), figures.wrong == 0 ? "" : "   WRONG MATCHES");
  return figures.wrong;
}

int bench(bool snapshots, std::uint32_t conversations) {
  Stored stored{.tier = cache::RamTier({.bytes_max = std::uint64_t{64} << 30U, .needs_snapshots = snapshots}),
                .root = cache::make_root({}, "tenant")};
  for (std::uint32_t i = 0; i < conversations; ++i) store(stored, line_of(i, tokens_of(i)), snapshots, i);
  const cache::Counts counts = stored.tier.counts();
  std::printf("%s: %u conversations, %llu blocks, %llu anchors\n",
              snapshots ? "state that cannot be cut" : "attention only", conversations,
              static_cast<unsigned long long>(counts.blocks), static_cast<unsigned long long>(counts.anchors));
  Figures next_turn;
  Figures branch;
  Figures unknown;
  for (std::uint32_t i = 0; i < conversations; i += 10) {
    auto prompt = line_of(i, kLongTokens);
    for (std::uint32_t k = 0; k < kTurnTokens; ++k) prompt.push_back(static_cast<Token>(mix_u64(9, k) % 150'000));
    measure(stored, prompt, kLongTokens, next_turn);
    // The same beginning, then something else from the middle of a block on. With snapshots it begins at an anchor, and which
    // ones thinning left is the tier's business.
    for (std::size_t k = 60'100; k < prompt.size(); ++k) prompt[k] = static_cast<Token>(mix_u64(11 + i, k) % 150'000);
    const auto match = stored.tier.find(stored.root, prompt, kLongTokens);
    if (match.attention_tokens < 60'100 || (!snapshots && match.tokens < 60'100)) ++branch.wrong;
    measure(stored, prompt, match.tokens, branch);
    measure(stored, line_of(2'000'000 + i, kLongTokens), 0, unknown);
  }
  return report("the next turn of a 100k-token conversation", next_turn) +
         report("a branch off its middle, 100k tokens", branch) + report("an unknown prompt of 100k tokens", unknown);
}

}  // namespace

int main(int argc, char** argv) {
  const auto conversations = static_cast<std::uint32_t>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000);
  if (conversations == 0) {
    std::fputs("usage: match_bench [CONVERSATIONS]\n", stderr);
    return 2;
  }
  std::puts("finding a match and planning its import   (target: under 2 ms)");
  const int wrong = bench(false, conversations) + bench(true, conversations);
  return wrong == 0 ? 0 : 1;
}
