// Remembered segments: the same tokens, within the bound.
#include "sched/segment_tokens.h"

#include <doctest/doctest.h>

#include <format>

#include "engine/fake_tokenizer.h"

namespace hearth::sched {
namespace {

TEST_CASE("a segment's tokens are the tokenizer's, the first time and again") {
  const engine::FakeTokenizer tokenizer;
  SegmentTokens segments(100'000);
  const std::string text = "a text long enough to be remembered <think> and so on";
  for (int i = 0; i < 3; ++i) {
    CHECK(segments.tokens(tokenizer, text, true) == tokenizer.tokenize(text, true));
    CHECK(segments.tokens(tokenizer, text, false) == tokenizer.tokenize(text, false));
    CHECK(segments.tokens(tokenizer, "short", true) == tokenizer.tokenize("short", true));
    CHECK(segments.tokens(tokenizer, "", true).empty());
  }
  CHECK(segments.hit_count() == 4);
}

TEST_CASE("the bound holds and the text used longest ago goes first") {
  const engine::FakeTokenizer tokenizer;
  SegmentTokens segments(10'000);
  const auto text = [](int i) { return std::format("{:0>300}", i); };
  static_cast<void>(segments.tokens(tokenizer, text(0), true));
  for (int i = 1; i < 100; ++i) {
    static_cast<void>(segments.tokens(tokenizer, text(0), true));
    CHECK(segments.tokens(tokenizer, text(i), true) == tokenizer.tokenize(text(i), true));
    CHECK(segments.bytes() <= 10'000);
  }
  CHECK(segments.hit_count() == 99);
  static_cast<void>(segments.tokens(tokenizer, text(1), true));
  CHECK(segments.hit_count() == 99);
}

TEST_CASE("a text over the bound is tokenised and not kept") {
  const engine::FakeTokenizer tokenizer;
  SegmentTokens segments(1000);
  const std::string text(5000, 'x');
  CHECK(segments.tokens(tokenizer, text, true).size() == 5000);
  CHECK(segments.bytes() == 0);
}

}  // namespace
}  // namespace hearth::sched
