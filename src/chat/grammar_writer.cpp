// See grammar_writer.h.
#include "chat/grammar_writer.h"

#include <format>

namespace hearth::chat {
namespace {

// Three nodes each at most, of the 2,000,000 that grammar/program.h allows; the text's bytes need the rest.
constexpr std::size_t kRepetitionsMax = 200'000;

}  // namespace

bool GrammarWriter::spend(std::size_t repetitions) {
  if (repetitions > kRepetitionsMax - repetitions_) return false;
  repetitions_ += repetitions;
  return true;
}

std::string GrammarWriter::rule(std::string_view body) {
  const auto known = names_by_body_.find(std::string(body));
  if (known != names_by_body_.end()) return known->second;
  std::string name = reserve();
  define(name, body);
  names_by_body_.emplace(body, name);
  return name;
}

std::string GrammarWriter::reserve() {
  std::string name = std::format("r{}", rules_.size());
  rules_.emplace_back(name, "");
  bytes_ += name.size() + 6;
  return name;
}

void GrammarWriter::define(const std::string& name, std::string_view body) {
  rules_[std::stoul(name.substr(1))].second = body;
  bytes_ += body.size();
}

std::string GrammarWriter::text(std::string_view root_body) const {
  std::string out = std::format("root ::= {}\n", root_body);
  out.reserve(out.size() + bytes_);
  for (const auto& [name, body] : rules_) out += std::format("{} ::= {}\n", name, body);
  return out;
}

std::string grammar_literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (byte < 0x20 || byte >= 0x7F) {
      out += std::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string grammar_marked(std::string_view text) { return "@" + grammar_literal(text); }

std::string grammar_class(const CharRanges& ranges) {
  const auto one = [](std::uint32_t c) {
    const bool is_word = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_word) return std::string(1, static_cast<char>(c));
    if (c <= 0xFF) return std::format("\\x{:02x}", c);
    return c <= 0xFFFF ? std::format("\\u{:04x}", c) : std::format("\\U{:08x}", c);
  };
  std::string out = "[";
  for (const auto& [low, high] : ranges) {
    out += one(low);
    if (high > low) out += "-" + one(high);
  }
  return out + "]";
}

std::string grammar_repeat(std::string_view item, std::uint32_t least, std::uint32_t most) {
  if (least == 1 && most == 1) return std::string(item);
  if (most == kGrammarUnbounded) {
    if (least == 0) return std::format("{}*", item);
    return least == 1 ? std::format("{}+", item) : std::format("{}{{{},}}", item, least);
  }
  if (least == 0 && most == 1) return std::format("{}?", item);
  return least == most ? std::format("{}{{{}}}", item, least) : std::format("{}{{{},{}}}", item, least, most);
}

std::string grammar_each(std::string_view separator, std::span<const GrammarItem> items) {
  std::string out = std::format("@each{{{}:", separator);
  for (const GrammarItem& item : items) {
    out += " " + item.rule;
    if (item.count == GrammarItem::Count::Required) out += "!";
    if (item.count == GrammarItem::Count::Repeated) out += "*";
  }
  return out + "}";
}

// From the last item to the first: what may follow an item, and what may come first.
std::string grammar_in_order(GrammarWriter& writer, std::string_view separator, std::span<const GrammarItem> items) {
  using Count = GrammarItem::Count;
  std::string later = "\"\"";
  std::string first = "\"\"";
  for (std::size_t i = items.size(); i-- > 0;) {
    const GrammarItem& item = items[i];
    const std::string more = std::format("({} {})", separator, item.rule);
    const std::string_view times = item.count == Count::Required ? "" : item.count == Count::Optional ? "?" : "*";
    const std::string after = writer.rule(std::format("{}{} {}", more, times, later));
    const std::string here = std::format("{} {}", item.rule, item.count == Count::Repeated ? after : later);
    first = writer.rule(item.count == Count::Required ? here : std::format("{} | {}", here, first));
    later = after;
  }
  return first;
}

std::string grammar_without(std::string_view text, std::uint32_t least, std::uint32_t most) {
  if (most == kGrammarUnbounded) return std::format("@without{{{}}}{{{},}}", grammar_literal(text), least);
  return std::format("@without{{{}}}{{{},{}}}", grammar_literal(text), least, most);
}

}  // namespace hearth::chat
