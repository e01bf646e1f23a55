// Calls that nobody thought of: tools with random schemas, arguments of every type that fit them, and how a dialect writes
// them, by its table. A function of the seed. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "chat/dialect.h"

namespace hearth::golden {

struct GeneratedCall {
  std::string name;
  Json schema;
  Json arguments;  // an object of the schema
};

// Between one and three calls (one where the format has no more), each of a tool of its own.
[[nodiscard]] std::vector<GeneratedCall> generate_calls(const chat::Dialect& dialect, std::uint64_t seed);
// Some prose that spells no tag, with everything that makes a careless reader stumble. Begins and ends visibly.
// A call whose text quotes whole calls and ends of calls in the dialect's own form, and what may stand behind it.
struct QuotingTurn {
  std::vector<GeneratedCall> calls;
  std::string raw;
  std::string text_behind;
};
[[nodiscard]] QuotingTurn generate_quoting(const chat::Dialect& dialect, std::uint64_t seed);

[[nodiscard]] std::string generate_prose(std::uint64_t seed);
// What the model writes for them, as the dialect's table says.
[[nodiscard]] std::string write_calls(const chat::Dialect& dialect, const std::vector<GeneratedCall>& calls);

}  // namespace hearth::golden
