// Where the other programs are: $HEARTH_ENGINE, or hearth-engine beside the running hearth; likewise hearth-pdf.
#pragma once

#include <string>

#include "base/result.h"

namespace hearth::cli {

[[nodiscard]] Result<std::string> find_engine_program();
// $HEARTH_PDF, or hearth-pdf beside the running hearth; empty when there is none: PDFs are then refused.
[[nodiscard]] std::string find_pdf_program();

}  // namespace hearth::cli
