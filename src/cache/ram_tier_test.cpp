// The RAM tier by hand-made lines: what is found, shared, cut, pinned, dropped and counted.
#include "cache/ram_tier.h"

#include <doctest/doctest.h>

#include "cache/test_lines.h"

using namespace hearth::cache;
using namespace hearth::cache::testing;

namespace {
RamTierOptions attention(std::uint64_t bytes_max = 1u << 30) { return {.bytes_max = bytes_max}; }
RamTierOptions hybrid(std::uint64_t bytes_max = 1u << 30) { return {.bytes_max = bytes_max, .needs_snapshots = true}; }
const Root kRoot = root_named("a");
}  // namespace

TEST_CASE("nothing is found in an empty tier") {
  RamTier tier(attention());
  const Line line = numbers(1000);
  CHECK(tier.find(kRoot, line, 1000).tokens == 0);
  CHECK(tier.find(kRoot, {}, 0).tokens == 0);
  CHECK(tier.next_missing(kRoot, line, 0) == Range{0, 256});
  tier.check_invariants();
}

TEST_CASE("a stored line is found whole, in order, with its bytes") {
  RamTier tier(attention());
  const Line line = numbers(600);
  store(tier, kRoot, line, 1);
  const Match match = tier.find(kRoot, line, 600);
  CHECK(match.tokens == 600);
  REQUIRE(match.blocks.size() == 3);
  CHECK(tier.range(match.blocks[0]) == Range{0, 256});
  CHECK(tier.range(match.blocks[2]) == Range{512, 600});
  CHECK(bytes_of(tier, match.blocks[2]) == block_bytes(line, {512, 600}));
  CHECK(!tier.next_missing(kRoot, line, 0));
  tier.check_invariants();
}

TEST_CASE("a match ends at the first token that differs, also within a block, and at the most that was asked for") {
  RamTier tier(attention());
  const Line line = numbers(600);
  store(tier, kRoot, line, 1);
  Line other = line;
  other[300] = -1;
  const Match match = tier.find(kRoot, other, 600);
  CHECK(match.tokens == 300);
  CHECK(match.blocks.size() == 2);
  CHECK(tier.find(kRoot, line, 299).tokens == 299);
  CHECK(tier.find(kRoot, line, 256).blocks.size() == 1);
  CHECK(tier.find(kRoot, line, 0).blocks.empty());
}

TEST_CASE("another root shares nothing") {
  RamTier tier(attention());
  const Line line = numbers(600);
  store(tier, kRoot, line, 1);
  CHECK(tier.find(root_named("b"), line, 600).tokens == 0);
}

TEST_CASE("lines that begin alike share their full blocks") {
  RamTier tier(attention());
  const Line a = joined(numbers(600), numbers(300, 5000));
  const Line b = joined(numbers(600), numbers(300, 9000));
  store(tier, kRoot, a, 1);
  CHECK(tier.next_missing(kRoot, b, 0) == Range{512, 768});
  store(tier, kRoot, b, 2);
  CHECK(tier.counts().blocks == 6);
  CHECK(tier.find(kRoot, a, 900).tokens == 900);
  CHECK(tier.find(kRoot, b, 900).tokens == 900);
  CHECK(tier.find(kRoot, joined(numbers(600), numbers(1, 7)), 601).tokens == 600);
  tier.check_invariants();
}

TEST_CASE("a tail is replaced by the longer block that continues it, and never by a shorter one") {
  RamTier tier(attention());
  const Line line = numbers(400);
  store(tier, kRoot, std::span(line).first(300), 1);
  CHECK(tier.next_missing(kRoot, line, 0) == Range{256, 400});
  store(tier, kRoot, line, 2);
  CHECK(tier.counts().blocks == 2);
  CHECK(tier.counts().gone_blocks[static_cast<int>(Gone::Replaced)] == 1);
  CHECK(tier.put_block(kRoot, line, {256, 300}, block_bytes(line, {256, 300}), LineKind::Unknown, 3));
  CHECK(tier.range(tier.find(kRoot, line, 400).blocks[1]) == Range{256, 400});
  tier.check_invariants();
}

TEST_CASE("a block without its parents is refused, and the walk of a line ends there") {
  RamTier tier(attention());
  const Line line = numbers(600);
  CHECK(!tier.put_block(kRoot, line, {256, 512}, block_bytes(line, {256, 512}), LineKind::Unknown, 1));
  CHECK(!tier.next_missing(kRoot, line, 256));
  CHECK(tier.counts().bytes() == 0);
  tier.check_invariants();
}

TEST_CASE("a state that cannot be cut is found only at its anchors, and the hint says where one would have served") {
  RamTier tier(hybrid());
  const Line line = numbers(1000);
  store(tier, kRoot, line, 1);
  CHECK(tier.find(kRoot, line, 1000).tokens == 0);
  CHECK(tier.find(kRoot, line, 1000).attention_tokens == 1000);
  for (const std::uint32_t position : {200u, 512u, 900u}) {
    CHECK(tier.put_anchor(kRoot, line, position, snapshot_bytes(position), AnchorKind::Turn, 2));
    CHECK(tier.has_anchor(kRoot, line, position));
  }
  CHECK(!tier.has_anchor(kRoot, line, 513));
  const Match match = tier.find(kRoot, line, 899);
  CHECK(match.tokens == 512);
  CHECK(match.attention_tokens == 899);
  CHECK(match.blocks.size() == 2);
  REQUIRE(match.anchor);
  CHECK(std::ranges::equal(tier.snapshot(*match.anchor), snapshot_bytes(512)));
  const Match last = tier.find(kRoot, line, 1000);
  CHECK(last.tokens == 900);
  CHECK(last.blocks.size() == 4);
  CHECK(tier.find(kRoot, line, 511).tokens == 200);
  CHECK(tier.find(kRoot, line, 199).tokens == 0);
  tier.check_invariants();
}

TEST_CASE("an anchor is found through any block that covers it, also one of another line") {
  RamTier tier(hybrid());
  const Line trunk = numbers(300);
  const Line a = joined(trunk, numbers(300, 5000));
  const Line b = joined(trunk, numbers(300, 9000));
  store(tier, kRoot, a, 1);
  CHECK(tier.put_anchor(kRoot, trunk, 300, snapshot_bytes(1), AnchorKind::Trunk, 1));
  const Match match = tier.find(kRoot, b, 600);
  CHECK(match.tokens == 300);
  CHECK(match.blocks.size() == 2);
  store(tier, kRoot, b, 2);
  CHECK(tier.has_anchor(kRoot, b, 300));
  tier.drop(kRoot, a);
  tier.drop(kRoot, std::span(a).first(400));
  CHECK(tier.find(kRoot, a, 600).tokens == 300);
  tier.drop(kRoot, std::span(b).first(400));
  CHECK(tier.find(kRoot, b, 600).tokens == 0);
  CHECK(tier.counts().anchors == 0);
  tier.check_invariants();
}

TEST_CASE("an anchor that nothing covers is refused") {
  RamTier tier(hybrid());
  const Line line = numbers(300);
  CHECK(!tier.put_anchor(kRoot, line, 100, snapshot_bytes(1), AnchorKind::Turn, 1));
  store(tier, kRoot, std::span(line).first(256), 1);
  CHECK(!tier.put_anchor(kRoot, line, 257, snapshot_bytes(1), AnchorKind::Turn, 1));
  CHECK(tier.put_anchor(kRoot, line, 256, snapshot_bytes(1), AnchorKind::Turn, 1));
  tier.check_invariants();
}

TEST_CASE("an anchor stored twice is one anchor, which takes the logits that it lacked") {
  RamTier tier(hybrid());
  const Line line = numbers(300);
  store(tier, kRoot, line, 1);
  CHECK(tier.put_anchor(kRoot, line, 300, snapshot_bytes(1), AnchorKind::Turn, 1));
  CHECK(tier.put_anchor(kRoot, line, 300, snapshot_bytes(2), AnchorKind::Suffix, 2, {1.5f, 2.5f}));
  CHECK(tier.counts().anchors == 1);
  CHECK(tier.counts().logits_bytes == 8);
  const Match match = tier.find(kRoot, line, 300);
  CHECK(std::ranges::equal(tier.snapshot(*match.anchor), snapshot_bytes(1)));
  CHECK(tier.logits(*match.anchor).size() == 2);
  tier.check_invariants();
}

TEST_CASE("attention models keep logits at exact positions") {
  RamTier tier(attention());
  const Line line = numbers(512);
  store(tier, kRoot, line, 1);
  CHECK(!tier.find(kRoot, line, 512).anchor);
  CHECK(tier.put_anchor(kRoot, line, 512, {}, AnchorKind::Suffix, 1, {1.f}));
  CHECK(tier.find(kRoot, line, 512).anchor);
  CHECK(!tier.find(kRoot, line, 511).anchor);
  tier.check_invariants();
}

TEST_CASE("what is pinned outlives a budget of nothing, a clearing and its own replacement, until it is unpinned") {
  RamTier tier(hybrid());
  const Line line = numbers(300);
  store(tier, kRoot, line, 1);
  tier.put_anchor(kRoot, line, 300, snapshot_bytes(1), AnchorKind::Turn, 1);
  const Match match = tier.find(kRoot, line, 300);
  tier.pin(match);
  tier.pin(match);
  tier.set_budget(0, 2);
  CHECK(tier.find(kRoot, line, 300).tokens == 300);
  tier.set_budget(1u << 30, 2);
  store(tier, kRoot, numbers(400), 3);
  CHECK(tier.find(kRoot, line, 300).blocks[1] != match.blocks[1]);
  tier.clear();
  tier.check_invariants();
  CHECK(tier.find(kRoot, line, 300).tokens == 0);
  CHECK(bytes_of(tier, match.blocks[1]) == block_bytes(line, {256, 300}));
  CHECK(std::ranges::equal(tier.snapshot(*match.anchor), snapshot_bytes(1)));
  tier.unpin(match);
  CHECK(tier.counts().bytes() > 0);
  tier.unpin(match);
  CHECK(tier.counts().bytes() == 0);
  CHECK(tier.counts().pinned_bytes == 0);
  tier.check_invariants();
}

TEST_CASE("a smaller budget takes the leaves first and keeps what is left restorable") {
  RamTier tier(attention());
  const Line line = numbers(10 * kBlockTokens);
  store(tier, kRoot, line, 1);
  const std::uint64_t whole = tier.counts().bytes();
  std::uint32_t before = 2560;
  for (int tenth = 9; tenth >= 0; --tenth) {
    tier.set_budget(whole * tenth / 10, 2);
    CHECK(tier.counts().bytes() <= whole * tenth / 10);
    const std::uint32_t tokens = tier.find(kRoot, line, 2560).tokens;
    CHECK(tokens < before);
    CHECK(tokens == tenth * kBlockTokens);
    before = tokens;
    tier.check_invariants();
  }
  CHECK(tier.counts().roots == 0);
}

TEST_CASE("dropping a root leaves the others") {
  RamTier tier(attention());
  const Root other = root_named("b");
  store(tier, kRoot, numbers(600), 1);
  store(tier, other, numbers(600), 1);
  tier.drop(kRoot, {});
  tier.drop(root_named("c"), {});
  CHECK(tier.find(kRoot, numbers(600), 600).tokens == 0);
  CHECK(tier.find(other, numbers(600), 600).tokens == 600);
  CHECK(tier.counts().roots == 1);
  tier.check_invariants();
}

TEST_CASE("blocks come by worth with parents before children") {
  RamTier tier(attention());
  store(tier, kRoot, numbers(2000), 1);
  store(tier, kRoot, joined(numbers(1000), numbers(700, 5000)), 2);
  std::vector<Hash> seen;
  const std::vector<BlockId> ranked = tier.blocks_by_worth(3);
  CHECK(ranked.size() == tier.counts().blocks);
  std::vector<std::uint32_t> ends;
  for (const BlockId id : ranked) {
    const Range range = tier.range(id);
    CHECK((range.begin == 0 || std::ranges::count(ends, range.begin) > 0));
    ends.push_back(range.end);
  }
}
