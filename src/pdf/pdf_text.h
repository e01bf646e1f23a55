// The text of a PDF, page by page. Whatever the file holds, the answer is text or an error; but a PDF library is a large
// thing, so this runs only in the program hearth-pdf, which limits itself and may die. One thread.
#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"

namespace hearth::pdf {

struct PdfLimits {
  std::size_t pages_max = 2'000;
  std::size_t text_bytes_max = 16U << 20;    // of UTF-8, about 4 M tokens
  std::size_t stream_bytes_max = 64U << 20;  // of one page's content, unpacked
};

// Pages are divided by a blank line. Errors are for people: Forbidden for an encrypted file, NotFound for one without a
// text layer (a scan), TooLarge, and InvalidInput for what is no readable PDF.
[[nodiscard]] Result<std::string> pdf_text(const std::string& file, const PdfLimits& limits = {});

}  // namespace hearth::pdf
