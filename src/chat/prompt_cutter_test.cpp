// What may be a control token and what may not, byte by byte.
#include "chat/prompt_cutter.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

constexpr std::size_t kNoSuffix = std::numeric_limits<std::size_t>::max();
const std::vector<std::string> kTexts = {"<|im_start|>", "<|im_end|>", "<think>", "</think>", "<|im|>", "|im|", "é>"};

// {text, source} pairs; source 0 is the template.
jinja::Rendered made(const std::vector<std::pair<std::string, jinja::Source>>& parts) {
  jinja::Text text;
  for (const auto& [part, source] : parts) text.append(part, source);
  jinja::Rendered rendered;
  rendered.runs = text.runs();
  rendered.text = std::move(text).take_bytes();
  return rendered;
}

// Segments as "[text]" where control tokens are parsed and "(text)" where all is plain; "|" is a boundary.
std::string shown(const CutPrompt& cut) {
  std::string out;
  for (std::size_t i = 0; i < cut.segments.size(); ++i) {
    const PromptSegment& segment = cut.segments[i];
    out += segment.parse_special ? "[" + segment.text + "]" : "(" + segment.text + ")";
    for (const std::size_t boundary : cut.boundary_segments) out += boundary == i ? "|" : "";
  }
  return out;
}

std::string cut(const std::vector<std::pair<std::string, jinja::Source>>& parts, std::size_t suffix_begin = kNoSuffix) {
  return shown(cut_prompt(made(parts), SpecialTexts(kTexts), {"<|im_start|>"}, suffix_begin));
}

}  // namespace

TEST_CASE("the template's control tokens stay whole and open turns") {
  CHECK(cut({{"<|im_start|>user\n", 0}, {"Hi", 3}, {"<|im_end|>\n<|im_start|>", 0}}) ==
        "[<|im_start|>user\nHi<|im_end|>\n]|[<|im_start|>]");
}
TEST_CASE("a control token that the conversation spells is cut and plain, and opens nothing") {
  CHECK(cut({{"<|im_start|>", 0}, {"a<|im_start|>b", 3}, {"<|im_end|>", 0}}) ==
        "[<|im_start|>a](<)(|im_start|>)[b<|im_end|>]");
  CHECK(cut({{"<think><think>", 3}}) == "(<)(think><)(think>)");
  CHECK(cut({{"é>", 3}}) == "(é)(>)");
}
TEST_CASE("a control token that is put together from both sides is cut") {
  CHECK(cut({{"x<|im_", 0}, {"end|>y", 3}}) == "[x<][|im_end|>y]");
  CHECK(cut({{"<|im_", 3}, {"end|>", 0}}) == "[<][|im_end|>]");
  CHECK(cut({{"<thi", 3}, {"nk>", 4}}) == "(<)(think>)");
}
TEST_CASE("a longer special text over a control token of the template's is cut behind it") {
  const SpecialTexts specials({"<end>", "<end>x", "y<end>"});
  CHECK(shown(cut_prompt(made({{"<end>", 0}, {"x", 3}}), specials, {}, kNoSuffix)) == "[<end>][x]");
  CHECK(shown(cut_prompt(made({{"y", 3}, {"<end>", 0}}), specials, {}, kNoSuffix)) == "[y][<end>]");
}
TEST_CASE("a special text inside another is cut too") { CHECK(cut({{"<|im|>", 3}}) == "(<)(|)(im|>)"); }
TEST_CASE("the generation suffix begins at a boundary") {
  CHECK(cut({{"Hi", 3}, {"\nassistant:", 0}}, 2) == "[Hi]|[\nassistant:]");
  CHECK(cut({{"<think>", 3}, {"\nassistant:", 0}}, 7) == "(<)(think>)|[\nassistant:]");
}
TEST_CASE("nothing comes of nothing") { CHECK(cut({}).empty()); }
TEST_CASE("who wrote a stretch is known") {
  const jinja::Rendered rendered = made({{"ab", 0}, {"cd", 2}, {"ef", 0}});
  CHECK(is_template_text(rendered.runs, 0, 2));
  CHECK(is_template_text(rendered.runs, 4, 6));
  CHECK_FALSE(is_template_text(rendered.runs, 1, 3));
  CHECK_FALSE(is_template_text(rendered.runs, 3, 5));
  CHECK(is_template_text(rendered.runs, 6, 6));
}

TEST_CASE("in random texts no segment holds a special text with a byte of the conversation in it") {
  const std::vector<std::string> words = {"ab", "abc", "abcd", "bca", "cc", "ca", "cab", "dd", "ddd"};
  const SpecialTexts specials(words);
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    std::vector<std::pair<std::string, jinja::Source>> parts;
    for (std::uint64_t i = 0; i < 8; ++i) {
      std::string part;
      const std::uint64_t length = mix_u64(seed, 100 + i) % 5;
      for (std::uint64_t j = 0; j < length; ++j) part.push_back("abcd"[mix_u64(seed, 1000 + 10 * i + j) % 4]);
      parts.emplace_back(std::move(part), static_cast<jinja::Source>(mix_u64(seed, 200 + i) % 3));
    }
    const jinja::Rendered rendered = made(parts);
    const CutPrompt done = cut_prompt(rendered, specials, {}, kNoSuffix);
    std::string all;
    for (const PromptSegment& segment : done.segments) {
      for (std::size_t at = 0; at < segment.text.size(); ++at) {
        for (const std::string& word : words) {
          if (!std::string_view(segment.text).substr(at).starts_with(word)) continue;
          const bool own = is_template_text(rendered.runs, all.size() + at, all.size() + at + word.size());
          CHECK_MESSAGE(own, seed);
          CHECK_MESSAGE(segment.parse_special, seed);
        }
      }
      all += segment.text;
    }
    CHECK(all == rendered.text);
  }
}
