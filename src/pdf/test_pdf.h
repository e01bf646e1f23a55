// PDFs made in tests: objects, a cross-reference table and a trailer around one or more pages' contents.
#pragma once

#include <format>
#include <string>
#include <vector>

namespace hearth::pdf {

class TestPdf {
 public:
  // Objects are numbered from 1 in the order they are added; 1 is the catalog, 2 the pages, 3 the font F1.
  TestPdf() {
    objects_ = {"<< /Type /Catalog /Pages 2 0 R >>", "",
                "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"};
  }
  std::size_t add(std::string object) {
    objects_.push_back(std::move(object));
    return objects_.size();
  }
  std::size_t add_stream(const std::string& bytes, const std::string& more = "") {
    return add(std::format("<< /Length {} {} >>\nstream\n{}\nendstream", bytes.size(), more, bytes));
  }
  void page(const std::string& content, const std::string& resources = "<< /Font << /F1 3 0 R >> >>") {
    const std::size_t stream = add_stream(content);
    pages_.push_back(add(std::format(
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources {} /Contents {} 0 R >>", resources, stream)));
  }
  void replace(std::size_t number, std::string object) { objects_[number - 1] = std::move(object); }
  [[nodiscard]] std::string bytes(const std::string& trailer_more = "") {
    std::string kids;
    for (const std::size_t page : pages_) kids += std::format("{} 0 R ", page);
    if (objects_[1].empty()) objects_[1] = std::format("<< /Type /Pages /Kids [{}] /Count {} >>", kids, pages_.size());
    std::string out = "%PDF-1.4\n";
    std::string table = std::format("xref\n0 {}\n0000000000 65535 f \n", objects_.size() + 1);
    for (std::size_t i = 0; i < objects_.size(); ++i) {
      table += std::format("{:010} 00000 n \n", out.size());
      out += std::format("{} 0 obj\n{}\nendobj\n", i + 1, objects_[i]);
    }
    return out + table +
           std::format("trailer\n<< /Size {} /Root 1 0 R {} >>\nstartxref\n{}\n%%EOF\n", objects_.size() + 1,
                       trailer_more, out.size());
  }

 private:
  std::vector<std::string> objects_;
  std::vector<std::size_t> pages_;
};

}  // namespace hearth::pdf
