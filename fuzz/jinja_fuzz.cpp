// Fuzzes the template engine: any bytes are a template or an error, and a render with a fixed input ends within its limits,
// with runs that cover the text.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "base/utf8.h"
#include "jinja/template.h"

namespace {

using hearth::Json;
using hearth::jinja::Variable;

const Json& messages() {
  static const Json value =
      *Json::parse(R"([{"role":"system","content":"Be brief."},{"role":"user","content":"h\u00e9 <|x|>"},
    {"role":"assistant","content":null,"tool_calls":[{"id":"c1","function":{"name":"f","arguments":{"a":1,"b":[1.5,"x",null]}}}]},
    {"role":"tool","content":"r","tool_call_id":"c1"}])");
  return value;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto compiled = hearth::jinja::Template::compile(std::string_view(reinterpret_cast<const char*>(data), size),
                                                         {.steps_max = 200'000});
  if (!compiled) {
    CHECK(!compiled.error().message.empty());
    return 0;
  }
  const Json yes(true);
  const Json token("<s>");
  const std::vector<Variable> variables = {
      {.name = "messages", .value = &messages(), .origin = Variable::Origin::PerElement, .source = 1},
      {.name = "add_generation_prompt", .value = &yes},
      {.name = "bos_token", .value = &token}};
  const auto rendered = (*compiled)->render(variables);
  if (!rendered) {
    CHECK(hearth::is_valid_utf8(rendered.error().message));
    return 0;
  }
  std::size_t begin = 0;
  for (const auto& run : rendered->runs) {
    CHECK(run.end > begin);
    CHECK(run.source <= 4);
    begin = run.end;
  }
  CHECK(begin == rendered->text.size());
  return 0;
}
