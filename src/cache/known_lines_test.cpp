// What is remembered of lines, and what is compared with them.
#include "cache/known_lines.h"

#include <doctest/doctest.h>

#include "cache/test_lines.h"

namespace hearth::cache {
namespace {

using testing::joined;
using testing::numbers;

const Root kRoot = testing::root_named("a");
const Root kOther = testing::root_named("b");

TEST_CASE("a line that goes on takes the place of its beginning and keeps its name") {
  KnownLines known;
  known.remember(kRoot, numbers(300), 1);
  const std::string id = known.lines().front().id;
  CHECK(id.size() == 16);
  known.remember(kRoot, numbers(700), 2);
  REQUIRE(known.lines().size() == 1);
  CHECK(known.lines().front().id == id);
  CHECK(known.lines().front().tokens.size() == 700);
  CHECK(known.lines().front().uses == 2);
  known.remember(kRoot, numbers(500), 3);  // nothing new of it
  CHECK(known.lines().size() == 1);
  CHECK(known.lines().front().tokens.size() == 700);
  CHECK(known.lines().front().used_ms == 3);
  known.remember(kRoot, joined(numbers(600), numbers(10, 9000)), 4);
  CHECK(known.lines().size() == 2);
}

TEST_CASE("the longest line is found, of equals one that ends there, and none of another root") {
  KnownLines known;
  const auto trunk = numbers(300);
  known.remember(kRoot, joined(trunk, numbers(50, 1000)), 1);
  known.remember(kRoot, joined(trunk, numbers(50, 2000)), 2);
  known.remember(kOther, joined(trunk, numbers(900, 3000)), 3);
  const auto asked = joined(trunk, numbers(90, 1000));
  const auto match = known.longest(kRoot, asked);
  REQUIRE(match.line != nullptr);
  CHECK(match.common == 350);
  CHECK(match.line->tokens.size() == 350);
  const auto branch = known.longest(kRoot, joined(trunk, numbers(5, 7000)));
  CHECK(branch.common == 300);
  CHECK(branch.line->used_ms == 2);
  CHECK(known.longest(kRoot, numbers(10, 500)).line == nullptr);
  CHECK(known.longest(kRoot, {}).line == nullptr);
}

TEST_CASE("what is remembered is bounded, and forgotten by root") {
  KnownLines known;
  for (Token i = 0; i < 200; ++i) known.remember(kRoot, numbers(3, i * 10), static_cast<std::uint64_t>(i));
  CHECK(known.lines().size() == KnownLines::kLinesMax);
  CHECK(known.lines().front().used_ms == 199);
  known.remember(kOther, numbers(KnownLines::kTokensMax - 100), 200);
  CHECK(known.lines().size() <= 34);
  known.remember(kOther, numbers(KnownLines::kTokensMax + 1), 201);  // larger than all there may be
  CHECK(known.lines().front().used_ms == 200);
  known.forget(&kRoot);
  CHECK(known.lines().size() == 1);
  known.forget(nullptr);
  CHECK(known.lines().empty());
  known.remember(kRoot, numbers(5), 300);
  CHECK(known.lines().size() == 1);
}

}  // namespace
}  // namespace hearth::cache
