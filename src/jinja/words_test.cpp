// Filters, tests, methods and functions.
#include <doctest/doctest.h>

#include "jinja/testing.h"

using hearth::jinja::rendered;

TEST_CASE("tojson is Python's json.dumps, with nothing escaped for HTML") {
  CHECK(rendered("{{ d|tojson }}", R"({"d":{"b":[1,2.0,null,true],"a":"<é\n\"&'>"}})") ==
        R"({"b": [1, 2.0, null, true], "a": "<é\n\"&'>"})");
  CHECK(rendered("{{ 'é🙂'|tojson(ensure_ascii=true) }}") == R"("\u00e9\ud83d\ude42")");
  CHECK(rendered("{{ {'b': 1, 'a': []}|tojson(sort_keys=true, separators=(',', ':')) }}") == R"({"a":[],"b":1})");
  CHECK(rendered("{{ {'a': [1], 'e': {}}|tojson(indent=2) }}") == "{\n  \"a\": [\n    1\n  ],\n  \"e\": {}\n}");
  CHECK(rendered("{{ {2: 2, none: 3, true: 4, 1.5: 5}|tojson }}") == R"({"2": 2, "null": 3, "true": 4, "1.5": 5})");
}
TEST_CASE("what JSON has no word for is refused") {
  CHECK(rendered("{{ x|tojson }}") ==
        "refused: Object of type Undefined is not JSON serializable (line 1 of the template)");
  CHECK(rendered("{{ {(1,): 2}|tojson }}").starts_with("refused: keys must be str"));
}
TEST_CASE("split and rsplit cut as Python's") {
  CHECK(rendered("{{ 'a,b,,c'.split(',') }}{{ ' a  b c '.split() }}{{ 'a b c'.split(' ', 1) }}{{ 'a b c'.rsplit(' ', "
                 "1) }}{{ ' a b c '.rsplit(none, 1) }}") ==
        "['a', 'b', '', 'c']['a', 'b', 'c']['a', 'b c']['a b', 'c'][' a b', 'c']");
  CHECK(rendered("{{ 'a'.split('') }}").starts_with("refused: empty separator"));
}
TEST_CASE("strip takes characters or white space from either end") {
  CHECK(rendered("{{ ' a '.strip() }}|{{ ' a '.lstrip() }}|{{ ' a '.rstrip() }}|{{ 'xyaxy'.strip('yx') }}|{{ "
                 "'\xE3\x80\x80\x61'.strip() }}") == "a|a | a|a|a");
}
TEST_CASE("splitlines ends a line where Python does") {
  CHECK(rendered("{{ 'a\\nb\\r\\nc\\x0cd\\n'.splitlines() }}") == "['a', 'b', 'c', 'd']");
}
TEST_CASE("replace replaces all, some, or stands between characters") {
  CHECK(rendered("{{ 'aXbX'.replace('X', '-') }}{{ 'aXbX'.replace('X', '', 1) }}{{ 'ab'.replace('', '.') }}{{ "
                 "'aXb'|replace('X', 7) }}") == "a-b-abX.a.b.a7b");
}
TEST_CASE("startswith and endswith take one or several") {
  CHECK(rendered("{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'abc'.startswith('bc', 1) }}{{ "
                 "'abc'.startswith('x') }}") == "TrueTrueTrueFalse");
}
TEST_CASE("find and count tell places in characters") {
  CHECK(rendered("{{ 'é你b'.find('b') }}{{ 'aaa'.count('a') }}{{ 'a'.find('x') }}{{ 'abab'.rfind('a') }}") == "23-12");
}
TEST_CASE("letters change case, also outside of ASCII") {
  CHECK(rendered("{{ 'straße é'.upper() }} {{ 'ÀЖ'.lower() }} {{ 'hELLO wORLD'.title() }} {{ 'hELLO'.capitalize() }} "
                 "{{ 'foo-bar (baz)'|title }}") == "STRASSE É àж Hello World Hello Foo-Bar (Baz)");
}
TEST_CASE("dict methods give pairs, keys, values and a default") {
  CHECK(rendered("{% for k, v in d.items() %}{{ k }}{{ v }}{% endfor %}{{ d.keys()|list }}{{ d.values()|list }}{{ "
                 "d.get('x', 0) }}{{ d.get('x') }}",
                 R"({"d":{"b":1,"a":2}})") == "b1a2['b', 'a'][1, 2]0None");
}
TEST_CASE("join, first, last, length, reverse and list work on lists and text") {
  CHECK(rendered("{{ [1, 'a']|join('-') }}{{ 'abc'|first }}{{ [1, 2]|last }}{{ 'aé'|length }}{{ 'ab'|reverse }}{{ [1, "
                 "2]|reverse|list }}{{ 'ab'|list }}") == "1-aa22ba[2, 1]['a', 'b']");
}
TEST_CASE("map, select and their kin choose by attribute and by test") {
  constexpr auto kUsers = R"({"u":[{"n":"b","a":2,"x":{"y":1}},{"n":"a","a":1,"x":{"y":2}}]})";
  CHECK(rendered("{{ u|map(attribute='n')|join }}{{ u|map(attribute='x.y')|list }}{{ u|selectattr('a', 'gt', "
                 "1)|map(attribute='n')|list }}",
                 kUsers) == "ba[1, 2]['b']");
  CHECK(rendered("{{ [1, 2, 3]|select('odd')|list }}{{ [1, 2]|reject('equalto', 1)|list }}{{ ['a']|map('upper')|list "
                 "}}{{ none|map('upper')|list }}") == "[1, 3][2]['A'][]");
}
TEST_CASE("what select gives is walked once, is always true and has no length") {
  CHECK(rendered("{% set g = [1, 2]|select('odd') %}{{ g|list }}{{ g|list }}{{ 'yes' if []|select }}") == "[1][]yes");
  CHECK(rendered("{{ [1]|select|length }}").starts_with("refused: object of type 'generator' has no len()"));
}
TEST_CASE("sort and dictsort ignore case unless told otherwise") {
  CHECK(rendered("{{ ['b', 'A', 'c']|sort }}{{ ['b', 'A']|sort(case_sensitive=true, reverse=true) }}{{ {'B': 1, 'a': "
                 "2}|dictsort }}{{ {'a': 2, 'b': 1}|dictsort(by='value') }}") ==
        "['A', 'b', 'c']['b', 'A'][('a', 2), ('B', 1)][('b', 1), ('a', 2)]");
}
TEST_CASE("unique, min, max and sum") {
  CHECK(rendered("{{ ['a', 'A', 'b']|unique|list }}{{ [3, 1]|min }}{{ [3, 1]|max }}{{ [3, 1]|sum }}") ==
        "['a', 'b']134");
}
TEST_CASE("int and float read what Python reads, and fall back") {
  CHECK(rendered("{{ '3'|int }} {{ '3.7'|int }} {{ 'x'|int(9) }} {{ ' 1_0 '|int }} {{ '0x1f'|int(0, 16) }} {{ "
                 "'2.5'|float }} {{ 'x'|float }} {{ 3.9|int }}") == "3 3 9 10 31 2.5 0.0 3");
}
TEST_CASE("round rounds halves to even") {
  CHECK(rendered("{{ 2.5|round }} {{ 3.5|round }} {{ 2.567|round(2) }} {{ 2.1|round(method='ceil') }} {{ -3|abs }}") ==
        "2.0 4.0 2.57 3.0 3");
}
TEST_CASE("indent moves the lines after the first") {
  CHECK(rendered("{{ 'a\\n\\nb'|indent(2) }}|{{ 'a\\nb'|indent(2, true) }}|{{ 'a\\n\\nb'|indent(1, blank=true) }}|{{ "
                 "'a\\nb'|indent('> ') }}") == "a\n\n  b|  a\n  b|a\n \n b|a\n> b");
}
TEST_CASE("default replaces undefined, and empty when asked") {
  CHECK(rendered("{{ x|default('a') }}{{ ''|default('b', true) }}{{ ''|default('c') }}{{ none|d('e') }}") == "abNone");
}
TEST_CASE("types are told apart as Python does") {
  CHECK(rendered("{{ true is number }}{{ true is integer }}{{ 1 is integer }}{{ 1.0 is float }}{{ {} is mapping }}{{ "
                 "{} is sequence }}{{ 'a' is iterable }}{{ 1 is iterable }}") == "TrueFalseTrueTrueTrueTrueTrueFalse");
  CHECK(rendered("{{ none is none }}{{ x is undefined }}{{ 'a' is string }}{{ 3 is odd }}{{ 4 is divisibleby 2 }}{{ 1 "
                 "is in [1] }}{{ 1 is not none }}") == "TrueTrueTrueTrueTrueTrueTrue");
}
TEST_CASE("range counts up, down and not at all") {
  CHECK(rendered("{{ range(3)|list }}{{ range(1, 4)|list }}{{ range(5, 0, -2)|list }}{{ range(0)|list }}") ==
        "[0, 1, 2][1, 2, 3][5, 3, 1][]");
}
TEST_CASE("safe, escape and html") {
  CHECK(rendered("{{ '<a>'|escape }}{{ '<a>'|e|e }}{{ '<a>'|safe }}") == "&lt;a&gt;&lt;a&gt;<a>");
}
TEST_CASE("a wrong argument is refused by its name") {
  CHECK(rendered("{{ 'a'|trim(x=1) }}") ==
        "refused: trim() got an unexpected keyword argument 'x' (line 1 of the template)");
  CHECK(rendered("{{ 'a'.replace('b') }}") ==
        "refused: replace() is missing the argument 'new' (line 1 of the template)");
}
