// What the tests of this room share: a template rendered with variables written as JSON.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "jinja/template.h"

namespace hearth::jinja {

// The text, or "refused: " and the reason.
inline std::string rendered(std::string_view source, std::string_view variables_json = "{}") {
  const auto compiled = Template::compile(source);
  if (!compiled) return "refused: " + compiled.error().message;
  const auto json = Json::parse(variables_json);
  if (!json) return "the variables are no JSON";
  std::vector<Variable> variables;
  for (const auto& [name, value] : json->as_object())
    variables.push_back({.name = name, .value = &value, .origin = Variable::Origin::PerElement, .source = 1});
  const auto result = (*compiled)->render(variables);
  return result ? result->text : "refused: " + result.error().message;
}

// The text with the source of each stretch before it: "<0>a<2>b".
inline std::string traced(std::string_view source, std::vector<Variable> variables) {
  const auto compiled = Template::compile(source);
  if (!compiled) return "refused: " + compiled.error().message;
  const auto result = (*compiled)->render(variables);
  if (!result) return "refused: " + result.error().message;
  std::string out;
  std::size_t begin = 0;
  for (const Run& run : result->runs) {
    out += "<" + std::to_string(run.source) + ">" + result->text.substr(begin, run.end - begin);
    begin = run.end;
  }
  return begin == result->text.size() ? out : out + "<no source>";
}

}  // namespace hearth::jinja
