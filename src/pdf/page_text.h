// PageText: the operators of a page's content, followed for its text alone. Where text goes on further right, a space;
// where it goes on elsewhere, a new line. One document, one thread.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pdf/font.h"
#include "pdf/pdf_text.h"

namespace PoDoFo {
class PdfPage;
class PdfVariant;
}  // namespace PoDoFo

namespace hearth::pdf {

class PageText {
 public:
  PageText(const PdfLimits& limits, std::string& out) : limits_(limits), out_(out) {}
  // Appends the page's text. May throw what the PDF library throws.
  void read(PoDoFo::PdfPage& page);

 private:
  void run(const std::string& content, PoDoFo::PdfObject* resources, int depth);
  void operate(const std::string& word, PoDoFo::PdfObject* resources, int depth);
  void show(const std::string& codes);
  void show_array(const PoDoFo::PdfVariant& array);
  void move(double x, double y);
  void paint_form(const std::string& name, PoDoFo::PdfObject* resources, int depth);
  void set_font(const std::string& name, PoDoFo::PdfObject* resources);
  [[nodiscard]] double number(std::size_t from_end) const;

  const PdfLimits& limits_;
  std::string& out_;
  std::vector<PoDoFo::PdfVariant> operands_;
  std::map<const PoDoFo::PdfObject*, std::shared_ptr<const Font>> fonts_;
  std::shared_ptr<const Font> font_ = std::make_shared<const Font>(nullptr);
  double x_ = 0, y_ = 0;              // where the line begins
  double leading_ = 0;                // from line to line, downwards
  double shown_x_ = 0, shown_y_ = 0;  // of the line that was shown last
  bool any_shown_ = false;
  std::size_t steps_ = 0;
};

}  // namespace hearth::pdf
