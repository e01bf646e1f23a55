// Which white space around tags is printed: trim_blocks and lstrip_blocks, signs, raw, comments, line ends.
#include <doctest/doctest.h>

#include "jinja/testing.h"

using hearth::jinja::rendered;

TEST_CASE("a tag alone on a line leaves nothing of that line") {
  CHECK(rendered("a\n  {% if true %}\n  b\n  {% endif %}\nc") == "a\n  b\nc");
}
TEST_CASE("a tag behind text keeps the spaces before it") { CHECK(rendered("a  {% if true %}b{% endif %}") == "a  b"); }
TEST_CASE("only the first newline behind a tag goes") { CHECK(rendered("{% if true %}\n\nb{% endif %}") == "\nb"); }
TEST_CASE("a printed value keeps its indentation and its newline") { CHECK(rendered("  {{ 1 }}\n  x") == "  1\n  x"); }
TEST_CASE("a minus takes all white space on its side") {
  CHECK(rendered("a \n {%- if true %} b {% endif -%} \n c") == "a b c");
  CHECK(rendered("a \n {{- 1 -}} \n b") == "a1b");
}
TEST_CASE("a plus keeps the indentation") { CHECK(rendered("  {%+ if true %}a{% endif %}") == "  a"); }
TEST_CASE("a plus at the end of a tag keeps the newline") { CHECK(rendered("{% if true +%}\na{% endif %}") == "\na"); }
TEST_CASE("a comment is a tag as far as white space goes") {
  CHECK(rendered("  {# c #}\na") == "a");
  CHECK(rendered("a {#- c -#} b") == "ab");
}
TEST_CASE("one newline at the end of a template goes, two leave one") {
  CHECK(rendered("a\n") == "a");
  CHECK(rendered("a\n\n") == "a\n");
}
TEST_CASE("line ends of other systems count as newlines") { CHECK(rendered("a\r\nb\rc") == "a\nb\nc"); }
TEST_CASE("raw prints tags as they are written") {
  CHECK(rendered("{% raw %}{{ x }} {% if %}{% endraw %}") == "{{ x }} {% if %}");
  CHECK(rendered("{%- raw -%}  a {%- endraw -%}  b") == "ab");
}
TEST_CASE("two tags on one line: the second one is not at the line's begin") {
  CHECK(rendered("{% if true %}  {% if true %}a{% endif %}{% endif %}") == "  a");
}
TEST_CASE("a closing brace of a dict does not end the tag") {
  CHECK(rendered("{{ {'a': {'b': 1}}['a']['b'] }}") == "1");
}
TEST_CASE("quotes inside a tag hide what looks like its end") { CHECK(rendered("{{ '}}' ~ \"%}\" }}") == "}}%}"); }
TEST_CASE("spaces that are no ASCII are white space too") {
  CHECK(rendered("\xC2\xA0{%- if true %}a{% endif %}") == "a");
}
