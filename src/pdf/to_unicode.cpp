// See to_unicode.h. The table is PostScript in form; only its hexadecimal strings, arrays and a few words matter.
#include "pdf/to_unicode.h"

#include <algorithm>
#include <vector>

namespace hearth::pdf {
namespace {

// A font has at most 65,536 codes; a table that promises more was made to fill the memory.
constexpr std::size_t kEntriesMax = 70'000;
constexpr std::size_t kOperandsMax = 4'096;

struct Hex {
  std::string bytes;
  [[nodiscard]] std::uint32_t code() const {
    std::uint32_t value = 0;
    for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return value;
  }
};

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Hex read_hex(std::string_view digits) {
  Hex hex;
  int high = -1;
  for (const char c : digits) {
    const int value = digit(c);
    if (value < 0) continue;
    if (high < 0) {
      high = value;
    } else {
      hex.bytes.push_back(static_cast<char>(high * 16 + value));
      high = -1;
    }
  }
  if (high >= 0) hex.bytes.push_back(static_cast<char>(high * 16));
  return hex;
}

std::string utf8_of_utf16(std::string_view bytes) {
  std::string out;
  const auto unit = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i])) << 8 |
           static_cast<unsigned char>(bytes[i + 1]);
  };
  if (bytes.size() == 1) append_utf8(out, static_cast<unsigned char>(bytes[0]));
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    std::uint32_t code = unit(i);
    if (code >= 0xD800 && code < 0xDC00 && i + 3 < bytes.size() && (unit(i + 2) & 0xFC00) == 0xDC00) {
      code = 0x10000 + ((code - 0xD800) << 10) + (unit(i + 2) - 0xDC00);
      i += 2;
    }
    append_utf8(out, code);
  }
  return out;
}

// The last character of a UTF-16 text, `by` further.
std::string advanced(std::string bytes, std::uint32_t by) {
  for (std::size_t i = bytes.size(); i-- > 0 && by > 0;) {
    by += static_cast<unsigned char>(bytes[i]);
    bytes[i] = static_cast<char>(by & 0xFF);
    by >>= 8;
  }
  return utf8_of_utf16(bytes);
}

}  // namespace

void append_utf8(std::string& out, std::uint32_t code_point) {
  if (code_point == 0 || code_point > 0x10FFFF || (code_point >= 0xD800 && code_point < 0xE000)) return;
  if (code_point < 0x80) {
    out.push_back(static_cast<char>(code_point));
    return;
  }
  const int more = code_point < 0x800 ? 1 : code_point < 0x10000 ? 2 : 3;
  constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out.push_back(static_cast<char>(kLead[more] | code_point >> (6 * more)));
  for (int i = more - 1; i >= 0; --i) out.push_back(static_cast<char>(0x80 | (code_point >> (6 * i) & 0x3F)));
}

const std::string* ToUnicode::find(std::uint32_t code) const {
  const auto found = characters_.find(code);
  return found == characters_.end() ? nullptr : &found->second;
}

ToUnicode ToUnicode::parse(std::string_view cmap) {
  ToUnicode table;
  std::vector<Hex> operands;
  std::vector<std::size_t> array_begins;  // index into operands, one per '[' since the last word
  std::vector<std::size_t> array_ends;
  const auto add = [&](std::uint32_t code, std::string text) {
    if (table.characters_.size() < kEntriesMax) table.characters_.insert_or_assign(code, std::move(text));
  };
  const auto take_ranges = [&] {
    std::size_t array = 0;
    for (std::size_t i = 0; i + 2 < operands.size();) {
      const std::uint32_t low = operands[i].code();
      const std::uint32_t high = std::min(operands[i + 1].code(), low + 0xFFFF);
      const bool listed = array < array_begins.size() && array_begins[array] == i + 2 && array < array_ends.size();
      const std::size_t end = listed ? array_ends[array++] : i + 3;
      for (std::uint32_t code = low; code <= high && code >= low; ++code) {
        const std::size_t at = i + 2 + (listed ? code - low : 0);
        if (at >= end || table.characters_.size() >= kEntriesMax) break;
        add(code, listed ? utf8_of_utf16(operands[at].bytes) : advanced(operands[at].bytes, code - low));
      }
      i = std::max(end, i + 2);
    }
  };
  const auto take_word = [&](std::string_view word) {
    if (word == "endcodespacerange" && !operands.empty())
      table.code_bytes_ = std::clamp<std::size_t>(operands[0].bytes.size(), 1, 4);
    if (word == "endbfchar") {
      for (std::size_t i = 0; i + 1 < operands.size(); i += 2)
        add(operands[i].code(), utf8_of_utf16(operands[i + 1].bytes));
    }
    if (word == "endbfrange") take_ranges();
    operands.clear();
    array_begins.clear();
    array_ends.clear();
  };
  for (std::size_t at = 0; at < cmap.size();) {
    const char c = cmap[at];
    if (c == '%') {
      at = std::min(cmap.find_first_of("\r\n", at), cmap.size());
    } else if (c == '<' && !cmap.substr(at).starts_with("<<")) {
      const std::size_t end = std::min(cmap.find('>', at), cmap.size());
      if (operands.size() < kOperandsMax) operands.push_back(read_hex(cmap.substr(at + 1, end - at - 1)));
      at = end + 1;
    } else if (c == '[') {
      array_begins.push_back(operands.size());
      ++at;
    } else if (c == ']') {
      array_ends.push_back(operands.size());
      ++at;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      const std::size_t end = std::min(cmap.find_first_of(" \t\r\n<>[]/()%", at), cmap.size());
      take_word(cmap.substr(at, end - at));
      at = end;
    } else {
      ++at;
    }
  }
  return table;
}

}  // namespace hearth::pdf
