// See special_guard.h.
#include "chat/special_guard.h"

#include <algorithm>
#include <span>

namespace hearth::chat {
namespace {

// More than any vocabulary lists; an index must fit.
constexpr std::size_t kTextsMax = std::size_t{1} << 24;

// The length of the character at the front; 1 for anything that is none.
std::size_t character_bytes(std::string_view text) {
  std::size_t count = 1;
  while (count < text.size() && (static_cast<unsigned char>(text[count]) & 0xC0) == 0x80) ++count;
  return count;
}

bool controls(const std::string& text) {
  return text.size() > character_bytes(text) && text.find_first_not_of(" \t\r\n") != std::string::npos &&
         text.size() < (1U << 12);
}

}  // namespace

SpecialTexts::SpecialTexts(const std::vector<std::string>& texts) {
  std::ranges::copy_if(texts, std::back_inserter(texts_), controls);
  std::ranges::sort(texts_);
  texts_.erase(std::ranges::unique(texts_).begin(), texts_.end());
  if (texts_.size() > kTextsMax) texts_.resize(kTextsMax);
  std::size_t i = 0;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    first_byte_[byte] = static_cast<std::uint32_t>(i);
    while (i < texts_.size() && static_cast<unsigned char>(texts_[i][0]) == byte) ++i;
  }
  first_byte_[256] = static_cast<std::uint32_t>(i);
}

std::optional<std::uint32_t> SpecialTexts::longest_at(std::string_view text, std::size_t at) const {
  const auto first = static_cast<unsigned char>(text[at]);
  std::uint32_t low = first_byte_[first];
  std::uint32_t high = first_byte_[first + 1U];
  std::optional<std::uint32_t> longest;
  // [low, high) are the texts that agree with text[at, at + depth).
  for (std::size_t depth = 1; low < high; ++depth) {
    if (texts_[low].size() == depth) longest = low;
    if (at + depth >= text.size()) break;
    const int wanted = static_cast<unsigned char>(text[at + depth]);
    const auto byte = [&](const std::string& candidate) {
      return candidate.size() > depth ? static_cast<int>(static_cast<unsigned char>(candidate[depth])) : -1;
    };
    const auto range = std::ranges::equal_range(std::span(texts_).subspan(low, high - low), wanted, {}, byte);
    high = low + static_cast<std::uint32_t>(range.end() - std::span(texts_).subspan(low, high - low).begin());
    low = high - static_cast<std::uint32_t>(range.size());
  }
  return longest;
}

std::vector<std::string_view> SpecialTexts::cut(std::string_view text) const {
  std::vector<std::string_view> pieces;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!longest_at(text, at)) continue;
    const std::size_t end = at + character_bytes(text.substr(at));
    pieces.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  if (begin < text.size()) pieces.push_back(text.substr(begin));
  return pieces;
}

}  // namespace hearth::chat
