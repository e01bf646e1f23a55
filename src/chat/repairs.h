// Repairs: what the parser mended in a model's text, by kind. Counted per message and, by the server, for all. Plain
// values.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json.h"

namespace hearth::chat {

// docs/dialects.md says of each what was written and what comes out.
enum class Repair : std::uint8_t {
  RawControl,
  InnerQuote,
  BadEscape,
  LoneSurrogate,
  FlatArguments,
  BareKey,
  BareValue,
  DoubledBrace,
  MissingColon,
  MissingComma,
  ExtraComma,
  Unbalanced,
  DuplicateKey,
  PythonLiteral,
  Coerced,
  ArgumentsInString,
  Hoisted,
  NameCase,
  DroppedOpener,
  MalformedTag,
  MissingClose,
  ForeignForm,
  FencedCall,
  BareCall,
  CallInThought,
  ReopenedThought,
  OrphanCloser,
  CutCall,
  LoopCut,
};

inline constexpr std::array<std::string_view, 29> kRepairNames = {
    "raw_control",     "inner_quote",      "bad_escape",     "lone_surrogate",
    "flat_arguments",  "bare_key",         "bare_value",     "doubled_brace",
    "missing_colon",   "missing_comma",    "extra_comma",    "unbalanced",
    "duplicate_key",   "python_literal",   "coerced",        "arguments_in_string",
    "hoisted",         "name_case",        "dropped_opener", "malformed_tag",
    "missing_close",   "foreign_form",     "fenced_call",    "bare_call",
    "call_in_thought", "reopened_thought", "orphan_closer",  "cut_call",
    "loop_cut"};
static_assert(static_cast<std::size_t>(Repair::LoopCut) + 1 == kRepairNames.size());

class RepairCounts {
 public:
  void add(Repair repair) { ++counts_[static_cast<std::size_t>(repair)]; }
  void add(const RepairCounts& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  }
  [[nodiscard]] std::uint64_t of(Repair repair) const { return counts_[static_cast<std::size_t>(repair)]; }
  [[nodiscard]] bool any() const {
    for (const std::uint64_t count : counts_) {
      if (count != 0) return true;
    }
    return false;
  }

 private:
  std::array<std::uint64_t, kRepairNames.size()> counts_{};
};

// {"raw_control": 2, ...}: those that were made.
[[nodiscard]] Json to_json(const RepairCounts& repairs);

}  // namespace hearth::chat
