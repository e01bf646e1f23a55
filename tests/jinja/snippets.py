"""Small templates for the differential test: one construct each. VARIABLES are what they render with."""

VARIABLES = {
    "text": "Hello, World",
    "uni": "Ünïcødé ß 你好 🙂",
    "lines": "one\n\n  two\r\nthree\n",
    "n": 7,
    "f": 2.5,
    "neg": -7,
    "none_value": None,
    "yes": True,
    "no": False,
    "items_list": [3, 1, 2, 1],
    "names": ["bob", "Alice", "carol", "Bob"],
    "empty": [],
    "d": {"b": 1, "a": "x", "C": [1, 2, {"k": None}], "items": "shadow"},
    "users": [{"name": "bob", "age": 3, "on": True}, {"name": "Al", "age": 1, "on": False}, {"name": "cy", "age": 2}],
    "html": "<b>\"a\" & 'c'</b>",
    "floats": [1.0, 0.1, 1e16, 1e15, 1e-5, 0.0001, 123456789.123, -0.0, 1e300, 3.14159],
}

SNIPPETS = r"""
{{ 1 + 2 * 3 - 4 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 % -3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 2 ** -1 }} {{ 7.5 // 2 }} {{ -7.5 % 2 }}
{{ -2 ** 2 }} {{ (1, 2) + (3,) }} {{ [1] + [2] }} {{ [0] * 3 }} {{ 'ab' * 3 }} {{ 3 * 'x' }} {{ 'x' * -1 }}|
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ True == 1 }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }} {{ none == none }} {{ 1 != 2 }}
{{ 'World' in text }} {{ 'x' not in text }} {{ 1 in items_list }} {{ 'a' in d }} {{ 'zz' in d }} {{ none_value in [none] }}
{{ not yes }} {{ yes and 'x' }} {{ no or 'y' }} {{ '' or none or 0 }} {{ 1 if yes else 2 }} {{ 1 if no }}| {{ (1 if no) is defined }}
{{ text[0] }}{{ text[-1] }}{{ text[1:4] }}{{ text[::-1] }}{{ text[-5:] }}{{ text[:-7] }}{{ text[::2] }}{{ text[100:] }}{{ text[5:2] }}
{{ uni[0] }}{{ uni[::-1] }}{{ uni[2:5] }}{{ uni|length }}{{ uni[-1] }}{{ uni[-3:-1] }}
{{ items_list[0] }}{{ items_list[-1] }}{{ items_list[1:] }}{{ items_list[::-1] }}{{ items_list[5] }}|{{ (1,2,3)[1:] }}
{{ d.a }} {{ d['b'] }} {{ d.C[2].k }} {{ d.missing }}| {{ d.items is string }} {{ d['items'] }} {{ d.get('zz', 5) }} {{ d.get('zz') }}
{{ users[0].name }} {{ users[0]['name'] }} {{ users.0.name }} {{ users[-1].on is defined }}
{{ missing }}|{{ missing is defined }}|{{ missing|default('x') }}|{{ ''|default('x', true) }}|{{ none_value|default('x') }}|{{ missing|length }}|{{ missing|list }}
{{ missing.attr }}
{{ d.missing.more }}
{{ missing + 1 }}
{{ missing() }}
{{ missing < 1 }}
{{ none_value.x }}
{{ none_value.x.y }}
{{ text.nope }}|{{ text.nope is defined }}
{{ text.nope() }}
{{ 'a' + 1 }}
{{ 1 + 'a' }}
{{ [] + 'a' }}
{{ 1 / 0 }}
{{ 1 % 0 }}
{{ raise_exception('stop ' ~ n) }}
{{ [1, 'a', "it's", '"q"', none, True, 1.5, {'k': (1,)}, ('x', 2), ()] }}
{{ d }} {{ users }} {{ {} }} {{ [] }} {{ {1: 2, 'x': none, (1,2): 3} }}
{{ ['\n\t\\', 'é', '\x00\x7f', '\u200b', '🙂', '\'"'] }}
{{ floats }} {{ floats|join(' ') }} {{ 1.0 }} {{ 100000000000000000.0 }} {{ 1e3 }} {{ 1_000 }} {{ 0x1F }} {{ 0b11 }} {{ 0o17 }} {{ 1.5e-7 }}
{{ floats|tojson }} {{ d|tojson }} {{ html|tojson }} {{ uni|tojson }} {{ uni|tojson(ensure_ascii=True) }} {{ lines|tojson }}
{{ d|tojson(indent=2) }} {{ d|tojson(indent=0) }} {{ []|tojson(indent=2) }} {{ {}|tojson(indent=4) }} {{ d|tojson(separators=(',', ':')) }} {{ d|tojson(sort_keys=True) }}
{{ d|tojson(indent='\t') }} {{ (1, 2)|tojson }} {{ {1: 2, none: 3, true: 4, 1.5: 6}|tojson }} {{ "\u007f\u2028"|tojson }} {{ text|tojson(True) }}
{{ missing|tojson }}
{{ range(3)|tojson }}
{{ text.upper() }} {{ text.lower() }} {{ uni.upper() }} {{ uni.lower() }} {{ 'hello wORLD foo-bar'.title() }} {{ 'hELLO'.capitalize() }} {{ 'aB'.swapcase() }}
{{ '  x '.strip() }}|{{ '  x '.lstrip() }}|{{ '  x '.rstrip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'abcba'.strip('ab') }}|{{ '\u00a0x\u3000'.strip() }}|{{ 'éaé'.strip('é') }}
{{ 'a,b,,c'.split(',') }} {{ ' a  b c '.split() }} {{ 'a b c d'.split(' ', 2) }} {{ 'a b c d'.rsplit(' ', 2) }} {{ ' a  b c '.split(none, 1) }} {{ ' a  b c '.rsplit(none, 1) }} {{ ''.split(',') }} {{ ''.split() }} {{ 'aXbX'.split('X') }}
{{ 'x</think>y</think>z'.split('</think>')[-1].lstrip('\n') }} {{ text.split(', ')|last }} {{ text.split('zz')|first }}
{{ lines.splitlines() }} {{ lines.splitlines(True) }} {{ ''.splitlines() }} {{ 'a\x0bb\x0cc\u2028d'.splitlines() }}
{{ text.replace('o', '0') }} {{ text.replace('o', '0', 1) }} {{ 'abc'.replace('', '-') }} {{ ''.replace('', 'x') }} {{ 'abc'.replace('', '-', 2) }} {{ 'aaa'.replace('aa', 'b') }}
{{ text.startswith('Hell') }} {{ text.endswith(('x', 'World')) }} {{ text.startswith('ello', 1) }} {{ text.find('o') }} {{ text.rfind('o') }} {{ text.find('zz') }} {{ text.count('l') }} {{ text.index('W') }} {{ uni.find('你') }} {{ text.find('o', 5, 10) }}
{{ text.index('zz') }}
{{ ''.split('') }}
{{ '12'.isdigit() }} {{ 'ab'.isalpha() }} {{ 'a1'.isalnum() }} {{ ' '.isspace() }} {{ ''.isdigit() }} {{ 'AB'.isupper() }} {{ 'ab1'.islower() }} {{ 'Ab Cd'.istitle() }} {{ '²'.isdigit() }} {{ '²'.isdecimal() }}
{{ ', '.join(names) }} {{ ''.join(['a']) }} {{ '-'.join('abc') }} {{ '{} {}'.format(1, 'x') }} {{ '{0}{1}{0}'.format('a', 'b') }} {{ '{x}'.format(x=1) }} {{ '{:>5}|{:<5}|{:^5}'.format('a', 'b', 'c') }} {{ '{:.2f} {:05d} {:,}'.format(3.14159, 42, 1234567) }} {{ '{{}}'.format() }} {{ '{!r}'.format('a') }}
{{ ','.join([1]) }}
{{ '%s-%d-%.2f' % ('a', 3, 2.5) }} {{ '%s' % 'x' }} {{ '%5s|%-5s|%05d' % ('a', 'b', 42) }} {{ '%x %X %o %e %%' % (255, 255, 8, 1234.5) }} {{ '%r' % 'a' }} {{ '%(k)s' % {'k': 1} }} {{ "%s, %s"|format('a', 'b') }}
{{ '%s %s' % 'x' }}
{{ '%d' % 'x' }}
{{ 'a'.center(5) }}|{{ 'ab'.center(5, '*') }}|{{ 'a'.ljust(3) }}|{{ 'a'.rjust(3, '0') }}|{{ '-42'.zfill(5) }}|{{ 'a\tb'.expandtabs(4) }}|{{ 'abc'.center(6, '-') }}
{{ 'a-b-c'.partition('-') }} {{ 'a-b-c'.rpartition('-') }} {{ 'abc'.partition('x') }} {{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }}
{{ d.keys()|list }} {{ d.values()|list }} {{ d.items()|list if false else 1 }} {{ {'a': 1}.items()|list }} {{ {'a': 1}.keys()|join }} {{ {'a': 1}.copy() }}
{% for k, v in {'a': 1, 'b': [2]}.items() %}{{ k }}={{ v }};{% endfor %}{% for k in {'x': 1} %}{{ k }}{% endfor %}{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}
{% for a, b in [(1, 2, 3)] %}{% endfor %}
{% for a, b in [1] %}{% endfor %}
{% for x in 5 %}{% endfor %}
{% for x in none_value %}{% endfor %}
{% for x in missing %}{{ x }}{% else %}none{% endfor %}
{% for x in items_list %}{{ loop.index }}/{{ loop.index0 }}/{{ loop.revindex }}/{{ loop.revindex0 }}/{{ loop.length }}/{{ loop.first }}/{{ loop.last }}/{{ loop.depth }}{{ loop.previtem }}>{{ loop.nextitem }};{% endfor %}
{% for x in items_list if x > 1 %}{{ loop.index }}{{ x }}{{ ',' if not loop.last }}{% else %}none{% endfor %}{% for x in items_list if x > 9 %}{% else %}none{% endfor %}
{% for x in items_list %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% if loop.index == 3 %}{% break %}{% endif %}{% endfor %}
{% for x in items_list %}{{ loop.cycle('a', 'b') }}{{ loop.changed(x) }}{% endfor %}
{% for x in [[1, [2, [3]]], [4]] recursive %}{% if x is iterable %}[{{ loop(x) }}]{% else %}{{ x }}@{{ loop.depth }}{% endif %}{% endfor %}
{% for c in uni %}{{ c }}.{% endfor %}
{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = i * 10 %}{{ x }}{% endfor %}{{ x }}
{% set ns = namespace(a=1, b=[]) %}{% for i in [1, 2] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}{{ ns.zz }}|{{ ns['a'] }}
{% set ns = namespace({'q': 1}, r=2) %}{{ ns.q }}{{ ns.r }}{% set ns.s, t = 1, 2 %}{{ ns.s }}{{ t }}
{% set notns = {} %}{% set notns.x = 1 %}
{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set (c, e) = [3, 4] %}{{ c }}{{ e }}{% set t = 1, %}{{ t }}{% set q = (1) %}{{ q }}
{% set block %}a {{ n }} b{% endset %}{{ block }}{% set up | upper %}abc{% endset %}{{ up }}{% set z | replace('a', 'b') | upper %}aa{% endset %}{{ z }}
{% if no %}1{% elif none_value %}2{% elif n %}3{% else %}4{% endif %}{% if not missing %}m{% endif %}{% if empty %}{% else %}e{% endif %}
{% macro m(a, b=2, c=b) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, 3) }} {{ m(1, c=5) }} {{ m(b=1, a=2) }} {{ m() }}
{% macro m(a) %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, 3, x=4) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(z=2) }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, a=2) }}
{% macro wrap(t) %}<{{ t }}>{{ caller() }}</{{ t }}>{% endmacro %}{% call wrap('b') %}in {{ n }}{% endcall %}{% macro each(xs) %}{% for x in xs %}{{ caller(x, loop.index) }}{% endfor %}{% endmacro %}{% call(x, i) each([5, 6]) %}{{ i }}:{{ x }} {% endcall %}
{% macro f(k) %}{% if k > 0 %}{{ k }}{{ f(k - 1) }}{% endif %}{% endmacro %}{{ f(5) }}{{ f(2) | upper }}{{ f(1) is string }}
{% macro g() %}{{ later }}{% endmacro %}{% set later = 'L' %}{{ g() }}
{% for i in [1, 2] %}{% macro h() %}{{ i }}{% endmacro %}{{ h() }}{% endfor %}
{% filter upper %}a{{ n }}b{% endfilter %}{% filter replace('a', 'b') | upper %}aXa{% endfilter %}
{% with a = 1, b = n %}{{ a }}{{ b }}{% endwith %}{{ a }}|
{% generation %}g{{ n }}{% set inner = 1 %}{% endgeneration %}{{ inner }}|
{% raw %}{{ x }} {% if %}{% endraw %}|{%- raw -%}  a {%- endraw -%}  |
{# comment #}a{#- c -#} b {#+ x +#}c
a {%- if yes %} b {%- endif -%} c {{- n -}} d
{{ '{{' }} {{ "}}" }} {{ {'a': {'b': 1}}['a']['b'] }} {{ {'a': {}} }}
{{ "a" "b" 'c' }} {{ 'a\nb\t\x41\u00e9\'\q' }} {{ 'line\
joined' }}
{{ names|sort }} {{ names|sort(case_sensitive=true) }} {{ names|sort(reverse=true) }} {{ users|sort(attribute='age')|map(attribute='name')|list }} {{ users|map(attribute='on', default='?')|list }} {{ users|sort(attribute='name,age')|map(attribute='age')|join }}
{{ names|unique|list }} {{ items_list|unique|list }} {{ items_list|min }} {{ items_list|max }} {{ items_list|sum }} {{ users|sum(attribute='age') }} {{ empty|min }}| {{ names|max }} {{ users|max(attribute='age') }}
{{ users|selectattr('on')|list|length }} {{ users|selectattr('age', 'gt', 1)|map(attribute='name')|join(',') }} {{ users|rejectattr('on', 'defined')|map(attribute='name')|list }} {{ items_list|select('odd')|list }} {{ items_list|reject('equalto', 1)|list }} {{ [0, 1, '']|select|list }} {{ users|selectattr('name', 'in', ['bob', 'cy'])|list|length }}
{{ names|map('upper')|list }} {{ names|map('replace', 'b', 'X')|join }} {{ names|map('length')|list }} {{ none_value|map('upper')|list }} {{ none_value|select|list }}
{{ items_list|map('nope')|list }}
{{ items_list|select('nope')|list }}
{{ items_list|first }} {{ items_list|last }} {{ empty|first }}| {{ empty|last }}| {{ text|first }} {{ text|last }} {{ items_list|reverse|list }} {{ text|reverse }} {{ items_list|length }} {{ items_list|count }}
{{ (items_list|select|list)[0] }} {{ items_list|select('odd') is iterable }} {{ (items_list|map('string')) is sequence }} {% if empty|select %}yes{% endif %}
{% set g = items_list|select('odd') %}{{ g|list }}{{ g|list }}
{{ items_list|select|length }}
{{ d|dictsort }} {{ d|dictsort(true) }} {{ {'a': 2, 'b': 1}|dictsort(by='value') }} {{ {'a': 2, 'b': 1}|dictsort(reverse=true) }} {{ {'a': 1}|items|list }} {{ missing|items|list }}
{{ [1, 'a', none]|join('-') }} {{ [1, 2]|join }} {{ users|join(',', attribute='name') }} {{ text|join('.') }} {{ missing|join }}|
{{ 'a\nb\n\nc'|indent }}|{{ 'a\nb'|indent(2, true) }}|{{ 'a\n\nb'|indent(2, blank=true) }}|{{ 'a\nb\n'|indent(1) }}|{{ ''|indent }}|{{ 'a\nb'|indent('> ') }}|{{ 'a\r\nb'|indent(2, first=True) }}
{{ '3'|int }} {{ '3.7'|int }} {{ 'x'|int }} {{ 'x'|int(9) }} {{ 3.9|int }} {{ -3.9|int }} {{ '0x1f'|int(base=16) }} {{ none_value|int }} {{ ' 12 '|int }} {{ '1_000'|int }} {{ yes|int }} {{ '2.5'|float }} {{ 'x'|float }} {{ 3|float }} {{ '1e3'|float }} {{ 'nan'|float }} {{ 'inf'|float }}
{{ 2.567|round(2) }} {{ 2.5|round }} {{ 3.5|round }} {{ 2.4|round(method='ceil') }} {{ 2.6|round(0, 'floor') }} {{ 7|round }} {{ -3|abs }} {{ -3.5|abs }} {{ 1234.5|round(-2) }} {{ 7|round(1) }} {{ 0.125|round(2) }}
{{ 'hello world-foo (bar)'|title }} {{ 'hELLO'|capitalize }} {{ text|upper }} {{ text|lower }} {{ '  a '|trim }}|{{ 'xax'|trim('x') }}|{{ n|string }} {{ n|upper }} {{ none_value|upper }} {{ [1]|string|length }}
{{ html|escape }} {{ html|e }} {{ html|safe }} {{ html|safe + html }} {{ html + html|safe }} {{ html|safe ~ html }} {{ (html|safe)|upper }} {{ html|e|e }} {{ html|forceescape }} {{ ['<a>'|safe] }} {{ ('<'|safe) is string }} {{ "a '"|safe + "it's" + 'x' }}
{{ ('<b>%s</b>'|safe) % '<i>' }} {{ ('<b>{}</b>'|safe).format('<i>') }} {{ ('a'|safe).join(['<', '>']) }} {{ ('<'|safe).replace('<', '<<') }} {{ ('<'|safe)[0] + '<' }} {{ ('<'|safe) * 2 + '<' }}
{{ 1 is number }} {{ 1.0 is float }} {{ true is number }} {{ true is integer }} {{ 1 is integer }} {{ true is boolean }} {{ none is none }} {{ 'a' is string }} {{ [] is sequence }} {{ {} is mapping }} {{ {} is sequence }} {{ 'a' is iterable }} {{ 1 is iterable }} {{ 1 is not iterable }} {{ d.items() is iterable if false else '' }} {{ range(2) is sequence }}
{{ 2 is even }} {{ 3 is odd }} {{ 4 is divisibleby 2 }} {{ 4 is divisibleby(3) }} {{ 1 is eq 1 }} {{ 1 is equalto(2) }} {{ 1 is lt 2 }} {{ 1 is ge(1) }} {{ 1 is in [1] }} {{ 'A' is upper }} {{ 'a' is lower }} {{ none is sameas none }} {{ 1 is sameas true }} {{ 'upper' is filter }} {{ 'odd' is test }} {{ raise_exception is callable }} {{ missing is undefined }} {{ true is true }} {{ 1 is true }} {{ false is false }}
{{ missing is iterable }} {{ missing is sequence }} {{ missing is mapping }} {{ missing is string }} {{ missing is none }} {{ missing == missing2 }} {{ missing == none }} {{ 'a' in missing }} {{ not missing }}
{{ x is nosuchtest }}
{{ x|nosuchfilter }}
{% if no %}{{ x|nosuchfilter }}{% endif %}ok
{% if yes %}{{ x|nosuchfilter }}{% endif %}ok
{{ range(5)|list }} {{ range(1, 4)|list }} {{ range(5, 0, -2)|list }} {{ range(3) }} {{ range(0)|list }} {{ range(3)|length }} {{ range(10)[3] }} {{ 2 in range(3) }} {{ range(5)[1:3] }}
{{ range(1000000) }}
{{ range(0, 5, 0) }}
{{ dict(a=1, b='x') }} {{ dict({'q': 1}, r=2) }} {{ dict([('a', 1)]) }}
{{ items_list.append(4) }}
{{ d.pop('a') }} {{ d.update({}) }}
{{ items_list.append is defined }} {{ items_list.count(1) }} {{ items_list.index(2) }} {{ (1, 2, 1).count(1) }}
{{ ''.__class__ }}
{{ d.__class__.__mro__ }}
{% set x = 'a' %}{% if yes %}{% set x = 'b' %}{% endif %}{{ x }}{% if no %}{% set y = 1 %}{% endif %}{{ y }}|
{{ loop }}|{{ caller }}|
{{ 10|batch(3)|list }}
{{ range(7)|batch(3)|list }} {{ range(4)|batch(3, 'x')|list }} {{ range(7)|slice(3)|list }} {{ range(4)|slice(3, 'x')|list }} {{ 'a b  c'|wordcount }} {{ 'hello big world'|truncate(9) }} {{ 'hello big world'|truncate(9, true) }} {{ 'a b&c/é'|urlencode }} {{ 'x'|center(5) }}| {{ d|attr('a') }}|
{{ n.__add__ }}
{{ 5 // 0 }}
{{ 9223372036854775807 }} {{ -9223372036854775807 }}
{{ d == {'b': 1} }} {{ {'a': 1, 'b': 2} == {'b': 2, 'a': 1} }} {{ [1, [2]] == [1, [2]] }} {{ (1,) == [1] }} {{ 'a' == 1 }}
{{ 'a' < 1 }}
{{ none < 1 }}
{{ 1 in 5 }}
{{ 1 in 'abc' }}
{{ {[]: 1} }}
{{ d[[]] }}|{{ d[none] }}|{{ items_list['x'] }}|{{ n[0] }}|{{ text[n:] }}|{{ text['a'] }}
{{ text['a':] }}
{{ text[::0] }}
{{ "a" if n > 5 else "b" if n > 3 else "c" }} {{ ("x" if no else "y") ~ 1 ~ none ~ [1] ~ 2.0 ~ true }}
{{ n|default(1)|string ~ 'x' }} {{ -n|abs }} {{ -n + 1 }} {{ not n == 7 }} {{ n is not none and n > 3 }} {{ 'a' ~ 'b' == 'ab' }} {{ 1 + 2 ~ 3 }}
{{ users|map(attribute='name')|map('upper')|join(', ') }} {{ users|map(attribute='name.0')|list }} {{ users|tojson|length }}
{% print 1, 'a' %}{% if yes: %}c{% endif %}
{% if 1 %}{{ 1 }
{% for %}
{% endfor %}
{% if yes %}
{% unknown %}
{% break %}
{{ 1 +  }}
{{ (1 }}
{{ 'abc }}
{{ a b }}
{# never closed
{% raw %} x
{% set 5 = 1 %}
{{ a[1, 2] }}
{{ f(**{'a': 1}, b=2) }}
{% macro m(a=1, b) %}{% endmacro %}
{% call n %}{% endcall %}
{{ dict(**{'a': 1}) }}
{{ [1, 2,] }}{{ {'a': 1,} }}{{ (1, 2,) }}{{ dict(a=1,) }}{{ () }}
{{ "%.3s|%+d|% d" % ('abcdef', 3, 4) }} {{ '{:+}'.format(3) }} {{ '{:08.3f}'.format(3.14159) }} {{ '{:x}'.format(255) }} {{ '{:%}'.format(0.5) }} {{ '{:>3}'.format(7) }} {{ '{a[k]} {b.c}'.format(a={'k': 1}, b={'c': 2}) }}
{{ lines|replace('\n', '\\n') }} {{ n|replace(7, 8) }} {{ 'aXbX'|replace('X', '-', 1) }} {{ none_value|string }} {{ none_value|trim }} {{ missing|upper }}|{{ missing|string }}|{{ missing|trim }}|{{ missing|replace('a', 'b') }}|
{% set s = namespace(t='') %}{% for i in range(3) %}{% set s.t = s.t ~ i %}{% endfor %}{{ s.t }}{% set a = [1] %}{% set b = a %}{{ b is sameas a }}
{%+ if yes %}a{%+ endif %}
{{ 1.real }}{{ 'x'.y.z }}
{{ uni|title }} {{ uni|capitalize }} {{ 'straße'.upper() }} {{ 'ÀÉ'.lower() }} {{ 'привет'.upper() }} {{ 'ΑΒΓ'.lower() }} {{ 'ŠŽ'.lower() }} {{ 'é'.isalpha() }} {{ '你'.isalpha() }} {{ '🙂'.isalpha() }}
""".strip("\n").split("\n")

# A string literal over two lines, and templates that are about lines.
joined = SNIPPETS.index(next(s for s in SNIPPETS if s.startswith("joined'")))
SNIPPETS[joined - 1 : joined + 1] = ["\n".join(SNIPPETS[joined - 1 : joined + 1])]

SNIPPETS += [
    "a\n  {% if yes %}\n  b\n  {% endif %}\nc\n",
    "a\n  {%- if yes %}\n  b\n  {%- endif %}\nc\n\n",
    "  {% if yes -%}\n\n  b  \n {% endif %}  \n",
    "{% if yes %}\n\nb{% endif %}\n\n\n",
    "  {{ n }}\n  {{ n }}  \n{{ n -}}\n\n x",
    "  {# c #}\n  a {# c #}\n{#- c -#}\n b\n  {# a\n b #}  \nc",
    "  {% raw %}\n  {{ a }}\n  {% endraw %}\nb",
    "a {% if yes %} b {% endif %} c\n{% if yes %}x{% endif %}\ny",
    "a\r\n{% if yes %}\r\nb\r\n{% endif %}\r\nc\r\n",
    "\t {% set x = 1 %} \n{{ x }}\n",
    "{% for i in [1,2] %}\n  {{ i }}\n{% endfor %}\n",
    "{% for i in [1,2] -%}\n  {{ i }}\n{%- endfor %}\n",
    "x{{ n }}\n{% if yes %}{% endif %}\n  y",
    "{{ n }}  {% if yes %}a{% endif %}\n",
    "{% if yes %}  {% if yes %}a{% endif %}{% endif %}\n",
    "{% if yes +%}\nb{% endif +%}\nc",
    "a  {%+ if yes %}b{% endif %}",
    "  {%+ if yes %}b\n  {%+ endif %}",
    "\n\n{% set a %}\n x\n{% endset %}[{{ a }}]",
    "{%- macro m(a) -%}\n  {{ a }}\n{% endmacro -%}\n\n{{ m(1) }}|",
    "é\n  {% if yes %}ü{% endif %}\u2028  {% if yes %}x{% endif %}",
    "{{ '\r\n' }}|{{ 'a\rb' }}",
    "{{ {'a': 1}\n ['a'] }}{{ [1,\n 2] }}",
    "{% raw %}{% endraw %}{% raw -%}\n a\n{%- endraw %}\nb",
    "{% set x = {'a': {'b': {}}} %}{{ x }}{{ {} }}",
    "{#- #}\n{#+ #}\n  {#}\n#}\nz",
    "",
    "\n",
    "plain text only\n\n",
    "{{ 1 }}{# c #}\n",
    "{% if yes %}a\n{% else %}b\n{% endif %}\n\nend",
]
