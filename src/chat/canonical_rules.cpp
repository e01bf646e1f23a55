// See canonical_rules.h.
#include "chat/canonical_rules.h"

#include <format>

namespace hearth::chat {
namespace {

constexpr std::array<std::string_view, kCanonicalRuleCount> kNames = {
    "billing-header", "token-budget", "blank-text",     "system-in-place", "result-order", "deferred-tools",
    "tool-changes",   "server-tools", "unparsed-input", "client-thinking", "old-thinking", "call-ids"};

void append_word(std::string& out, std::string_view word) {
  if (!out.empty()) out += ", ";
  out += word;
}

}  // namespace

std::string_view rule_name(CanonicalRule rule) { return kNames[static_cast<std::size_t>(rule)]; }

std::optional<CanonicalRule> rule_named(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (kNames[i] == name) return static_cast<CanonicalRule>(i);
  return std::nullopt;
}

std::string rule_names() {
  std::string out;
  for (const std::string_view name : kNames) append_word(out, name);
  return out;
}

std::string CanonicalRules::names_off() const {
  std::string out;
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (off_[i]) append_word(out, kNames[i]);
  return out;
}

std::string CanonicalCounts::text() const {
  std::string out;
  for (std::size_t i = 0; i < kNames.size(); ++i)
    if (counts_[i] > 0) append_word(out, std::format("{} {}", kNames[i], counts_[i]));
  return out;
}

}  // namespace hearth::chat
