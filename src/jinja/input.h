// Input: the caller's JSON as values, each string with its source.
#pragma once

#include "jinja/budget.h"
#include "jinja/template.h"
#include "jinja/value.h"

namespace hearth::jinja {

// REQUIRES: variable.value is not null.
[[nodiscard]] Value to_value(const Variable& variable, Budget& budget);

}  // namespace hearth::jinja
