// What a schema says about a value, and that no schema makes the question long.
#include "chat/argument_schema.h"

#include <doctest/doctest.h>

#include <chrono>
#include <format>
#include <string>
#include <utility>
#include <variant>

#include "base/json.h"
#include "chat/grammar_writer.h"
#include "chat/schema_grammar.h"
#include "chat/stream_parser.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

// a0 refers four times to a1, that four times to a2, and so on: 4^26 ways down.
Json fan(const std::string& keyword) {
  Json schema = Json::object({{"type", "object"}, {"$ref", "#/$defs/a0"}});
  Json schemas = Json::object();
  for (int i = 0; i <= 25; ++i) {
    const Json next = Json::object({{"$ref", std::format("#/$defs/a{}", i + 1)}});
    schemas.set(std::format("a{}", i), Json::object({{keyword, Json(Json::Array{next, next, next, next})}}));
  }
  schemas.set("a26", Json::object({{"type", "string"}}));
  schema.set("properties", Json::object({{"x", Json::object({{"$ref", "#/$defs/a0"}})}}));
  schema.set("$defs", std::move(schemas));
  return schema;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

TEST_CASE("a schema with endlessly many ways down is asked in bounded time, and allows any type") {
  const auto begin = std::chrono::steady_clock::now();
  for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
    INFO(std::string(keyword));
    const Json schema = fan(keyword);
    const ArgumentSchema root(&schema);
    CHECK_FALSE(root.types().known());
    CHECK_FALSE(root.declares("nothing"));
    CHECK_FALSE(root.member("nothing").types().known());
  }
  CHECK(seconds_since(begin) < 2);
}

TEST_CASE("a call with an argument of such a schema is read in bounded time") {
  const auto begin = std::chrono::steady_clock::now();
  StreamParserOptions options;
  options.tool_names = {"Read"};
  options.tool_schemas.push_back(fan("anyOf"));
  StreamParser parser(std::move(options));
  std::string json;
  for (const StreamEvent& event :
       parser.push(R"(<tool_call>{"name": "Read", "arguments": {"x": {"a": 1}}}</tool_call>)"))
    if (const auto* delta = std::get_if<ToolCallDelta>(&event)) json += delta->json;
  CHECK(json == R"({"x": {"a": 1}})");
  CHECK(seconds_since(begin) < 2);
}

TEST_CASE("a schema with endlessly many ways down becomes a grammar in bounded time") {
  const auto begin = std::chrono::steady_clock::now();
  for (const char* keyword : {"anyOf", "oneOf", "allOf"}) {
    INFO(std::string(keyword));
    GrammarWriter writer;
    const Json schema = fan(keyword);
    SchemaGrammar grammar(writer, schema);
    CHECK_FALSE(grammar.root_rule().empty());
    static_cast<void>(grammar.bare_text(*schema.find("properties")->find("x"), "</x>"));
    CHECK(writer.bytes() < std::size_t{4} << 20);
  }
  CHECK(seconds_since(begin) < 10);
}

TEST_CASE("alternatives that are references have the types of what they refer to") {
  const Json schema = *Json::parse(
      R"({"$defs": {"a": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/b"}]}, "b": {"type": "null"},
          "o": {"properties": {"deep": {"type": "integer"}}}},
          "properties": {"x": {"$ref": "#/$defs/a"}}, "allOf": [{"$ref": "#/$defs/o"}]})");
  const ArgumentSchema root(&schema);
  const JsonTypes types = root.member("x").types();
  CHECK(types.known());
  CHECK(types.allow(JsonTypes::Text));
  CHECK(types.allow(JsonTypes::Null));
  CHECK_FALSE(types.allow(JsonTypes::Object));
  CHECK(root.declares("deep"));
  CHECK_FALSE(root.declares("other"));
}
