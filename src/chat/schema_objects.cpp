// SchemaGrammar: objects and "any value". Declared members come in any order, each once; those that are not required may
// be left out. Where an additional member may have a declared name they come in their declared order.
#include <algorithm>
#include <format>
#include <utility>

#include "chat/grammar_regex.h"
#include "chat/other_name.h"
#include "chat/schema_formats.h"
#include "chat/schema_grammar.h"

namespace hearth::chat {
namespace {

// Values inside values that no schema describes.
constexpr int kAnyLevels = 8;

GrammarItem::Count count_of(const Json& schema, const std::string& name) {
  const Json* required = schema.find("required");
  const bool must =
      required != nullptr && required->is_array() && std::ranges::contains(required->as_array(), Json(name));
  return must ? GrammarItem::Count::Required : GrammarItem::Count::Optional;
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
SchemaGrammar::Extra SchemaGrammar::other_key(const Json::Object& declared) {
  const bool is_bare = notation_ == ValueNotation::Gemma;
  if (bounds_.string_chars_max != 0)
    return {is_bare ? any_key() : std::format("\"\\\"\" \"x\" {} \"\\\"\"", grammar_repeat("[a-z0-9]", 4, 12)), true};
  std::vector<std::string_view> names;
  for (const auto& [name, schema] : declared) names.push_back(name);
  const OtherName other = other_name(names, is_bare ? NameChars::Identifier : NameChars::JsonString, writer_);
  if (!other.is_apart) note("an additional member may have a declared name");
  return {is_bare ? other.rule : std::format("\"\\\"\" {} \"\\\"\"", other.rule), other.is_apart};
}

// What may follow the declared members: nothing where they are all there is. A schema that declares members and does not
// speak of others means those: a call with an invented argument helps nobody.
std::optional<SchemaGrammar::Extra> SchemaGrammar::extra_member(const Json& schema, const Json::Object& declared) {
  bool is_apart = true;
  std::vector<std::string> kinds;
  const Json* patterns = schema.find("patternProperties");
  if (patterns != nullptr && patterns->is_object()) {
    for (const auto& [pattern, value] : patterns->as_object()) {
      const auto key = pattern_grammar(pattern, CharSpelling::Json, writer_);
      if (!key) note("a key of `patternProperties` cannot be expressed: it is any key");
      const Extra one =
          key ? Extra{std::format("\"\\\"\" ({}) \"\\\"\"", *key), declared.empty()} : other_key(declared);
      is_apart = is_apart && one.is_apart;
      kinds.push_back(writer_.rule(member(one.rule, rule(value))));
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
    const Extra one = named ? Extra{rule(name_schema), true} : other_key(declared);
    is_apart = is_apart && one.is_apart;
    kinds.push_back(writer_.rule(member(one.rule, value)));
  }
  if (kinds.empty()) return std::nullopt;
  std::string out;
  for (const std::string& kind : kinds) out += (out.empty() ? "" : " | ") + kind;
  return Extra{writer_.rule(out), is_apart};
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
    return list_of(extra->rule, least, std::max(most, least), "{", "}");
  }
  if (schema.find("minProperties") != nullptr || schema.find("maxProperties") != nullptr)
    note("`minProperties` and `maxProperties` beside declared members are not checked");
  const bool in_order = members.size() >= kGrammarItemsMax || (extra && !extra->is_apart);
  if (in_order) note("an object's members are held to their declared order");
  // So many more at most, where there is a bound: each of them is an item of its own.
  for (std::uint32_t i = 0; extra && i < bounds_.array_items_max && (in_order || members.size() < kGrammarItemsMax);
       ++i)
    members.push_back({.rule = extra->rule, .count = GrammarItem::Count::Optional});
  if (extra && bounds_.array_items_max == 0)
    members.push_back({.rule = extra->rule, .count = GrammarItem::Count::Repeated});
  const std::string comma = writer_.rule("\",\" " + space);
  return std::format("\"{{\" {0} {1} {0} \"}}\"", space,
                     in_order ? grammar_in_order(writer_, comma, members) : grammar_each(comma, members));
}

}  // namespace hearth::chat
