// See grammar_numbers.h. A range of natural numbers is cut into pieces whose digits are free of each other:
// 7..1234 is [7-9] | [1-9][0-9] | [1-9][0-9]{2} | "1" [0-1] [0-9]{2} | ...
#include "chat/grammar_numbers.h"

#include <algorithm>
#include <cmath>
#include <format>
#include <string_view>
#include <vector>

namespace hearth::chat {
namespace {

constexpr std::string_view kFraction = "(\".\" [0-9]{1,15})?";
constexpr std::string_view kExponent = "([eE] [-+]? [0-9] [0-9]?)?";

std::string any_digits(std::size_t count) {
  return count == 0 ? "" : count == 1 ? " [0-9]" : std::format(" [0-9]{{{}}}", count);
}

std::string digit_range(char low, char high) {
  return low == high ? std::format("\"{}\"", low) : std::format("[{}-{}]", low, high);
}

// All numbers from `low` to `high`, which have equally many digits.
void same_length(const std::string& prefix, std::string_view low, std::string_view high,
                 std::vector<std::string>& out) {
  if (low.empty()) return out.push_back(prefix);
  const auto is_all = [](std::string_view digits, char digit) {
    return std::ranges::all_of(digits, [&](char c) { return c == digit; });
  };
  const auto lead = prefix.empty() ? std::string() : prefix + " ";
  const std::string_view low_rest = low.substr(1);
  const std::string_view high_rest = high.substr(1);
  if (low[0] == high[0]) return same_length(lead + digit_range(low[0], low[0]), low_rest, high_rest, out);
  char first = low[0];
  char last = high[0];
  if (!is_all(low_rest, '0')) {
    same_length(lead + digit_range(first, first), low_rest, std::string(low_rest.size(), '9'), out);
    ++first;
  }
  const bool cut_above = !is_all(high_rest, '9');
  if (cut_above) --last;
  if (first <= last) out.push_back(lead + digit_range(first, last) + any_digits(low_rest.size()));
  if (cut_above) same_length(lead + digit_range(high[0], high[0]), std::string(high_rest.size(), '0'), high_rest, out);
}

// Alternatives for low..high. REQUIRES: 0 <= low.
std::vector<std::string> naturals(std::int64_t low, std::int64_t high) {
  std::vector<std::string> out;
  for (std::int64_t from = low; from <= high;) {
    std::int64_t power = 10;
    while (power <= from) power *= 10;
    const std::int64_t to = std::min(high, power - 1);
    same_length("", std::to_string(from), std::to_string(to), out);
    from = to + 1;
  }
  return out;
}

std::string joined(const std::vector<std::string>& alternatives) {
  std::string out;
  for (const std::string& one : alternatives) out += (out.empty() ? "" : " | ") + one;
  return out;
}

void append_group(std::vector<std::string>& out, std::string_view sign, const std::vector<std::string>& naturals_found,
                  std::string_view behind) {
  if (naturals_found.empty()) return;
  out.push_back(std::format("{}({}){}{}", sign, joined(naturals_found), behind.empty() ? "" : " ", behind));
}

struct IntegerRange {
  std::int64_t low, high;
};
IntegerRange integers_between(const NumberBounds& bounds) {
  constexpr auto kMost = static_cast<double>(kGrammarIntegerMax);
  double low = -kMost;
  double high = kMost;
  if (bounds.least && std::isfinite(*bounds.least)) {
    low = std::ceil(*bounds.least);
    if (bounds.least_excluded && low == *bounds.least) low += 1;
  }
  if (bounds.most && std::isfinite(*bounds.most)) {
    high = std::floor(*bounds.most);
    if (bounds.most_excluded && high == *bounds.most) high -= 1;
  }
  // One beyond the limits stands for "none".
  return {static_cast<std::int64_t>(std::clamp(low, -kMost, kMost + 1)),
          static_cast<std::int64_t>(std::clamp(high, -kMost - 1, kMost))};
}

bool is_bounded(const NumberBounds& bounds) {
  return (bounds.least && std::isfinite(*bounds.least)) || (bounds.most && std::isfinite(*bounds.most));
}

// Fractions from `low` on to below or at `high`, both natural: digits before the point, then any.
void append_fractions(std::vector<std::string>& out, std::string_view sign, const NumberBounds& side) {
  const double low = std::max(0.0, side.least.value_or(0));
  const double high = side.most.value_or(static_cast<double>(kGrammarIntegerMax));
  if (high < low) return;
  const IntegerRange whole = integers_between(
      {.least = low, .most = high, .least_excluded = side.least_excluded, .most_excluded = side.most_excluded});
  append_group(out, sign, naturals(std::max<std::int64_t>(whole.low, 0), whole.high), "");
  const auto first = static_cast<std::int64_t>(std::ceil(low));
  const auto last = static_cast<std::int64_t>(std::floor(std::min(high, static_cast<double>(kGrammarIntegerMax)))) - 1;
  // Any fraction behind `first` is over the bound, but not behind it as zeros when the bound is excluded.
  const bool first_excluded = side.least_excluded && low == std::ceil(low);
  if (first_excluded && first <= last)
    out.push_back(std::format("{}\"{}.\" \"0\"{{0,6}} [1-9] [0-9]{{0,8}}", sign, first));
  append_group(out, sign, naturals(first + (first_excluded ? 1 : 0), last), "\".\" [0-9]{1,15}");
}

}  // namespace

std::optional<std::string> integer_grammar(const NumberBounds& bounds) {
  if (!is_bounded(bounds)) return "\"-\"? (\"0\" | [1-9] [0-9]{0,14})";
  const IntegerRange range = integers_between(bounds);
  std::vector<std::string> out;
  if (range.low < 0 && range.low <= range.high)
    append_group(out, "\"-\" ", naturals(std::max<std::int64_t>(1, -range.high), -range.low), "");
  if (range.high >= 0) append_group(out, "", naturals(std::max<std::int64_t>(0, range.low), range.high), "");
  if (out.empty()) return std::nullopt;
  return joined(out);
}

std::optional<std::string> number_grammar(const NumberBounds& bounds) {
  if (!is_bounded(bounds)) return std::format("\"-\"? (\"0\" | [1-9] [0-9]{{0,14}}) {} {}", kFraction, kExponent);
  NumberBounds known = bounds;
  if (known.least && !std::isfinite(*known.least)) known.least.reset();
  if (known.most && !std::isfinite(*known.most)) known.most.reset();
  std::vector<std::string> out;
  if (!known.most || *known.most >= 0) {
    NumberBounds side = known;
    if (!side.least || *side.least < 0) {
      side.least = 0;
      side.least_excluded = false;
    }
    append_fractions(out, "", side);
  }
  if (!known.least || *known.least < 0) {
    // The negative side, mirrored: its least is the other's most. "-0" stays out.
    NumberBounds side{.least_excluded = true};
    side.least = 0;
    if (known.most && *known.most < 0) {
      side.least = -*known.most;
      side.least_excluded = known.most_excluded;
    }
    if (known.least) {
      side.most = -*known.least;
      side.most_excluded = known.least_excluded;
    }
    append_fractions(out, "\"-\" ", side);
  }
  if (out.empty()) return std::nullopt;
  return joined(out);
}

}  // namespace hearth::chat
