// The rules by which prompts are steadied, by name: each can be switched off (`hearth serve --canonicalize-off RULE,...`).
// What reading a request already makes equal needs no rule: cache_control, a string against a list with one text, the
// spelling and spacing of a call's JSON, ids of items. Plain values.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hearth::chat {

enum class CanonicalRule : std::uint8_t {
  BillingHeader,   // the client's attribution block goes
  TokenBudget,     // blocks that only count tokens or money go
  BlankText,       // blank text blocks go, and messages left without blocks
  SystemInPlace,   // system messages stay where they stand; off: all are put at the head
  ResultOrder,     // results of parallel calls stand in the order of the calls, before what the user says
  DeferredTools,   // defer_loading tools are left out of the head and defined where a reference names them
  ToolChanges,     // tool_addition defines the tool where it stands; off: a sentence with its name
  ServerTools,     // a request with none but tools that only Anthropic's servers run says so to the model
  UnparsedInput,   // a call that was no JSON is shown in the model's own words; off: as the client wrapped it
  ClientThinking,  // thoughts the client asks to forget (context_management) go
  OldThinking,     // thoughts stay where a template would drop those of earlier turns
  CallIds,         // calls have short ids of our own, in the form the template wants; off: the client's
};
inline constexpr std::size_t kCanonicalRuleCount = 12;

[[nodiscard]] std::string_view rule_name(CanonicalRule rule);  // "billing-header", ...
[[nodiscard]] std::optional<CanonicalRule> rule_named(std::string_view name);
[[nodiscard]] std::string rule_names();  // all, with commas between

class CanonicalRules {
 public:
  [[nodiscard]] bool on(CanonicalRule rule) const { return !off_[static_cast<std::size_t>(rule)]; }
  void switch_off(CanonicalRule rule) { off_[static_cast<std::size_t>(rule)] = true; }
  [[nodiscard]] bool all_on() const { return off_.none(); }
  [[nodiscard]] std::string names_off() const;

 private:
  std::bitset<kCanonicalRuleCount> off_;
};

// How often each rule changed something, for the log.
class CanonicalCounts {
 public:
  void add(CanonicalRule rule, std::size_t count = 1) { counts_[static_cast<std::size_t>(rule)] += count; }
  [[nodiscard]] std::size_t of(CanonicalRule rule) const { return counts_[static_cast<std::size_t>(rule)]; }
  [[nodiscard]] std::string text() const;  // "billing-header 1, result-order 2"; empty when nothing was changed

 private:
  std::array<std::size_t, kCanonicalRuleCount> counts_{};
};

}  // namespace hearth::chat
