// See provenance.h.
#include "cli/provenance.h"

#include <algorithm>
#include <format>
#include <utility>

#include "base/utf8.h"

namespace hearth::cli {
namespace {

constexpr std::string_view kReset = "\x1b[0m";

std::string_view colour_of(const TracedRun& run) {
  if (run.from == "template") return "\x1b[2m";
  const std::string_view what = run.role.empty() ? std::string_view(run.from) : std::string_view(run.role);
  if (what.starts_with("system") || what == "developer") return "\x1b[35m";
  if (what.starts_with("tools")) return "\x1b[34m";
  if (what == "user") return "\x1b[32m";
  if (what == "assistant") return "\x1b[36m";
  if (what == "tool") return "\x1b[33m";
  return "\x1b[31m";
}

void append_visible(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F) {
      out += std::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
}

}  // namespace

Json provenance_json(std::string_view text, const std::vector<TracedRun>& runs) {
  Json list = Json::array();
  std::size_t begin = 0;
  for (const TracedRun& run : runs) {
    Json one = Json::object({{"begin", begin}, {"end", run.end}, {"from", run.from}});
    if (!run.role.empty()) one.set("role", run.role);
    list.push(std::move(one));
    begin = run.end;
  }
  // A template can cut a character in two only by mistake; JSON holds whole ones.
  return Json::object({{"text", replace_invalid_utf8(text)}, {"runs", std::move(list)}});
}

std::string provenance_colour(std::string_view text, const std::vector<TracedRun>& runs) {
  std::string out;
  std::size_t begin = 0;
  for (const TracedRun& run : runs) {
    out += colour_of(run);
    append_visible(out, text.substr(begin, run.end - begin));
    out += kReset;
    begin = run.end;
  }
  append_visible(out, text.substr(begin));
  return out;
}

}  // namespace hearth::cli
