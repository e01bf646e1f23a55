// What must hold wherever generation is cut: half a value is never passed off as a whole one. One thread.
#pragma once

#include <string>

#include "golden_case.h"

namespace hearth::golden {

// Cuts the text of a case everywhere by the token limit: a call that comes out whole must be one of the expected calls, in
// their order. Empty when that holds. Cases that expect no call are not looked at: before the text goes on, an example may
// look like a call.
[[nodiscard]] std::string fault_of_cuts(const Case& golden);

// The same where the model itself ends its turn: closing brackets may be added, but each text, number and word that
// comes out must be whole. REQUIRES: a case whose text is well-formed.
[[nodiscard]] std::string fault_of_ends(const Case& golden);

// A text that is nothing but calls, cut everywhere by the token limit: no mark of a call is shown but the beginning of an opening
// that was cut, no other call begins, the call that was cut does not look whole, and the message says max_tokens.
[[nodiscard]] std::string fault_of_leaks(const Case& golden);

}  // namespace hearth::golden
