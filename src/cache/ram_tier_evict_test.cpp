// What goes when room is short, and what of a line's anchors is kept.
#include <doctest/doctest.h>

#include "cache/ram_tier.h"
#include "cache/test_lines.h"

using namespace hearth::cache;
using namespace hearth::cache::testing;

namespace {

constexpr std::uint64_t kSecond = 1000, kMinute = 60 * kSecond;
const Root kRoot = root_named("a");

std::uint32_t kept(const RamTier& tier, const Line& line) {
  return tier.find(kRoot, line, static_cast<std::uint32_t>(line.size())).attention_tokens;
}

// As the next turn of its conversation finds it.
void use(RamTier& tier, const Line& line, std::uint64_t now_ms) {
  tier.touch(tier.find(kRoot, line, static_cast<std::uint32_t>(line.size())), now_ms);
}

// One-shot jobs, each a line of its own; returns the time after them.
std::uint64_t flood(RamTier& tier, int count, std::uint64_t from_ms, LineKind kind) {
  for (int i = 0; i < count; ++i) store(tier, kRoot, numbers(1024, 1'000'000 + 10'000 * i), from_ms += kSecond, kind);
  return from_ms;
}

// A conversation that has had a few turns.
void converse(RamTier& tier, const Line& line, std::uint64_t until_ms) {
  for (std::size_t turn = 1; turn <= 4; ++turn) {
    const std::span<const Token> now = std::span(line).first(line.size() * turn / 4);
    use(tier, Line(now.begin(), now.end()), until_ms - (5 - turn) * 10 * kSecond);
    store(tier, kRoot, now, until_ms - (4 - turn) * 10 * kSecond);
  }
}

}  // namespace

TEST_CASE("a conversation that pauses outlives a flood of one-shot jobs, which it does not under LRU") {
  for (const LineKind kind : {LineKind::OneShot, LineKind::Unknown}) {
    for (const WorthFunction function : {worth, worth_lru}) {
      RamTier tier({.bytes_max = 200'000, .worth = function});  // about 80 blocks
      const Line talk = numbers(16 * kBlockTokens);
      converse(tier, talk, kMinute);
      flood(tier, 120, kMinute, kind);
      tier.check_invariants();
      CHECK(tier.counts().gone_blocks[static_cast<int>(Gone::Budget)] > 300);
      CHECK(kept(tier, talk) == (function == worth ? talk.size() : 0));
    }
  }
}

TEST_CASE("a trunk outlives its branches") {
  RamTier tier({.bytes_max = 1u << 30});
  const Line trunk = numbers(8 * kBlockTokens);
  for (int branch = 0; branch < 6; ++branch) {
    const Line line = joined(trunk, numbers(4 * kBlockTokens, 100'000 * (branch + 1)));
    use(tier, line, branch * kSecond);
    store(tier, kRoot, line, branch * kSecond);
  }
  const Line alone = numbers(8 * kBlockTokens, 5'000'000);
  store(tier, kRoot, alone, 6 * kSecond);
  const std::uint64_t block = tier.counts().bytes() / tier.counts().blocks;
  tier.set_budget(9 * block, 2 * kMinute);
  CHECK(kept(tier, trunk) == trunk.size());
  CHECK(kept(tier, alone) <= kBlockTokens);
  tier.check_invariants();
}

TEST_CASE("LRU takes the line that was used longest ago") {
  RamTier tier({.bytes_max = 1u << 30, .worth = worth_lru});
  const Line a = numbers(1024), b = numbers(1024, 10'000);
  store(tier, kRoot, a, 1);
  store(tier, kRoot, b, 2);
  use(tier, a, 3);
  tier.set_budget(tier.counts().bytes() / 2, 4);
  CHECK(kept(tier, a) == 1024);
  CHECK(kept(tier, b) == 0);
}

TEST_CASE("blocks that lead to no anchor go first, unless their prefill may still run") {
  RamTier tier({.bytes_max = 1u << 30, .needs_snapshots = true});
  const Line anchored = numbers(1024), stranded = numbers(1024, 10'000), running = numbers(1024, 20'000);
  store(tier, kRoot, anchored, 0);
  CHECK(tier.put_anchor(kRoot, anchored, 1024, snapshot_bytes(1), AnchorKind::Turn, 0));
  store(tier, kRoot, stranded, kSecond);
  store(tier, kRoot, running, 10 * kMinute);
  tier.set_budget(tier.counts().bytes() * 7 / 10, 10 * kMinute + kSecond);
  CHECK(kept(tier, stranded) == 0);
  CHECK(tier.find(kRoot, anchored, 1024).tokens == 1024);
  CHECK(kept(tier, running) == 1024);
  tier.check_invariants();
}

TEST_CASE("an anchor that a later one replaced goes before the blocks that both need") {
  RamTier tier({.bytes_max = 1u << 30, .needs_snapshots = true});
  const Line line = numbers(1024);
  store(tier, kRoot, line, 0);
  for (const std::uint32_t position : {300u, 600u, 1024u}) {
    CHECK(tier.put_anchor(kRoot, line, position, std::vector<std::uint8_t>(5000), AnchorKind::Turn, 1));
  }
  tier.set_budget(tier.counts().bytes() - 1, 2);
  CHECK(tier.find(kRoot, line, 1024).tokens == 1024);
  CHECK(tier.counts().anchors == 2);
  CHECK(tier.counts().blocks == 4);
}

TEST_CASE("what is not worth its room is refused at once, and what is too large for any room too") {
  RamTier tier({.bytes_max = 10'000});
  const Line line = numbers(256), large = numbers(256, 5000);
  CHECK(!tier.put_block(kRoot, large, {0, 256}, std::vector<std::uint8_t>(10'001), LineKind::Unknown, 1));
  CHECK(tier.put_block(kRoot, line, {0, 256}, std::vector<std::uint8_t>(5000), LineKind::Conversation, 1));
  CHECK(!tier.put_block(kRoot, large, {0, 256}, std::vector<std::uint8_t>(5000), LineKind::OneShot, 1));
  CHECK(kept(tier, line) == 256);
  tier.check_invariants();
}

TEST_CASE("a line keeps few anchors: the newest, its trunk's end, its branch points, and the rest spread out") {
  RamTier tier({.bytes_max = 1u << 30, .needs_snapshots = true});
  const Line line = numbers(120 * 64);
  const auto has = [&](std::uint32_t position) { return tier.has_anchor(kRoot, line, position); };
  for (std::uint32_t position = 64; position <= line.size(); position += 64) {
    store(tier, kRoot, std::span(line).first(position), position);
    const AnchorKind kind = position == 1280   ? AnchorKind::Trunk
                            : position == 2560 ? AnchorKind::Branch
                                               : AnchorKind::Turn;
    CHECK(tier.put_anchor(kRoot, line, position, std::vector<std::uint8_t>(20'000), kind, position));
    CHECK(tier.counts().anchors <= kLineAnchorsMin);
  }
  for (const std::uint32_t position : {1280u, 2560u, 7680u, 7616u, 7552u, 7488u}) CHECK(has(position));
  CHECK(tier.counts().gone_anchors[static_cast<int>(Gone::Thinned)] == 114);
  tier.check_invariants();
}

TEST_CASE("lines with one trunk share its anchors, and one line's thinning leaves the others' alone") {
  RamTier tier({.bytes_max = 1u << 30, .needs_snapshots = true});
  const Line trunk = numbers(600);
  std::vector<Line> lines;
  for (int i = 0; i < 3; ++i) {
    const Line line = joined(trunk, numbers(2000, 10'000 * (i + 1)));
    store(tier, kRoot, line, i);
    CHECK(tier.put_anchor(kRoot, line, 600, std::vector<std::uint8_t>(20'000), AnchorKind::Trunk, i));
    for (std::uint32_t position = 700; position <= 2600; position += 100)
      CHECK(tier.put_anchor(kRoot, line, position, std::vector<std::uint8_t>(20'000), AnchorKind::Turn, i));
    lines.push_back(line);
  }
  CHECK(tier.counts().anchors == 3 * (kLineAnchorsMin - 1) + 1);
  for (const Line& line : lines) {
    CHECK(tier.find(kRoot, line, 2600).tokens == 2600);
    CHECK(tier.has_anchor(kRoot, line, 600));
  }
  tier.check_invariants();
}
