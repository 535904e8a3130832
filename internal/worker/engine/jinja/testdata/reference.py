"""Writes cases.json: what jinja2 3.1.6 makes of the templates below, set up as
the transformers library does for chat templates. Run by hand, in this folder;
the tests read only what it wrote."""
import json
import jinja2
import jinja2.ext
import jinja2.sandbox

def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols])

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env

V = {
    "n": None, "t": True, "f": False, "i": 7, "x": 2.5, "s": "Hello World", "e": "", "l": [3, 1, 2], "w": ["b", "A", "c", "a"],
    "d": {"a": 1, "b": "two", "c": [1, 2]}, "u": "naïve 😀", "p": "  padded\n",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi."},
        {"role": "user", "content": "How are you?"},
    ],
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True, "tools": None,
}

CASES = r'''
plain
{{ s }}
{{ n }} {{ t }} {{ f }} {{ i }} {{ x }} {{ missing }}
{{ l }} {{ d }} {{ w }} {{ (1, 2) }} {{ (1,) }} {{ () }} {{ 1.0 }} {{ 1e20 }} {{ 0.00001 }} {{ [none, true, 'it\'s', "q\"" ] }}
{{ 1 + 2 * 3 }} {{ (1 + 2) * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ 7 % 3 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 3 }} {{ 2 ** -1 }} {{ -2 ** 2 }}
{{ 7.5 // 2 }} {{ -7.5 % 2 }} {{ 10 / 5 }} {{ 'a' * 3 }} {{ [1] * 2 }} {{ [1] + [2] }} {{ 'a' + 'b' }} {{ 'a' ~ 1 ~ none ~ missing }}
{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ 1 == 1.0 }} {{ true == 1 }} {{ 'a' == 'a' }} {{ none == none }} {{ 'a' < 'b' }} {{ [1, 2] < [1, 3] }}
{{ not true }} {{ not missing }} {{ true and 0 }} {{ false or 'x' }} {{ not 1 == 2 }} {{ 1 and 2 or 3 }}
{{ 1 in l }} {{ 9 in l }} {{ 'ell' in s }} {{ 'a' in d }} {{ 'z' not in d }} {{ 1 in missing }}
{{ 'yes' if t else 'no' }} {{ 'yes' if f else 'no' }} {{ 'yes' if f }}|{{ 1 if f else 2 if f else 3 }}
{{ s[0] }} {{ s[-1] }} {{ s[1:4] }} {{ s[::-1] }} {{ s[:5] }} {{ s[6:] }} {{ s[-3:] }} {{ s[99] }}|{{ l[0] }} {{ l[-1] }} {{ l[1:] }} {{ l[::-1] }} {{ l[5:] }} {{ u[::-1] }} {{ u[6] }}
{{ d.a }} {{ d['b'] }} {{ d.missing }} {{ d['missing'] }}|{{ d.c[1] }} {{ d.items() | list }} {{ d.keys() | list }} {{ d.get('a') }} {{ d.get('z') }} {{ d.get('z', 4) }}
{{ missing.attribute }}
{{ missing['item'] }}
{{ missing + 1 }}
{{ missing() }}
{{ 1 + 'a' }}
{{ 1 < 'a' }}
{{ 1 // 0 }}
{{ 'a' in 5 }}
{{ nosuch | nofilter }}
{{ 1 is nosuchtest }}
{{ s is string }} {{ i is number }} {{ i is integer }} {{ x is float }} {{ l is iterable }} {{ d is mapping }} {{ n is none }} {{ missing is defined }} {{ s is defined }} {{ t is true }} {{ f is false }} {{ t is boolean }} {{ 3 is odd }} {{ 4 is even }} {{ 9 is divisibleby 3 }} {{ 9 is divisibleby(2) }} {{ s is sequence }} {{ d is sequence }} {{ i is iterable }}
{{ not s is string }} {{ s is not string }} {{ n is not none }} {{ 1 is eq 1 }} {{ 1 is in [1, 2] }} {{ 'abc' is lower }} {{ 'ABC' is upper }} {{ 1 is lt 2 }} {{ t is sameas true }} {{ 1 is sameas true }}
{{ missing is undefined and true }} {{ i is defined and i is number }} {{ 'x' if missing is defined else 'y' }}
{{ s | upper }} {{ s | lower }} {{ 'hello big world' | title }} {{ 'hELLO' | capitalize }} {{ p | trim }}| {{ s | length }} {{ u | length }} {{ d | length }} {{ missing | length }}
{{ l | sort }} {{ w | sort }} {{ w | sort(reverse=true) }} {{ w | sort(case_sensitive=true) }} {{ l | max }} {{ l | min }} {{ l | sum }} {{ l | first }} {{ l | last }} {{ l | reverse | list }} {{ s | reverse }} {{ [1, 1, 2, 'a', 'A'] | unique | list }}
{{ l | join }} {{ l | join(', ') }} {{ messages | join('-', attribute='role') }} {{ messages | map(attribute='role') | list }} {{ w | map('upper') | join(' ') }} {{ [] | first }}|
{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join('|') }} {{ messages | rejectattr('role', '==', 'user') | list | length }} {{ l | select('odd') | list }} {{ l | reject('gt', 1) | list }} {{ [0, 1, none, ''] | select | list }} {{ messages | selectattr('nope') | list }}
{{ missing | default('x') }} {{ e | default('x') }}|{{ e | default('x', true) }} {{ n | default('x') }} {{ missing | d }}|{{ e | default('x', boolean=true) }}
{{ '42' | int }} {{ 'x' | int }} {{ 'x' | int(5) }} {{ 4.7 | int }} {{ '4.7' | float }} {{ 3 | float }} {{ -4 | abs }} {{ 2.567 | round(2) }} {{ 2.5 | round }} {{ 3.2 | round(0, 'ceil') }} {{ 3.8 | round(method='floor') }} {{ 5 | string }}{{ [1] | string }}
{{ 'a-b-c' | replace('-', '+') }} {{ 'aaa' | replace('a', 'b', 2) }} {{ 'a\nb\n\nc' | indent }} {{ 'a\nb' | indent(2, true) }} {{ 'one two  three' | wordcount }} {{ '<a href="x">&\'' | escape }} {{ '<b>' | safe }}
{{ d | tojson }} {{ u | tojson }} {{ [1, 2.5, none, true, 'q"\n\t\\'] | tojson }} {{ {} | tojson }} {{ [] | tojson }} {{ d | tojson(indent=2) }} {{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ d | tojson(separators=(',', ':')) }}
{{ d | dictsort }} {{ d | items | list }} {{ [1, 2, 3, 4, 5] | batch(2) | list }} {{ [1, 2, 3] | batch(2, 0) | list }} {{ [1, 2, 3, 4, 5] | slice(2) | list }} {{ [1, 2, 3, 4, 5] | slice(3, 'x') | list }}
{{ p.strip() }}|{{ p.lstrip() }}|{{ p.rstrip() }}|{{ 'xxaxx'.strip('x') }} {{ 'a,b,c'.split(',') }} {{ 'a b  c'.split() }} {{ 'a,b,c'.split(',', 1) }} {{ 'a,b,c'.rsplit(',', 1) }} {{ 'a\nb\n'.splitlines() }} {{ 'a,b'.split(',')[-1] }}
{{ s.startswith('Hello') }} {{ s.endswith('x') }} {{ s.startswith(('x', 'H')) }} {{ s.upper() }} {{ s.lower() }} {{ 'abc'.title() }} {{ 'aBC'.capitalize() }} {{ s.find('World') }} {{ s.find('z') }} {{ s.count('o') }} {{ s.replace('o', '0') }} {{ '-'.join(['a', 'b']) }} {{ 'ab'.replace('', '-') }} {{ 'abab'.replace('a', 'x', 1) }}
{{ '12'.isdigit() }} {{ 'ab'.isalpha() }} {{ 'a1'.isalnum() }} {{ ' '.isspace() }} {{ 'AB'.isupper() }} {{ ''.isdigit() }} {{ 'abc'.removeprefix('a') }} {{ 'abc'.removesuffix('c') }} {{ 'Ab'.swapcase() }}
{{ '%s and %d%%' % ('a', 5) }} {{ '%s' % 'x' }}
{{ [1, 2].append(3) }}
{{ d.update({'z': 1}) }}
{% for m in messages %}{{ loop.index }}{{ loop.index0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ m.role }}{% if not loop.last %}, {% endif %}{% endfor %}
{% for x in [] %}a{% else %}none{% endfor %} {% for x in missing %}a{% else %}none{% endfor %}
{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %} {% for k in d %}{{ k }}{% endfor %} {% for c in 'abc' %}{{ c }}.{% endfor %}
{% for x in [1, 2, 3, 4] if x is even %}{{ loop.index }}:{{ x }} {% endfor %} {% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% endfor %} {% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for a in [1, 2] %}{% for b in [1, 2] %}{{ loop.index }}{{ a }}{{ b }} {% endfor %}{{ loop.index }}{% endfor %}
{% for x in [1, 2, 3] %}{{ loop.previtem }}-{{ loop.nextitem }} {{ loop.cycle('a', 'b') }} {{ loop.changed(x > 1) }};{% endfor %}
{% set q = 1 %}{% for x in [1] %}{% set q = 2 %}{{ q }}{% endfor %}{{ q }} {% if true %}{% set q = 3 %}{% endif %}{{ q }}
{% set ns = namespace(n=0, t='') %}{% for x in l %}{% set ns.n = ns.n + x %}{% set ns.t = ns.t ~ x %}{% endfor %}{{ ns.n }}{{ ns.t }}
{% set a, b = 1, 2 %}{{ a }}{{ b }} {% set c %}block {{ a }}{% endset %}[{{ c }}] {% set c | upper %}block{% endset %}{{ c }}
{% set a, b = [1] %}
{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }} {{ m(1, c='z') }} {{ m(1, 3, 4) }} {{ m() }}
{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}
{% macro outer() %}[{{ caller('x') }}]{% endmacro %}{% call(v) outer() %}in {{ v }}{% endcall %}
{% macro fact(n) %}{% if n <= 1 %}1{% else %}{{ n * (fact(n - 1) | int) }}{% endif %}{% endmacro %}{{ fact(5) }}
{% filter upper %}text {{ s }}{% endfilter %} {% filter trim | length %}  abc {% endfilter %}
{% raw %}{{ not this }} {% nor this %}{% endraw %} {%- raw -%} {{ x }} {%- endraw -%} y
{# comment #}a{#- c -#} b {# c #}
{{ range(5) | list }} {{ range(2, 5) | list }} {{ range(5, 0, -2) | list }} {{ range(0) | list }} {{ dict(a=1, b=2) }} {{ dict(a=1).a }}
{% set j = joiner('; ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %} {% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}
{{ raise_exception('no good') }}
{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}{{ system }} {{ rest | length }}
{{ "a" "b" 'c' }} {{ 'tab\tnew\\n\x41\u00e9' }} {{ "quote's" }}
{{ {'a': {'b': [1, {'c': 2}]}}['a']['b'][1]['c'] }} {{ {'x': 1,} }} {{ [1, 2,] }}
{{ (1 if false) is defined }} {{ ((1 if false) | default('z')) }} {{ -1 | abs }} {{ 2 * -3 }} {{ - -2 }} {{ +3 }}
{{ 1_000 }} {{ 1.5e3 }} {{ 010 }}
{{ s.nope }}|{{ l.nope }}|{{ i.nope }}|{{ loop }}|{{ n is defined }}
{{ [1, [2, 3]] | string }} {{ 'é' | upper }} {{ 'ß' | length }} {{ '%' ~ '}' }} {{ "}}" }} {{ '{%' }}
{% if a is defined %}x{% elif s %}y{% else %}z{% endif %} {% if not (t and f) %}1{% endif %} {% if l and d and s %}2{% endif %}
{{ messages[0].content }} {{ messages[-1]['content'] }} {{ messages | length }} {{ messages[0].nope is defined }} {{ messages[0]['content'] is string }} {{ (messages | last).role }} {{ messages.0.role }}
{% include 'x' %}
{% import 'x' as y %}
{% extends 'x' %}
{% nonsense %}
{% for x in %}{% endfor %}
{% if %}{% endif %}
{% if t %}
{{ 1 + }}
{{ (1 }}
{{ s | }}
{{ 'unclosed }}
{% endfor %}
{{ s
{{ 1 2 }}
{% if f %}{{ s | nofilter }}{% endif %}{% if f %}{{ s is notest }}{% endif %}ok
{% set q = {0: 'a', 5: 'b', none: 'c', 'x': 'd'} %}{{ q }} {{ q[5] }} {{ q['x'] }} {{ q[none] }} {{ 5 in q }} {{ '5' in q }} {% for k, v in q.items() %}{{ k }}{{ v }}{% endfor %} {{ q | tojson }} {{ q.get(0) }}
{{ none | selectattr('a') | list }} {{ none | map('upper') | list }} {{ '' | reject | list }}
{{ '<{}|{}>'.format('a', 2) }} {{ '{1}{0}{{}}'.format('a', 'b') }} {{ '{k}'.format(k=1) }}
{{ '{}'.format() }}
{{ '{'.format() }}
{% set 5 = 1 %}
{% break %}
{{ l["-1"] }}|{{ l["-9"] }}|{{ l["0"] }}|{{ l["+1"] }}|{{ s["-1"] }}|{{ s["0"] }}|{{ d["-1"] }}
{{ l.0 }}{{ l.2 }}|{{ l.9 }}|{{ s.1 }}|{{ d.0 }}|{{ {0: 'a', '0': 'b'}.0 }}|{{ l.0.1 }}
{{ [l] | map(attribute='-1') | first }}|{{ [l] | map(attribute='1') | first }}|{{ [l, l] | map(attribute='+1') | list | length }}
{{ missing.0 }}
'''.strip("\n").split("\n")

# Whitespace: each case is a text with newlines.
BLOCKS = [
    "a\n{% if t %}\nb\n{% endif %}\nc\n",
    "a\n  {% if t %}\n  b\n  {% endif %}\n  c",
    "a\n  {%- if t %}\n  b\n  {%- endif %}\n  c",
    "a\n{% if t -%}\n  b\n{% endif -%}\n  c\n\n",
    "  {{ s }}  \n  {{- s -}}  \n  x",
    "x {% if t %} y {% endif %} z\n",
    "{% for i in l %}\n{{ i }}\n{% endfor %}\nend",
    "{% for i in l -%}\n  {{ i }}\n{%- endfor %}\nend",
    "{# a #}\n  {# b #}\nc {# d #}\n e",
    "{#- a -#}\n  {#- b #}\nc",
    "a\n\t {% set z = 1 %}\n{{ z }}\r\nb\rc\n\n",
    "{%+ if t %}\nx{%+ endif +%}\ny",
    "  {%+ if t +%}\n  x\n  {% endif %}",
    "{{ s }}\n{{ s }}\n",
    "{{ s -}}\n\n  x",
    "\n\n{% if t %}x{% endif %}\n\n",
    "{% raw %}\n  {{ a }}\n{% endraw %}\nb",
    "x\n  {% raw %}y{% endraw %}\n  {%- raw %}\n z{% endraw -%}\n w",
    "{% macro f(x) %}\n  [{{ x }}]\n{% endmacro %}\n{{ f(1) }}\n{{ f(2) }}",
    "{%- set ns = namespace(a='') -%}\n{%- for m in messages -%}\n    {%- if loop.first -%}{%- set ns.a = m.role -%}{%- endif -%}\n{%- endfor -%}\n{{ ns.a }}",
]

def main():
    env = environment()
    out = []
    for source in CASES + BLOCKS:
        case = {"template": source}
        try:
            case["want"] = env.from_string(source).render(**V)
        except Exception as e:
            case["error"] = type(e).__name__
        out.append(case)
    with open("cases.json", "w") as f:
        json.dump({"vars": V, "cases": out}, f, ensure_ascii=False, indent=1)
        f.write("\n")

main()
