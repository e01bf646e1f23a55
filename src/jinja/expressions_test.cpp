// Expressions: operators, access, undefined, printing of values.
#include <doctest/doctest.h>

#include "jinja/testing.h"

using hearth::jinja::rendered;

TEST_CASE("whole numbers divide and wrap as Python's") {
  CHECK(rendered("{{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 2 ** 10 }}") == "-4 2 -2 3.5 1024");
}
TEST_CASE("fractions print as Python's repr") {
  CHECK(rendered("{{ 1.0 }} {{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ -0.0 }} {{ 0.1 + 0.2 }} {{ 1e300 }}") ==
        "1.0 1e+16 1000000000000000.0 0.0001 1e-05 -0.0 0.30000000000000004 1e+300");
}
TEST_CASE("a whole number over 64 bits is refused, not rounded") {
  CHECK(rendered("{{ 9223372036854775807 + 1 }}") ==
        "refused: a whole number is larger than 64 bits (line 1 of the template)");
  CHECK(rendered("{{ 2 ** 64 }}").starts_with("refused: "));
}
TEST_CASE("dividing by zero is refused") { CHECK(rendered("{{ 1 % 0 }}").starts_with("refused: ")); }
TEST_CASE("comparisons chain") {
  CHECK(rendered("{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 == true }}") == "True False True");
}
TEST_CASE("and, or and the inline if give the value itself") {
  CHECK(rendered("{{ 0 or 'a' }}{{ 'b' and 'c' }}{{ 1 if false else 2 }}{{ 1 if false }}") == "ac2");
}
TEST_CASE("a tilde joins everything as text") {
  CHECK(rendered("{{ 1 ~ none ~ [1] ~ 2.0 ~ true }}") == "1None[1]2.0True");
}
TEST_CASE("text and number do not add") {
  CHECK(rendered("{{ 'a' + 1 }}") == "refused: can only concatenate str (not \"int\") to str (line 1 of the template)");
}
TEST_CASE("slices count characters, also backwards") {
  CHECK(rendered("{{ s[1:3] }} {{ s[::-1] }} {{ s[-2:] }} {{ s[:-1] }} {{ s[::2] }} {{ s[9:] }}|",
                 R"({"s":"aé你b"})") == "é你 b你éa 你b aé你 a你 |");
  CHECK(rendered("{{ [1, 2, 3][::-1] }}{{ [1, 2, 3][1:] }}{{ [1, 2, 3][-1] }}") == "[3, 2, 1][2, 3]3");
}
TEST_CASE("in looks into text, lists and keys") {
  CHECK(rendered("{{ 'b' in 'abc' }}{{ 2 in [1] }}{{ 'k' in {'k': 1} }}{{ 1 not in (1,) }}") == "TrueFalseTrueFalse");
}
TEST_CASE("lists and dicts print as Python's repr") {
  CHECK(rendered("{{ ['a', \"it's\", none, true, 1.5, {'k': (1,)}, ()] }}") ==
        "['a', \"it's\", None, True, 1.5, {'k': (1,)}, ()]");
  CHECK(rendered("{{ ['\\n\\x00'] }}") == "['\\n\\x00']");
}
TEST_CASE("a name that is not defined prints nothing but has no parts") {
  CHECK(rendered("{{ x }}|{{ x is defined }}|{{ x|default('d') }}|{{ d.y }}|", R"({"d":{}})") == "|False|d||");
  CHECK(rendered("{{ x.y }}") == "refused: 'x' is undefined (line 1 of the template)");
  CHECK(rendered("{{ d.y.z }}", R"({"d":{}})") ==
        "refused: 'dict object' has no attribute 'y' (line 1 of the template)");
  CHECK(rendered("{{ x + 1 }}").starts_with("refused: 'x' is undefined"));
}
TEST_CASE("a dict's method wins over its key behind a dot, and loses in brackets") {
  CHECK(rendered("{{ d['items'] }}{{ d.items is string }}", R"({"d":{"items":"x"}})") == "xFalse");
}
TEST_CASE("doubled keys: the last value at the first place") {
  CHECK(rendered("{{ d }}", R"({"d":{"a":1,"b":2,"a":3}})") == "{'a': 3, 'b': 2}");
}
TEST_CASE("a dict with many keys finds each") {
  CHECK(rendered("{% set d = dict(a=1,b=2,c=3,d=4,e=5,f=6,g=7,h=8,i=9,j=10,k=11,l=12,m=13,n=14) %}{{ d.a }}{{ d.m }}{{ "
                 "d.n }}{{ d.zz is defined }}") == "11314False");
}
TEST_CASE("strings are joined, escaped and continued as in Python") {
  CHECK(rendered("{{ 'a' \"b\" '\\x41\\u00e9\\'\\q' }}") == "abAé'\\q");
}
TEST_CASE("the sandbox changes nothing it was given") {
  CHECK(rendered("{{ [1].append(2) }}") ==
        "refused: access to attribute 'append' of 'list' object is unsafe. (line 1 of the template)");
  CHECK(rendered("{{ {}.update({}) }}").starts_with("refused: access to attribute 'update'"));
  CHECK(rendered("{{ ''.__class__.__mro__ }}").starts_with("refused: "));
}
TEST_CASE("text that is safe escapes what is added to it") {
  CHECK(rendered("{{ '<a>'|safe + '<b>' }} {{ '<b>' + '<a>'|safe }} {{ '<a>'|safe ~ '<b>' }}") ==
        "<a>&lt;b&gt; &lt;b&gt;<a> <a><b>");
}
TEST_CASE("whole numbers over 64 bits are shown and compared as they are, and not computed with") {
  const char* const input =
      R"({"x": 18446744073709552000, "y": -123456789012345678901234567890, "z": 18446744073709551615})";
  CHECK(rendered("{{ x }} {{ [y] }} {{ {'k': z}|tojson }} {{ x|string }}", input) ==
        "18446744073709552000 [-123456789012345678901234567890] {\"k\": 18446744073709551615} 18446744073709552000");
  CHECK(rendered("{{ x is integer }}{{ x is number }}{{ x is float }}{{ x is string }}", input) ==
        "TrueTrueFalseFalse");
  CHECK(rendered("{{ x > z }}{{ y < z }}{{ x == x }}{{ x == z }}{{ x > 5 }}{{ y < 5 }}{{ 5 < x }}{{ x == "
                 "1.8446744073709552e19 }}",
                 input) == "TrueTrueTrueFalseTrueTrueTrueTrue");
  CHECK(rendered("{{ '12345678901234567890'|int }} {{ x|int }} {{ 'a' ~ x }}", input) ==
        "12345678901234567890 18446744073709552000 a18446744073709552000");
  CHECK(rendered("{{ x + 1 }}", input).contains("larger than 64 bits"));
  CHECK(rendered("{{ -x }}", input).contains("larger than 64 bits"));
  CHECK(rendered("{{ [y, z, x]|sort|last }}", input) == "18446744073709552000");
}
TEST_CASE("a namespace is shown with what it holds, also when that is itself") {
  CHECK(rendered("{% set n = namespace(a=1, b='x') %}{{ n }}") == "<Namespace {'a': 1, 'b': 'x'}>");
  CHECK(rendered("{% set n = namespace() %}{% set n.l = [n] %}{{ n }}{{ n }}") ==
        "<Namespace {'l': [<Namespace {...}>]}><Namespace {'l': [<Namespace {...}>]}>");
}
TEST_CASE("percent and format fill in values") {
  CHECK(rendered("{{ '%s-%03d-%.2f%%' % ('a', 7, 2.5) }} {{ '{0} {1} {x!r:>4}'.format('a', 'b', x='c') }}") ==
        "a-007-2.50% a b  'c'");
  CHECK(rendered("{{ '{:>4}|{:<3}|{:,}'.format('a', 1, 1234567) }}") == "   a|1  |1,234,567");
  CHECK(rendered("{{ '%s %s' % 'x' }}").starts_with("refused: not enough arguments"));
}
