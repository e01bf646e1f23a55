// ToUnicode: a font's own table from the codes in its strings to characters (a CMap, as PDF embeds it). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace hearth::pdf {

class ToUnicode {
 public:
  // Reads what it understands of a CMap and skips the rest: a damaged table gives fewer characters, never an error.
  [[nodiscard]] static ToUnicode parse(std::string_view cmap);

  [[nodiscard]] bool empty() const { return characters_.empty(); }
  // Bytes of one code: 1 to 4, or 0 when the table does not say.
  [[nodiscard]] std::size_t code_bytes() const { return code_bytes_; }
  // UTF-8, or nullptr for a code it does not know.
  [[nodiscard]] const std::string* find(std::uint32_t code) const;

 private:
  std::map<std::uint32_t, std::string> characters_;
  std::size_t code_bytes_ = 0;
};

void append_utf8(std::string& out, std::uint32_t code_point);

}  // namespace hearth::pdf
