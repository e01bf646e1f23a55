// Every miss explains itself: each reason, brought about on the fake engine, is the one that is told.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "cache/prefix_cache.h"
#include "cache/test_lines.h"
#include "engine/fake_engine.h"

namespace hearth::cache {
namespace {

using engine::MemoryKind;
using testing::joined;
using testing::letters;

struct Bench {
  explicit Bench(MemoryKind kind = MemoryKind::Attention, CacheLimits limits = {}, bool exact = false)
      : fake(options(kind, exact)), cache(fake, clock, limits) {}
  static engine::FakeOptions options(MemoryKind kind, bool exact) {
    engine::FakeOptions options;
    options.script.memory_kind = kind;
    options.script.context_tokens = 16'384;
    options.script.sequences = 3;
    options.cells = 20'000;
    options.batch_tokens_max = exact ? 256 : 16'384;
    options.exact = exact;
    return options;
  }
  // A job from its placement to its end; why what follows the cached tokens was computed.
  Explanation run(const std::vector<Token>& prompt, const std::vector<std::uint32_t>& stops = {},
                  const std::string& salt = "") {
    clock.advance_ms(1000);
    const auto placed = cache.place(salt, prompt);
    REQUIRE(placed);
    if (placed->importing)
      while (cache.import_step(placed->sequence, 1'000'000) == ImportStep::More) {
      }
    Explanation why = cache.explain(salt, prompt, cache.length(placed->sequence));
    compute(placed->sequence, prompt, stops);
    cache.release(placed->sequence);
    cache.check_invariants();
    return why;
  }
  void compute(Sequence sequence, const std::vector<Token>& prompt, std::vector<std::uint32_t> stops) {
    stops.push_back(static_cast<std::uint32_t>(prompt.size()));
    const std::uint32_t unit = fake.info().prefill_unit;
    while (cache.length(sequence) < prompt.size()) {
      const std::uint32_t begin = cache.length(sequence);
      std::uint32_t end = *std::ranges::upper_bound(stops, begin);
      if (unit > 0) end = std::min(end, begin / unit * unit + unit);
      std::vector<engine::Row> rows;
      for (std::uint32_t i = begin; i < end; ++i)
        rows.push_back({.token = prompt[i], .position = static_cast<std::int32_t>(i), .sequence = sequence});
      REQUIRE(fake.decode(rows) == engine::DecodeOutcome::Done);
      cache.append(sequence, std::span(prompt).subspan(begin, end - begin));
      cache.keep_blocks(sequence);
      if (end < prompt.size()) cache.keep_anchor(sequence, AnchorKind::Turn);
    }
  }
  void demote_all() { cache.vacate(); }

  ManualClock clock;
  engine::FakeEngine fake;
  PrefixCache cache;
};

TEST_CASE("a first prompt is new, its next turn continues, and what parts is told with both sides") {
  Bench test;
  const auto first = letters(1, 1000);
  Explanation why = test.run(first);
  CHECK(why.beyond == Beyond::New);
  CHECK(why.lost == Lost::Nothing);
  CHECK(why.known_tokens == 0);

  why = test.run(joined(first, letters(2, 400)));
  CHECK(why.beyond == Beyond::Continues);
  CHECK(why.known_tokens == 1000);
  CHECK(why.cached_tokens == 1000);
  CHECK(why.line_tokens == 1000);
  CHECK(why.was.empty());

  auto changed = joined(first, letters(2, 400));
  changed[600] = '!';
  why = test.run(changed);
  CHECK(why.beyond == Beyond::Differs);
  CHECK(why.known_tokens == 600);
  CHECK(why.cached_tokens == 600);
  CHECK(why.lost == Lost::Nothing);
  REQUIRE(why.was.size() == 32);
  CHECK(why.was.front() == first[600]);
  CHECK(why.is.front() == '!');
  CHECK(why.before.back() == first[599]);
}

TEST_CASE("another key's line explains nothing and shows nothing") {
  Bench test;
  const auto line = letters(1, 1000);
  test.run(line, {}, "mine");
  const Explanation why = test.run(line, {}, "yours");
  CHECK(why.beyond == Beyond::New);
  CHECK(why.known_tokens == 0);
  CHECK(why.before.empty());
  CHECK(why.was.empty());
  CHECK(test.cache.known_line(nullptr, "") == nullptr);  // two begin so
  const std::string mine = "mine";
  REQUIRE(test.cache.known_line(&mine, "") != nullptr);
  CHECK(test.cache.known_line(&mine, test.cache.known_line(&mine, "")->id.substr(0, 4)) != nullptr);
}

TEST_CASE("what was evicted is told: when, and for what") {
  // Some 12 bytes a token: RAM for one line of two.
  Bench test(MemoryKind::Attention, {.ram_bytes_max = 40'000});
  const auto first = letters(1, 2000);
  test.run(first);
  test.demote_all();
  const auto second = letters(2, 2000);
  test.run(second);
  test.run(second);  // used twice: worth more than the first
  test.demote_all();
  const Explanation why = test.run(first);
  CHECK(why.known_tokens == 2000);
  CHECK(why.cached_tokens < 2000);
  CHECK(why.lost == Lost::BlocksGone);
  REQUIRE(why.gone);
  CHECK(why.gone->what_for == GoneFor::Line);
  CHECK(why.gone->same_root);
  CHECK(why.gone->for_tokens > 0);
  CHECK(why.gone_ms_ago <= 3000);
}

TEST_CASE("a smaller budget is a reason of its own") {
  Bench test;
  const auto line = letters(1, 2000);
  test.run(line);
  test.demote_all();
  test.cache.set_ram_budget(0);
  const Explanation why = test.run(line);
  CHECK(why.lost == Lost::BlocksGone);
  REQUIRE(why.gone);
  CHECK(why.gone->what_for == GoneFor::Budget);
}

TEST_CASE("what nothing outside the pool took is said to be not kept") {
  Bench test(MemoryKind::Attention, {.ram_bytes_max = 0});
  const auto line = letters(1, 2000);
  test.run(line);
  test.demote_all();
  const Explanation why = test.run(line);
  CHECK(why.known_tokens == 2000);
  CHECK(why.cached_tokens == 0);
  CHECK(why.lost == Lost::NotKept);
  CHECK_FALSE(why.gone);
}

TEST_CASE("a state that cannot be cut is missing where none was kept, or where it left") {
  Bench test(MemoryKind::Hybrid);
  const auto trunk = letters(1, 1500);
  test.run(joined(trunk, letters(2, 500)), {512});
  const Explanation why = test.run(joined(trunk, letters(3, 500)));
  CHECK(why.known_tokens == 1500);
  CHECK(why.cached_tokens == 512);
  CHECK(why.beyond == Beyond::Differs);
  CHECK(why.lost == Lost::NoAnchor);
}

TEST_CASE("the last token is computed for what follows it, and an exact engine uses whole units only") {
  Bench hybrid(MemoryKind::Hybrid);
  const auto line = letters(1, 1000);
  hybrid.run(line, {999});
  CHECK(hybrid.run(line).lost == Lost::LastToken);
  Bench exact(MemoryKind::Attention, {}, true);
  exact.run(line);
  const Explanation why = exact.run(joined(line, letters(2, 300)));
  CHECK(why.cached_tokens == 768);
  CHECK(why.known_tokens == 1000);
  CHECK(why.lost == Lost::ExactUnit);
}

TEST_CASE("lines are pinned, survive what evicts others, and go when they are unpinned or the cache is cleared") {
  Bench test(MemoryKind::Attention, {.ram_bytes_max = 80'000});
  const auto line = letters(1, 2000);
  test.run(line);
  const std::string salt;
  const KnownLine& known = *test.cache.known_line(&salt, "");
  const std::string id = known.id;
  CHECK_FALSE(test.cache.desk().pin(known));  // it is in the pool yet
  test.cache.bring_to_ram(known);
  const auto bytes = test.cache.desk().pin(known);
  REQUIRE(bytes);
  CHECK(*bytes > 0);
  CHECK(test.cache.desk().pin(known) == *bytes);  // again is no more
  CHECK(test.cache.desk().pinned_bytes() == *bytes);
  test.demote_all();
  for (std::uint64_t seed = 10; seed < 16; ++seed) {
    test.run(letters(seed, 2000));
    test.demote_all();
  }
  CHECK(test.cache.usable_tokens("", joined(line, letters(9, 5))) == 2000);
  CHECK(test.cache.desk().unpin(id));
  CHECK_FALSE(test.cache.desk().unpin(id));
  test.cache.check_invariants();
  REQUIRE(test.cache.desk().pin(*test.cache.known_line(&salt, id)));
  test.cache.set_ram_budget(1000);
  CHECK(test.cache.desk().pinned_bytes() == 0);
  test.cache.forget(nullptr);
  CHECK(test.cache.usable_tokens("", line) == 0);
  CHECK(test.cache.desk().known().lines().empty());
  test.cache.check_invariants();
}

TEST_CASE("more than half of RAM is not pinned") {
  Bench test(MemoryKind::Attention, {.ram_bytes_max = 40'000});
  test.run(letters(1, 2000));
  test.demote_all();
  const std::string salt;
  const auto refused = test.cache.desk().pin(*test.cache.known_line(&salt, ""));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == ErrorKind::TooLarge);
}

TEST_CASE("clearing one key's lines leaves the others', and what runs") {
  Bench test;
  const auto line = letters(1, 1000);
  test.run(line, {}, "a");
  test.run(line, {}, "b");
  test.demote_all();
  const std::string a = "a";
  CHECK(test.cache.forget(&a) > 0);
  CHECK(test.cache.usable_tokens("a", line) == 0);
  CHECK(test.cache.usable_tokens("b", line) > 0);
  test.cache.check_invariants();
}

// From one cache to another, in parts of `part` bytes.
Result<CacheDesk::Taken> carry(Bench& from, Bench& to, std::size_t part) {
  const std::string salt;
  const KnownLine& line = *from.cache.known_line(&salt, "");
  from.cache.bring_to_ram(line);
  std::uint64_t offset = 0;
  while (true) {
    TRY_ASSIGN(const auto given, from.cache.desk().export_part(line, from.cache.root_of("").hash, offset, part, 7));
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(given.bytes.data()), given.bytes.size());
    TRY_ASSIGN(const auto taken,
               to.cache.desk().import_part(to.cache.root_of("key"), to.cache.root_of("").hash, offset, bytes, 7));
    offset += given.bytes.size();
    CHECK(taken.bytes == offset);
    if (offset == given.total_bytes) return taken;
    CHECK(given.bytes.size() == part);
  }
}

TEST_CASE("a trunk that was exported is known where it is imported, and its answers are right") {
  for (const MemoryKind kind : {MemoryKind::Attention, MemoryKind::Hybrid, MemoryKind::Recurrent, MemoryKind::Window}) {
    for (const std::size_t part : {std::size_t{1000}, std::size_t{1} << 20}) {
      CAPTURE(static_cast<int>(kind));
      Bench from(kind);
      Bench to(kind);
      const auto line = letters(1, 1300);
      from.run(line, {700, 1000});
      const auto taken = carry(from, to, part);
      if (!taken) FAIL(taken.error().message);
      CHECK(taken->complete);
      CHECK(taken->tokens == 1300);
      const Explanation why = to.run(joined(line, letters(2, 100)), {}, "key");
      CHECK(why.cached_tokens == 1300);
      CHECK(to.cache.usable_tokens("", line) == 0);  // it was another key that took it in
      from.cache.check_invariants();
    }
  }
}

TEST_CASE("a trunk of another model, or what is no trunk, is refused, and parts come one after the other") {
  Bench from;
  Bench hybrid(MemoryKind::Hybrid);
  from.run(letters(1, 600));
  Bench to;
  const std::string salt;
  const KnownLine& line = *from.cache.known_line(&salt, "");
  from.cache.bring_to_ram(line);
  const auto given = from.cache.desk().export_part(line, from.cache.root_of("").hash, 0, 1U << 20, 1);
  REQUIRE(given);
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(given->bytes.data()), given->bytes.size());
  CacheDesk& desk = to.cache.desk();
  const Root& root = to.cache.root_of("");
  Hash other = root.hash;
  other[0] ^= 1;
  CHECK_FALSE(desk.import_part(root, other, 0, bytes, 1));
  CHECK_FALSE(desk.import_part(root, root.hash, 5, bytes.subspan(5), 1));
  CHECK_FALSE(desk.import_part(root, root.hash, 0, bytes.subspan(5), 1));
  REQUIRE(desk.import_part(root, root.hash, 0, bytes.first(100), 1));
  CHECK_FALSE(desk.import_part(root, root.hash, 99, bytes.subspan(99), 1));
  CHECK(desk.import_part(root, root.hash, 100, bytes.subspan(100), 1));
  CHECK_FALSE(desk.export_part(line, root.hash, 4, 100, 1));  // of another cache: nothing was begun here
}

TEST_CASE("an export or import that nobody goes on with ends after a minute, and no other key's clearing ends it") {
  Bench test;
  const auto line = letters(1, 1300);
  test.run(line, {}, "a");
  test.run(letters(2, 600), {}, "b");
  test.demote_all();
  const std::string a = "a";
  const std::string b = "b";
  const KnownLine& known = *test.cache.known_line(&a, "");
  CacheDesk& desk = test.cache.desk();
  const Hash identity = test.cache.root_of("").hash;
  const auto now_ms = [&] { return static_cast<std::uint64_t>(test.clock.now_ms()); };
  const auto pinned = [&] { return test.cache.counters().at("ram_held_bytes"); };
  const auto begin = [&] { REQUIRE(desk.export_part(known, identity, 0, 500, now_ms())); };
  const auto goes_on = [&] { return desk.export_part(known, identity, 500, 500, now_ms()).has_value(); };
  begin();
  CHECK(pinned() > 0);
  SUBCASE("a minute") {
    for (int i = 0; i < 5; ++i) {
      test.clock.advance_ms(50'000);
      static_cast<void>(test.cache.demote_step(0, false));
      CHECK(goes_on());
    }
    test.clock.advance_ms(61'000);
    static_cast<void>(test.cache.demote_step(0, false));
    CHECK(!goes_on());
    CHECK(pinned() == 0);
  }
  SUBCASE("another key is cleared") {
    test.cache.forget(&b);
    CHECK(goes_on());
    test.cache.forget(&a);
    CHECK(pinned() == 0);
  }
  SUBCASE("the budget is less") {
    test.cache.set_ram_budget(test.cache.ram_bytes() * 2);
    CHECK(goes_on());
    test.cache.set_ram_budget(1000);
    CHECK(pinned() == 0);
    CHECK(test.cache.ram_bytes() <= 1000);
  }
  SUBCASE("an import") {
    const auto given = *desk.export_part(known, identity, 0, 1U << 20, now_ms());
    const std::span bytes(reinterpret_cast<const std::uint8_t*>(given.bytes.data()), given.bytes.size());
    REQUIRE(desk.import_part(test.cache.root_of("c"), identity, 0, bytes.first(1000), now_ms()));
    test.clock.advance_ms(61'000);
    static_cast<void>(test.cache.demote_step(0, false));
    CHECK(!desk.import_part(test.cache.root_of("c"), identity, 1000, bytes.subspan(1000), now_ms()));
  }
  test.cache.check_invariants();
}

}  // namespace
}  // namespace hearth::cache
