// Worth as a table: of each pair the first is better kept.
#include "cache/worth.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace hearth::cache;

namespace {

constexpr std::uint64_t kSecond = 1000, kMinute = 60 * kSecond;
constexpr std::uint64_t kMiB = 1 << 20;

struct Thing {
  const char* what;
  double saved_us;
  std::uint64_t bytes;
  Reuse reuse;
};

double worth_of(const Thing& thing) {
  const Gain gain{thing.saved_us, thing.reuse};
  return worth({.gains = {&gain, 1}, .bytes = thing.bytes});
}

const Reuse kLive{.line = LineKind::Conversation, .uses = 1};
Reuse changed(Reuse reuse, auto change) {
  change(reuse);
  return reuse;
}

}  // namespace

TEST_CASE("of two things the one that saves more, is likelier used, or is smaller is worth more") {
  const auto live_aged = [](std::uint64_t age_ms) { return changed(kLive, [&](Reuse& r) { r.age_ms = age_ms; }); };
  const Reuse one_shot{.line = LineKind::OneShot};
  const Reuse first{.line = LineKind::Unknown, .return_rate = 0.5};
  const auto anchor = [](AnchorKind kind, bool superseded) {
    return Reuse{.line = LineKind::Conversation, .anchor = true, .kind = kind, .superseded = superseded};
  };
  const std::pair<Thing, Thing> table[] = {
      {{"the deeper block", 500e3, 5 * kMiB, kLive}, {"the shallower", 300e3, 5 * kMiB, kLive}},
      {{"the smaller", 300e3, 5 * kMiB, kLive}, {"the larger", 300e3, 36 * kMiB, kLive}},
      {{"used a second ago", 300e3, 5 * kMiB, live_aged(kSecond)},
       {"an hour ago", 300e3, 5 * kMiB, live_aged(60 * kMinute)}},
      {{"a conversation that pauses for ten minutes", 300e3, 5 * kMiB, live_aged(10 * kMinute)},
       {"a one-shot job of a minute ago", 300e3, 5 * kMiB, changed(one_shot, [](Reuse& r) { r.age_ms = kMinute; })}},
      {{"a conversation", 300e3, 5 * kMiB, kLive}, {"a first turn", 300e3, 5 * kMiB, first}},
      {{"a first turn", 300e3, 5 * kMiB, first}, {"a one-shot job", 300e3, 5 * kMiB, one_shot}},
      {{"a first turn where lines come back", 300e3, 5 * kMiB, changed(first, [](Reuse& r) { r.return_rate = 0.9; })},
       {"a first turn in a flood", 300e3, 5 * kMiB, changed(first, [](Reuse& r) { r.return_rate = 0.05; })}},
      {{"a trunk of many branches, five minutes idle", 300e3, 5 * kMiB,
        changed(live_aged(5 * kMinute), [](Reuse& r) { r.branches = 8; })},
       {"a line of its own, five minutes idle", 300e3, 5 * kMiB, live_aged(5 * kMinute)}},
      {{"used ten times", 300e3, 5 * kMiB, changed(first, [](Reuse& r) { r.uses = 10; })},
       {"never", 300e3, 5 * kMiB, first}},
      {{"the trunk's end, though later anchors exist", 9e6, 63 * kMiB, anchor(AnchorKind::Trunk, true)},
       {"an old turn", 9e6, 63 * kMiB, anchor(AnchorKind::Turn, true)}},
      {{"the last turn", 1e6, 63 * kMiB, anchor(AnchorKind::Turn, false)},
       {"an old turn", 1e6, 63 * kMiB, anchor(AnchorKind::Turn, true)}},
      {{"a branch point", 9e6, 63 * kMiB, anchor(AnchorKind::Branch, true)},
       {"a replaced reply's end", 9e6, 63 * kMiB, anchor(AnchorKind::ReplyEnd, true)}},
  };
  for (const auto& [better, worse] : table) {
    INFO(std::string(better.what), " against ", std::string(worse.what));
    CHECK(worth_of(better) > worth_of(worse));
  }
}

TEST_CASE("what goes together is worth the sum of what it saves over the sum of its bytes") {
  const std::vector<Gain> both = {{100e3, kLive}, {200e3, kLive}};
  const Thing sum{"", 300e3, 8 * kMiB, kLive};
  CHECK(worth({.gains = both, .bytes = 8 * kMiB}) == doctest::Approx(worth_of(sum)));
  CHECK(worth({.gains = {}, .bytes = kMiB}) == 0);
  CHECK(worth({.gains = both, .bytes = 0}) > 0);
}

TEST_CASE("likelihood stays within (0, 1] for all that can be said") {
  for (const LineKind line : {LineKind::Unknown, LineKind::Conversation, LineKind::OneShot})
    for (int kind = 0; kind < 5; ++kind)
      for (const std::uint32_t count : {0u, 1u, 4'000'000'000u})
        for (const std::uint64_t age_ms : {0ull, 1ull << 40})
          for (const bool flag : {false, true}) {
            const double value =
                likelihood({line, flag, static_cast<AnchorKind>(kind), count, count, flag, age_ms, 1.0});
            CHECK(value > 0);
            CHECK(value <= 1);
          }
}

TEST_CASE("prefill costs more the deeper it goes, and adds up") {
  const PrefillCost cost{.token_us = 10, .depth_us = 0.5};
  CHECK(prefill_us(cost, 0, 2) == doctest::Approx(20.5));
  CHECK(prefill_us(cost, 0, 1000) == doctest::Approx(prefill_us(cost, 0, 300) + prefill_us(cost, 300, 1000)));
  CHECK(prefill_us(cost, 900, 1000) > prefill_us(cost, 0, 100));
  CHECK(prefill_us(cost, 5, 5) == 0);
}

TEST_CASE("experience follows what happens, and the past fades") {
  Experience experience;
  CHECK(experience.return_rate() == doctest::Approx(2.0 / 3));
  for (int i = 0; i < 200; ++i) experience.count_begun();
  CHECK(experience.return_rate() < 0.05);
  CHECK(experience.return_rate() >= 0.02);
  for (int i = 0; i < 100; ++i) experience.count_begun(), experience.count_returned();
  CHECK(experience.return_rate() > 0.8);
}

TEST_CASE("LRU knows only the last use") {
  const std::vector<Gain> gains = {{100e3, kLive}};
  CHECK(worth_lru({.gains = gains, .bytes = 1, .used_ms = 5}) < worth_lru({.gains = {}, .bytes = 9, .used_ms = 6}));
}

TEST_CASE("the more a line weighs, the more anchors it may keep, within bounds") {
  CHECK(line_anchors_max(0, 63 * kMiB) == kLineAnchorsMin);
  CHECK(line_anchors_max(1200 * kMiB, 63 * kMiB) == 9);
  CHECK(line_anchors_max(1200 * kMiB, 3 * kMiB) == kLineAnchorsMax);
  CHECK(line_anchors_max(1200 * kMiB, 0) == kLineAnchorsMax);
}
