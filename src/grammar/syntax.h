// The tree of a grammar's text, between its reader and its compiler. Plain values; docs/grammar.md is the language.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hearth::grammar {

inline constexpr std::size_t kTextBytesMax = 8U << 20;  // 60 KB of tool schemas make about 300 KB
inline constexpr std::size_t kRulesMax = 100'000;
inline constexpr std::uint32_t kRepeatMax = 65'536;
inline constexpr std::uint32_t kUnbounded = UINT32_MAX;
inline constexpr int kNestingMax = 64;            // of parentheses
inline constexpr std::size_t kEachItemsMax = 62;  // a bit for each, in 64
inline constexpr std::size_t kWithoutBytesMax = 32;

enum class ScanArm : std::uint8_t {
  End,    // the pattern ends the scan
  Rule,   // after the pattern a rule follows, and then the scan goes on
  Never,  // the pattern may not come
  Text,   // the pattern is text as any other, whatever shorter pattern lies in it
};
struct ScanPattern {
  std::string text;
  bool marked = false;  // control tokens' texts in it stand for those tokens
  ScanArm arm = ScanArm::End;
  std::uint32_t rule = 0;
};

enum class ItemCount : std::uint8_t { Optional, Required, Repeated };  // of one item of an Each

struct Expression {
  enum class Kind : std::uint8_t { Literal, Marked, Class, Reference, Sequence, Choice, Repeat, Scan, Each, Without };
  Kind kind = Kind::Sequence;
  std::string text;                                             // Literal, Marked: bytes; Without: what may not come
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;  // Class: code points, ascending, apart, no surrogates
  std::uint32_t rule = 0;                                       // Reference
  std::uint32_t least = 0, most = 0;                            // Repeat, Without
  bool may_stop = false;                                        // Scan: the text may be over anywhere in it
  std::vector<ScanPattern> patterns;                            // Scan
  std::vector<ItemCount> counts;                                // Each
  std::vector<Expression> parts;  // Sequence, Choice; one for Repeat; the separator, then the items for Each
};

struct Syntax {
  std::vector<std::string> names;  // of the rules
  std::vector<Expression> rules;   // same order
  std::uint32_t root = 0;
};

// Never trusts the text: whatever is wrong is InvalidInput with its line.
[[nodiscard]] Result<Syntax> read_syntax(std::string_view text);

}  // namespace hearth::grammar
