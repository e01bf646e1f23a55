// Where the other programs are: $HEARTH_ENGINE, or hearth-engine beside the running hearth; likewise hearth-pdf. And where
// the built-in model is.
#pragma once

#include <string>

#include "base/result.h"

namespace hearth::cli {

[[nodiscard]] Result<std::string> find_engine_program();
// $HEARTH_PDF, or hearth-pdf beside the running hearth; empty when there is none: PDFs are then refused.
[[nodiscard]] std::string find_pdf_program();
// The model that is served when none is named: $HEARTH_BUILTIN_MODEL, or hearth-mini.gguf in ../share/hearth (installed, a
// bundle) or models/mini (a checkout) as seen from the running hearth.
[[nodiscard]] Result<std::string> find_builtin_model();

}  // namespace hearth::cli
