// Seeded random work on a RAM tier beside a naive model that compares whole lines. After each step the tier checks itself;
// what it finds is exactly what the model finds among what the tier says it still has, and every byte belongs to the line.
// A failure prints its seed and step. HEARTH_CACHE_STEPS makes it longer.
#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>

#include "cache/ram_tier.h"
#include "cache/test_lines.h"

namespace hearth::cache {
namespace {

using testing::Line;

struct Stored {
  std::size_t root = 0;
  Line line;  // up to the end of the block, or to the anchor
};

std::vector<std::uint8_t> state_at(std::span<const Token> line) {
  const Hash hash = block_hash({}, line);
  return {hash.begin(), hash.end()};
}

bool begins(std::span<const Token> line, std::span<const Token> prefix) {
  return prefix.size() <= line.size() && std::ranges::equal(prefix, line.first(prefix.size()));
}

std::uint32_t agreeing(std::span<const Token> a, std::span<const Token> b) {
  return static_cast<std::uint32_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

class Simulation {
 public:
  Simulation(std::uint64_t seed, bool needs_snapshots, WorthFunction worth)
      : random_(seed),
        needs_snapshots_(needs_snapshots),
        tier_({.bytes_max = 1u << 30, .needs_snapshots = needs_snapshots, .worth = worth}) {
    for (int i = 0; i < 24; ++i) lines_.push_back(new_line());
  }

  void step() {
    now_ms_ += pick(4) == 0 ? pick(60'000) : pick(100);
    if (pick(8) == 0) lines_[pick(lines_.size())] = new_line();
    const std::size_t root = pick(5) == 0 ? 1 : 0;
    const Line& line = lines_[pick(lines_.size())];
    switch (pick(12)) {
      case 0:
      case 1:
      case 2: store_line(root, line); break;
      case 3: store_block(root, line); break;
      case 4:
      case 5: store_anchor(root, line); break;
      case 6: use(root, line); break;
      case 7: hold(root, line); break;
      case 8: release(); break;
      case 9: tier_.set_budget(pick(3) == 0 ? 1u << 30 : pick(60'000), now_ms_); break;
      case 10:
        if (pick(4) == 0) forget(root, line);
        break;
      default:
        if (pick(60) == 0) tier_.clear();
        break;
    }
    check(root, lines_[pick(lines_.size())]);
  }

  void finish() {
    while (!held_.empty()) release();
    tier_.set_budget(0, now_ms_);
    tier_.check_invariants();
    CHECK(tier_.counts() == only_totals(tier_.counts()));  // nothing is left but what has been
  }

 private:
  struct Held {
    Match match;
    std::vector<std::vector<std::uint8_t>> blocks;
    std::vector<std::uint8_t> snapshot;
  };

  std::uint64_t pick(std::uint64_t count) { return random_() % count; }

  // A new beginning, or a fork of a line at any token; long runs of two tokens make near misses frequent.
  Line new_line() {
    Line line;
    if (!lines_.empty() && pick(5) != 0) {
      const Line& other = lines_[pick(lines_.size())];
      line.assign(other.begin(), other.begin() + static_cast<std::ptrdiff_t>(pick(other.size()) + 1));
    }
    const std::size_t length = line.size() + 1 + pick(pick(3) == 0 ? 20 : 500);
    while (line.size() < std::min<std::size_t>(length, 1500)) line.push_back(static_cast<Token>(pick(40) == 0));
    return line;
  }

  const Root& root_at(std::size_t index) const {
    static const Root roots[] = {testing::root_named("a"), testing::root_named("b")};
    return roots[index];
  }

  void put(std::size_t root, const Line& line, Range range) {
    const LineKind kind = static_cast<LineKind>(pick(3));
    if (tier_.put_block(root_at(root), line, range, testing::block_bytes(line, range), kind, now_ms_)) {
      const Line stored(line.begin(), line.begin() + range.end);
      known_blocks_.insert({hash_of(root, stored), {root, stored}});
    }
  }

  void store_line(std::size_t root, const Line& line) {
    std::uint32_t from = 0;
    while (const auto range = tier_.next_missing(root_at(root), line, from)) {
      CHECK(range->end > from);
      put(root, line, *range);
      from = range->end;
    }
  }

  void store_block(std::size_t root, const Line& line) {
    const auto begin = static_cast<std::uint32_t>(pick(line.size()) / kBlockTokens * kBlockTokens);
    const auto most = std::min<std::uint64_t>(kBlockTokens, line.size() - begin);
    put(root, line, {begin, static_cast<std::uint32_t>(begin + 1 + pick(most))});
  }

  void store_anchor(std::size_t root, const Line& line) {
    const auto position = static_cast<std::uint32_t>(1 + pick(line.size()));
    const Line prefix(line.begin(), line.begin() + position);
    std::vector<float> logits(needs_snapshots_ ? pick(3) : 1 + pick(3));
    const bool covered = expected_attention(root, prefix) == position;
    const bool put = tier_.put_anchor(root_at(root), line, position,
                                      needs_snapshots_ ? state_at(prefix) : std::vector<std::uint8_t>{},
                                      static_cast<AnchorKind>(pick(5)), now_ms_, std::move(logits));
    if (put) CHECK(covered);
    if (put) known_anchors_.insert({root, prefix});
  }

  void use(std::size_t root, const Line& line) {
    tier_.touch(tier_.find(root_at(root), line, static_cast<std::uint32_t>(line.size())), now_ms_);
  }

  void hold(std::size_t root, const Line& line) {
    if (held_.size() > 4) return;
    Held held{.match = tier_.find(root_at(root), line, static_cast<std::uint32_t>(pick(line.size() + 1)))};
    for (const BlockId id : held.match.blocks) held.blocks.push_back(testing::bytes_of(tier_, id));
    if (held.match.anchor) {
      const auto bytes = tier_.snapshot(*held.match.anchor);
      held.snapshot.assign(bytes.begin(), bytes.end());
    }
    tier_.pin(held.match);
    held_.push_back(std::move(held));
  }

  void release() {
    if (held_.empty()) return;
    const std::size_t at = pick(held_.size());
    tier_.unpin(held_[at].match);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(at));
  }

  void forget(std::size_t root, const Line& line) {
    const std::span<const Token> prefix = std::span(line).first(pick(line.size() + 1));
    tier_.drop(root_at(root), prefix);
    if (prefix.empty())
      CHECK(tier_.find(root_at(root), line, 2000).attention_tokens == 0);
    else
      CHECK(expected_attention(root, Line(prefix.begin(), prefix.end())) < prefix.size());
  }

  Hash hash_of(std::size_t root, std::span<const Token> line) const {
    Hash hash = root_at(root).hash;
    for (std::size_t at = 0; at < line.size(); at += kBlockTokens)
      hash = block_hash(hash, line.subspan(at, std::min<std::size_t>(kBlockTokens, line.size() - at)));
    return hash;
  }

  // By comparing with every block that the tier still has.
  std::uint32_t expected_attention(std::size_t root, const Line& prompt) const {
    std::uint32_t longest = 0;
    for (const BlockId id : tier_.blocks_by_worth(now_ms_)) {
      const Stored& stored = known_blocks_.at(tier_.hash(id));
      CHECK(tier_.range(id).end == stored.line.size());
      if (stored.root == root) longest = std::max(longest, agreeing(prompt, stored.line));
    }
    return longest;
  }

  void check(std::size_t root, const Line& prompt) {
    tier_.check_invariants();
    for (const Held& held : held_) {
      for (std::size_t i = 0; i < held.blocks.size(); ++i)
        CHECK(testing::bytes_of(tier_, held.match.blocks[i]) == held.blocks[i]);
      if (held.match.anchor) CHECK(std::ranges::equal(tier_.snapshot(*held.match.anchor), held.snapshot));
    }
    if (held_.empty()) CHECK(tier_.counts().bytes() <= tier_.budget_bytes());

    const auto most = static_cast<std::uint32_t>(pick(prompt.size() + 1));
    const Line asked(prompt.begin(), prompt.begin() + most);
    const Match match = tier_.find(root_at(root), prompt, most);
    CHECK(match.attention_tokens == expected_attention(root, asked));
    std::uint32_t longest = needs_snapshots_ ? 0 : match.attention_tokens;
    bool anchored = false;
    for (const auto& [anchor_root, line] : known_anchors_) {
      if (anchor_root != root || !begins(asked, line)) continue;
      if (!tier_.has_anchor(root_at(root), line, static_cast<std::uint32_t>(line.size()))) continue;
      if (needs_snapshots_) longest = std::max(longest, static_cast<std::uint32_t>(line.size()));
      anchored = anchored || line.size() == longest;
    }
    CHECK(match.tokens == longest);
    CHECK(match.anchor.has_value() == (longest > 0 && anchored));
    check_bytes(match, prompt);
  }

  void check_bytes(const Match& match, const Line& prompt) const {
    std::uint32_t covered = 0;
    for (const BlockId id : match.blocks) {
      const Range range = tier_.range(id);
      CHECK(range.begin == covered);
      CHECK(range.begin < match.tokens);
      covered = range.end;
      const Line& line = known_blocks_.at(tier_.hash(id)).line;
      CHECK(agreeing(line, prompt) >= std::min(range.end, match.tokens));
      CHECK(testing::bytes_of(tier_, id) == testing::block_bytes(line, range));
    }
    CHECK(covered >= match.tokens);
    if (!match.anchor || !needs_snapshots_) return;
    CHECK(std::ranges::equal(tier_.snapshot(*match.anchor), state_at(std::span(prompt).first(match.tokens))));
  }

  static Counts only_totals(const Counts& counts) {
    return {.gone_blocks = counts.gone_blocks, .gone_anchors = counts.gone_anchors, .gone_bytes = counts.gone_bytes};
  }

  std::mt19937_64 random_;
  bool needs_snapshots_;
  RamTier tier_;
  std::uint64_t now_ms_ = 1;
  std::vector<Line> lines_;
  std::map<Hash, Stored> known_blocks_;                   // ever put
  std::set<std::pair<std::size_t, Line>> known_anchors_;  // ever put
  std::vector<Held> held_;
};

int steps() {
  const char* wanted = std::getenv("HEARTH_CACHE_STEPS");
  return wanted != nullptr ? std::atoi(wanted) : 1000;
}

}  // namespace

TEST_CASE("random work leaves the tier exact, beside a naive model") {
  for (const bool needs_snapshots : {false, true}) {
    for (const WorthFunction function : {worth, worth_lru}) {
      for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        Simulation simulation(seed, needs_snapshots, function);
        for (int step = 0; step < steps(); ++step) {
          INFO("seed " << seed << ", step " << step << ", snapshots " << needs_snapshots << ", lru "
                       << (function == worth_lru));
          simulation.step();
        }
        simulation.finish();
      }
    }
  }
}

}  // namespace hearth::cache
