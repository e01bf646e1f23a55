// PDFs written here: their text, their fonts, and files that are broken, locked, empty or made to harm.
#include "pdf/pdf_text.h"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "pdf/test_pdf.h"
#include "pdf/to_unicode.h"

using namespace hearth;
using namespace hearth::pdf;

namespace {

std::string text_of(const std::string& content) {
  TestPdf pdf;
  pdf.page(content);
  const auto text = pdf_text(pdf.bytes());
  return text ? *text : "error: " + text.error().message;
}

}  // namespace

TEST_CASE("lines, words and kerned letters come out as they are read") {
  CHECK(text_of("BT /F1 12 Tf 72 720 Td (Hello world) Tj ET") == "Hello world");
  CHECK(text_of("BT /F1 12 Tf 72 720 Td (one) Tj 0 -14 Td (two) Tj ET") == "one\ntwo");
  CHECK(text_of("BT /F1 12 Tf 14 TL 72 720 Td (one) Tj T* (two) Tj (three) ' ET") == "one\ntwo\nthree");
  CHECK(text_of("BT /F1 12 Tf 72 720 Td [(W) 80 (orld) -300 (peace)] TJ ET") == "World peace");
  CHECK(text_of("BT /F1 12 Tf 1 0 0 1 72 720 Tm (left) Tj 1 0 0 1 300 720 Tm (right) Tj ET") == "left right");
  CHECK(text_of("BT /F1 12 Tf 72 720 Td (caf\\351 \\200 \\(x\\)) Tj ET") == "caf\u00e9 \u20ac (x)");
  CHECK(text_of("BT /F1 12 Tf 72 720 Td <48692E> Tj ET") == "Hi.");
}

TEST_CASE("pages are divided by a blank line, and one that is broken leaves the others") {
  TestPdf pdf;
  pdf.page("BT /F1 12 Tf 72 720 Td (first) Tj ET");
  pdf.page("BT /F1 12 Tf 72 720 Td (second) Tj ET q ( [ << ET");
  pdf.page("BT /F1 12 Tf 72 720 Td (third) Tj ET");
  const auto text = pdf_text(pdf.bytes());
  REQUIRE(text);
  CHECK(text->starts_with("first\n\n"));
  CHECK(text->ends_with("\n\nthird"));
}

TEST_CASE("a font's own table and its differences name its characters") {
  TestPdf pdf;
  const std::size_t table = pdf.add_stream(
      "begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange\n"
      "2 beginbfchar <0001> <0048> <0002> <D83DDE00> endbfchar\n"
      "2 beginbfrange <0010> <0012> <0061> <0020> <0021> [<00E9> <00660069>] endbfrange endcmap");
  const std::size_t font = pdf.add(
      std::format("<< /Type /Font /Subtype /Type0 /BaseFont /X /Encoding /Identity-H /ToUnicode {} 0 R >>", table));
  const std::size_t named = pdf.add(
      "<< /Type /Font /Subtype /Type1 /BaseFont /Y /Encoding << /Differences [65 /eacute /uni20AC /nonsense] >> >>");
  pdf.page("BT /F1 12 Tf 72 720 Td <00010002001000110012002000210099> Tj 0 -20 Td /F2 12 Tf (ABCD) Tj ET",
           std::format("<< /Font << /F1 {} 0 R /F2 {} 0 R >> >>", font, named));
  const auto text = pdf_text(pdf.bytes());
  REQUIRE(text);
  CHECK(*text == "H\U0001F600abc\u00e9fi\n\u00e9\u20acD");
}

TEST_CASE("forms are read, and a form within itself ends") {
  TestPdf pdf;
  const std::size_t form =
      pdf.add_stream("BT /F1 12 Tf 72 700 Td (form) Tj ET /X1 Do", "/Type /XObject /Subtype /Form /BBox [0 0 9 9]");
  pdf.page("/X1 Do", std::format("<< /Font << /F1 3 0 R >> /XObject << /X1 {} 0 R >> >>", form));
  const auto text = pdf_text(pdf.bytes());
  REQUIRE(text);
  CHECK(text->starts_with("form"));
  CHECK(text->size() < 100);
}

TEST_CASE("a scan, a locked file, too many pages and what is no PDF are refused in words") {
  CHECK(text_of("0 0 100 100 re f") == "error: the PDF has no text layer (a scan, perhaps); send its text instead");
  CHECK(pdf_text("").error().kind == ErrorKind::InvalidInput);
  CHECK(pdf_text("hello").error().message.contains("no PDF"));
  TestPdf many;
  for (int i = 0; i < 5; ++i) many.page("BT /F1 12 Tf (x) Tj ET");
  CHECK(pdf_text(many.bytes(), {.pages_max = 4}).error().kind == ErrorKind::TooLarge);
  TestPdf locked;
  locked.page("BT /F1 12 Tf (secret) Tj ET");
  const std::size_t lock = locked.add(
      "<< /Filter /Standard /V 1 /R 2 /P -4 /O (01234567890123456789012345678901) /U "
      "(01234567890123456789012345678901) >>");
  const auto secret = locked.bytes(std::format("/Encrypt {} 0 R /ID [(0123456789abcdef) (0123456789abcdef)]", lock));
  REQUIRE_FALSE(pdf_text(secret));
  CHECK(pdf_text(secret).error().message.contains("encrypted"));
}

TEST_CASE("text without end stops at its limit") {
  TestPdf pdf;
  std::string content = "BT /F1 12 Tf 72 720 Td ";
  for (int i = 0; i < 2000; ++i) content += "(0123456789) Tj 0 -14 Td ";
  pdf.page(content + "ET");
  const auto text = pdf_text(pdf.bytes(), {.text_bytes_max = 1000});
  REQUIRE_FALSE(text);
  CHECK(text.error().kind == ErrorKind::TooLarge);
}

TEST_CASE("no cut and no changed byte of a file is more than an error") {
  TestPdf pdf;
  pdf.page("BT /F1 12 Tf 72 720 Td [(Hello) -300 (world)] TJ 0 -14 Td (two) Tj ET");
  const std::string whole = pdf.bytes();
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    std::string damaged = whole;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    if (i % 3 == 0) damaged.resize(random() % damaged.size());
    const auto text = pdf_text(damaged);
    if (!text) CHECK_FALSE(text.error().message.empty());
  }
}

TEST_CASE("a table of characters that promises millions gives no more than a font can have") {
  const auto table = ToUnicode::parse(
      "1 begincodespacerange <00000000> <FFFFFFFF> endcodespacerange 2 beginbfrange "
      "<00000000> <FFFFFFFF> <0041> <10000000> <FFFFFFFF> <0041> endbfrange <<<>> [[ ] <12");
  CHECK(table.code_bytes() == 4);
  CHECK(table.find(1) != nullptr);
  CHECK(table.find(0xFFFFFFFF) == nullptr);
  CHECK(ToUnicode::parse("").empty());
}
