// Stop sequences: the rules by example, and against a naive search of the whole text.
#include "chat/stop_matcher.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

struct Outcome {
  std::string text;
  std::optional<std::string> matched;
  bool operator==(const Outcome&) const = default;
};

// The whole text at once, by the definition: the earliest start wins, then the shortest.
Outcome naive(const std::vector<std::string>& sequences, const std::string& text) {
  std::size_t earliest = std::string::npos;
  const std::string* found = nullptr;
  for (const std::string& sequence : sequences) {
    const std::size_t at = text.find(sequence);
    if (at == std::string::npos) continue;
    if (at < earliest || (at == earliest && sequence.size() < found->size())) {
      earliest = at;
      found = &sequence;
    }
  }
  if (found == nullptr) return {text, std::nullopt};
  return {text.substr(0, earliest), *found};
}

Outcome pushed(const std::vector<std::string>& sequences, const std::vector<std::string>& pieces) {
  StopMatcher matcher(sequences);
  Outcome outcome;
  for (const std::string& piece : pieces) {
    StopMatcher::Step step = matcher.push(piece);
    outcome.text += step.text;
    if (step.matched) {
      outcome.matched = step.matched;
      return outcome;
    }
  }
  const StopMatcher::Step last = matcher.finish();
  return {outcome.text + last.text, last.matched};
}

}  // namespace

TEST_CASE("a stop sequence ends the text before it, also across pieces") {
  CHECK(pushed({"END"}, {"Hello E", "N", "D more"}) == Outcome{"Hello ", "END"});
}

TEST_CASE("only a tail that may become a stop sequence is held back") {
  StopMatcher matcher({"\n\nUser:"});
  CHECK(matcher.push("a\nb\n").text == "a\nb");
  CHECK(matcher.push("\n").text.empty());
  CHECK(matcher.push("X").text == "\n\nX");
  CHECK(matcher.push("\n\nUser").text.empty());
  CHECK(matcher.finish().text == "\n\nUser");
  CHECK(matcher.finish().text.empty());
}

TEST_CASE("of overlapping stop sequences the earliest start wins") {
  CHECK(pushed({"bcd", "abx"}, {"a", "b", "c", "d"}) == Outcome{"a", "bcd"});
  CHECK(pushed({"bc", "abcd"}, {"a", "b", "c", "d"}) == Outcome{"", "abcd"});
  CHECK(pushed({"bc", "abcd"}, {"a", "b", "c", "x"}) == Outcome{"a", "bc"});
}

TEST_CASE("no stop sequences, or empty ones, hold nothing back") {
  CHECK(pushed({}, {"abc"}) == Outcome{"abc", std::nullopt});
  StopMatcher matcher({""});
  CHECK(matcher.push("abc").text == "abc");
}

TEST_CASE("random texts in random pieces give what a search of the whole text gives") {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    std::uint64_t counter = 0;
    const auto below = [&](std::size_t bound) { return static_cast<std::size_t>(mix_u64(seed, counter++) % bound); };
    const auto letters = [&](std::size_t count) {
      std::string text;
      for (std::size_t i = 0; i < count; ++i) text.push_back("abc"[below(3)]);
      return text;
    };
    std::vector<std::string> sequences;
    for (std::size_t i = below(4); i > 0; --i) sequences.push_back(letters(1 + below(5)));
    std::vector<std::string> pieces;
    std::string whole;
    for (std::size_t i = below(10); i > 0; --i) pieces.push_back(letters(below(5)));
    for (const std::string& piece : pieces) whole += piece;
    INFO("seed " << seed);
    REQUIRE(pushed(sequences, pieces) == naive(sequences, whole));
  }
}
