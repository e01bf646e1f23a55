// What a miss means for people: the table of cases that clients bring about (docs/cache-desk.md), with their cures.
#include "server/cache_verdict.h"

#include <doctest/doctest.h>

namespace hearth::server {
namespace {

using link::Beyond;
using link::Explanation;
using link::Lost;

// A conversation of several turns: 12,000 tokens of instructions, 30,000 in all, its last turn 1,000.
PromptPlaces going_on(std::uint32_t cached) {
  PromptPlaces places = places_of({12'000, 13'000, 20'000, 29'000, 30'000}, 30'010);
  places.cached_tokens = cached;
  return places;
}

Explanation differing(std::uint32_t at, std::string before, std::string was, std::string is) {
  return {.known_tokens = at,
          .line_tokens = 29'500,
          .beyond = Beyond::Differs,
          .before = std::move(before),
          .was = std::move(was),
          .is = std::move(is)};
}

TEST_CASE("places are read off the boundaries") {
  const PromptPlaces places = going_on(0);
  CHECK(places.instructions_end == 12'000);
  CHECK(places.first_turn_end == 13'000);
  CHECK(places.previous_turn_end == 29'000);
  const PromptPlaces first = places_of({12'000, 13'000}, 13'010);
  CHECK(first.first_turn_end == 13'010);
  CHECK(first.previous_turn_end == 12'000);
  CHECK(places_of({}, 50).previous_turn_end == 0);
  CHECK(places_of({40}, 50).previous_turn_end == 40);
}

TEST_CASE("a turn that goes on, a first prompt and another conversation are no reason to say anything") {
  CHECK_FALSE(judge(going_on(29'500), {.known_tokens = 29'500, .beyond = Beyond::Continues}).too_much);
  CHECK_FALSE(judge(going_on(0), {}).too_much);
  const CacheVerdict other = judge(going_on(12'100), differing(12'100, "user\n", "fix 1", "fix 2"));
  CHECK_FALSE(other.too_much);
  CHECK(other.cure.empty());
  CHECK_FALSE(judge(going_on(29'100), differing(29'100, "a", "b", "c")).too_much);
  CHECK_FALSE(judge(going_on(29'990), {.known_tokens = 30'009, .lost = Lost::LastToken}).too_much);
  CHECK_FALSE(judge(going_on(29'696), {.known_tokens = 29'900, .lost = Lost::ExactUnit}).too_much);
}

TEST_CASE("settings of clients that break the prefix are named with their cure") {
  struct Case {
    const char *before, *was, *is, *cure;
  };
  const Case cases[] = {
      {"system\n", "x-anthropic-billing-header: cc_version=2.1.328.abc",
       "x-anthropic-billing-header: cc_version=2.1.328.def", "CLAUDE_CODE_ATTRIBUTION_HEADER=0"},
      {"memory at ", "/home/a/.claude/projects/one", "/home/a/.claude/projects/two",
       "CLAUDE_CODE_DISABLE_AUTO_MEMORY=1"},
      {"Token usage: ", "12000/200000", "15000/200000", "token-budget"},
      {"gitStatus: ", "M a.cpp", "M b.cpp", "git"},
      {"{\"type\": \"function\", \"function\": {\"name\": \"", "Write\"", "mcp__x\"", "MCP"},
      {"Today is 2026-11-2", "7.", "8.", "date"},
  };
  for (const Case& is : cases) {
    CAPTURE(is.cure);
    const CacheVerdict verdict = judge(going_on(500), differing(500, is.before, is.was, is.is));
    CHECK(verdict.too_much);
    CHECK(verdict.cure.contains(is.cure));
    CHECK(verdict.why.contains("token 500"));
    CHECK(verdict.why.contains("system text"));
    // A log line must not hold a word of a prompt.
    CHECK_FALSE(verdict.why.contains("mcp__x"));
  }
}

TEST_CASE("words on another line than the one that differs are not taken for the cause") {
  const CacheVerdict verdict = judge(going_on(500), differing(500, "gitStatus: clean\nAnd then ", "one", "two"));
  CHECK(verdict.too_much);
  CHECK(verdict.cure.empty());
}

TEST_CASE("a history that was rewritten is told by its place") {
  const CacheVerdict verdict = judge(going_on(15'000), differing(15'000, "a", "b", "c"));
  CHECK(verdict.too_much);
  CHECK(verdict.why.contains("earlier turn"));
  CHECK(verdict.why.contains("14000 tokens"));
}

TEST_CASE("what was lost is told with its reason, and cured by more RAM where that is the cure") {
  const auto told = [](Lost lost, std::optional<link::Gone> gone = {}) {
    return judge(going_on(2'000), {.known_tokens = 29'500, .lost = lost, .gone = gone});
  };
  const CacheVerdict evicted =
      told(Lost::BlocksGone,
           link::Gone{.ms_ago = 12'000, .what_for = link::GoneFor::Line, .for_same_key = true, .for_tokens = 9'000});
  CHECK(evicted.too_much);
  CHECK(evicted.why.contains("tokens 2000 to 29500"));
  CHECK(evicted.why.contains("12 s ago"));
  CHECK(evicted.why.contains("another line of this key of 9000 tokens"));
  CHECK(evicted.cure.contains("--cache-ram"));
  CHECK(told(Lost::BlocksGone, link::Gone{.what_for = link::GoneFor::Line}).why.contains("another key's line"));
  CHECK(told(Lost::BlocksGone, link::Gone{.what_for = link::GoneFor::Budget}).why.contains("budget"));
  const CacheVerdict thinned = told(Lost::AnchorGone, link::Gone{.thinned = true});
  CHECK(thinned.why.contains("most useful"));
  CHECK(thinned.cure.empty());
  CHECK(told(Lost::NoAnchor).why.contains("cannot be cut"));
  CHECK(told(Lost::NotKept).cure.contains("--cache-ram"));
  CHECK(told(Lost::Refused).too_much);
}

}  // namespace
}  // namespace hearth::server
