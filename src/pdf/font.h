// Font: from the codes of a font's strings to characters: by its ToUnicode table where there is one, else by its encoding.
// One document, one thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "pdf/to_unicode.h"

namespace PoDoFo {
class PdfObject;
}

namespace hearth::pdf {

class Font {
 public:
  // nullptr: a font nobody defined; its strings are read as Windows' Latin text.
  explicit Font(PoDoFo::PdfObject* font);
  void append_text(std::string& out, std::string_view codes) const;

 private:
  void read_encoding(PoDoFo::PdfObject* encoding);
  void read_base(const std::string& name);

  ToUnicode to_unicode_;
  bool composite_ = false;                   // codes of two bytes, mostly
  std::array<std::uint32_t, 256> simple_{};  // code points; 0: none
};

}  // namespace hearth::pdf
