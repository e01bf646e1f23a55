// See cache_verdict.h.
#include "server/cache_verdict.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <format>
#include <initializer_list>
#include <string_view>

namespace hearth::server {
namespace {

using link::Beyond;
using link::Lost;

// Computing less again is not worth a line of log.
constexpr std::uint32_t kAgainTokensMin = 512;
constexpr std::uint32_t kAgainShare = 20;  // of the prompt

bool holds_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(words, [&](std::string_view word) { return text.contains(word); });
}

std::string_view from_first_difference(std::string_view text, std::string_view other) {
  const auto [at, unused] = std::ranges::mismatch(text, other);
  return text.substr(static_cast<std::size_t>(at - text.begin()));
}

// Both go on with digits where they part, as dates, times and counters do.
bool numbers_differ(const link::Explanation& told) {
  const std::string_view was = from_first_difference(told.was, told.is);
  const std::string_view is = from_first_difference(told.is, told.was);
  const auto digit = [](std::string_view text) {
    return !text.empty() && std::isdigit(static_cast<unsigned char>(text.front())) != 0;
  };
  return digit(was) && digit(is);
}

// The line that the two part in: what stands before on other lines says nothing of it.
std::string last_line(const std::string& text) {
  const auto at = text.rfind('\n');
  return at == std::string::npos ? text : text.substr(at + 1);
}

std::string cure_of(const link::Explanation& told) {
  const std::string around = last_line(told.before) + told.was + '\n' + told.is;
  if (holds_any(around, {"x-anthropic-billing-header", "cc_version=", "cc_entrypoint="}))
    return "the client's attribution header changes from request to request: set CLAUDE_CODE_ATTRIBUTION_HEADER=0 for "
           "Claude "
           "Code, or leave out --canonicalize-off billing-header";
  if (holds_any(around, {"Token usage:", "USD budget", "tokens remaining", "token budget"}))
    return "a count of tokens or money changes with every request: leave out --canonicalize-off token-budget, or set "
           "CLAUDE_CODE_TOTAL_TOKENS_REMINDER=off for Claude Code";
  if (holds_any(around, {"/.claude/projects/", "/memory/"}))
    return "the path of Claude Code's memory folder stands in the system text: CLAUDE_CODE_DISABLE_AUTO_MEMORY=1 "
           "removes it";
  if (holds_any(around, {"gitStatus", "Current branch:", "Recent commits:", "Git status"}))
    return "the state of the git repository stands in the system text: Claude Code 2.1.328 and newer put it "
           "behind";
  if (holds_any(around,
                {"\"input_schema\"", "\"parameters\"", "\"type\": \"function\"", "\"type\":\"function\"", "<tools>"}))
    return "the list of tools changed before its end: let MCP servers connect before the first request, and have the "
           "client put new "
           "tools behind the old ones (or load them when needed, defer_loading)";
  if (numbers_differ(told))
    return "a date, time or number in the prompt changes: have the client put it at the end, behind what stays the "
           "same";
  return {};
}

std::string ago(std::uint64_t ms) {
  const std::uint64_t seconds = ms / 1000;
  if (seconds < 120) return std::format("{} s ago", seconds);
  if (seconds < 7200) return std::format("{} min ago", seconds / 60);
  return std::format("{} h ago", seconds / 3600);
}

std::string gone_sentence(const link::Gone& gone, std::string_view what) {
  std::string why = std::format("{} left the cache {}", what, ago(gone.ms_ago));
  if (gone.thinned) return why + ": a line keeps only its most useful states";
  if (gone.what_for == link::GoneFor::Budget)
    return why + ": its budget was lowered, or other programs needed the memory";
  if (gone.what_for == link::GoneFor::Line)
    why += std::format(" for {} of {} tokens", gone.for_same_key ? "another line of this key" : "another key's line",
                       gone.for_tokens);
  return why;
}

CacheVerdict lost_verdict(const PromptPlaces& places, const link::Explanation& told) {
  CacheVerdict verdict{.too_much = true};
  const std::string range =
      std::format("tokens {} to {} were known and were computed again", places.cached_tokens, told.known_tokens);
  constexpr std::string_view kMoreRam = "more RAM for the cache keeps more (--cache-ram, POST /v1/hearth/cache)";
  switch (told.lost) {
    case Lost::AnchorGone:
    case Lost::BlocksGone:
      verdict.why =
          std::format("{}: {}", range,
                      told.gone ? gone_sentence(*told.gone, told.lost == Lost::AnchorGone ? "the state there" : "they")
                                : std::string("they left the cache"));
      if (!told.gone || !told.gone->thinned) verdict.cure = kMoreRam;
      break;
    case Lost::NoAnchor:
      verdict.why = std::format(
          "{}: this model's state cannot be cut, and none was kept where the prompt leaves the known line", range);
      break;
    case Lost::NotKept:
      verdict.why = std::format("{}: they left the pool, and nothing outside it had room for them", range);
      verdict.cure = kMoreRam;
      break;
    case Lost::TooLittle: verdict.why = std::format("{}: bringing so few back costs more", range); break;
    case Lost::Refused:
      verdict.why = std::format("{}: they did not come back from the cache as they should", range);
      break;
    case Lost::Nothing:
    case Lost::LastToken:
    case Lost::ExactUnit: return {};
  }
  return verdict;
}

std::string_view place_name(const PromptPlaces& places, std::uint32_t position) {
  if (position < places.instructions_end) return "in the tools and system text";
  return position < places.first_turn_end ? "in the conversation's first turn" : "in an earlier turn";
}

}  // namespace

PromptPlaces places_of(const std::vector<std::uint32_t>& boundaries, std::uint32_t prompt_tokens) {
  PromptPlaces places{.prompt_tokens = prompt_tokens, .first_turn_end = prompt_tokens};
  if (boundaries.empty()) return places;
  places.instructions_end = boundaries.front();
  if (boundaries.size() > 2) places.first_turn_end = boundaries[1];
  places.previous_turn_end = boundaries[boundaries.size() - std::min<std::size_t>(boundaries.size(), 2)];
  return places;
}

CacheVerdict judge(const PromptPlaces& places, const link::Explanation& told) {
  const std::uint32_t floor = std::max(kAgainTokensMin, places.prompt_tokens / kAgainShare);
  const bool is_lost = told.lost != Lost::Nothing && told.lost != Lost::LastToken && told.lost != Lost::ExactUnit;
  const std::uint32_t again = told.known_tokens - std::min(told.known_tokens, places.cached_tokens);
  if (is_lost && again >= floor) return lost_verdict(places, told);
  if (told.beyond != Beyond::Differs) return {};
  // Known so far, then other words: is it another conversation, or should it have been the same?
  const std::uint32_t missed = places.previous_turn_end - std::min(places.previous_turn_end, told.known_tokens);
  if (missed < floor) return {};
  CacheVerdict verdict{.cure = cure_of(told)};
  const bool in_head = told.known_tokens < places.instructions_end;
  const bool goes_on = places.first_turn_end < places.prompt_tokens;
  const bool other_conversation = !in_head && told.known_tokens < places.first_turn_end;
  verdict.too_much = !other_conversation && (goes_on || !verdict.cure.empty());
  if (other_conversation) verdict.cure.clear();
  verdict.why = std::format(
      "the prompt differs from what is known of this key from token {} on, {}; {} tokens behind it, up to this "
      "turn, had to be computed",
      told.known_tokens, place_name(places, told.known_tokens), missed);
  return verdict;
}

std::string_view word(link::Lost lost) {
  static constexpr std::array<std::string_view, 9> kWords = {"nothing",    "last_token",     "exact_unit",
                                                             "no_anchor",  "anchor_evicted", "evicted",
                                                             "too_little", "refused",        "not_kept"};
  return kWords[static_cast<std::size_t>(lost)];
}

std::string_view word(link::Beyond beyond) {
  static constexpr std::array<std::string_view, 3> kWords = {"new", "continues", "differs"};
  return kWords[static_cast<std::size_t>(beyond)];
}

std::string_view word(link::Tier tier) {
  static constexpr std::array<std::string_view, 4> kWords = {"live", "ram", "disk", "none"};
  return kWords[static_cast<std::size_t>(tier)];
}

}  // namespace hearth::server
