// See budget_text.h. Strict on purpose: a block with one word that does not belong to a count is kept.
#include "chat/budget_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <string>

namespace hearth::chat {
namespace {

// A count with its tags has about 80 bytes.
constexpr std::size_t kTextBytesMax = 512;
constexpr std::string_view kSpace = " \t\r\n";

constexpr std::array<std::string_view, 4> kTags = {"system-reminder", "system_warning", "total_tokens",
                                                   "budget:token_budget"};
// How a line of a count begins, in small letters.
constexpr std::array<std::string_view, 3> kBeginnings = {"token usage:", "usd budget:", "output tokens"};
constexpr std::array<std::string_view, 14> kWords = {"token",     "tokens", "usage", "usd",     "budget",
                                                     "remaining", "left",   "used",  "output",  "turn",
                                                     "session",   "k",      "m",     "infinite"};

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpace);
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Without the tags around it; `tagged` tells whether there were any.
std::string_view inside_tags(std::string_view text, bool& tagged) {
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view tag : kTags) {
      const std::string open = "<" + std::string(tag) + ">";
      const std::string close = "</" + std::string(tag) + ">";
      if (!text.starts_with(open) || !text.ends_with(close) || text.size() < open.size() + close.size()) continue;
      text = trimmed(text.substr(open.size(), text.size() - open.size() - close.size()));
      tagged = found = true;
    }
  }
  return text;
}

// Only words of counts, digits and signs.
bool is_count(std::string_view line) {
  for (std::size_t at = 0; at < line.size();) {
    if (!is_letter(line[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < line.size() && is_letter(line[end])) ++end;
    if (!std::ranges::contains(kWords, line.substr(at, end - at))) return false;
    at = end;
  }
  return true;
}

bool is_budget_line(std::string_view line) {
  const bool any_digit = std::ranges::any_of(line, is_digit);
  if (!is_count(line)) return false;
  if (line.ends_with(" tokens left") && (any_digit || line.starts_with("infinite"))) return true;
  return any_digit && std::ranges::any_of(kBeginnings, [&](std::string_view begin) { return line.starts_with(begin); });
}

}  // namespace

bool is_budget_text(std::string_view text) {
  text = trimmed(text);
  if (text.empty() || text.size() > kTextBytesMax) return false;
  bool tagged = false;
  std::string inner(inside_tags(text, tagged));
  std::ranges::transform(inner, inner.begin(),
                         [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  // A bare number is a count only where a tag says so.
  if (!inner.empty() && std::ranges::all_of(inner, is_digit)) return text.starts_with("<budget:token_budget>");
  if (!tagged || inner.empty()) return false;
  std::string_view rest = inner;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = trimmed(rest.substr(0, end));
    if (!line.empty() && !is_budget_line(line)) return false;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return true;
}

}  // namespace hearth::chat
