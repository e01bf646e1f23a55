// See special_guard.h. A mark is eight private-use characters: six of nonce (72 bits), two that number the special text.
// Private-use characters pass through every filter of a template (trim, upper, tojson) unchanged.
#include "chat/special_guard.h"

#include <algorithm>
#include <span>

#include "base/check.h"
#include "base/random.h"

namespace hearth::chat {
namespace {

constexpr std::uint32_t kDigitBits = 12;
constexpr std::uint32_t kPrivateUseFirst = 0xE000;  // 4096 digits end at U+EFFF, inside U+E000..U+F8FF
constexpr std::size_t kDigitBytes = 3;
constexpr std::size_t kNonceDigits = 6;
constexpr std::size_t kNumberDigits = 2;
// The highest numbers stand for no special text.
constexpr std::uint32_t kEndIndex = (1U << (kDigitBits * kNumberDigits)) - 1;
constexpr std::uint32_t kThinkOpenIndex = kEndIndex - 1;
constexpr std::uint32_t kThinkCloseIndex = kEndIndex - 2;

void append_digit(std::string& out, std::uint64_t digit) {
  const std::uint32_t code = kPrivateUseFirst + static_cast<std::uint32_t>(digit & ((1U << kDigitBits) - 1));
  out.push_back(static_cast<char>(0xE0 | (code >> 12)));
  out.push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3F)));
  out.push_back(static_cast<char>(0x80 | (code & 0x3F)));
}

// The digit at the front of `text`, if it is one.
std::optional<std::uint32_t> read_digit(std::string_view text) {
  if (text.size() < kDigitBytes) return std::nullopt;
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  if (byte(0) != 0xEE || (byte(1) & 0xC0) != 0x80 || (byte(2) & 0xC0) != 0x80) return std::nullopt;
  return ((byte(1) & 0x3F) << 6) | (byte(2) & 0x3F);  // U+E000..U+EFFF all begin with the byte EE
}

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
  if (texts_.size() > kThinkCloseIndex) texts_.resize(kThinkCloseIndex);
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

SpecialGuard::SpecialGuard(const SpecialTexts& specials) : specials_(specials) {
  const std::uint64_t high = random_u64();
  const std::uint64_t low = random_u64();
  for (std::size_t i = 0; i < kNonceDigits; ++i) append_digit(nonce_, (i < 3 ? high : low) >> (kDigitBits * (i % 3)));
}

std::string SpecialGuard::mark(std::uint32_t index) const {
  std::string text = nonce_;
  append_digit(text, index >> kDigitBits);
  append_digit(text, index);
  return text;
}

std::string SpecialGuard::end_mark() const { return mark(kEndIndex); }
std::string SpecialGuard::think_open_mark() const { return mark(kThinkOpenIndex); }
std::string SpecialGuard::think_close_mark() const { return mark(kThinkCloseIndex); }

std::string SpecialGuard::mask(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::optional<std::uint32_t> special = specials_.longest_at(text, at);
    if (!special) {
      ++at;
      continue;
    }
    out += text.substr(begin, at - begin);
    out += mark(*special);
    at += specials_[*special].size();
    begin = at;
  }
  out += text.substr(begin);
  return out;
}

// Depth was bounded when the value was parsed.
Json SpecialGuard::mask_json(const Json& value) const {
  if (value.is_string()) return mask(value.as_string());
  if (value.is_array()) {
    Json::Array array;
    array.reserve(value.as_array().size());
    for (const Json& element : value.as_array()) array.push_back(mask_json(element));
    return array;
  }
  if (value.is_object()) {
    Json::Object object;
    object.reserve(value.as_object().size());
    for (const auto& [key, member] : value.as_object()) object.emplace_back(mask(key), mask_json(member));
    return object;
  }
  return value;
}

std::vector<SpecialGuard::Part> SpecialGuard::split(std::string_view rendered) const {
  std::vector<Part> parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t at = rendered.find(nonce_, begin);
    if (at != begin) parts.push_back({rendered.substr(begin, at == std::string_view::npos ? at : at - begin), false});
    if (at == std::string_view::npos) break;
    std::string_view number = rendered.substr(at + nonce_.size());
    const std::optional<std::uint32_t> high = read_digit(number);
    const std::optional<std::uint32_t> low = high ? read_digit(number.substr(kDigitBytes)) : std::nullopt;
    begin = at + nonce_.size();
    if (!low) continue;  // a template cut the mark apart: nothing of it is shown
    begin += kNumberDigits * kDigitBytes;
    const std::uint32_t index = (*high << kDigitBits) | *low;
    if (index == kEndIndex) break;
    if (index == kThinkOpenIndex) {
      parts.push_back({"<think>", false});
    } else if (index == kThinkCloseIndex) {
      parts.push_back({"</think>", false});
    } else {
      parts.push_back({specials_[index], true});
    }
    if (begin == rendered.size()) break;
  }
  return parts;
}

}  // namespace hearth::chat
