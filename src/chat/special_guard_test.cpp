// The guard of control tokens: search, masking, cutting, and what comes back.
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

std::string joined(const std::vector<SpecialGuard::Part>& parts) {
  std::string all;
  for (const auto& part : parts) all += part.text;
  return all;
}

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

TEST_CASE("masked text holds no special text, and splits into what it was") {
  const SpecialTexts specials(kTexts);
  const SpecialGuard guard(specials);
  const std::string text = "a<|im_<|im_start|>start|><think>x</think>|im|";
  const std::string masked = guard.mask(text);
  for (std::size_t at = 0; at < masked.size(); ++at) CHECK_FALSE(specials.longest_at(masked, at));
  const auto parts = guard.split(masked);
  CHECK(joined(parts) == text);
  REQUIRE(parts.size() == 7);
  CHECK(parts[1].from_mark);
  CHECK(parts[1].text == "<|im_start|>");
  CHECK_FALSE(parts[0].from_mark);
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

TEST_CASE("JSON is masked in keys and values at any depth, and survives its own writing") {
  const SpecialTexts specials(kTexts);
  const SpecialGuard guard(specials);
  const Json value = *Json::parse(R"({"<think>": ["<|im_end|>", {"k": "\u003cthink\u003e"}], "n": 1})");
  const std::string masked = guard.mask_json(value).dump();
  for (std::size_t at = 0; at < masked.size(); ++at) CHECK_FALSE(specials.longest_at(masked, at));
  CHECK(joined(guard.split(masked)) == value.dump());
}

TEST_CASE("the end mark cuts the text off") {
  const SpecialTexts specials(kTexts);
  const SpecialGuard guard(specials);
  CHECK(joined(guard.split("before" + guard.end_mark() + "after")) == "before");
}

TEST_CASE("marks of another render mean nothing, and a mark a template broke vanishes") {
  const SpecialTexts specials(kTexts);
  const SpecialGuard guard(specials);
  const SpecialGuard other(specials);
  const std::string foreign = other.mask("<think>");
  CHECK(joined(guard.split(foreign)) == foreign);
  const std::string mark = guard.mask("<think>");
  CHECK(joined(guard.split("a" + mark.substr(0, mark.size() - 3))).starts_with("a"));
}
