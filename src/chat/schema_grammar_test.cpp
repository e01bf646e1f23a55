// JSON schemas as grammars: what each keyword lets through and keeps out, what is relaxed and said so, hostile schemas, and
// that random texts of the grammars are valid.
#include <doctest/doctest.h>

#include <format>
#include <set>
#include <string>
#include <string_view>

#include "chat/grammar_numbers.h"
#include "chat/grammar_writer.h"
#include "chat/schema_grammar.h"
#include "chat/test_grammar.h"

using namespace hearth;
using namespace hearth::chat;

namespace {

Json parsed(std::string_view text) {
  auto json = Json::parse(text);
  REQUIRE_MESSAGE(json.has_value(), std::string(text));
  return *json;
}

struct Made {
  std::string text;
  std::set<std::string> notes;
};
Made made(const Json& schema) {
  GrammarWriter writer;
  SchemaGrammar grammar(writer, schema);
  const std::string root = grammar.root_rule();
  return {writer.text(root), grammar.notes()};
}
std::string verdict_of(std::string_view schema, std::string_view value) {
  return verdict(made(parsed(schema)).text, value);
}

struct Row {
  const char* schema;
  const char* good;  // values, apart by two spaces
  const char* bad;
};

std::vector<std::string_view> values(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("  "), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 2));
  }
  return out;
}

constexpr Row kRows[] = {
    {R"({"type":"string"})", R"(""  "a\nb"  "é\u00e9\ud83d\ude00")", "1  \"a\nb\"  \"\\ud83d\"  \"\\x\""},
    {R"({"type":"boolean"})", "true  false", "null  1"},
    {R"({"type":"null"})", "null", "0"},
    {R"({"type":["string","null"]})", R"("a"  null)", "1"},
    {R"({"type":"string","nullable":true})", R"("a"  null)", "1"},
    {R"({"type":"integer"})", "0  -7  12345678", "01  1.5  -  +1  1e3"},
    {R"({"type":"integer","minimum":7,"maximum":1234})", "7  9  10  99  100  1000  1234",
     "6  0  1235  2000  10000  -7"},
    {R"({"type":"integer","minimum":-12,"maximum":3})", "-12  -9  -1  0  3", "-13  4  -0  -20"},
    {R"({"type":"integer","exclusiveMinimum":0})", "1  10  9007199254740991", "0  -1  9007199254740992"},
    {R"({"type":"integer","minimum":0,"exclusiveMinimum":true,"maximum":9007199254740991})", "1  9007199254740991",
     "0"},
    {R"({"type":"integer","maximum":-5})", "-5  -10", "-4  0  5"},
    {R"({"type":"number"})", "0  -1.5  2e10  1.25E-3", "1.  .5  01"},
    {R"({"type":"number","minimum":0,"maximum":1})", "0  1  0.5  0.999", "1.1  -0.1  2"},
    {R"({"type":"number","exclusiveMinimum":0,"maximum":2})", "0.5  1  2  0.01  1.99", "0  0.0  2.1"},
    {R"({"type":"number","minimum":-1.5,"maximum":-0.5})", "-1", "0  -2  -1.9  1"},
    {R"({"type":"string","minLength":2,"maxLength":3})", R"("ab"  "é\n"  "abc")", R"("a"  "abcd"  "")"},
    {R"({"enum":["a",1,null,{"b":[2]}]})", R"("a"  1  null  {"b":[2]})", R"("b"  2  {})"},
    {R"({"type":"string","enum":["a",1]})", R"("a")", "1"},
    {R"({"const":"x\"y"})", R"("x\"y")", R"("x")"},
    {R"({"type":"string","pattern":"^[a-z]{2,3}-\\d+$"})", R"("ab-1"  "abc-123")", R"("a-1"  "ab-"  "ab-1x")"},
    {R"({"type":"string","pattern":"foo"})", R"("foo"  "a foo b")", R"("fo")"},
    {R"({"type":"string","pattern":"^(a|b\"c)+?[^x]$"})", R"("aad"  "b\"c\"")", R"("ax"  "d")"},
    {R"({"type":"string","pattern":"^\\w+\\s?(?:\\.\\w+)*$"})", R"("a_b .c"  "a\t")", R"("a-b"  ".")"},
    {R"({"type":"string","format":"date"})", R"("2024-02-28"  "2024-12-31")",
     R"("2024-02-30"  "2024-13-01"  "2024-04-31")"},
    {R"({"type":"string","format":"date-time"})", R"("2024-02-28T23:59:00Z"  "2024-02-28T00:00:00.5+02:00")",
     R"("2024-02-28"  "2024-02-28T24:00:00Z")"},
    {R"({"type":"string","format":"uuid"})", R"("123e4567-e89b-42d3-a456-426614174000")", R"("123e4567")"},
    {R"({"type":"string","format":"email"})", R"("a.b@c.org")", R"("a.b"  "@c.org")"},
    {R"({"type":"string","format":"ipv4"})", R"("127.0.0.1"  "255.255.255.255")", R"("256.0.0.1"  "1.2.3")"},
    {R"({"type":"string","format":"uri"})", R"("https://a.b/c?d=e#f")", R"("a b"  "http:")"},
    {R"({"type":"array","items":{"type":"integer"},"minItems":1,"maxItems":2})", "[1]  [1,2]  [ 1, 2 ]",
     "[]  [1,2,3]  [\"a\"]"},
    {R"({"type":"array","maxItems":0})", "[]", "[1]"},
    {R"({"type":"array"})", R"([]  [1,"a",[{}]])", "[,]  [1,]"},
    {R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}]})", R"([1,"a"])", R"([1]  ["a",1])"},
    {R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"string"}},"required":["a"]})",
     "{\"a\":1}  {\"a\": 1, \"b\": \"x\"}  {\n\t\"a\": 1\n}", R"({}  {"b":"x"}  {"a":1,}  {"a":1,"c":2}  {,"a":1})"},
    {R"({"type":"object","properties":{"a":{},"b":{},"c":{}}})",
     R"({}  {"b":1}  {"a":1,"c":2}  {"c":[]}  {"b":1,"a":2})", R"({"d":1}  {"b":1,"a":2,"b":3})"},
    {R"({"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"boolean"}})",
     R"({}  {"a":1}  {"x":true}  {"a":1,"ab":true,"y":false}  {"x":true,"a":1})",
     R"({"a":true}  {"x":1}  {"a":1,"a":2})"},
    {R"({"type":"object","additionalProperties":{"type":"integer"},"minProperties":1,"maxProperties":2})",
     R"({"a":1}  {"a":1,"b":2})", R"({}  {"a":1,"b":2,"c":3})"},
    {R"({"type":"object","additionalProperties":false})", "{}", R"({"a":1})"},
    {R"({"type":"object"})", R"({}  {"a":{"b":[1]}})", "[]"},
    {R"({"type":"object","patternProperties":{"^x-":{"type":"integer"}},"additionalProperties":false})", R"({"x-a":1})",
     R"({"y":1}  {"x-a":"b"})"},
    {R"({"type":"object","propertyNames":{"enum":["a","b"]},"additionalProperties":{"type":"integer"}})",
     R"({"a":1,"b":2})", R"({"c":1})"},
    {R"({"type":"object","required":["z"]})", R"({"z":1})", "{}"},
    {R"({"anyOf":[{"type":"integer"},{"type":"object","properties":{"a":{"type":"null"}},"required":["a"]}]})",
     R"(1  {"a":null})", R"("a"  {})"},
    {R"({"type":"object","properties":{"k":{"type":"integer"}},"required":["k"],"oneOf":[{"properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"type":"integer"}},"required":["b"]}]})",
     R"({"k":1,"a":2}  {"k":1,"b":2})", R"({"k":1}  {"a":1})"},
    {R"({"allOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},{"properties":{"b":{"type":"integer"}},"required":["b"]}]})",
     R"({"a":1,"b":2})", R"({"a":1}  {"b":1})"},
    {R"({"allOf":[{"type":"number"},{"type":"integer","minimum":3},{"minimum":5}]})", "5  6", "3  4  5.5"},
    {R"({"$ref":"#/$defs/n","$defs":{"n":{"type":"object","properties":{"v":{"type":"integer"},"next":{"anyOf":[{"$ref":"#/$defs/n"},{"type":"null"}]}},"required":["v","next"],"additionalProperties":false}}})",
     R"({"v":1,"next":null}  {"v":1,"next":{"v":2,"next":{"v":3,"next":null}}})", R"({"v":1}  {"v":1,"next":1})"},
    {R"({"$ref":"#/definitions/a~1b","definitions":{"a/b":{"type":"integer"}}})", "1", "\"a\""},
    {R"({"type":"object","properties":{"x":{"$ref":"#/properties/y","description":"d"},"y":{"type":"integer"}},"required":["x"]})",
     R"({"x":1})", R"({"x":"a"})"},
    {R"({"minimum":3,"maximum":4})", "3  4", "5  \"a\""},
    {R"({})", R"(1  "a"  {"a":[null]}  [[]])", "a  {a:1}"},
    {R"(true)", R"({"a":1})", "x"},
};

}  // namespace

TEST_CASE("each keyword lets its values through and keeps others out") {
  for (const Row& row : kRows) {
    CAPTURE(row.schema);
    const std::string text = made(parsed(row.schema)).text;
    for (const std::string_view value : values(row.good)) CHECK_MESSAGE(verdict(text, value) == "yes", value);
    for (const std::string_view value : values(row.bad)) CHECK_MESSAGE(verdict(text, value) != "yes", value);
  }
}

TEST_CASE("members come in any order, each once, and none that is required is missing") {
  const char* schema =
      R"({"type":"object","properties":{"a":{"type":"integer"},"b":{"type":"boolean"},"c":{"type":"string"}},"required":["a","c"]})";
  for (const char* good : {R"({"a":1,"b":true,"c":"x"})", R"({"c":"x","a":1})", R"({"b":false,"c":"x","a":1})"})
    CHECK_MESSAGE(verdict_of(schema, good) == "yes", good);
  for (const char* bad : {R"({"a":1})", R"({"c":"x","a":1,"a":2})", R"({"c":"x","b":true})", R"({"c":"x","a":1,})"})
    CHECK_MESSAGE(verdict_of(schema, bad) != "yes", bad);
  const char* open =
      R"({"type":"object","properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":{"type":"string"}})";
  CHECK(verdict_of(open, R"({"x":"1","a":1,"y":"2"})") == "yes");
  CHECK(verdict_of(open, R"({"x":"1","y":"2")") == "more");
  CHECK(verdict_of(open, R"({"x":"1","y":"2"})") == "no");
  CHECK(verdict_of(open, R"({"x":"1","a":"2"})") == "no");
}

TEST_CASE("twenty members and others that may have their names are read at one place each") {
  std::string properties;
  std::string members;
  for (int i = 0; i < 20; ++i) {
    properties += std::format("{}\"name{}\":{{\"type\":\"integer\"}}", i == 0 ? "" : ",", i);
    members += std::format("{}\"name{}\":1", i == 0 ? "" : ",", i);
  }
  for (const char* more : {R"("additionalProperties":true)", R"("patternProperties":{"^name":{"type":"integer"}})",
                           R"("additionalProperties":true,"required":["größe"])"}) {
    CAPTURE(more);
    const bool has_other = std::string_view(more).contains("größe");
    const std::string whole = "{" + members + (has_other ? ",\"größe\":1" : "") + "}";
    const std::string text =
        made(parsed("{\"type\":\"object\",\"properties\":{" + properties + "}," + more + "}")).text;
    grammar::Automaton automaton = automaton_of(text);
    CHECK(automaton.accepts(automaton.step_all(automaton.start(), whole)));
    CHECK(!automaton.overflowed());
    CHECK(automaton.bytes() < 4U << 20U);
    if (!has_other) CHECK(verdict(text, R"({"name3":1,"name7":2,"namex":3)") == "more");
  }
}

TEST_CASE("random texts of every grammar are JSON that its schema accepts") {
  std::size_t ended = 0;
  for (const Row& row : kRows) {
    CAPTURE(row.schema);
    const Json schema = parsed(row.schema);
    grammar::Automaton automaton = automaton_of(made(schema).text);
    const SchemaValidator validator(schema);
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      const auto text = random_text(automaton, seed);
      if (!text) continue;
      ++ended;
      const auto value = Json::parse(*text);
      CHECK_MESSAGE((value.has_value() && validator.accepts(*value)), *text);
    }
  }
  CHECK(ended > 8 * std::size(kRows));
}

TEST_CASE("numbers between random bounds are exactly those") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto low = static_cast<std::int64_t>(mix_u64(seed, 0) % 3'000) - 1'500;
    const auto high = low + static_cast<std::int64_t>(mix_u64(seed, 1) % 2'000);
    const auto body = integer_grammar({.least = static_cast<double>(low), .most = static_cast<double>(high)});
    REQUIRE(body.has_value());
    grammar::Automaton automaton = automaton_of("root ::= " + *body + "\n");
    for (std::int64_t n = low - 30; n <= high + 30; ++n) {
      const grammar::State end = automaton.step_all(automaton.start(), std::to_string(n));
      if (automaton.accepts(end) != (n >= low && n <= high)) FAIL(n << " of " << low << ".." << high);
    }
  }
}

TEST_CASE("what cannot be expressed is relaxed and noted") {
  const auto notes = [](std::string_view schema) {
    std::string out;
    for (const std::string& note : made(parsed(schema)).notes) out += (out.empty() ? "" : "; ") + note;
    return out;
  };
  CHECK(notes(R"({"type":"string"})").empty());
  CHECK(notes(R"({"type":"string","pattern":"(?=a)b"})") == "a `pattern` cannot be expressed: (?=a)b");
  CHECK(notes(R"({"type":"string","pattern":"(a)\\1"})") == "a `pattern` cannot be expressed: (a)\\1");
  CHECK(notes(R"({"type":"string","format":"duration"})") == "the format `duration` is not checked");
  CHECK(notes(R"({"type":"array","uniqueItems":true,"items":{"not":{}}})") ==
        "`not` is not checked; `uniqueItems` is not checked");
  CHECK(notes(R"({"$ref":"#/nowhere"})") == "a $ref leads nowhere: it is any JSON value");
  CHECK(notes(R"({"type":"string","maxLength":100000})") ==
        "`maxLength` is too large to be counted: it is not checked");
  CHECK(notes(R"({"type":"number","minimum":0.1,"maximum":0.2})") == "the bounds of a number cannot be held");
  CHECK(verdict_of(R"({"type":"string","pattern":"(?=a)b"})", R"("anything")") == "yes");
  CHECK(verdict_of(R"({"$ref":"#/nowhere"})", R"({"a":1})") == "yes");
  CHECK(verdict_of(R"({"type":"string","maxLength":100000})", "\"" + std::string(9'000, 'a') + "\"") == "yes");
}

TEST_CASE("hostile schemas end in any JSON value, soon") {
  CHECK(verdict_of(R"({"$ref":"#"})", "1") == "yes");
  CHECK(verdict_of(R"({"anyOf":[{"$ref":"#"}]})", "1") == "yes");
  CHECK(verdict_of(R"({"allOf":[{"$ref":"#"}]})", "1") == "yes");
  CHECK(verdict_of(R"({"allOf":[{"allOf":[{"$ref":"#"},{"$ref":"#"}]},{"$ref":"#"}]})", "1") == "yes");
  CHECK(verdict_of(R"({"$ref":"#/a","a":{"$ref":"#/b"},"b":{"$ref":"#/a"}})", "1") == "yes");
  // Each level refers to the next one twice.
  Json doubling = Json::object({{"$ref", "#/l0"}});
  for (int i = 0; i < 60; ++i) {
    const Json next = Json::object({{"$ref", "#/l" + std::to_string(i + 1)}});
    doubling.set("l" + std::to_string(i), Json::object({{"allOf", Json::Array{next, next}}}));
  }
  doubling.set("l60", Json::object({{"type", "integer"}}));
  (void)automaton_of(made(doubling).text);
  // Nested to the reader's limit, and wide.
  Json deep = Json::object({{"type", "string"}});
  for (int i = 0; i < 200; ++i) deep = Json::object({{"type", "array"}, {"items", deep}});
  CHECK(verdict(made(deep).text, std::string(20, '[')) == "more");
  Json wide = Json::object({{"type", "object"}, {"properties", Json::object()}});
  Json::Object members;
  for (int i = 0; i < 10'000; ++i)
    members.emplace_back("key" + std::to_string(i), Json::object({{"type", "string"}, {"maxLength", 5'000 + i % 100}}));
  wide.set("properties", Json(members));
  const Made large = made(wide);
  CHECK(!large.notes.empty());
  CHECK(verdict(large.text, R"({"key7":"a","key9":"b"})") == "yes");
}

TEST_CASE("a bare value is text as it is, JSON where it is no string, and nothing where all text may stand") {
  GrammarWriter writer;
  SchemaGrammar grammar(writer, Json::object());
  const auto bare = [&](std::string_view schema, std::string_view text) {
    const auto body = grammar.bare_text(parsed(schema), "</x>");
    return body ? verdict(writer.text(*body), text) : "free";
  };
  CHECK(bare(R"({"type":"string"})", "a") == "free");
  CHECK(bare(R"({})", "a") == "free");
  CHECK(bare(R"({"type":["string","null"]})", "a") == "free");
  CHECK(bare(R"({"type":"string","enum":["a b","c"]})", "a b") == "yes");
  CHECK(bare(R"({"type":"string","enum":["a b","c"]})", "\"c\"") == "no");
  CHECK(bare(R"({"type":"integer","minimum":3})", "7") == "yes");
  CHECK(bare(R"({"type":"array","items":{"type":"string"}})", R"(["a"])") == "yes");
  CHECK(bare(R"({"anyOf":[{"type":"integer"},{"type":"boolean"}]})", "true") == "yes");
  CHECK(bare(R"({"anyOf":[{"type":"integer"},{"type":"string"}]})", "x") == "free");
  CHECK(bare(R"({"type":"string","minLength":2,"maxLength":4})", "\xc3\xa9\n") == "yes");
  CHECK(bare(R"({"type":"string","minLength":2,"maxLength":4})", "a") == "more");
  CHECK(bare(R"({"type":"string","minLength":2,"maxLength":4})", "abcde") == "no");
  CHECK(bare(R"({"type":["string","null"],"minLength":3})", "</x</x") == "yes");
  CHECK(bare(R"({"type":"string","minLength":3})", "a</x>") == "no");
  CHECK(bare(R"({"type":"string","pattern":"^[a-z]+(<[0-9]>)?$"})", "ab<3>") == "yes");
  CHECK(bare(R"({"type":"string","pattern":"^[a-z]+(<[0-9]>)?$"})", "ab3") == "no");
  CHECK(bare(R"({"type":"string","pattern":"x.*y"})", "axby") == "yes");
  CHECK(bare(R"({"type":"string","pattern":"x.*y"})", "ax</x>y") == "no");
  CHECK(bare(R"({"type":["string","null"],"format":"date"})", "2026-02-28") == "yes");
  CHECK(bare(R"({"type":"string","format":"date"})", "28 Feb") == "no");
  CHECK(bare(R"({"type":"string","maxLength":8000})", std::string(8'000, 'a')) == "yes");
  CHECK(bare(R"({"type":"string","maxLength":8000})", std::string(8'001, 'a')) == "no");
}
