// See font.h.
#include "pdf/font.h"

#include <podofo/podofo.h>

#include <cstdlib>
#include <memory>

namespace hearth::pdf {
namespace {

using PoDoFo::PdfName;
using PoDoFo::PdfObject;

constexpr std::size_t kCMapBytesMax = 4U << 20;

std::uint32_t from_big_endian(PoDoFo::pdf_utf16be unit) {
  const std::uint32_t value = unit;
  if constexpr (std::endian::native == std::endian::little) return (value >> 8 | value << 8) & 0xFFFF;
  return value;
}

// "eacute", "uni00E9", "u1F600".
std::uint32_t code_point_of(const PdfName& name) {
  const std::string& text = name.GetName();
  if (text.starts_with("uni") && text.size() >= 7)
    return static_cast<std::uint32_t>(std::strtoul(text.substr(3, 4).c_str(), nullptr, 16));
  if (const std::uint32_t known = from_big_endian(PoDoFo::PdfDifferenceEncoding::NameToUnicodeID(name))) return known;
  if (text.starts_with('u') && text.size() >= 5 && text.find_first_not_of("0123456789ABCDEF", 1) == std::string::npos)
    return static_cast<std::uint32_t>(std::strtoul(text.c_str() + 1, nullptr, 16));
  return 0;
}

}  // namespace

void Font::read_base(const std::string& name) {
  const PoDoFo::PdfEncoding* base = PoDoFo::PdfEncodingFactory::GlobalWinAnsiEncodingInstance();
  if (name == "MacRomanEncoding") base = PoDoFo::PdfEncodingFactory::GlobalMacRomanEncodingInstance();
  if (name == "StandardEncoding") base = PoDoFo::PdfEncodingFactory::GlobalStandardEncodingInstance();
  for (int code = 0; code < 256; ++code) {
    // An encoding does not have all codes, and says so by throwing.
    try {
      simple_[static_cast<std::size_t>(code)] = from_big_endian(base->GetCharCode(code));
    } catch (const PoDoFo::PdfError&) {
      simple_[static_cast<std::size_t>(code)] = 0;
    }
  }
}

void Font::read_encoding(PdfObject* encoding) {
  if (encoding->IsName()) return read_base(encoding->GetName().GetName());
  if (!encoding->IsDictionary()) return;
  if (const PdfObject* base = encoding->GetIndirectKey("BaseEncoding"); base && base->IsName())
    read_base(base->GetName().GetName());
  const PdfObject* differences = encoding->GetIndirectKey("Differences");
  if (!differences || !differences->IsArray()) return;
  std::int64_t code = 0;
  for (const PdfObject& entry : differences->GetArray()) {
    if (entry.IsNumber()) {
      code = entry.GetNumber();
    } else if (entry.IsName()) {
      if (code >= 0 && code < 256) simple_[static_cast<std::size_t>(code)] = code_point_of(entry.GetName());
      ++code;
    }
  }
}

Font::Font(PdfObject* font) {
  read_base("");
  if (font == nullptr || !font->IsDictionary()) return;
  composite_ = font->GetIndirectKeyAsName("Subtype").GetName() == "Type0";
  if (PdfObject* encoding = font->GetIndirectKey("Encoding"); encoding && !composite_) read_encoding(encoding);
  const PdfObject* table = font->GetIndirectKey("ToUnicode");
  if (!table || !table->HasStream()) return;
  char* bytes = nullptr;
  PoDoFo::pdf_long size = 0;
  table->GetStream()->GetFilteredCopy(&bytes, &size);
  const std::unique_ptr<char, decltype(&std::free)> owned(bytes, &std::free);
  if (bytes && size > 0) {
    const auto used = std::min(static_cast<std::size_t>(size), kCMapBytesMax);
    to_unicode_ = ToUnicode::parse(std::string_view(bytes, used));
  }
}

void Font::append_text(std::string& out, std::string_view codes) const {
  std::size_t bytes = composite_ ? 2 : 1;
  if (composite_ && to_unicode_.code_bytes() != 0) bytes = to_unicode_.code_bytes();
  for (std::size_t at = 0; at + bytes <= codes.size(); at += bytes) {
    std::uint32_t code = 0;
    for (std::size_t i = 0; i < bytes; ++i) code = code << 8 | static_cast<unsigned char>(codes[at + i]);
    if (const std::string* text = to_unicode_.find(code)) {
      out += *text;
    } else if (!composite_) {
      append_utf8(out, simple_[code & 0xFF]);
    }
  }
}

}  // namespace hearth::pdf
