// SchemaGrammar: the choice of what a schema is (references, combinations, types), strings and arrays. Objects and "any
// value" are schema_objects.cpp.
#include "chat/schema_grammar.h"

#include <algorithm>
#include <cmath>
#include <format>
#include <utility>

#include "chat/grammar_numbers.h"
#include "chat/grammar_regex.h"
#include "chat/schema_formats.h"
#include "chat/schema_merge.h"

namespace hearth::chat {
namespace {

constexpr std::size_t kStepsMax = 20'000;       // schemas looked at; a client's largest tool has some hundreds
constexpr int kDepthMax = 64;                   // real ones stay under 30
constexpr std::size_t kTextBytesMax = 1 << 20;  // all of one request's rules
constexpr std::size_t kAlternativesMax = 256;
constexpr std::size_t kReferencesMax = 32;  // that lead to each other without anything else
constexpr std::size_t kNotesMax = 32;
// How much of a closing tag is kept out of a text whose characters are counted.
constexpr std::size_t kTagBytesMin = 2;
constexpr std::size_t kTagBytesMax = 32;
constexpr std::size_t kTagCostMax = 20'000;

// Names and values keep everything; of the schemas around them goes what says nothing about values, so that schemas that
// mean the same become the same rule.
Json bare(const Json& schema) {
  if (!schema.is_object()) return schema;
  constexpr std::string_view kAnnotations[] = {"description", "title",      "default",  "examples",  "$comment",
                                               "$schema",     "deprecated", "readOnly", "writeOnly", "example"};
  constexpr std::string_view kMaps[] = {"properties", "patternProperties", "$defs", "definitions"};
  constexpr std::string_view kLists[] = {"anyOf", "oneOf", "allOf", "prefixItems"};
  constexpr std::string_view kSchemas[] = {"items", "additionalProperties", "propertyNames"};
  Json::Object out;
  for (const auto& [key, value] : schema.as_object()) {
    if (std::ranges::contains(kAnnotations, key)) continue;
    Json kept = value;
    if (std::ranges::contains(kMaps, key) && value.is_object()) {
      for (auto& [name, inner] : kept.as_object()) inner = bare(inner);
    } else if ((std::ranges::contains(kLists, key) || key == "items") && value.is_array()) {
      for (Json& inner : kept.as_array()) inner = bare(inner);
    } else if (std::ranges::contains(kSchemas, key)) {
      kept = bare(value);
    }
    out.emplace_back(key, std::move(kept));
  }
  return out;
}

std::string unescaped_pointer(std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '~' || i + 1 >= part.size()) {
      out += part[i];
      continue;
    }
    ++i;
    out += part[i] == '1' ? '/' : '~';
  }
  return out;
}

std::optional<double> number_at(const Json& schema, std::string_view key) {
  const Json* value = schema.find(key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->as_number();
}

// Both spellings of exclusive bounds: the number itself, and draft 4's flag beside the bound.
NumberBounds bounds_of(const Json& schema) {
  NumberBounds bounds{.least = number_at(schema, "minimum"), .most = number_at(schema, "maximum")};
  const auto is_true = [&](std::string_view key) {
    return schema.find(key) != nullptr && *schema.find(key) == Json(true);
  };
  bounds.least_excluded = is_true("exclusiveMinimum");
  bounds.most_excluded = is_true("exclusiveMaximum");
  const auto over = number_at(schema, "exclusiveMinimum");
  const auto under = number_at(schema, "exclusiveMaximum");
  if (over && (!bounds.least || *over >= *bounds.least)) {
    bounds.least = over;
    bounds.least_excluded = true;
  }
  if (under && (!bounds.most || *under <= *bounds.most)) {
    bounds.most = under;
    bounds.most_excluded = true;
  }
  return bounds;
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "integer") return value.is_number() && value.as_number() == std::floor(value.as_number());
  if (type == "number") return value.is_number();
  return type == value.type_name();
}

std::string joined(const std::vector<std::string>& alternatives) {
  std::string out;
  for (const std::string& one : alternatives) out += (out.empty() ? "" : " | ") + one;
  return out;
}

}  // namespace

SchemaGrammar::SchemaGrammar(GrammarWriter& writer, const Json& schema, SchemaGrammarBounds bounds,
                             ValueNotation notation)
    : writer_(writer), bounds_(bounds), notation_(notation), root_(bare(schema)) {}

void SchemaGrammar::note(std::string text) {
  if (notes_.size() < kNotesMax) notes_.insert(std::move(text));
}

std::string SchemaGrammar::rule(const Json& schema) {
  if (++steps_ > kStepsMax || depth_ > kDepthMax || writer_.bytes() > kTextBytesMax) {
    note("the schema is too large: a part of it is any JSON value");
    return any_rule();
  }
  std::string key = schema.dump();
  // Something that is only itself: no value would ever satisfy it.
  if (open_units_.contains(key)) {
    note("a part of the schema refers only to itself: it is any JSON value");
    return any_rule();
  }
  if (const auto known = rules_by_schema_.find(key); known != rules_by_schema_.end()) return known->second;
  std::string name = writer_.reserve();
  rules_by_schema_.emplace(key, name);
  open_units_.insert(key);
  ++depth_;
  writer_.define(name, body(schema));
  --depth_;
  open_units_.erase(key);
  return name;
}

const Json* SchemaGrammar::target(const std::string& reference) const {
  if (reference == "#") return &root_;
  if (!reference.starts_with("#/")) return nullptr;
  const Json* at = &root_;
  std::string_view rest = std::string_view(reference).substr(2);
  while (at != nullptr) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string part = unescaped_pointer(rest.substr(0, end));
    if (at->is_array()) {
      std::size_t index = 0;
      const bool is_index =
          !part.empty() && part.size() < 6 && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
      if (is_index) index = std::stoul(part);
      at = is_index && index < at->as_array().size() ? &at->as_array()[index] : nullptr;
    } else {
      at = at->find(part);
    }
    if (end == rest.size()) return at;
    rest.remove_prefix(end + 1);
  }
  return nullptr;
}

Json SchemaGrammar::resolved(const Json& schema) {
  Json out = schema;
  for (std::size_t i = 0; out.is_object(); ++i) {
    const Json* reference = out.find("$ref");
    const Json* all = out.find("allOf");
    if (reference == nullptr && all == nullptr) break;
    if (i >= kReferencesMax || ++steps_ > kStepsMax) {
      note("references lead to each other without end: they are any JSON value");
      return Json::object();
    }
    if (reference != nullptr) {
      const Json* found = reference->is_string() ? target(reference->as_string()) : nullptr;
      if (found == nullptr) note("a $ref leads nowhere: it is any JSON value");
      Json rest = without_member(out, "$ref");
      if (found == nullptr)
        out = std::move(rest);
      else
        out = rest.as_object().empty() ? *found : merge_schemas(*found, rest);
    } else {
      Json merged = without_member(out, "allOf");
      if (all->is_array()) {
        if (++depth_ > kDepthMax) {
          note("allOf is nested too deep: a part of it is not checked");
        } else {
          for (const Json& one : all->as_array()) merged = merge_schemas(merged, resolved(one));
        }
        --depth_;
      }
      out = std::move(merged);
    }
  }
  return out;
}

void SchemaGrammar::note_what_is_not_held(const Json& schema) {
  for (const std::string_view key : {"not", "if", "dependentRequired", "dependentSchemas", "dependencies", "contains",
                                     "uniqueItems", "multipleOf", "unevaluatedProperties"}) {
    const Json* value = schema.find(key);
    if (value != nullptr && *value != Json(false)) note(std::format("`{}` is not checked", key));
  }
}

std::string SchemaGrammar::body(const Json& given) {
  if (given == Json(false)) note("a schema that allows nothing is taken as any JSON value");
  if (!given.is_object()) return any_rule();
  const Json schema = resolved(given);
  if (!schema.is_object()) return any_rule();
  note_what_is_not_held(schema);
  if (const Json* only = schema.find("const")) return spelled(*only);
  if (const Json* values = schema.find("enum"); values != nullptr && values->is_array() && !values->as_array().empty())
    return literals(values->as_array(), schema);
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    const Json* list = schema.find(keyword);
    if (list != nullptr && list->is_array() && !list->as_array().empty()) return alternatives(schema, keyword);
  }
  const std::vector<std::string> types = schema_types(schema);
  if (types.empty()) return any_rule();
  std::vector<std::string> bodies;
  // From here on something is written before the schema can come again.
  const std::set<std::string> outer = std::exchange(open_units_, {});
  for (const std::string& type : types) bodies.push_back(of_type(type, schema));
  open_units_ = outer;
  return joined(bodies);
}

std::string SchemaGrammar::alternatives(const Json& schema, std::string_view keyword) {
  if (keyword == "oneOf") note("`oneOf` is taken as `anyOf`");
  const Json rest = without_member(schema, keyword);
  std::vector<std::string> bodies;
  for (const Json& one : schema.find(keyword)->as_array()) {
    if (one == Json(false)) continue;
    if (bodies.size() >= kAlternativesMax) {
      note("a schema has too many alternatives: the first ones are allowed");
      break;
    }
    steps_ += rest.as_object().size();
    std::string name = rule(rest.as_object().empty() ? one : merge_schemas(rest, resolved(one)));
    if (!std::ranges::contains(bodies, name)) bodies.push_back(std::move(name));
  }
  return bodies.empty() ? any_rule() : joined(bodies);
}

std::string SchemaGrammar::literals(const Json::Array& values, const Json& schema) {
  const std::vector<std::string> types =
      schema.find("type") != nullptr ? schema_types(schema) : std::vector<std::string>{};
  std::vector<std::string> out;
  for (const Json& value : values) {
    const bool fits =
        types.empty() || std::ranges::any_of(types, [&](const std::string& type) { return has_type(value, type); });
    if (fits && writer_.bytes() < kTextBytesMax) out.push_back(spelled(value));
  }
  if (!out.empty()) return joined(out);
  note("no value of an enum has its type: the type is not checked");
  for (const Json& value : values) out.push_back(spelled(value));
  return joined(out);
}

std::string SchemaGrammar::of_type(const std::string& type, const Json& schema) {
  if (type == "null") return spelled(Json());
  if (type == "boolean") return spelled(Json(true)) + " | " + spelled(Json(false));
  if (type == "string") return string_body(schema);
  if (type == "array") return array_body(schema);
  if (type == "object") return object_body(schema);
  if (type != "integer" && type != "number") {
    note("a type is not known: it is any JSON value");
    return any_rule();
  }
  const auto numbers = type == "integer" ? integer_grammar(bounds_of(schema)) : number_grammar(bounds_of(schema));
  if (numbers) return *numbers;
  note("the bounds of a number cannot be held");
  return type == "integer" ? *integer_grammar({}) : *number_grammar({});
}

// The value of a count, or `otherwise` when there is none that can be counted.
std::uint32_t SchemaGrammar::count_at(const Json& schema, std::string_view key, std::uint32_t otherwise) {
  constexpr double kCountMax = 8'192;
  const auto value = number_at(schema, key);
  if (!value || !(*value >= 0)) return otherwise;
  if (*value <= kCountMax && writer_.spend(static_cast<std::size_t>(*value))) return static_cast<std::uint32_t>(*value);
  note(std::format("`{}` is too large to be counted: it is not checked", key));
  return otherwise;
}

// `min...` and `max...` of a string or an array; ours bounds what the schema leaves open.
SchemaGrammar::Counts SchemaGrammar::counts_of(const Json& schema, std::string_view what, std::uint32_t bound) {
  const bool text = what == "string";
  Counts counts{.least = count_at(schema, text ? "minLength" : "minItems", 0),
                .most = count_at(schema, text ? "maxLength" : "maxItems", kGrammarUnbounded)};
  if (bound != 0) counts.most = std::min(counts.most, std::max(bound, counts.least));
  if (counts.most < counts.least) {
    note(std::format("the bounds of {} {}'s length cannot be held", text ? "a" : "an", what));
    counts.most = kGrammarUnbounded;
  }
  return counts;
}

// What a `pattern` or a `format` says about a text's characters; nullopt: nothing that can be held.
std::optional<std::string> SchemaGrammar::text_shape(const Json& schema, CharSpelling spelling) {
  if (const Json* pattern = schema.find("pattern"); pattern != nullptr && pattern->is_string()) {
    if (schema.find("minLength") != nullptr || schema.find("maxLength") != nullptr)
      note("the length of a string with a `pattern` is not checked");
    const auto body = pattern_grammar(pattern->as_string(), spelling, writer_);
    if (body) return "(" + *body + ")";
    note(std::format("a `pattern` cannot be expressed: {}", pattern->as_string().substr(0, 80)));
  }
  if (const Json* format = schema.find("format"); format != nullptr && format->is_string()) {
    const auto body = format_grammar(format->as_string());
    if (body) return writer_.rule(*body);
    note(std::format("the format `{}` is not checked", format->as_string().substr(0, 40)));
  }
  return std::nullopt;
}

std::string SchemaGrammar::string_body(const Json& schema) {
  if (const auto shape = text_shape(schema, char_spelling())) return in_quotes(*shape);
  const auto [least, most] = counts_of(schema, "string", bounds_.string_chars_max);
  if (least == 0 && most == kGrammarUnbounded) return any_string();
  return in_quotes(grammar_repeat(char_rule(), least, most));
}

std::string SchemaGrammar::array_body(const Json& schema) {
  const auto [least, most] = counts_of(schema, "array", bounds_.array_items_max);
  const Json* items = schema.find("items");
  const Json* tuple = schema.find("prefixItems");
  if (tuple == nullptr && items != nullptr && items->is_array()) std::swap(tuple, items);
  if (tuple == nullptr || !tuple->is_array() || tuple->as_array().empty())
    return list_of(items == nullptr ? any_rule() : rule(*items), least, most, "[", "]");
  // Every place of a tuple is filled; what may follow it is left out.
  const std::string space = space_rule();
  std::string out = "\"[\" " + space;
  for (std::size_t i = 0; i < tuple->as_array().size(); ++i)
    out += (i == 0 ? " " : " \",\" " + space + " ") + rule(tuple->as_array()[i]);
  if (least > tuple->as_array().size()) note("`minItems` over a tuple's length is not checked");
  return out + " " + space + " \"]\"";
}

std::string SchemaGrammar::spelled(const Json& value) const {
  if (notation_ == ValueNotation::Json) return grammar_literal(value.dump());
  if (notation_ == ValueNotation::Python && value.is_null()) return "\"None\"";
  if (notation_ == ValueNotation::Python && value.is_boolean()) return value.as_boolean() ? "\"True\"" : "\"False\"";
  if (value.is_string())
    return notation_ == ValueNotation::Gemma ? in_quotes(grammar_literal(value.as_string()))
                                             : grammar_literal(value.dump());
  if (!value.is_array() && !value.is_object()) return grammar_literal(value.dump());
  std::string out = value.is_array() ? "\"[\"" : "\"{\"";
  bool first = true;
  const auto comma = [&] { out += std::exchange(first, false) ? "" : " \",\""; };
  if (value.is_array()) {
    for (const Json& one : value.as_array()) {
      comma();
      out += " " + spelled(one);
    }
    return out + " \"]\"";
  }
  for (const auto& [key, one] : value.as_object()) {
    comma();
    out += " " + key_spelled(key) + " \":\" " + spelled(one);
  }
  return out + " \"}\"";
}

std::string SchemaGrammar::key_spelled(std::string_view name) const {
  return grammar_literal(notation_ == ValueNotation::Gemma ? std::string(name) : Json(name).dump());
}

std::string SchemaGrammar::in_quotes(std::string_view body) const {
  const std::string quote = notation_ == ValueNotation::Gemma ? grammar_marked("<|\"|>") : grammar_literal("\"");
  return std::format("{} {} {}", quote, body, quote);
}

std::optional<std::string> SchemaGrammar::bare_text(const Json& given, std::string_view end) {
  if (!given.is_object()) return std::nullopt;
  const Json schema = resolved(given);
  if (!schema.is_object()) return std::nullopt;
  const auto bare_literal = [](const Json& value) {
    return grammar_literal(value.is_string() ? value.as_string() : value.dump());
  };
  if (const Json* only = schema.find("const")) return bare_literal(*only);
  if (const Json* values = schema.find("enum");
      values != nullptr && values->is_array() && !values->as_array().empty()) {
    std::vector<std::string> out;
    for (const Json& value : values->as_array()) out.push_back(bare_literal(value));
    return joined(out);
  }
  for (const std::string_view keyword : {"anyOf", "oneOf"}) {
    const Json* list = schema.find(keyword);
    if (list == nullptr || !list->is_array() || list->as_array().empty()) continue;
    std::vector<std::string> out;
    for (const Json& one : list->as_array()) {
      const auto body = ++depth_ > kDepthMax || ++steps_ > kStepsMax ? std::nullopt : bare_text(one, end);
      --depth_;
      if (!body) return std::nullopt;
      out.push_back("(" + *body + ")");
    }
    return joined(out);
  }
  const std::vector<std::string> types = schema_types(schema);
  if (types.empty()) return std::nullopt;
  if (!std::ranges::contains(types, "string")) return rule(given);
  return bare_string(schema, end);
}

// What may be text is read as text, also where other types are allowed too.
std::optional<std::string> SchemaGrammar::bare_string(const Json& schema, std::string_view end) {
  if (auto shape = text_shape(schema, CharSpelling::Tagged)) return shape;
  const auto [least, most] = counts_of(schema, "string", bounds_.string_chars_max);
  if (least == 0 && most == kGrammarUnbounded) return std::nullopt;
  // Some ten nodes for each character and each place in the tag: of a long text a shorter beginning of the tag may not come.
  const std::size_t counts = std::max<std::size_t>(1, most == kGrammarUnbounded ? least : most);
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  const auto ascii = static_cast<std::size_t>(std::ranges::find_if_not(end, is_ascii) - end.begin());
  const std::string_view tag =
      end.substr(0, std::min({ascii, kTagBytesMax, std::max(kTagBytesMin, kTagCostMax / counts)}));
  if (!tag.empty() && writer_.spend(counts * tag.size() * 3)) return grammar_without(tag, least, most);
  note("the length of a text is not checked: there are too many of them");
  return std::nullopt;
}

}  // namespace hearth::chat
