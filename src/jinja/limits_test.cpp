// Templates that mean harm or went wild: each ends soon with a clear refusal.
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "jinja/testing.h"

using hearth::jinja::rendered;

namespace {

std::string repeated(std::string_view text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

bool is_refused(const std::string& source, std::string_view words) {
  const std::string result = rendered(source);
  const bool fits = result.starts_with("refused: ") && result.contains(words);
  if (!fits) MESSAGE(result.substr(0, 200));
  return fits;
}

}  // namespace

TEST_CASE("a macro without an end is stopped") {
  CHECK(is_refused("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recurses too deep"));
  CHECK(
      is_refused("{% macro a() %}{% for x in [1] %}{{ b() }}{% endfor %}{% endmacro %}{% macro b() %}{% set t %}{{ a() "
                 "}}{% endset %}{{ t }}{% endmacro %}{{ a() }}",
                 "recurses too deep"));
  CHECK(is_refused("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", "recurses too deep"));
  CHECK(
      is_refused("{% macro m() %}{% call m() %}{% endcall %}{{ caller }}{% endmacro %}{{ m() }}", "recurses too deep"));
}
TEST_CASE("a giant range is refused before it is made") {
  CHECK(is_refused("{{ range(1000000000) }}", "Range too big"));
  CHECK(is_refused("{{ range(-9223372036854775807, 9223372036854775807) }}", "Range too big"));
  CHECK(rendered("{{ range(100000)|length }}") == "100000");
}
TEST_CASE("loops in loops run out of steps") {
  const auto compiled = hearth::jinja::Template::compile(
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", {.steps_max = 300'000});
  CHECK((*compiled)->render({}).error().message == "the template takes too many steps (line 1 of the template)");
}
TEST_CASE("text that doubles itself is stopped") {
  CHECK(is_refused(
      "{% set ns = namespace(t='aaaaaaaa') %}{% for i in range(99) %}{% set ns.t = ns.t ~ ns.t %}{% endfor %}",
      "64 MiB"));
  CHECK(is_refused("{{ 'a' * 1000000000000 }}", "64 MiB"));
  CHECK(is_refused("{{ 'a'.center(1000000000000) }}", "64 MiB"));
  CHECK(is_refused("{{ 'a'.ljust(9223372036854775807) }}", "64 MiB"));
  CHECK(is_refused("{{ ('a' * 100000).replace('a', 'b' * 100000) }}", "64 MiB"));
  CHECK(is_refused("{{ ('\\n' * 100000)|indent(100000, blank=true) }}", "64 MiB"));
  CHECK(is_refused("{{ '%9999d' % 1 }}", "too wide"));
  CHECK(is_refused("{{ '{:99999}'.format(1) }}", "too wide"));
  CHECK(is_refused("{{ 1|tojson(indent=99999) }}", "too wide"));
}
TEST_CASE("a list that doubles itself is stopped") {
  CHECK(is_refused("{% set ns = namespace(t=[1]) %}{% for i in range(99) %}{% set ns.t = ns.t + ns.t %}{% endfor %}",
                   "too m"));
  CHECK(is_refused("{{ [1] * 100000000000 }}", "too long"));
}
TEST_CASE("many large texts are too much memory together") {
  CHECK(is_refused(
      "{% set ns = namespace(l=[]) %}{% for i in range(99) %}{% set ns.l = ns.l + ['a' * 30000000 ~ i] %}{% endfor %}",
      "too much memory"));
}
TEST_CASE("lists that nest without end are stopped") {
  CHECK(is_refused("{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}",
                   "nest too deep"));
  CHECK(is_refused("{% set ns = namespace(l={}) %}{% for i in range(9999) %}{% set ns.l = {'k': ns.l} %}{% endfor %}",
                   "nest too deep"));
}
TEST_CASE("a namespace that holds itself is harmless") {
  CHECK(rendered("{% set ns = namespace() %}{% set ns.me = ns %}{% set ns.l = [ns] %}{{ ns.me.me.l|length }}{{ ns == "
                 "ns.me }}") == "1True");
}
TEST_CASE("brackets and tags that nest too deep are refused when compiled") {
  CHECK(is_refused("{{ " + repeated("(", 5000) + "1" + repeated(")", 5000) + " }}", "nests too deep"));
  CHECK(is_refused("{{ " + repeated("[", 100000), "nests too deep"));
  CHECK(is_refused("{{ " + repeated("not ", 100000) + "1 }}", "nests too deep"));
  CHECK(is_refused("{{ " + repeated("-", 100000) + "1 }}", "nests too deep"));
  CHECK(is_refused(repeated("{% if 1 %}", 10000), "nests too deep"));
  CHECK(is_refused("{{ 1 " + repeated("if 1 else 1 ", 10000) + "}}", "nests too deep"));
}
TEST_CASE("an expression of too many parts is refused when compiled") {
  CHECK(is_refused("{{ 1" + repeated(" + 1", 50000) + " }}", "too many parts"));
  CHECK(is_refused("{{ x" + repeated(".a", 50000) + " }}", "too many parts"));
  CHECK(is_refused("{{ x" + repeated("|list", 50000) + " }}", "too many parts"));
  CHECK(rendered("{{ 1" + repeated(" + 1", 400) + " }}") == "401");
}
TEST_CASE("a template that is too large is refused") { CHECK(is_refused(std::string(1 << 20, 'a'), "the limit is")); }
TEST_CASE("input that nests as deep as JSON may is rendered") {
  const std::string deep = R"({"x":)" + repeated("[", 250) + repeated("]", 250) + "}";
  CHECK(rendered("{{ x|tojson }}{{ x == x }}", deep) == repeated("[", 250) + repeated("]", 250) + "True");
}
TEST_CASE("one template renders on many threads at once") {
  const auto compiled = *hearth::jinja::Template::compile(
      "{% macro m(a) %}{{ a ~ 'x' }}{% endmacro %}{% for i in range(50) %}{{ m('lit') }}{{ 'a' + 'b' }}{% endfor %}");
  const std::string expected = compiled->render({})->text;
  std::vector<std::thread> threads;
  std::vector<int> same(4, 0);
  for (std::size_t t = 0; t < same.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) same[t] += compiled->render({})->text == expected;
    });
  for (auto& thread : threads) thread.join();
  CHECK(same == std::vector<int>(4, 50));
}
