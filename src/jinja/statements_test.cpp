// Tags: set, if, for, macro, call, filter, with, generation.
#include <doctest/doctest.h>

#include "jinja/testing.h"

using hearth::jinja::rendered;

TEST_CASE("set keeps a value, a tuple's parts, or what a block prints") {
  CHECK(rendered("{% set x = 1 %}{% set a, b = 2, 'c' %}{{ x }}{{ a }}{{ b }}") == "12c");
  CHECK(rendered("{% set t | upper %}a{{ 1 }}b{% endset %}{{ t }}") == "A1B");
}
TEST_CASE("if, elif and else choose the first that holds") {
  CHECK(rendered("{% if 0 %}a{% elif '' %}b{% elif 1 %}c{% else %}d{% endif %}") == "c");
}
TEST_CASE("a variable set in an if is there after it, one set in a for is not") {
  CHECK(rendered("{% if true %}{% set x = 1 %}{% endif %}{{ x }}") == "1");
  CHECK(rendered("{% set x = 1 %}{% for i in [2, 3] %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}") == "12131");
}
TEST_CASE("a namespace is changed from inside a loop") {
  CHECK(rendered("{% set ns = namespace(n=0) %}{% for i in [1, 2] %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}") ==
        "3");
}
TEST_CASE("loop knows where it stands") {
  CHECK(rendered("{% for x in 'ab' %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.first }}{{ loop.last "
                 "}}{{ loop.length }};{% endfor %}") == "102TrueFalse2;211FalseTrue2;");
  CHECK(rendered("{% for x in [1, 2] %}{{ loop.previtem }}<{{ x }}>{{ loop.nextitem }};{% endfor %}") == "<1>2;1<2>;");
}
TEST_CASE("a for with an if counts only what it lets through") {
  CHECK(rendered("{% for x in [1, 2, 3, 4] if x is even %}{{ loop.index }}:{{ x }} {% endfor %}") == "1:2 2:4 ");
}
TEST_CASE("else of a for speaks when there was nothing") {
  CHECK(rendered("{% for x in [] %}a{% else %}b{% endfor %}") == "b");
}
TEST_CASE("break and continue end a loop or one turn of it") {
  CHECK(rendered("{% for x in range(9) %}{% if x == 1 %}{% continue %}{% endif %}{% if x == 3 %}{% break %}{% endif "
                 "%}{{ x }}{% endfor %}") == "02");
}
TEST_CASE("a break outside of a loop is refused when the template is compiled") {
  CHECK(rendered("{% break %}") == "refused: 'break' outside loop (line 1 of the template)");
  CHECK(rendered("{% for x in [1] %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}").starts_with("refused: "));
}
TEST_CASE("for takes tuples apart") {
  CHECK(rendered("{% for k, (a, b) in [('x', (1, 2))] %}{{ k }}{{ a }}{{ b }}{% endfor %}") == "x12");
  CHECK(rendered("{% for a, b in [(1, 2, 3)] %}{% endfor %}") ==
        "refused: too many values to unpack (expected 2) (line 1 of the template)");
}
TEST_CASE("a dict is walked by its keys, in the order they came") {
  CHECK(rendered("{% for k in d %}{{ k }}{% endfor %}", R"({"d":{"z":1,"a":2}})") == "za");
}
TEST_CASE("a recursive loop calls itself") {
  CHECK(rendered("{% for x in [1, [2, [3]]] recursive %}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif "
                 "%}{% endfor %}") == "1(2(3))");
}
TEST_CASE("a loop that is over cannot be called") {
  CHECK(
      rendered("{% set ns = namespace() %}{% for x in [1] recursive %}{% set ns.l = loop %}{% endfor %}{{ ns.l([1]) }}")
          .starts_with("refused: "));
}
TEST_CASE("a macro has defaults, keywords, and sees what its template sets later") {
  CHECK(rendered("{% macro m(a, b=2, c=b) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c=5) }} {{ m(b=0, "
                 "a=9) }}") == "122 125 900");
  CHECK(rendered("{% macro m() %}{{ x }}{% endmacro %}{% set x = 1 %}{{ m() }}") == "1");
}
TEST_CASE("a macro takes more arguments only when it speaks of them") {
  CHECK(rendered("{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, x=3) }}") == "(2,){'x': 3}");
  CHECK(rendered("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}") ==
        "refused: macro 'm' takes not more than 1 argument(s) (line 1 of the template)");
  CHECK(rendered("{% macro m(a) %}{% endmacro %}{{ m(x=2) }}") ==
        "refused: macro 'm' takes no keyword argument 'x' (line 1 of the template)");
}
TEST_CASE("a macro that was defined in a loop remembers that turn of it") {
  CHECK(rendered("{% set ns = namespace() %}{% for i in [1, 2] %}{% macro m() %}{{ i }}{% endmacro %}{% if loop.first "
                 "%}{% set ns.m = m %}{% endif %}{% endfor "
                 "%}{{ ns.m() }}") == "1");
}
TEST_CASE("a call block is the macro's caller, with arguments if it wants") {
  CHECK(rendered("{% macro w(t) %}<{{ t }}>{{ caller(1) }}{% endmacro %}{% call(x) w('b') %}in {{ x }}{% endcall %}") ==
        "<b>in 1");
  CHECK(rendered("{% macro w() %}{% endmacro %}{% call w() %}{% endcall %}").starts_with("refused: "));
}
TEST_CASE("a filter block filters what it prints") {
  CHECK(rendered("{% filter replace('a', 'b') | upper %}xa{% endfilter %}") == "XB");
}
TEST_CASE("with has variables of its own") {
  CHECK(rendered("{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}") == "211");
}
TEST_CASE("the generation tag prints its body and keeps its variables") {
  CHECK(rendered("{% generation %}a{% set x = 1 %}{% endgeneration %}{{ x is defined }}") == "aFalse");
}
TEST_CASE("raise_exception gives exactly the template's words") {
  CHECK(rendered("a\n{{ raise_exception('Roles must ' ~ 'alternate!') }}") == "refused: Roles must alternate!");
}
TEST_CASE("strftime_now prints the year") {
  CHECK(rendered("{{ strftime_now('%Y')|length }}{{ strftime_now('%Y') > '2024' }}") == "4True");
}
TEST_CASE("what is not in the template's language is named with its line") {
  CHECK(rendered("a\n{% nonsense %}") == "refused: Encountered unknown tag 'nonsense'. (line 2 of the template)");
  CHECK(rendered("\n\n{{ x|nonsense }}") == "refused: No filter named 'nonsense'. (line 3 of the template)");
  CHECK(rendered("{{ x is nonsense }}") == "refused: No test named 'nonsense'. (line 1 of the template)");
}
TEST_CASE("an unknown filter behind an if is refused only when it is reached") {
  CHECK(rendered("{% if false %}{{ x|nonsense }}{% endif %}ok") == "ok");
  CHECK(rendered("{% if true %}{{ x|nonsense }}{% endif %}ok").starts_with("refused: No filter named 'nonsense'."));
}
TEST_CASE("tags that end in the middle are refused") {
  for (const char* source : {"{% if true %}", "{{ 1", "{{ (1 }}", "{{ 'a }}", "{% for x in %}", "{# a", "{% raw %}",
                             "{{ 1 + }}", "{% endif %}", "{{ }}", "{%", "{{ a b }}"})
    CHECK_MESSAGE(rendered(source).starts_with("refused: "), source);
}
TEST_CASE("a template that is not UTF-8 is refused") {
  CHECK(rendered("a\xFF") == "refused: the template is not valid UTF-8");
}
