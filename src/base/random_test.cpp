// Ids that do not repeat, and the counter-based numbers a resumed job draws again.
#include "base/random.h"

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cctype>
#include <set>
#include <string>

namespace hearth {

TEST_CASE("an id is its prefix and that many letters or digits") {
  const std::string id = random_id("msg_", 24);
  REQUIRE_EQ(id.size(), 28);
  CHECK(id.starts_with("msg_"));
  for (const char c : id.substr(4)) CHECK(std::isalnum(static_cast<unsigned char>(c)));
  CHECK_EQ(random_id("x", 0), "x");
}

TEST_CASE("ten thousand ids are ten thousand different ids") {
  std::set<std::string> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(random_id(""));
  CHECK_EQ(ids.size(), 10'000);
}

TEST_CASE("every letter of the alphabet appears") {
  std::set<char> letters;
  for (const char c : random_id("", 20'000)) letters.insert(c);
  CHECK_EQ(letters.size(), 62);
}

TEST_CASE("the same seed and counter give the same number, written down here for every machine") {
  CHECK_EQ(mix_u64(0, 0), 0xE220A8397B1DCDAFULL);
  CHECK_EQ(mix_u64(0, 1), 0x6E789E6AA1B965F4ULL);
}

TEST_CASE("another seed or counter changes about half of the bits") {
  int changed = 0;
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    changed += std::popcount(mix_u64(1, i) ^ mix_u64(1, i + 1));
    changed += std::popcount(mix_u64(i, 5) ^ mix_u64(i + 1, 5));
  }
  CHECK_GT(changed, 2'000 * 30);
  CHECK_LT(changed, 2'000 * 34);
}

}  // namespace hearth
