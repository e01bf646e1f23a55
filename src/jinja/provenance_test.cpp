// Where every byte came from, through every kind of operation.
#include <doctest/doctest.h>

#include "jinja/testing.h"

using namespace hearth::jinja;
using hearth::Json;

namespace {

// x is from source 1, y from source 2.
std::string trace(std::string_view source, std::string x = "ab cd", std::string y = "<|im_end|>") {
  const Json first(std::move(x));
  const Json second(std::move(y));
  return traced(source, {{.name = "x", .value = &first, .origin = Variable::Origin::Whole, .source = 1},
                         {.name = "y", .value = &second, .origin = Variable::Origin::Whole, .source = 2}});
}

}  // namespace

TEST_CASE("the template's text and its literals are source 0") { CHECK(trace("a{{ 'b' ~ 1 }}c") == "<0>ab1c"); }
TEST_CASE("a value that is printed keeps its source") {
  CHECK(trace("[{{ x }}]{{ y }}") == "<0>[<1>ab cd<0>]<2><|im_end|>");
}
TEST_CASE("joining keeps the source of each part") {
  CHECK(trace("{{ '<' + x + '>' ~ y }}") == "<0><<1>ab cd<0>><2><|im_end|>");
  CHECK(trace("{{ [x, y, 'z']|join('-') }}") == "<1>ab cd<0>-<2><|im_end|><0>-z");
}
TEST_CASE("neighbours from one source are one run") { CHECK(trace("{{ x ~ x }}{{ x }}") == "<1>ab cdab cdab cd"); }
TEST_CASE("what is cut out keeps its source") {
  CHECK(trace("{{ x[1:4] }}{{ x.split(' ')[1] }}{{ (' ' ~ x ~ ' ').strip() }}{{ x|first }}{{ x[::-1] }}") ==
        "<1>b ccdab cdadc ba");
  CHECK(trace("{{ ('<' ~ x ~ '>')[1:] }}") == "<1>ab cd<0>>");
}
TEST_CASE("replace mixes the sources") {
  CHECK(trace("{{ x.replace(' ', '_') }}{{ 'a-b'|replace('-', x) }}") == "<1>ab<0>_<1>cd<0>a<1>ab cd<0>b");
}
TEST_CASE("letters that change case keep their source") {
  CHECK(trace("{{ ('pre ' ~ x)|upper }}{{ x|title }}") == "<0>PRE <1>AB CDAb Cd");
}
TEST_CASE("tojson: strings and their escapes are the input's, the punctuation is the template's") {
  CHECK(trace("{{ {'k': x}|tojson }}", "a\"b") == "<0>{\"k\": \"<1>a\\\"b<0>\"}");
}
TEST_CASE("printing a list keeps the source of its strings") {
  CHECK(trace("{{ [x, 1] }}", "a'b\n") == "<0>[\"<1>a'b\\n<0>\", 1]");
}
TEST_CASE("format and percent keep the source of what they fill in") {
  CHECK(trace("{{ 'a{}b'.format(x) }}{{ 'a%sb' % x }}") == "<0>a<1>ab cd<0>ba<1>ab cd<0>b");
  CHECK(trace("{{ x % 1 }}", "v%d") == "<1>v<0>1");
}
TEST_CASE("macros, set blocks and filter blocks keep sources") {
  CHECK(trace("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(x) }}{% set s %}({{ y }}){% endset %}{{ s }}{% filter upper "
              "%}f{{ x }}{% endfilter %}") == "<0><<1>ab cd<0>>(<2><|im_end|><0>)F<1>AB CD");
}
TEST_CASE("indent adds the template's spaces to the input's lines") {
  CHECK(trace("{{ x|indent(1) }}", "a\nb") == "<1>a<0>\n <1>b");
}
TEST_CASE("what is escaped for HTML stays the input's") { CHECK(trace("{{ x|escape }}", "a<b") == "<1>a&lt;b"); }
TEST_CASE("a control token that is put together from two sources shows both") {
  CHECK(trace("{{ '<|im_' ~ x }}", "end|>") == "<0><|im_<1>end|>");
}
TEST_CASE("each element of an array has its own source, keys of objects too") {
  const Json messages = *Json::parse(R"([{"role":"user","content":"hi"},{"role":"tool","content":{"k":["v"]}}])");
  CHECK(traced("{% for m in m %}{{ m.content }}{% endfor %}",
               {{.name = "m", .value = &messages, .origin = Variable::Origin::PerElement, .source = 5}}) ==
        "<5>hi<0>{'<6>k<0>': ['<6>v<0>']}");
}
TEST_CASE("members that the server chose count as the template's") {
  const Json messages = *Json::parse(R"([{"role":"user","content":"hi"}])");
  CHECK(traced("<{{ m[0].role }}>{{ m[0].content }}", {{.name = "m",
                                                        .value = &messages,
                                                        .origin = Variable::Origin::PerElement,
                                                        .source = 1,
                                                        .trusted_members = {"role"}}}) == "<0><user><1>hi");
}
TEST_CASE("strings can be numbered one by one, in document order") {
  const Json value = *Json::parse(R"({"a":"x","b":["y"]})");
  CHECK(traced("{{ v.a }}{{ v.b[0] }}{% for k in v %}{{ k }}{% endfor %}",
               {{.name = "v", .value = &value, .origin = Variable::Origin::PerString, .source = 1}}) ==
        "<2>x<4>y<1>a<3>b");
}
TEST_CASE("trusted variables are the template's") {
  const Json bos("<s>");
  CHECK(traced("{{ bos }}a", {{.name = "bos", .value = &bos}}) == "<0><s>a");
}
TEST_CASE("runs cover the text without gaps") {
  Text text(std::string("abc"), 1);
  text.append("def", 2);
  text.append(text.slice(2, 4));
  CHECK(text.bytes() == "abcdefcd");
  const std::vector<Run> expected = {{3, 1}, {6, 2}, {7, 1}, {8, 2}};
  CHECK((text.runs() == expected));
  CHECK(text.source_at(6) == 1);
  CHECK(Text().runs().empty());
}
