// Json: what parses and what does not, that key order is kept, and that a dump parses back to the same value.
#include "base/json.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "base/utf8.h"

namespace hearth {
namespace {

Json parsed(std::string_view text) {
  Result<Json> json = Json::parse(text);
  REQUIRE_MESSAGE(json, std::string(text));
  return *std::move(json);
}

ErrorKind refused(std::string_view text) {
  const Result<Json> json = Json::parse(text);
  REQUIRE_FALSE_MESSAGE(json.has_value(), std::string(text));
  return json.error().kind;
}

std::string round_trip(std::string_view text) { return parsed(text).dump(); }

}  // namespace

TEST_CASE("an object keeps the order of its keys through parse and dump") {
  CHECK_EQ(round_trip(R"({ "z" : 1, "a": [ true, null ] ,"m":{"y":"","b":false} })"),
           R"({"z":1,"a":[true,null],"m":{"y":"","b":false}})");
}

TEST_CASE("a doubled key stays doubled in the text, and find gives the last") {
  const Json json = parsed(R"({"a":1,"b":2,"a":3})");
  CHECK_EQ(json.find("a")->as_integer(), 3);
  CHECK_EQ(json.dump(), R"({"a":1,"b":2,"a":3})");
}

TEST_CASE("after set, find gives what was set, also where the key was doubled") {
  Json json = parsed(R"({"a":1,"b":2,"a":3})");
  json.set("a", 9);
  CHECK_EQ(json.find("a")->as_integer(), 9);
}

TEST_CASE("set replaces in place and appends what is new; null becomes an object") {
  Json json;
  json.set("first", 1).set("second", "two").set("first", 3);
  CHECK_EQ(json.dump(), R"({"first":3,"second":"two"})");
}

TEST_CASE("push makes an array of null and appends") {
  Json json;
  json.push(1).push("x").push(Json::object({{"k", nullptr}}));
  CHECK_EQ(json.dump(), R"([1,"x",{"k":null}])");
}

TEST_CASE("find is nullptr for an absent key and for what is no object") {
  CHECK_EQ(parsed(R"({"a":1})").find("b"), nullptr);
  CHECK_EQ(parsed("[1]").find("a"), nullptr);
  CHECK_EQ(Json("text").find("a"), nullptr);
}

TEST_CASE("string_at gives the text, or the other word when it is absent or no string") {
  const Json json = parsed(R"({"a":"text","b":1})");
  CHECK_EQ(json.string_at("a", "other"), "text");
  CHECK_EQ(json.string_at("b", "other"), "other");
  CHECK_EQ(json.string_at("c"), "");
}

TEST_CASE("integers keep every digit over the whole 64-bit range") {
  CHECK_EQ(round_trip("[9223372036854775807,-9223372036854775808,0,-1]"),
           "[9223372036854775807,-9223372036854775808,0,-1]");
  CHECK_EQ(round_trip("18446744073709551615"), "18446744073709551615");
}

TEST_CASE("only what fits a signed 64-bit integer is one") {
  CHECK(parsed("9223372036854775807").is_integer());
  CHECK_FALSE(parsed("9223372036854775808").is_integer());
  CHECK(parsed("9223372036854775808").is_number());
  CHECK_EQ(parsed("9223372036854775808").as_number(), 9223372036854775808.0);
  CHECK_FALSE(parsed("1.0").is_integer());
  CHECK(parsed("-9223372036854775808").is_integer());
}

TEST_CASE("a number beyond 64 bits becomes a real, not an error") {
  CHECK_EQ(parsed("123456789012345678901234567890").as_number(), doctest::Approx(1.2345678901234568e29));
}

TEST_CASE("reals dump to the shortest text that parses back to the same bits") {
  for (const double value : {0.1, 1.0 / 3.0, 1e308, 5e-324, -0.0, 1e21, 123456.789, 1.0}) {
    const Json back = parsed(Json(value).dump());
    CHECK_EQ(back.as_number(), value);
    CHECK_EQ(std::signbit(back.as_number()), std::signbit(value));
    CHECK_FALSE(back.is_integer());
  }
}

TEST_CASE("infinity and NaN dump as null") {
  CHECK_EQ(Json(std::numeric_limits<double>::infinity()).dump(), "null");
  CHECK_EQ(Json(std::numeric_limits<double>::quiet_NaN()).dump(), "null");
}

TEST_CASE("numbers JSON does not know are refused") {
  for (const char* text : {"NaN", "Infinity", "-Infinity", "01", "+1", ".5", "5.", "0x10", "1e", "--1", "1e999999"}) {
    CHECK_EQ(refused(text), ErrorKind::InvalidInput);
  }
}

TEST_CASE("broken text is refused with the byte it broke at") {
  for (const char* text : {"", " ", "{", "[1,", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "'a'", "tru", "nul", "[1 2]",
                           "{}{}", "\"unended", "\"\\x\"", "\"\\u12\"", "//c\n1", "\xEF\xBB\xBF{}"}) {
    CHECK_EQ(refused(text), ErrorKind::InvalidInput);
  }
  CHECK(Json::parse("[1,x]").error().message.contains("byte 3"));
}

TEST_CASE("a raw control character or NUL inside a string is refused, escaped it is kept") {
  CHECK_EQ(refused("\"a\nb\""), ErrorKind::InvalidInput);
  CHECK_EQ(refused(std::string_view("\"a\0b\"", 5)), ErrorKind::InvalidInput);
  const Json json = parsed(R"("a\u0000b")");
  CHECK_EQ(json.as_string(), std::string("a\0b", 3));
  CHECK_EQ(json.dump(), R"("a\u0000b")");
}

TEST_CASE("bytes after the value are refused, a NUL too") {
  CHECK_EQ(refused(std::string_view("1\0", 2)), ErrorKind::InvalidInput);
  CHECK_EQ(refused("1 x"), ErrorKind::InvalidInput);
}

TEST_CASE("invalid UTF-8 is refused") {
  for (const char* text :
       {"\"\xFF\"", "\"\xC3\"", "\"\xC0\xAF\"", "\"\xED\xA0\x80\"", "\"\xF5\x80\x80\x80\"", "\"\xE2\x82\""}) {
    CHECK_EQ(refused(text), ErrorKind::InvalidInput);
  }
}

TEST_CASE("half of a surrogate pair can be written as a replacement character, and nothing else changes") {
  CHECK(without_lone_surrogates(R"("\ud83d\ude42 ok")") == R"("\ud83d\ude42 ok")");
  CHECK(without_lone_surrogates(R"("cut \ud83d")") == R"("cut \uFFFD")");
  CHECK(without_lone_surrogates(R"("\ude42 \ud83d\n")") == R"("\uFFFD \uFFFD\n")");
  CHECK(without_lone_surrogates(R"("\ud83d\ud83d\ude42")") == R"("\uFFFD\ud83d\ude42")");
  CHECK(without_lone_surrogates(R"("a path \\ud83d")") == R"("a path \\ud83d")");
  CHECK(without_lone_surrogates("\"\\u12") == "\"\\u12");
  CHECK(without_lone_surrogates("\\") == "\\");
}

TEST_CASE("surrogate pairs join, and half of one is refused") {
  CHECK_EQ(parsed(R"("\ud83d\ude00")").as_string(), "\xF0\x9F\x98\x80");
  CHECK_EQ(refused(R"("\ud83d")"), ErrorKind::InvalidInput);
  CHECK_EQ(refused(R"("\ude00\ud83d")"), ErrorKind::InvalidInput);
}

TEST_CASE("a dumped string escapes only what JSON must, and parses back to itself") {
  std::string every;
  for (int c = 0; c < 0x80; ++c) every.push_back(static_cast<char>(c));
  every += "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
  const std::string text = Json(every).dump();
  CHECK_EQ(parsed(text).as_string(), every);
  CHECK(text.contains("\xF0\x9F\x98\x80"));
  CHECK_EQ(Json("a\"b\\c/d\n\r\t\b\f\x01\x7F").dump(), "\"a\\\"b\\\\c/d\\n\\r\\t\\b\\f\\u0001\x7F\"");
}

TEST_CASE("nesting up to the limit parses, one deeper is refused and says the limit") {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') + std::string(static_cast<std::size_t>(depth), ']');
  };
  CHECK(Json::parse(nested(256)));
  CHECK_FALSE(Json::parse(nested(257)));
  CHECK(Json::parse(nested(3), 3));
  CHECK(Json::parse(nested(4), 3).error().message.contains("3 levels"));
}

TEST_CASE("a million open brackets are refused without a stack overflow") {
  CHECK_EQ(refused(std::string(1'000'000, '[')), ErrorKind::InvalidInput);
  std::string objects;
  for (int i = 0; i < 200'000; ++i) objects += "{\"a\":";
  CHECK_EQ(refused(objects), ErrorKind::InvalidInput);
}

TEST_CASE("a single plain value reads as it does inside a longer text") {
  for (const char* text :
       {R"("a")", R"("")", R"("a b'c/{[")", "0", "7", "40", "999999999999999999", "1000000000000000000",
        "9223372036854775808", "-1", "1.5", R"("\n")", R"("\u0041")", "\"\x7f\"", "\"\xc3\xa4\"", "true", "null"}) {
    CAPTURE(text);
    const Result<Json> alone = Json::parse(text);
    const Result<Json> spaced = Json::parse(std::string(" ") + text);
    REQUIRE(alone);
    CHECK(*alone == *spaced);
  }
  for (const char* text : {"", "\"", R"("a"b")", R"("\")", "01", "00", "+1", "1 2", "\"\x01\"", "\"\xff\"", "１"}) {
    CAPTURE(text);
    CHECK_FALSE(Json::parse(text));
  }
}

TEST_CASE("closing brackets first do not buy more depth") {
  CHECK_EQ(refused(std::string(300, ']') + std::string(500, '[')), ErrorKind::InvalidInput);
}

TEST_CASE("brackets inside strings are no nesting, escaped quotes do not end a string") {
  const std::string brackets(1000, '[');
  CHECK_EQ(parsed("\"" + brackets + "\"").as_string(), brackets);
  CHECK_EQ(parsed("\"\\\"" + brackets + "\"").as_string(), "\"" + brackets);
  CHECK_EQ(refused("\"a\\\\\"" + brackets), ErrorKind::InvalidInput);
}

TEST_CASE("values compare by content and by the order of keys") {
  CHECK_EQ(parsed(R"({"a":[1,2.5,"x"]})"), parsed(R"( {"a" : [1, 2.5, "x"]} )"));
  CHECK_NE(parsed(R"({"a":1,"b":2})"), parsed(R"({"b":2,"a":1})"));
  CHECK_NE(parsed("1"), parsed("1.0"));
}

TEST_CASE("type names are JSON's words") {
  CHECK_EQ(std::string(Json().type_name()), "null");
  CHECK_EQ(std::string(Json(true).type_name()), "boolean");
  CHECK_EQ(std::string(Json(1).type_name()), "number");
  CHECK_EQ(std::string(Json(18446744073709551615ULL).type_name()), "number");
  CHECK_EQ(std::string(Json("s").type_name()), "string");
  CHECK_EQ(std::string(Json::array().type_name()), "array");
  CHECK_EQ(std::string(Json::object().type_name()), "object");
}

TEST_CASE("a large flat array round-trips") {
  Json json;
  for (int i = 0; i < 100'000; ++i) json.push(i);
  CHECK_EQ(parsed(json.dump()), json);
}

TEST_CASE("whole numbers over 64 bits keep their digits") {
  for (const char* text :
       {"18446744073709551615", "18446744073709552000", "-9223372036854775809", "123456789012345678901234567890"}) {
    const auto number = Json::parse(text);
    REQUIRE(number);
    CHECK(number->is_number());
    CHECK(number->is_big_integer());
    CHECK_FALSE(number->is_integer());
    CHECK(number->dump() == text);
    CHECK(*number == *Json::parse(text));
  }
  CHECK(Json::parse("18446744073709552000")->as_number() == 18446744073709552000.0);
  CHECK(Json::parse("[1e300]"));
  CHECK_FALSE(Json::parse("[1e400]"));
  CHECK_FALSE(Json::parse(R"({"a":[{"b":-1e999}]})"));
}

}  // namespace hearth
