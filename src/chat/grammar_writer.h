// GrammarWriter: collects the rules of one grammar (docs/grammar.md) and writes its text. Equal bodies share a rule, so that
// thirty tools with the same kinds of values stay small. Single owner, one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace hearth::chat {

// Code points, ascending and apart.
using CharRanges = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

class GrammarWriter {
 public:
  // The rule with this body; a new one, or the one that has it already.
  [[nodiscard]] std::string rule(std::string_view body);
  // A rule whose body comes later, for what refers to itself. REQUIRES: define() is called for it before text().
  [[nodiscard]] std::string reserve();
  void define(const std::string& name, std::string_view body);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  // Repetitions cost the engine nodes that the text does not show: whether so many more of them still fit.
  [[nodiscard]] bool spend(std::size_t repetitions);
  // The whole text with `root` first. The writer can be used on.
  [[nodiscard]] std::string text(std::string_view root_body) const;

 private:
  std::vector<std::pair<std::string, std::string>> rules_;
  std::unordered_map<std::string, std::string> names_by_body_;
  std::size_t bytes_ = 0;
  std::size_t repetitions_ = 0;
};

// "..." with what must be escaped escaped; any bytes.
[[nodiscard]] std::string grammar_literal(std::string_view text);
// @"...": control tokens' texts in it mean those tokens.
[[nodiscard]] std::string grammar_marked(std::string_view text);
// [...]; REQUIRES: not empty.
[[nodiscard]] std::string grammar_class(const CharRanges& ranges);
[[nodiscard]] std::string grammar_repeat(std::string_view item, std::uint32_t least, std::uint32_t most);
inline constexpr std::uint32_t kGrammarUnbounded = UINT32_MAX;

// An item of those that come in any order.
struct GrammarItem {
  std::string rule;
  enum class Count : std::uint8_t { Optional, Required, Repeated } count = Count::Optional;
};
inline constexpr std::size_t kGrammarItemsMax = 62;
// @each{...}. REQUIRES: at most kGrammarItemsMax items.
[[nodiscard]] std::string grammar_each(std::string_view separator, std::span<const GrammarItem> items);

// The items in the order given, for what @each cannot hold: too many, or such that one may be read as another (it would
// follow every set of those that came).
[[nodiscard]] std::string grammar_in_order(GrammarWriter& writer, std::string_view separator,
                                           std::span<const GrammarItem> items);

// @without{...}: so many characters among which `text` does not occur.
[[nodiscard]] std::string grammar_without(std::string_view text, std::uint32_t least, std::uint32_t most);

}  // namespace hearth::chat
