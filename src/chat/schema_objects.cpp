// SchemaGrammar: objects and "any value". Declared members come in any order, each once; those that are not required may
// be left out.
#include <algorithm>
#include <format>
#include <map>
#include <memory>
#include <utility>

#include "chat/grammar_regex.h"
#include "chat/schema_formats.h"
#include "chat/schema_grammar.h"

namespace hearth::chat {
namespace {

// Values inside values that no schema describes.
constexpr int kAnyLevels = 8;
// Keys that differ from declared ones need a rule per letter of those.
constexpr std::size_t kDeclaredBytesMax = 4'000;

bool is_plain(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; });
}

GrammarItem::Count count_of(const Json& schema, const std::string& name) {
  const Json* required = schema.find("required");
  const bool must =
      required != nullptr && required->is_array() && std::ranges::contains(required->as_array(), Json(name));
  return must ? GrammarItem::Count::Required : GrammarItem::Count::Optional;
}

// Declared names by their letters.
struct Letters {
  std::map<char, std::unique_ptr<Letters>> next;
  bool is_name = false;
};

// The rest of a key that is none of the names below: it leaves the tree somewhere, or ends where no name does.
std::string other_than(const Letters& at, const std::string& any_char, GrammarWriter& writer) {
  std::string taken;
  std::string out = at.is_name ? "" : "\"\"";
  for (const auto& [letter, below] : at.next) {
    if (!out.empty()) out += " | ";
    out += grammar_literal(std::string_view(&letter, 1)) + " " + writer.rule(other_than(*below, any_char, writer));
    taken += std::format("\\x{:02x}", static_cast<unsigned char>(letter));
  }
  if (!out.empty()) out += " | ";
  return out + std::format("[^\"\\\\\\x00-\\x1f{}] {}*", taken, any_char);
}

}  // namespace

std::string SchemaGrammar::space_rule() { return writer_.rule("(\" \" | \"\\n\" [ \\t]{0,20})?"); }

CharSpelling SchemaGrammar::char_spelling() const {
  return notation_ == ValueNotation::Gemma ? CharSpelling::Raw : CharSpelling::Json;
}

std::string SchemaGrammar::char_rule() {
  if (notation_ == ValueNotation::Json) return json_char_rule(writer_);
  // Gemma's quote begins with <; Python reads only some of JSON's escapes as JSON does.
  return writer_.rule(notation_ == ValueNotation::Gemma ? "[^<]" : R"([^"\\\x00-\x1f] | "\\" ["\\nt])");
}

std::string SchemaGrammar::any_string() {
  if (notation_ == ValueNotation::Gemma && bounds_.string_chars_max == 0)
    return writer_.rule(R"(@"<|\"|>" @until{@"<|\"|>" !end})");
  const std::uint32_t most = bounds_.string_chars_max == 0 ? kGrammarUnbounded : bounds_.string_chars_max;
  return writer_.rule(in_quotes(grammar_repeat(char_rule(), 0, most)));
}

std::string SchemaGrammar::any_number() {
  return writer_.rule("\"-\"? (\"0\" | [1-9] [0-9]{0,14}) (\".\" [0-9]{1,15})? ([eE] [-+]? [0-9] [0-9]?)?");
}

std::string SchemaGrammar::list_of(const std::string& item, std::uint32_t least, std::uint32_t most,
                                   std::string_view open, std::string_view close) {
  const std::string space = space_rule();
  const std::string front = std::format("{} {}", grammar_literal(open), space);
  const std::string back = std::format("{} {}", space, grammar_literal(close));
  if (most == 0) return front + " " + grammar_literal(close);
  const std::string more = writer_.rule(std::format("\",\" {} {}", space, item));
  const std::string items = std::format(
      "{} {}", item, grammar_repeat(more, least == 0 ? 0 : least - 1, most == kGrammarUnbounded ? most : most - 1));
  return least == 0 ? std::format("{} ({} {} | {})", front, items, back, grammar_literal(close))
                    : std::format("{} {} {}", front, items, back);
}

std::string SchemaGrammar::member(std::string_view key_body, const std::string& value_rule) {
  return std::format("{} \":\" {} {}", key_body, space_rule(), value_rule);
}

std::string SchemaGrammar::any_key() {
  return notation_ == ValueNotation::Gemma ? writer_.rule("[a-zA-Z_] [a-zA-Z0-9_.\\-]{0,60}") : any_string();
}

std::string SchemaGrammar::any_rule_at(int level) {
  const std::string scalar = std::format("{} | {} | \"true\" | \"false\" | \"null\"", any_string(), any_number());
  if (level == 0) return writer_.rule(scalar);
  const std::string below = any_rule_at(level - 1);
  const std::uint32_t most = bounds_.array_items_max == 0 ? kGrammarUnbounded : bounds_.array_items_max;
  return writer_.rule(std::format("{} | {} | {}", scalar, list_of(below, 0, most, "[", "]"),
                                  list_of(writer_.rule(member(any_key(), below)), 0, most, "{", "}")));
}

std::string SchemaGrammar::any_rule() { return any_rule_at(bounds_.array_items_max == 0 ? kAnyLevels : 1); }

std::string SchemaGrammar::any_object_rule() {
  const std::uint32_t most = bounds_.array_items_max == 0 ? kGrammarUnbounded : bounds_.array_items_max;
  return writer_.rule(list_of(writer_.rule(member(any_key(), any_rule())), 0, most, "{", "}"));
}

// A key that is no declared one. Escapes are left out: they could spell one.
std::string SchemaGrammar::other_key(const Json::Object& declared) {
  if (notation_ == ValueNotation::Gemma) return any_key();
  const std::string plain_char = writer_.rule("[^\"\\\\\\x00-\\x1f]");
  Letters letters;
  std::size_t bytes = 0;
  for (const auto& [name, schema] : declared) {
    bytes += name.size();
    if (!is_plain(name) || bytes > kDeclaredBytesMax) {
      note("an additional member may have a declared name");
      continue;
    }
    Letters* at = &letters;
    for (const char c : name) {
      auto& below = at->next[c];
      if (below == nullptr) below = std::make_unique<Letters>();
      at = below.get();
    }
    at->is_name = true;
  }
  if (bounds_.string_chars_max != 0)
    return std::format("\"\\\"\" \"x\" {} \"\\\"\"", grammar_repeat("[a-z0-9]", 4, 12));
  return std::format("\"\\\"\" {} \"\\\"\"", writer_.rule(other_than(letters, plain_char, writer_)));
}

// What may follow the declared members: nothing where they are all there is. A schema that declares members and does not
// speak of others means those: a call with an invented argument helps nobody.
std::optional<std::string> SchemaGrammar::extra_member(const Json& schema, const Json::Object& declared) {
  std::vector<std::string> kinds;
  const Json* patterns = schema.find("patternProperties");
  if (patterns != nullptr && patterns->is_object()) {
    for (const auto& [pattern, value] : patterns->as_object()) {
      const auto key = pattern_grammar(pattern, CharSpelling::Json, writer_);
      if (!key) note("a key of `patternProperties` cannot be expressed: it is any key");
      kinds.push_back(
          writer_.rule(member(key ? std::format("\"\\\"\" ({}) \"\\\"\"", *key) : other_key(declared), rule(value))));
    }
  }
  const Json* more = schema.find("additionalProperties");
  const bool allowed = more == nullptr ? declared.empty() && kinds.empty() : *more != Json(false);
  if (allowed) {
    const std::string value = more == nullptr || !more->is_object() ? any_rule() : rule(*more);
    const Json* names = schema.find("propertyNames");
    const bool named = declared.empty() && names != nullptr && names->is_object() && !names->as_object().empty();
    Json name_schema = named ? *names : Json();
    if (named && name_schema.find("type") == nullptr) name_schema.set("type", "string");
    kinds.push_back(writer_.rule(member(named ? rule(name_schema) : other_key(declared), value)));
  }
  if (kinds.empty()) return std::nullopt;
  std::string out;
  for (const std::string& kind : kinds) out += (out.empty() ? "" : " | ") + kind;
  return writer_.rule(out);
}

std::string SchemaGrammar::object_body(const Json& schema) {
  const std::string space = space_rule();
  Json::Object declared;
  if (const Json* properties = schema.find("properties"); properties != nullptr && properties->is_object()) {
    // Of doubled keys the last one counts.
    for (const auto& [name, value] : properties->as_object())
      if (properties->find(name) == &value) declared.emplace_back(name, value);
  }
  if (const Json* required = schema.find("required"); required != nullptr && required->is_array()) {
    for (const Json& name : required->as_array()) {
      const auto same = [&](const Json::Member& one) { return Json(one.first) == name; };
      if (name.is_string() && std::ranges::none_of(declared, same)) {
        const Json* more = schema.find("additionalProperties");
        declared.emplace_back(name.as_string(), more != nullptr && more->is_object() ? *more : Json(true));
      }
    }
  }
  const auto extra = extra_member(schema, declared);
  std::vector<GrammarItem> members;
  for (const auto& [name, value] : declared) {
    // {"x": false} forbids x.
    if (value == Json(false)) continue;
    members.push_back({.rule = writer_.rule(member(key_spelled(name), rule(value))), .count = count_of(schema, name)});
  }
  if (members.empty() && !extra) return "\"{\" " + space + " \"}\"";
  if (members.empty()) {
    const std::uint32_t least = count_at(schema, "minProperties", 0);
    std::uint32_t most = count_at(schema, "maxProperties", kGrammarUnbounded);
    if (bounds_.array_items_max != 0) most = std::min(most, std::max(bounds_.array_items_max, least));
    return list_of(*extra, least, std::max(most, least), "{", "}");
  }
  if (schema.find("minProperties") != nullptr || schema.find("maxProperties") != nullptr)
    note("`minProperties` and `maxProperties` beside declared members are not checked");
  if (members.size() < kGrammarItemsMax) return members_in_any_order(std::move(members), extra);
  note("an object of so many members is held to their declared order");
  return members_in_order(members, extra);
}

std::string SchemaGrammar::members_in_any_order(std::vector<GrammarItem> members,
                                                const std::optional<std::string>& extra) {
  using Count = GrammarItem::Count;
  const std::string space = space_rule();
  if (extra && bounds_.array_items_max == 0) members.push_back({.rule = *extra, .count = Count::Repeated});
  // So many more at most: each of them is an item of its own.
  for (std::uint32_t i = 0; extra && i < bounds_.array_items_max && members.size() < kGrammarItemsMax; ++i)
    members.push_back({.rule = *extra, .count = Count::Optional});
  const std::string comma = writer_.rule("\",\" " + space);
  return std::format("\"{{\" {0} {1} {0} \"}}\"", space, grammar_each(comma, members));
}

// With c_i ::= "," m_i (or nothing when m_i may be left out), an object is the alternatives of which member comes first:
//   first_i ::= m_i c_i+1 c_i+2 ... | first_i+1      the second part only when m_i may be left out
std::string SchemaGrammar::members_in_order(const std::vector<GrammarItem>& members,
                                            const std::optional<std::string>& extra) {
  const std::string space = space_rule();
  const std::string end = space + " \"}\"";
  // From the last member to the first: what follows a member, and the alternatives of what comes first.
  std::string rest = end;
  std::string first = "\"}\"";
  if (extra) {
    const std::uint32_t most = bounds_.array_items_max == 0 ? kGrammarUnbounded : bounds_.array_items_max;
    const std::string more = writer_.rule(std::format("\",\" {} {}", space, *extra));
    rest = writer_.rule(grammar_repeat(more, 0, most) + " " + end);
    first = writer_.rule(std::format("{} {} | \"}}\"", *extra, rest));
  }
  for (std::size_t i = members.size(); i-- > 0;) {
    const bool required = members[i].count == GrammarItem::Count::Required;
    const std::string here = std::format("{} {}", members[i].rule, rest);
    first = writer_.rule(required ? here : std::format("{} | {}", here, first));
    rest = writer_.rule(required ? std::format("\",\" {} {}", space, here)
                                 : std::format("(\",\" {} {}) | {}", space, here, rest));
  }
  return "\"{\" " + space + " " + first;
}

}  // namespace hearth::chat
