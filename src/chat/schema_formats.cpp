// See schema_formats.h.
#include "chat/schema_formats.h"

#include <format>

namespace hearth::chat {
namespace {

constexpr std::string_view kDate =
    "[0-9]{4} \"-\" ((\"0\" [13578] | \"1\" [02]) \"-\" (\"0\" [1-9] | [12] [0-9] | \"3\" [01])"
    " | (\"0\" [469] | \"11\") \"-\" (\"0\" [1-9] | [12] [0-9] | \"30\") | \"02-\" (\"0\" [1-9] | \"1\" [0-9] | \"2\" "
    "[0-8]))";
constexpr std::string_view kHour = "([01] [0-9] | \"2\" [0-3])";
constexpr std::string_view kLabel = "[a-z0-9] ([a-z0-9-]{0,30} [a-z0-9])?";

std::string time_of_day() {
  return std::format(
      "{0} \":\" [0-5] [0-9] \":\" [0-5] [0-9] (\".\" [0-9]{{1,6}})? (\"Z\" | [+\\-] {0} \":\" [0-5] [0-9])", kHour);
}
std::string host() { return std::format("{0} (\".\" {0}){{0,4}}", kLabel); }

}  // namespace

std::optional<std::string> format_grammar(std::string_view format) {
  if (format == "date") return std::string(kDate);
  if (format == "time") return time_of_day();
  if (format == "date-time") return std::format("{} \"T\" {}", kDate, time_of_day());
  if (format == "uuid")
    return "[0-9a-f]{8} \"-\" [0-9a-f]{4} \"-\" [1-5] [0-9a-f]{3} \"-\" [89ab] [0-9a-f]{3} \"-\" [0-9a-f]{12}";
  if (format == "email" || format == "idn-email")
    return std::format("[a-zA-Z0-9] ([a-zA-Z0-9_+.\\-]{{0,40}} [a-zA-Z0-9])? \"@\" {0} (\".\" {0}){{1,4}}", kLabel);
  if (format == "hostname" || format == "idn-hostname") return host();
  if (format == "ipv4") {
    constexpr std::string_view kByte = "(\"25\" [0-5] | \"2\" [0-4] [0-9] | \"1\" [0-9] [0-9] | [1-9]? [0-9])";
    return std::format("{0} (\".\" {0}){{3}}", kByte);
  }
  if (format == "ipv6") return "[0-9a-f]{1,4} (\":\" [0-9a-f]{1,4}){7}";
  if (format == "uri" || format == "url" || format == "iri")
    return "[a-z] [a-z0-9+.\\-]{0,20} \":\" [a-zA-Z0-9\\-._~:/?#@!$&'()*+,;=%\\[\\]]+";
  if (format == "uri-reference" || format == "iri-reference") return "[a-zA-Z0-9\\-._~:/?#@!$&'()*+,;=%\\[\\]]+";
  return std::nullopt;
}

std::string json_char_rule(GrammarWriter& writer) {
  const std::string unit = writer.rule(
      "[0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}"
      " | [dD] [89abAB] [0-9a-fA-F]{2} \"\\\\u\" [dD] [c-fC-F] [0-9a-fA-F]{2}");
  return writer.rule(std::format("[^\"\\\\\\x00-\\x1f] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" {})", unit));
}

}  // namespace hearth::chat
