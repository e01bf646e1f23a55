// What the cache finds, shares, moves to RAM and brings back, on the fake engine: it holds tokens, and CHECKs that what comes
// back stands where it stood.
#include "cache/prefix_cache.h"

#include <doctest/doctest.h>

#include <limits>

#include "cache/test_lines.h"
#include "engine/fake_engine.h"

namespace hearth::cache {
namespace {

using engine::MemoryKind;
using testing::joined;
using testing::letters;

constexpr MemoryKind kKinds[] = {MemoryKind::Attention, MemoryKind::Recurrent, MemoryKind::Hybrid, MemoryKind::Window};
constexpr std::int64_t kLong_us = 1'000'000'000;

struct Bench {
  explicit Bench(MemoryKind kind = MemoryKind::Attention, std::uint32_t sequences = 4, CacheLimits limits = {},
                 std::uint32_t cells = 20'000)
      : fake(options(kind, sequences, cells)), cache(fake, clock, limits) {}
  static engine::FakeOptions options(MemoryKind kind, std::uint32_t sequences, std::uint32_t cells) {
    engine::FakeOptions options;
    options.script.memory_kind = kind;
    options.script.context_tokens = 16'384;
    options.script.sequences = sequences;
    options.cells = cells;
    options.batch_tokens_max = 16'384;
    return options;
  }

  // A job from its placement to its prompt's last token but one; `stops`: where state is kept on the way.
  Placement run(const std::vector<Token>& prompt, const std::vector<std::uint32_t>& stops = {},
                const std::string& salt = "") {
    const auto placed = cache.place(salt, prompt);
    REQUIRE(placed);
    Placement result = *placed;
    if (placed->importing)
      while (cache.import_step(placed->sequence, 0) == ImportStep::More) cache.check_invariants();
    result.cached_tokens = cache.length(placed->sequence);
    compute(placed->sequence, prompt, stops);
    REQUIRE(fake.tokens_of(placed->sequence) == prompt);
    cache.check_invariants();
    return result;
  }
  void compute(Sequence sequence, const std::vector<Token>& prompt, std::vector<std::uint32_t> stops) {
    stops.push_back(static_cast<std::uint32_t>(prompt.size()));
    for (const std::uint32_t stop : stops) {
      std::vector<engine::Row> rows;
      for (std::uint32_t i = cache.length(sequence); i < stop; ++i)
        rows.push_back({.token = prompt[i], .position = static_cast<std::int32_t>(i), .sequence = sequence});
      if (rows.empty()) continue;
      while (true) {
        const auto outcome = fake.decode(rows);
        REQUIRE(outcome);
        if (*outcome == engine::DecodeOutcome::Done) break;
        REQUIRE(cache.make_room());
      }
      cache.append(sequence, std::span(prompt).subspan(cache.length(sequence), rows.size()));
      cache.keep_blocks(sequence);
      if (stop < prompt.size()) cache.keep_anchor(sequence, AnchorKind::Turn);
    }
  }
  Placement run_and_release(const std::vector<Token>& prompt, const std::vector<std::uint32_t>& stops = {},
                            const std::string& salt = "") {
    const auto placed = run(prompt, stops, salt);
    cache.release(placed.sequence);
    cache.check_invariants();
    return placed;
  }
  void demote_all() {
    while (cache.demote_step(kLong_us, true)) cache.check_invariants();
  }
  std::uint64_t counter(const std::string& name) const { return cache.counters().at(name); }

  ManualClock clock;
  engine::FakeEngine fake;
  PrefixCache cache;
};

TEST_CASE("what lies idle beside a running job goes to RAM in slices and comes back token for token") {
  for (const auto kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    Bench bench(kind);
    const auto first = letters(1, 1000);
    bench.run_and_release(first);
    const auto other = bench.run(letters(2, 100));
    int slices = 0;
    while (bench.cache.demote_step(0, true)) ++slices;
    CHECK(slices >= (kind == MemoryKind::Attention ? 4 : 1));
    CHECK(bench.counter("sequences_idle") == 0);
    CHECK(bench.counter("sequences_demoted") == 1);
    CHECK(bench.fake.cells_used() == 100);
    // The next turn: everything before it is there.
    const auto next = bench.run(joined(first, letters(3, 50)));
    CHECK(next.importing);
    CHECK(next.cached_tokens == 1000);
    bench.cache.release(next.sequence);
    bench.cache.release(other.sequence);
  }
}

TEST_CASE("an attention prefix is found to the token, also in the middle of a block") {
  Bench bench;
  const auto first = letters(1, 1000);
  bench.run_and_release(first);
  bench.run(letters(2, 100));
  bench.demote_all();
  auto prompt = joined(std::vector(first.begin(), first.begin() + 700), letters(3, 50));
  CHECK(bench.cache.usable_tokens("", prompt) == 700);
  CHECK(bench.run(prompt).cached_tokens == 700);
}

TEST_CASE("state that cannot be cut comes back where an anchor was kept") {
  for (const auto kind : {MemoryKind::Recurrent, MemoryKind::Hybrid, MemoryKind::Window}) {
    CAPTURE(static_cast<int>(kind));
    Bench bench(kind);
    const auto first = letters(1, 1000);
    bench.run_and_release(first, {300, 900});
    bench.run(letters(2, 100));
    bench.demote_all();
    const auto branch = joined(std::vector(first.begin(), first.begin() + 700), letters(3, 50));
    const auto placed = bench.run(branch, {600});
    CHECK(placed.cached_tokens == 300);
    CHECK(placed.branch_point == 700);
    CHECK(bench.cache.usable_tokens("", joined(first, letters(4, 9))) == 1000);
  }
}

TEST_CASE("conversations that begin alike keep their beginning once, in the pool and in RAM") {
  for (const auto kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    Bench bench(kind, 6);
    const auto trunk = letters(1, 1024);
    const auto running = bench.run(joined(trunk, letters(2, 30)), {1024});
    const auto used = bench.fake.cells_used();
    const auto second = bench.run(joined(trunk, letters(3, 30)), {1024});
    CHECK(second.cached_tokens == 1024);
    CHECK(bench.fake.cells_used() == used + 30);
    bench.cache.release(second.sequence);
    bench.cache.release(running.sequence);
    bench.run(letters(9, 10));
    bench.demote_all();
    // Four blocks of the trunk, one tail for each.
    CHECK(bench.counter("ram_blocks") == 6);
    CHECK(bench.counter("tokens_exported") <= 1024 + 60);
  }
}

TEST_CASE("what RAM holds beyond a running line's beginning is added to shared cells") {
  for (const auto kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    Bench bench(kind, 6);
    const auto trunk = letters(1, 1024);
    const auto parent = joined(trunk, letters(2, 600));
    bench.run_and_release(parent, {1024});
    const auto child = bench.run(joined(trunk, letters(3, 30)), {1024});
    bench.demote_all();
    const auto used = bench.fake.cells_used();
    const auto again = bench.run(joined(parent, letters(4, 6)));
    CHECK(again.cached_tokens == 1624);
    CHECK(bench.fake.cells_used() == used + 606);
    CHECK(bench.fake.tokens_of(child.sequence).size() == 1054);
  }
}

TEST_CASE("one salt's cache never answers another's") {
  for (const auto kind : kKinds) {
    Bench bench(kind);
    const auto prompt = letters(1, 600);
    bench.run_and_release(prompt, {300}, "ann");
    CHECK(bench.cache.usable_tokens("ann", prompt) >= 300);
    CHECK(bench.cache.usable_tokens("bob", prompt) == 0);
    CHECK(bench.run_and_release(prompt, {300}, "bob").cached_tokens == 0);
    bench.run(letters(2, 10), {}, "bob");
    bench.demote_all();
    CHECK(bench.cache.usable_tokens("", prompt) == 0);
    CHECK(bench.cache.usable_tokens("bob", joined(prompt, letters(3, 2))) == 600);
  }
}

TEST_CASE("an import that is given up leaves nothing behind and loses nothing") {
  Bench bench;
  const auto first = letters(1, 2000);
  bench.run_and_release(first);
  bench.run(letters(2, 10));
  bench.demote_all();
  const auto placed = bench.cache.place("", joined(first, letters(3, 10)));
  REQUIRE(placed);
  REQUIRE(placed->importing);
  CHECK(bench.cache.import_step(placed->sequence, 0) == ImportStep::More);
  bench.cache.check_invariants();
  bench.cache.release(placed->sequence);
  bench.cache.check_invariants();
  CHECK(bench.fake.cells_used() == 10);
  CHECK(bench.run(joined(first, letters(3, 10))).cached_tokens == 2000);
}

TEST_CASE("an import without room for it drives out what lies idle") {
  Bench bench(MemoryKind::Attention, 4, {.idle_tokens_free = 100'000}, 2600);
  const auto first = letters(1, 2000);
  bench.run_and_release(first);
  bench.run_and_release(letters(2, 2000));  // takes the room of the first one, which goes to RAM whole
  CHECK(bench.counter("sequences_demoted") == 1);
  CHECK(bench.run(joined(first, letters(3, 10))).cached_tokens == 2000);
  CHECK(bench.counter("sequences_demoted") == 2);
  CHECK(bench.counter("sequences_evicted") == 0);
}

TEST_CASE("with more conversations than lines none is forgotten while RAM has room") {
  for (const auto kind : kKinds) {
    CAPTURE(static_cast<int>(kind));
    Bench bench(kind, 2);
    for (std::uint64_t i = 1; i <= 8; ++i) bench.run_and_release(letters(i, 500));
    for (std::uint64_t i = 1; i <= 8; ++i)
      CHECK(bench.cache.usable_tokens("", joined(letters(i, 500), letters(99, 5))) == 500);
    CHECK(bench.counter("sequences_evicted") == 0);
  }
}

TEST_CASE("without RAM idle lines are lost when their room is needed, and answers stay right") {
  for (const auto kind : kKinds) {
    Bench bench(kind, 2, {.ram_bytes_max = 0});
    for (std::uint64_t i = 1; i <= 5; ++i) bench.run_and_release(letters(i, 500), {200});
    CHECK(bench.counter("sequences_evicted") == 3);
    CHECK(bench.counter("ram_bytes") == 0);
    CHECK(bench.run_and_release(joined(letters(5, 500), letters(9, 9))).cached_tokens == 500);
  }
}

TEST_CASE("a RAM that is too small for a line refuses it and keeps its account") {
  for (const auto kind : kKinds) {
    Bench bench(kind, 2, {.ram_bytes_max = 3000});
    for (std::uint64_t i = 1; i <= 6; ++i) bench.run_and_release(letters(i % 3, 500 + i), {200});
    CHECK(bench.counter("ram_bytes") <= 3000);
  }
}

TEST_CASE("a budget changes at once; none at all keeps everything in the pool") {
  Bench bench(MemoryKind::Attention, 2);
  for (std::uint64_t i = 1; i <= 6; ++i) bench.run_and_release(letters(i, 700));
  const auto before = bench.counter("ram_bytes");
  REQUIRE(before > 4000);
  bench.cache.set_ram_budget(before / 2);
  CHECK(bench.counter("ram_bytes") <= before / 2);
  bench.cache.check_invariants();
  bench.cache.set_ram_budget(0);
  CHECK(bench.counter("ram_bytes") == 0);
  bench.run_and_release(letters(7, 700));
  CHECK(bench.counter("ram_bytes") == 0);
  bench.cache.set_ram_budget(std::uint64_t{1} << 30);
  bench.run_and_release(letters(8, 700));
  CHECK(bench.counter("ram_bytes") > 0);
}

TEST_CASE("the whole of a prompt is promised only together with what follows it") {
  Bench bench;
  const auto prompt = letters(1, 600);
  const auto first = bench.run(prompt);
  bench.cache.keep_logits(first.sequence, std::vector<float>{1, 2, 3});
  bench.cache.release(first.sequence);
  bench.run_and_release(letters(2, 50));
  bench.demote_all();
  auto again = bench.cache.place("", prompt);
  REQUIRE(again);
  CHECK(again->cached_tokens == 600);
  // Others are kept in their stead while this one comes back.
  for (std::uint64_t i = 3; i <= 4; ++i) {
    const auto other = bench.run(letters(i, 40));
    for (std::uint64_t more = 0; more < 3; ++more) bench.cache.append(other.sequence, letters(90 + more, 1));
    bench.cache.keep_logits(other.sequence, std::vector<float>{4});
  }
  CHECK(again->logits == std::vector<float>{1, 2, 3});
  while (bench.cache.import_step(again->sequence, 0) == ImportStep::More) bench.cache.check_invariants();
  CHECK(bench.cache.length(again->sequence) == 600);
  // A row of no numbers is not kept.
  bench.cache.release(again->sequence);
  const auto last = bench.run(letters(5, 100));
  bench.cache.keep_logits(last.sequence, std::vector<float>{std::numeric_limits<float>::quiet_NaN()});
  bench.cache.release(last.sequence);
  CHECK(bench.cache.usable_tokens("", letters(5, 100)) == 99);
}

TEST_CASE("an engine that refuses to take state back costs a computation and no wrong token") {
  for (const auto kind : kKinds) {
    Bench bench(kind);
    const auto first = letters(1, 1000);
    bench.run_and_release(first, {400});
    bench.run(letters(2, 10));
    bench.demote_all();
    bench.fake.refuse_state_changes(true);
    CHECK(bench.run(joined(first, letters(3, 5))).cached_tokens == 0);
    CHECK(bench.counter("imports_failed") == 1);
  }
}

}  // namespace
}  // namespace hearth::cache
