// See cache_words.h.
#include "cli/cache_words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <format>
#include <string_view>
#include <utility>

namespace hearth::cli {
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::int64_t number_at(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value != nullptr && value->is_integer() ? value->as_integer() : 0;
}

bool flag_at(const Json& json, std::string_view key) {
  const Json* value = json.find(key);
  return value != nullptr && value->is_boolean() && value->as_boolean();
}

const Json::Array& array_at(const Json& json, std::string_view key) {
  static const Json::Array kNone;
  const Json* value = json.find(key);
  return value != nullptr && value->is_array() ? value->as_array() : kNone;
}

bool is_number(std::string_view cell) {
  return !cell.empty() && std::isdigit(static_cast<unsigned char>(cell[0])) != 0;
}

// Characters, not bytes: ids and sizes are ASCII, words of a prompt are not.
std::size_t width_of(std::string_view cell) {
  return static_cast<std::size_t>(
      std::ranges::count_if(cell, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string share_words(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? "" : std::format("{} %", 100 * part / whole);
}

std::string tiers_words(const Json& json) {
  std::string words;
  for (const Json& span : array_at(json, "tiers")) {
    const std::string tier = span.string_at("tier");
    const std::int64_t tokens = number_at(span, "end") - number_at(span, "begin");
    // The last token of a line is always computed, for what follows it.
    if (tier == "none" && tokens <= 1) continue;
    if (!words.empty()) words += " + ";
    words += tier == "none" ? std::format("{} gone", tokens) : std::format("{} {}", tokens, tier);
  }
  return words.empty() ? "gone" : words;
}

// One line, however many the words had.
std::string on_one_line(std::string_view text) {
  std::string quoted;
  append_json_string(quoted, text);
  std::string out;
  for (std::size_t i = 0; i < quoted.size(); ++i) {
    // U+0080 to U+009F drive some terminals as the control characters that JSON escapes do.
    const bool control =
        quoted[i] == '\xc2' && i + 1 < quoted.size() && static_cast<unsigned char>(quoted[i + 1]) < 0xA0;
    out += control ? '?' : quoted[i];
    i += control ? 1 : 0;
  }
  return out;
}

}  // namespace

std::string as_table(const Rows& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    if (row.size() > widths.size()) widths.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string blanks(widths[i] - width_of(row[i]), ' ');
      if (i > 0) line += "  ";
      line += is_number(row[i]) ? blanks + row[i] : row[i] + blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  return out;
}

std::string bytes_words(std::int64_t bytes) {
  constexpr std::array<std::string_view, 4> kUnits = {"KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return std::format("{} B", bytes);
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return value < 10 ? std::format("{:.1f} {}", value, kUnits[unit]) : std::format("{:.0f} {}", value, kUnits[unit]);
}

std::string ago_words(std::int64_t ms) {
  const std::int64_t seconds = ms / 1000;
  if (seconds < 120) return std::format("{} s ago", seconds);
  if (seconds < 7200) return std::format("{} min ago", seconds / 60);
  return std::format("{} h ago", seconds / 3600);
}

std::string stats_words(const Json& stats) {
  const Json none = Json::object();
  const Json& counters = stats.find("counters") != nullptr ? *stats.find("counters") : none;
  const auto count = [&](std::string_view name) { return number_at(counters, name); };
  const std::int64_t asked = count("tokens_cached") + count("tokens_prefilled");
  Rows rows = {
      {"model", stats.string_at("model")},
      {"memory", stats.string_at("memory_kind") + ", KV " + stats.string_at("kv_types")},
      {"prompts",
       std::format("{} tokens, {} of them from the cache", asked, share_words(count("tokens_cached"), asked))},
      {"context", std::format("{} tokens now, {} of them in use", count("context_tokens"), count("live_tokens"))},
      {"RAM", std::format("{} of {}: {} blocks, {} anchors, {} pinned", bytes_words(count("ram_bytes")),
                          bytes_words(count("ram_budget_bytes")), count("ram_blocks"), count("ram_anchors"),
                          bytes_words(count("ram_pinned_bytes")))},
  };
  if (counters.find("disk_budget_bytes") != nullptr)
    rows.push_back(
        {"disk", std::format("{} of {}: {} blocks, {} anchors; {} written today", bytes_words(count("disk_bytes")),
                             bytes_words(count("disk_budget_bytes")), count("disk_blocks"), count("disk_anchors"),
                             bytes_words(count("disk_written_today_bytes")))});
  rows.push_back(
      {"moved", std::format("{} tokens out of the pool, {} back", count("tokens_exported"), count("tokens_imported"))});
  rows.push_back({"evicted", std::format("{} blocks, {} anchors from RAM", count("ram_blocks_evicted"),
                                         count("ram_anchors_evicted"))});
  rows.push_back({"turns", std::format("{} remembered, {}", number_at(stats, "turns"),
                                       bytes_words(number_at(stats, "turn_bytes")))});
  return as_table(rows);
}

std::string list_words(const Json& list) {
  Rows rows = {{"LINE", "TOKENS", "USES", "LAST USED", "WHERE", ""}};
  for (const Json& line : array_at(list, "lines")) {
    std::string notes = flag_at(line, "pinned") ? "pinned" : "";
    if (!flag_at(line, "own")) notes += notes.empty() ? "another key's" : ", another key's";
    rows.push_back({line.string_at("id"), std::to_string(number_at(line, "tokens")),
                    std::to_string(number_at(line, "uses")), ago_words(number_at(line, "used_ms_ago")),
                    tiers_words(line), notes});
  }
  if (rows.size() == 1) return "No lines are known: nothing was asked since the server started.\n";
  return as_table(rows);
}

std::string probe_words(const Json& probe) {
  const std::int64_t tokens = number_at(probe, "prompt_tokens");
  const std::int64_t cached = number_at(probe, "cached_tokens");
  Rows rows = {{"FROM", "TO", "TOKENS", "WHERE"}};
  for (const Json& span : array_at(probe, "tiers")) {
    const std::int64_t begin = number_at(span, "begin");
    const std::int64_t end = number_at(span, "end");
    const std::string tier = span.string_at("tier");
    rows.push_back({std::to_string(begin), std::to_string(end), std::to_string(end - begin),
                    tier == "none"   ? "computed"
                    : tier == "live" ? "in the context"
                                     : tier});
  }
  return std::format("{}: {} tokens, {} from the cache ({}), {} to compute; the instructions end at {}\n",
                     probe.string_at("model"), tokens, cached, share_words(cached, tokens), tokens - cached,
                     number_at(probe, "instructions_end")) +
         as_table(rows);
}

std::string why_words(const Json& why) {
  std::string out;
  for (const Json& request : array_at(why, "requests")) {
    out += std::format("{}  {} of {} tokens from the cache\n", request.string_at("request_id"),
                       number_at(request, "cached_tokens"), number_at(request, "prompt_tokens"));
    const Json* computed = request.find("computed");
    if (computed == nullptr) continue;
    const std::string sentence = computed->string_at("why");
    const std::string beyond = computed->string_at("beyond");
    if (!sentence.empty())
      out += std::format("  {}{}\n", flag_at(*computed, "too_much") ? "more than it should: " : "", sentence);
    else if (beyond == "new")
      out += "  new: nothing like it was known\n";
    else
      out +=
          std::format("  the first {} tokens were known; what follows was new\n", number_at(*computed, "known_tokens"));
    if (const std::string cure = computed->string_at("cure"); !cure.empty()) out += "  cure: " + cure + '\n';
    const Json* text = computed->find("text");
    if (text == nullptr) continue;
    out += "  after " + on_one_line(text->string_at("before")) + "\n  it was " + on_one_line(text->string_at("was")) +
           "\n  now is " + on_one_line(text->string_at("is")) + '\n';
  }
  return out.empty() ? "No requests yet.\n" : out;
}

}  // namespace hearth::cli
