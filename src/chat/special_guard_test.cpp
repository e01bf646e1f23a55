// The special texts of a vocabulary: search and cutting.
#include "chat/special_guard.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

const std::vector<std::string> kTexts = {"<|im_start|>", "<|im_end|>", "<think>", "</think>", "<|im|>",
                                         "|im|",         "  ",         "\n\n",    "é",        "é>"};

}  // namespace

TEST_CASE("the longest special text at a place is found, white space and single characters are none") {
  const SpecialTexts specials(kTexts);
  CHECK(specials[*specials.longest_at("a<|im_start|>", 1)] == "<|im_start|>");
  CHECK(specials[*specials.longest_at("<|im|>", 0)] == "<|im|>");
  CHECK(specials[*specials.longest_at("é>x", 0)] == "é>");
  CHECK_FALSE(specials.longest_at("<|im_star", 0));
  CHECK_FALSE(specials.longest_at("  ", 0));
  CHECK_FALSE(specials.longest_at("\n\n", 0));
  CHECK_FALSE(specials.longest_at("é", 0));
}

TEST_CASE("search agrees with a naive one on random texts") {
  const SpecialTexts specials({"ab", "abc", "abcd", "b", "bca", "cc", "ca", "cab"});
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    std::string text;
    for (std::uint64_t i = 0; i < 12; ++i) text.push_back("abcd"[mix_u64(seed, i) % 4]);
    for (std::size_t at = 0; at < text.size(); ++at) {
      std::string longest;
      for (const std::string word : {"ab", "abc", "abcd", "bca", "cc", "ca", "cab"}) {
        if (std::string_view(text).substr(at).starts_with(word) && word.size() > longest.size()) longest = word;
      }
      const auto found = specials.longest_at(text, at);
      CHECK((found ? specials[*found] : "") == longest);
    }
  }
}

TEST_CASE("a cut special text can not form again, nor a shorter one within it") {
  const SpecialTexts specials(kTexts);
  for (const char* text : {"<|im|>", "<|im_start|>", "|im|", "x<think></think>"}) {
    std::string all;
    for (const std::string_view piece : specials.cut(text)) {
      all += piece;
      for (std::size_t at = 0; at < piece.size(); ++at) CHECK_FALSE(specials.longest_at(piece, at));
    }
    CHECK(all == text);
  }
  CHECK(specials.cut("é>").size() == 2);  // cut at a character's end, never inside one
}
