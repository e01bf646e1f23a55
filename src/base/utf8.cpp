// UTF-8 by Unicode's own table; every function here is a walk over read_character. Pure.
#include "base/utf8.h"

#include <algorithm>
#include <cstdint>

namespace hearth {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

enum class Step { Valid, Invalid, Incomplete };
struct Character {
  Step step;
  std::size_t length;  // bytes it covers; of an invalid one: the maximal part to replace
};

// Unicode 15 table 3-7: which second bytes may follow which first byte.
Character read_character(std::string_view bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  const std::uint8_t first = byte(0);
  if (first < 0x80) return {Step::Valid, 1};
  if (first < 0xC2 || first > 0xF4) return {Step::Invalid, 1};
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;
  for (std::size_t i = 1; i < length; ++i) {
    if (i >= bytes.size()) return {Step::Incomplete, i};
    if (byte(i) < low || byte(i) > high) return {Step::Invalid, i};
    low = 0x80;
    high = 0xBF;
  }
  return {Step::Valid, length};
}

}  // namespace

bool is_valid_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const Character character = read_character(bytes);
    if (character.step != Step::Valid) return false;
    bytes.remove_prefix(character.length);
  }
  return true;
}

std::size_t complete_utf8_prefix(std::string_view bytes) {
  // Only the last three bytes can begin a character that is not finished.
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
    const std::size_t at = bytes.size() - back;
    if ((static_cast<std::uint8_t>(bytes[at]) & 0xC0) == 0x80) continue;
    const Character character = read_character(bytes.substr(at));
    return character.step == Step::Incomplete ? at : bytes.size();
  }
  return bytes.size();
}

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Character character = read_character(bytes);
    if (character.step == Step::Valid) {
      text.append(bytes.substr(0, character.length));
    } else {
      text.append(kReplacement);
    }
    bytes.remove_prefix(character.length);
  }
  return text;
}

std::string Utf8Joiner::push(std::string_view bytes) {
  held_.append(bytes);
  const std::size_t complete = complete_utf8_prefix(held_);
  std::string text = replace_invalid_utf8(std::string_view(held_).substr(0, complete));
  held_.erase(0, complete);
  return text;
}

std::string Utf8Joiner::finish() {
  std::string text = replace_invalid_utf8(held_);
  held_.clear();
  return text;
}

}  // namespace hearth
