// See call_grammar.h. A call is [opening][body], the next one [join][opening of a later call][body], and the closing ends
// them; the openings are literals, so that the first one can be cut behind the trigger.
#include "chat/call_grammar.h"

#include <algorithm>
#include <format>
#include <utility>

#include "chat/other_name.h"
#include "chat/schema_merge.h"

namespace hearth::chat {
namespace {

// Digits that a dialect counts its calls with: Kimi's functions.N:0.
constexpr std::string_view kCounted = ":0";

std::string_view without_end_space(std::string_view text) {
  const std::size_t end = text.find_last_not_of(" \t\r\n");
  return end == std::string_view::npos ? std::string_view() : text.substr(0, end + 1);
}

bool is_list(CallWriting writing) { return writing == CallWriting::JsonList || writing == CallWriting::Pythonic; }

// A marked literal, or nothing for no text.
std::string literal(std::string_view text) { return text.empty() ? "" : grammar_marked(text) + " "; }

std::string alternatives(const std::vector<std::string>& bodies) {
  std::string out;
  for (const std::string& body : bodies) out += (out.empty() ? "" : " | ") + body;
  return out;
}

ValueNotation notation_of(CallWriting writing) {
  return writing == CallWriting::Pythonic ? ValueNotation::Python
         : writing == CallWriting::Gemma  ? ValueNotation::Gemma
                                          : ValueNotation::Json;
}

}  // namespace

CallGrammar::CallGrammar(const Dialect& dialect, std::span<const Tool* const> tools, GrammarWriter& writer,
                         SchemaGrammarBounds bounds)
    : dialect_(dialect), words_(dialect.words), tools_(tools.begin(), tools.end()), writer_(writer), bounds_(bounds) {
  const std::string_view list_begin = is_list(dialect.writing) ? "[" : "";
  const std::string_view list_end = is_list(dialect.writing) ? "]" : "";
  // Harmony's name follows its opening directly; elsewhere what comes before the name belongs to each call.
  next_opening_ = std::string(words_.call_begin) + std::string(words_.name_begin);
  opening_ = std::string(words_.section_begin) + std::string(list_begin) + next_opening_;
  closing_ = std::string(list_end) + std::string(words_.section_end);
  join_ = words_.call_join;
  for (const std::string_view part : {words_.section_begin, words_.call_begin, words_.name_begin}) {
    if (!trigger_.empty() || part.empty()) continue;
    trigger_ = without_end_space(part);
  }
}

std::string CallGrammar::after_trigger(CallCount count) {
  return writer_.rule(calls(std::string_view(opening_).substr(trigger_.size()), count));
}

std::string CallGrammar::whole(CallCount count) { return writer_.rule(calls(opening_, count)); }

std::string CallGrammar::calls(std::string_view opening, CallCount count) {
  if (body_.empty()) body_ = writer_.rule(call_body());
  std::string out = literal(opening) + body_;
  if (count == CallCount::Several && dialect_.parallel)
    out += std::format(" ({}{}{})*", literal(join_), literal(next_opening_), body_);
  return closing_.empty() ? out : out + " " + grammar_marked(closing_);
}

std::string CallGrammar::call_body() {
  std::vector<std::string> bodies;
  for (const Tool* tool : tools_) bodies.push_back(writer_.rule(tool_body(*tool)));
  return "(" + alternatives(bodies) + ")" + (words_.call_end.empty() ? "" : " " + grammar_marked(words_.call_end));
}

std::string CallGrammar::tool_body(const Tool& tool) {
  SchemaGrammar schema = schema_of(tool);
  std::string name_end = literal(words_.name_end);
  if (words_.name_end.starts_with(kCounted))
    name_end = "\":\" [0-9]{1,3} " + literal(words_.name_end.substr(kCounted.size()));
  std::string out;
  switch (dialect_.writing) {
    case CallWriting::Json:
    case CallWriting::JsonList: out = json_item(tool, schema); break;
    case CallWriting::Pythonic: out = pythonic_item(tool, schema); break;
    case CallWriting::NamedJson:
    case CallWriting::Harmony:
    case CallWriting::Gemma:
      out = std::format("{} {}{} {}", grammar_literal(tool.name), name_end, arguments_rule(tool, schema),
                        literal(words_.arguments_end));
      break;
    case CallWriting::Tagged:
    case CallWriting::Elements:
      out = std::format("{} {}{} {}", grammar_literal(tool.name), name_end, parameters(schema),
                        literal(words_.arguments_end));
      break;
  }
  take_notes(schema);
  return out;
}

void CallGrammar::note(const std::string& text) {
  notes_.insert(std::format("{}{}: {}", tool_->name, tool_->strict ? ", which asks for strict" : "", text));
}
void CallGrammar::take_notes(const SchemaGrammar& schema) {
  for (const std::string& one : schema.notes()) note(one);
}

SchemaGrammar CallGrammar::schema_of(const Tool& tool) {
  tool_ = &tool;
  return {writer_, tool.input_schema.is_object() ? tool.input_schema : Json::object(), bounds_,
          notation_of(dialect_.writing)};
}

std::vector<CallGrammar::Shape> CallGrammar::shapes(CallCount count) {
  std::vector<Shape> out;
  if (dialect_.writing == CallWriting::Pythonic) {
    std::vector<std::string> items;
    for (const Tool* tool : tools_) {
      SchemaGrammar schema = schema_of(*tool);
      items.push_back(writer_.rule(pythonic_item(*tool, schema)));
      take_notes(schema);
    }
    const std::string more = writer_.rule(std::format("{} ({})", literal(join_), alternatives(items)));
    for (const Tool* tool : tools_) {
      SchemaGrammar schema = schema_of(*tool);
      const std::string rest = count == CallCount::Several ? more + "*" : "";
      out.push_back({.text = "[" + tool->name + "(",
                     .rule = writer_.rule(std::format("{} {} \"]\"", pythonic_arguments(schema), rest))});
    }
    return out;
  }
  for (const Tool* tool : tools_) {
    SchemaGrammar schema = schema_of(*tool);
    const std::string arguments = arguments_rule(*tool, schema);
    take_notes(schema);
    if (dialect_.writing != CallWriting::Json) {
      out.push_back(
          {.text = std::string(words_.call_begin) + tool->name + std::string(words_.name_end), .rule = arguments});
      continue;
    }
    const std::string name = Json(tool->name).dump();
    const std::string rest = writer_.rule(std::format("{} {} \"}}\"", arguments, schema.space_rule()));
    for (const std::string_view key : {std::string_view("arguments"), std::string_view("parameters")}) {
      if (&dialect_ != &generic_dialect() && key != words_.arguments_key) continue;
      out.push_back({.text = std::format("{{\"name\": {}, \"{}\": ", name, key), .rule = rest});
      out.push_back({.text = std::format("{{\"name\":{},\"{}\":", name, key), .rule = rest});
    }
  }
  return out;
}

// Arguments are an object, whatever the schema says of other types.
std::string CallGrammar::arguments_rule(const Tool& tool, SchemaGrammar& schema) {
  if (!tool.input_schema.is_object() || tool.input_schema.as_object().empty()) return schema.any_object_rule();
  const Json object = Json::object({{"type", "object"}});
  return schema.rule(merge_schemas(schema.resolved(schema.root()), object));
}

std::string CallGrammar::json_item(const Tool& tool, SchemaGrammar& schema) {
  const std::string space = schema.space_rule();
  const std::string name = grammar_literal(Json(tool.name).dump());
  const std::string arguments = arguments_rule(tool, schema);
  const auto key = [](std::string_view text) { return grammar_literal(Json(text).dump() + ":"); };
  if (words_.name_key.empty()) return std::format("\"{{\" {0} {1} \":\" {0} {2} {0} \"}}\"", space, name, arguments);
  return std::format("\"{{\" {0} {1} {0} {2} \",\" {0} {3} {0} {4} {0} \"}}\"", space, key(words_.name_key), name,
                     key(words_.arguments_key), arguments);
}

std::vector<CallGrammar::Parameter> CallGrammar::parameters_of(SchemaGrammar& schema) {
  Json root = schema.resolved(schema.root());
  // Alternatives of whole argument lists: any of their arguments may come.
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    const Json* list = root.find(keyword);
    if (list == nullptr || !list->is_array()) continue;
    note(std::format("`{}` over all arguments is not checked", keyword));
    Json merged = without_member(root, keyword);
    for (const Json& one : list->as_array()) {
      const Json part = schema.resolved(one);
      if (part.is_object()) merged = merge_schemas(merged, without_member(part, "required"));
    }
    root = std::move(merged);
  }
  std::vector<Parameter> out;
  const Json* required = root.find("required");
  const auto count_of = [&](const std::string& name) {
    const bool must =
        required != nullptr && required->is_array() && std::ranges::contains(required->as_array(), Json(name));
    return must ? GrammarItem::Count::Required : GrammarItem::Count::Optional;
  };
  if (const Json* properties = root.find("properties"); properties != nullptr && properties->is_object()) {
    for (const auto& [name, value] : properties->as_object())
      if (properties->find(name) == &value) out.push_back({name, value, count_of(name)});
  }
  return out;
}

bool CallGrammar::takes_more(SchemaGrammar& schema) const {
  const Json root = schema.resolved(schema.root());
  const Json* more = root.find("additionalProperties");
  const Json* properties = root.find("properties");
  const bool declares = properties != nullptr && properties->is_object() && !properties->as_object().empty();
  return more == nullptr ? !declares : *more != Json(false);
}

std::string CallGrammar::pythonic_item(const Tool& tool, SchemaGrammar& schema) {
  return std::format("{} {}", grammar_literal(tool.name + "("), pythonic_arguments(schema));
}

std::string CallGrammar::pythonic_arguments(SchemaGrammar& schema) {
  std::vector<GrammarItem> items;
  for (const Parameter& one : parameters_of(schema)) {
    items.push_back(
        {.rule = writer_.rule(std::format("{} {}", grammar_literal(one.name + "="), schema.rule(one.schema))),
         .count = one.count});
  }
  return arguments_of("\", \"", items, true) + " \")\"";
}

// In any order; in the declared one where they are too many for that, or where one may be read as another.
std::string CallGrammar::arguments_of(std::string_view separator, std::span<const GrammarItem> items, bool is_apart) {
  if (items.empty()) return "\"\"";
  if (is_apart && items.size() <= kGrammarItemsMax) return grammar_each(separator, items);
  note("the arguments are held to their declared order");
  return grammar_in_order(writer_, separator, items);
}

// The text of an argument up to its closing tag. The grammar must not refuse what the parser reads as text (tag_value.h):
// a closing tag that no other tag follows, and the arguments of calls that it quotes, or only their opening tags.
std::string CallGrammar::any_text(const Parameter& one, std::string_view tag) {
  std::string opening;
  if (dialect_.writing == CallWriting::Elements) {
    opening = std::string(words_.key_begin) + one.name + std::string(words_.key_end);
  } else {
    const std::size_t last = words_.key_end.rfind('<');
    opening = last == std::string_view::npos ? words_.key_begin : words_.key_end.substr(last);
  }
  opening = without_end_space(opening);
  std::string& known = texts_[std::format("{}\n{}", tag, opening)];
  if (!known.empty()) return known;
  const std::string quoted = writer_.reserve();
  const std::string arms = std::format("{} !end {} {}", grammar_marked(tag), grammar_marked(opening), quoted);
  writer_.define(quoted, std::format("\"\" | @until{{{}}}", arms));
  const std::string text = writer_.reserve();
  writer_.define(text, std::format("@until{{{}}} ([ \\t\\r\\n]{{0,8}} [^<\\x00-\\x20] {})?", arms, text));
  known = text;
  return text;
}

std::string CallGrammar::parameter(const Parameter& one, SchemaGrammar& schema) {
  const std::string end = std::string(words_.value_end) +
                          (dialect_.writing == CallWriting::Elements ? one.name : std::string()) +
                          std::string(words_.value_end_after_key);
  // The line's end before the tag belongs to the tag.
  const std::size_t tag_begin = std::min(end.find_first_not_of(" \r\n\t"), end.size());
  const std::string_view tag = without_end_space(std::string_view(end).substr(tag_begin));
  const std::string after = end.substr(tag_begin + tag.size());

  const auto body = schema.bare_text(one.schema, tag);
  const auto types = schema_types(schema.resolved(one.schema));
  const bool is_text = !body || std::ranges::contains(types, "string");
  const std::string begin = literal(words_.key_begin) + grammar_literal(one.name) + " " +
                            literal(is_text ? words_.key_end : words_.key_end_json);
  if (body) return begin + writer_.rule(*body) + " " + grammar_marked(end);
  if (bounds_.string_chars_max != 0)
    return begin + grammar_repeat("[a-zA-Z0-9 ./_\\n-]", 0, bounds_.string_chars_max) + " " + grammar_marked(end);
  return std::format("{}{} {}", begin, any_text(one, tag), literal(after));
}

std::string CallGrammar::parameters(SchemaGrammar& schema) {
  const std::vector<Parameter> declared = parameters_of(schema);
  std::vector<GrammarItem> items;
  for (const Parameter& one : declared)
    items.push_back({.rule = writer_.rule(parameter(one, schema)), .count = one.count});
  if (!takes_more(schema) || bounds_.string_chars_max != 0 || dialect_.writing == CallWriting::Elements)
    return arguments_of("\"\"", items, true);
  std::vector<std::string_view> names;
  for (const Parameter& one : declared) names.push_back(one.name);
  const OtherName other = other_name(names, NameChars::Word, writer_);
  items.push_back({.rule = any_parameter(other.rule), .count = GrammarItem::Count::Repeated});
  return arguments_of("\"\"", items, other.is_apart);
}

std::string CallGrammar::any_parameter(const std::string& key) {
  const std::string_view end = words_.value_end;
  const std::size_t tag_begin = std::min(end.find_first_not_of(" \r\n\t"), end.size());
  const std::string_view tag = without_end_space(end.substr(tag_begin));
  return writer_.rule(std::format("{}{} {}@until{{{} !end}} {}", literal(words_.key_begin), key,
                                  literal(words_.key_end), grammar_marked(tag),
                                  literal(end.substr(tag_begin + tag.size()))));
}

}  // namespace hearth::chat
