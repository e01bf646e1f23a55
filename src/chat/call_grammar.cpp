// See call_grammar.h. A call is [opening][body], the next one [join][opening of a later call][body], and the closing ends
// them; the openings are literals, so that the first one can be cut behind the trigger.
#include "chat/call_grammar.h"

#include <algorithm>
#include <format>
#include <utility>

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
  SchemaGrammar schema(writer_, tool.input_schema.is_object() ? tool.input_schema : Json::object(), bounds_,
                       notation_of(dialect_.writing));
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
  for (const std::string& note : schema.notes()) notes_.insert(tool.name + ": " + note);
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
    notes_.insert(std::format("`{}` over all arguments is not checked", keyword));
    Json merged = without_member(root, keyword);
    for (const Json& one : list->as_array()) {
      const Json part = schema.resolved(one);
      if (part.is_object()) merged = merge_schemas(merged, without_member(part, "required"));
    }
    root = std::move(merged);
  }
  std::vector<Parameter> out;
  const Json* required = root.find("required");
  const auto is_required = [&](const std::string& name) {
    return required != nullptr && required->is_array() && std::ranges::contains(required->as_array(), Json(name));
  };
  if (const Json* properties = root.find("properties"); properties != nullptr && properties->is_object()) {
    for (const auto& [name, value] : properties->as_object())
      if (properties->find(name) == &value) out.push_back({name, value, is_required(name)});
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
  const std::vector<Parameter> all = parameters_of(schema);
  // As an object's members: what may follow one, and which may be the first.
  std::string rest = "\")\"";
  std::string first = "\")\"";
  for (std::size_t i = all.size(); i-- > 0;) {
    const std::string here =
        std::format("{} {} {}", grammar_literal(all[i].name + "="), schema.rule(all[i].schema), rest);
    first = writer_.rule(all[i].required ? here : std::format("{} | {}", here, first));
    rest = writer_.rule(all[i].required ? std::format("\", \" {}", here) : std::format("\", \" {} | {}", here, rest));
  }
  return std::format("{} {}", grammar_literal(tool.name + "("), first);
}

std::string CallGrammar::parameter(const Parameter& one, SchemaGrammar& schema) {
  const auto body = schema.bare_text(one.schema);
  const std::string end = std::string(words_.value_end) +
                          (dialect_.writing == CallWriting::Elements ? one.name : std::string()) +
                          std::string(words_.value_end_after_key);
  const auto types = schema_types(schema.resolved(one.schema));
  const bool is_text = !body || std::ranges::contains(types, "string");
  const std::string begin = literal(words_.key_begin) + grammar_literal(one.name) + " " +
                            literal(is_text ? words_.key_end : words_.key_end_json);
  if (body) return begin + writer_.rule(*body) + " " + grammar_marked(end);
  // Any text up to the closing tag; the line's end before the tag belongs to the tag.
  const std::size_t tag_begin = std::min(end.find_first_not_of(" \r\n\t"), end.size());
  const std::string_view tag = without_end_space(std::string_view(end).substr(tag_begin));
  const std::string after = end.substr(tag_begin + tag.size());
  if (bounds_.string_chars_max != 0)
    return begin + grammar_repeat("[a-zA-Z0-9 ./_\\n-]", 0, bounds_.string_chars_max) + " " + grammar_marked(end);
  return std::format("{}@until{{{} !end}} {}", begin, grammar_marked(tag), literal(after));
}

// Declared order; those that are not required may be left out.
std::string CallGrammar::parameters(SchemaGrammar& schema) {
  const std::vector<Parameter> all = parameters_of(schema);
  std::string out;
  for (const Parameter& one : all) {
    const std::string rule = writer_.rule(parameter(one, schema));
    out += (out.empty() ? "" : " ") + rule + (one.required ? "" : "?");
  }
  if (takes_more(schema) && bounds_.string_chars_max == 0) out += (out.empty() ? "" : " ") + any_parameters();
  return out.empty() ? "\"\"" : out;
}

std::string CallGrammar::any_parameters() {
  const std::string key = writer_.rule("[a-zA-Z0-9_.\\-]{1,64}");
  if (dialect_.writing == CallWriting::Elements) return "\"\"";
  const std::string_view end = words_.value_end;
  const std::size_t tag_begin = std::min(end.find_first_not_of(" \r\n\t"), end.size());
  const std::string_view tag = without_end_space(end.substr(tag_begin));
  const std::string one =
      writer_.rule(std::format("{}{} {}@until{{{} !end}} {}", literal(words_.key_begin), key, literal(words_.key_end),
                               grammar_marked(tag), literal(end.substr(tag_begin + tag.size()))));
  return one + "{0,64}";
}

}  // namespace hearth::chat
