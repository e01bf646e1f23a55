// What `hearth cache` prints: the desk's JSON (docs/cache-desk.md) as tables and sentences for people. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"

namespace hearth::cli {

// Columns as wide as their widest cell, two blanks apart; numbers (cells that begin with a digit) to the right.
[[nodiscard]] std::string as_table(const std::vector<std::vector<std::string>>& rows);

[[nodiscard]] std::string stats_words(const Json& stats);
[[nodiscard]] std::string list_words(const Json& list);
[[nodiscard]] std::string probe_words(const Json& probe);
[[nodiscard]] std::string why_words(const Json& why);

[[nodiscard]] std::string bytes_words(std::int64_t bytes);  // "1.5 GiB"
[[nodiscard]] std::string ago_words(std::int64_t ms);       // "12 s ago"

}  // namespace hearth::cli
