// See pdf_text.h.
#include "pdf/pdf_text.h"

#include <podofo/podofo.h>

#include <format>
#include <new>

#include "pdf/page_text.h"

namespace hearth::pdf {
namespace {

Result<std::string> text_of(PoDoFo::PdfMemDocument& document, const PdfLimits& limits) {
  const int page_count = document.GetPageCount();
  if (page_count < 0 || static_cast<std::size_t>(page_count) > limits.pages_max)
    return fail(ErrorKind::TooLarge,
                std::format("the PDF has {} pages; at most {} are read", page_count, limits.pages_max));
  std::string text;
  PageText reader(limits, text);
  for (int i = 0; i < page_count; ++i) {
    if (!text.empty() && !text.ends_with("\n\n")) text += "\n\n";
    // A page that is broken does not take the others with it.
    try {
      if (PoDoFo::PdfPage* page = document.GetPage(i)) reader.read(*page);
    } catch (const PoDoFo::PdfError&) {
    }
    if (text.size() > limits.text_bytes_max)
      return fail(ErrorKind::TooLarge,
                  std::format("the PDF holds more than {} MiB of text", limits.text_bytes_max >> 20));
  }
  while (text.ends_with('\n')) text.pop_back();
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    return fail(ErrorKind::NotFound, "the PDF has no text layer (a scan, perhaps); send its text instead");
  return text;
}

}  // namespace

Result<std::string> pdf_text(const std::string& file, const PdfLimits& limits) {
  PoDoFo::PdfError::EnableLogging(false);
  PoDoFo::PdfError::EnableDebug(false);
  try {
    PoDoFo::PdfMemDocument document;
    document.LoadFromBuffer(file.data(), static_cast<long>(file.size()));
    return text_of(document, limits);
  } catch (const PoDoFo::PdfError& error) {
    // One that opens without a password was read. The library has several errors for what needs one.
    if (error.GetError() == PoDoFo::ePdfError_InvalidPassword || file.contains("/Encrypt"))
      return fail(ErrorKind::Forbidden, "the PDF is encrypted; send it without a password");
    return fail(ErrorKind::InvalidInput, "the file is no PDF that can be read");
  } catch (const std::bad_alloc&) {
    return fail(ErrorKind::TooLarge, "the PDF takes more memory than one may");
  } catch (const std::exception&) {
    return fail(ErrorKind::InvalidInput, "the file is no PDF that can be read");
  }
}

}  // namespace hearth::pdf
