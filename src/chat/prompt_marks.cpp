// See prompt_marks.h. A mark is seven private-use characters: six of nonce (72 bits), one for its kind. Private-use
// characters pass through every filter of a template (trim, upper, tojson) unchanged.
#include "chat/prompt_marks.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "base/random.h"
#include "jinja/text.h"

namespace hearth::chat {
namespace {

constexpr std::uint32_t kDigitBits = 12;
constexpr std::uint32_t kPrivateUseFirst = 0xE000;  // 4096 digits end at U+EFFF, inside U+E000..U+F8FF
constexpr std::size_t kDigitBytes = 3;
constexpr std::size_t kNonceDigits = 6;

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

}  // namespace

PromptMarks::PromptMarks() {
  const std::uint64_t high = random_u64();
  const std::uint64_t low = random_u64();
  for (std::size_t i = 0; i < kNonceDigits; ++i) append_digit(nonce_, (i < 3 ? high : low) >> (kDigitBits * (i % 3)));
}

std::string PromptMarks::mark(Kind kind) const {
  std::string text = nonce_;
  append_digit(text, static_cast<std::uint64_t>(kind));
  return text;
}

jinja::Rendered PromptMarks::resolved(jinja::Rendered rendered) const {
  if (!rendered.text.contains(nonce_)) return rendered;
  const std::string_view all = rendered.text;
  jinja::Text out;
  std::size_t run = 0;
  // Copies [begin, end) with its sources; called with rising places.
  const auto copy = [&](std::size_t begin, std::size_t end) {
    while (begin < end) {
      while (rendered.runs[run].end <= begin) ++run;
      const std::size_t stop = std::min<std::size_t>(end, rendered.runs[run].end);
      out.append(all.substr(begin, stop - begin), rendered.runs[run].source);
      begin = stop;
    }
  };
  std::size_t begin = 0;
  while (true) {
    const std::size_t at = all.find(nonce_, begin);
    copy(begin, std::min(at, all.size()));
    if (at == std::string_view::npos) break;
    begin = at + nonce_.size();
    const std::optional<std::uint32_t> kind = read_digit(all.substr(begin));
    if (!kind) continue;  // a template cut the mark apart: nothing of it is shown
    begin += kDigitBytes;
    if (*kind == static_cast<std::uint32_t>(Kind::End)) break;
    if (*kind == static_cast<std::uint32_t>(Kind::ThinkOpen)) out.append("<think>");
    if (*kind == static_cast<std::uint32_t>(Kind::ThinkClose)) out.append("</think>");
  }
  rendered.runs = out.runs();
  std::string text = std::move(out).take_bytes();
  rendered.text = std::move(text);
  return rendered;
}

}  // namespace hearth::chat
