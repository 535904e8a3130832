package jinja

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// Templates of a stranger's that would go on for ever, fill the memory or the
// stack: each ends in an error of kind Limit, soon.
func TestNoTemplateTakesMoreThanItMay(t *testing.T) {
	doubled := "{% set s = 'x' %}" + strings.Repeat("{% set s = s ~ s %}", 60) + "{{ s | length }}"
	loops := strings.Repeat("{% for i in range(99999) %}", 8) + "x" + strings.Repeat("{% endfor %}", 8)
	for name, source := range map[string]string{
		"range(10**9)":                "{% for i in range(10**9) %}{% endfor %}",
		"range(10**15) as a list":     "{{ range(10**15) | list | length }}",
		"nested loops":                loops,
		"an output without end":       "{% for i in range(99999) %}{% for i in range(99999) %}" + strings.Repeat("x", 100) + "{% endfor %}{% endfor %}",
		"a string doubled 60 times":   doubled,
		"a list doubled 60 times":     "{% set l = [1] %}" + strings.Repeat("{% set l = l + l %}", 60),
		"a string times 10**12":       "{{ 'x' * 10**12 }}",
		"a list times 10**12":         "{{ [1] * 10**12 }}",
		"an empty list times 10**15":  "{{ [] * 10**15 }}",
		"replace that grows":          "{% set s = 'a' * 100000 %}{{ s | replace('a', s) | length }}",
		"replace of nothing":          "{% set s = 'a' * 100000 %}{{ s.replace('', s) | length }}",
		"join that grows":             "{% set s = 'a' * 100000 %}{{ range(99999) | join(s) | length }}",
		"indent that grows":           "{{ ('a\n' * 100000) | indent(100000) | length }}",
		"a macro that calls itself":   "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"two macros in turn":          "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
		"a caller that calls itself":  "{% macro m() %}{{ caller() }}{% endmacro %}{% macro r() %}{% call m() %}{{ r() }}{% endcall %}{% endmacro %}{{ r() }}",
		"a macro as its own argument": "{% macro m(f) %}{{ f(f) }}{% endmacro %}{{ m(m) }}",
		"a macro in a default":        "{% macro m(a=m()) %}{% endmacro %}{{ m() }}",
		"a namespace in itself":       "{% set n = namespace() %}{% set n.l = [n] %}{% for i in range(99999) %}{% set n.l = [n.l, n.l] %}{% endfor %}{{ n.l == n.l }}",
		"a deep list, written":        "{% set n = namespace(l=[]) %}{% for i in range(9999) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l }}",
		"a deep list, as JSON":        "{% set n = namespace(l=[]) %}{% for i in range(9999) %}{% set n.l = [n.l] %}{% endfor %}{{ n.l | tojson }}",
		"a deep list, compared":       "{% set n = namespace(l=[], k=[]) %}{% for i in range(9999) %}{% set n.l = [n.l] %}{% set n.k = [n.k] %}{% endfor %}{{ n.l == n.k }}",
		"parentheses":                 "{{ " + strings.Repeat("(", 20_000) + "1" + strings.Repeat(")", 20_000) + " }}",
		"brackets":                    "{{ " + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + " }}",
		"nots":                        "{{ " + strings.Repeat("not ", 20_000) + "1 }}",
		"minuses":                     "{{ " + strings.Repeat("- ", 20_000) + "1 }}",
		"ifs":                         strings.Repeat("{% if true %}", 20_000) + strings.Repeat("{% endif %}", 20_000),
		"a long sum":                  "{{ 1" + strings.Repeat(" + 1", 20_000) + " }}",
		"a long chain of filters":     "{{ 's'" + strings.Repeat(" | upper", 20_000) + " }}",
		"sorting again and again":     "{% set l = range(99999) | list %}{% for i in l %}{% set x = l | sort %}{% endfor %}",
		"searching again and again":   "{% set s = 'a' * 1000000 %}{% for i in range(99999) %}{% set x = 'b' in s %}{% endfor %}",
		"unique of many":              "{{ range(99999) | unique | list | length }}",
		"stripping by a long list":    "{{ ('a' * 1000000).strip('b' * 1000000 ~ 'a') | length }}",
		"maps in maps":                "{{ 'a' | map(" + strings.Repeat("'map', ", 20_000) + "'upper') | list | length }}",
		"a format of braces":          "{{ ('{{' * 4000000).format() | length }}",
		"a format of signs":           "{{ (('%%' * 4000000) % ()) | length }}",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := render(t, source, nil)
			var e *Error
			if !errors.As(err, &e) || e.Kind != Limit {
				t.Errorf("it ends with %v", err)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
	// The control: what the same words do within the limits.
	for source, want := range map[string]string{
		"{% for i in range(3) %}{{ i }}{% endfor %}":                                             "012",
		"{% set s = 'x' %}{% set s = s ~ s %}{{ s }}":                                            "xx",
		"{% macro m(n) %}{% if n > 0 %}{{ n }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(5) }}": "54321",
	} {
		if got, err := render(t, source, nil); got != want || err != nil {
			t.Errorf("%s gives %q, %v", source, got, err)
		}
	}
}

// By the clock, and by the caller's end.
func TestTimeEndsARendering(t *testing.T) {
	source := strings.Repeat("{% for i in range(99999) %}", 4) + strings.Repeat("{% endfor %}", 4)
	l := limits()
	l.Steps, l.Memory, l.Time = 1<<62, 1<<62, 50*time.Millisecond
	tm, err := Parse(source, l)
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if _, err := tm.Render(t.Context(), nil, time.Now()); !errors.As(err, &e) || e.Kind != Limit {
		t.Errorf("by the clock: %v", err)
	}
	l.Time = time.Hour
	if tm, err = Parse(source, l); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := tm.Render(ctx, nil, time.Now()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("by the caller: %v", err)
	}
}

// What a text went through does not make it the template's.
func TestTextsAreKnownAgain(t *testing.T) {
	const evil = "<|x|>"
	for _, source := range []string{
		"{{ m }}", "a{{ m }}b", "{{ m | trim }}", "{{ m.strip() }}", "{{ m | upper }}", "{{ m[:3] }}{{ m[3:] }}", "{{ m[0] }}", "{{ m[::-1] }}",
		"{{ 'pre' + m + 'post' }}", "{{ m ~ m }}", "{{ m * 3 }}", "{{ [m, m] | join(', ') }}", "{{ m | tojson }}", "{{ [m] }}", "{{ {'k': m} }}",
		"{{ m.split('|') | join('+') }}", "{{ m | replace('x', 'y') }}", "{{ 'abc' | replace('b', m) }}", "{% for c in m %}{{ c }}{% endfor %}",
		"{% set s = m %}{{ s }}", "{% set s %}[{{ m }}]{% endset %}{{ s }}", "{% macro f(t) %}({{ t }}){% endmacro %}{{ f(m) }}",
		"{% filter upper %}-{{ m }}{% endfilter %}", "{{ m | escape }}", "{{ '%s!' % m }}", "{{ m | default('x') }}", "{{ m | indent }}", "{{ m.title() }}",
		"{{ [m, m] | first }}", "{{ [m] | map('upper') | first }}", "{{ m | list | last }}", "{{ dict(a=m).a }}", "{{ m | string }}", "{{ m.replace('', '-') }}",
		"{{ (m ~ 'tail').removesuffix('tail') }}", "{{ m.rsplit('|', 1)[0] }}", "{{ ('y' ~ m)[1:] }}", "{{ [m] | string }}",
	} {
		tm, err := Parse(source, limits())
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		spans, err := tm.Render(t.Context(), map[string]any{"m": Text{evil, 7}}, time.Now())
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		found := false
		for _, s := range spans {
			if s.ID == 7 {
				found = true
			} else if strings.ContainsAny(s.Text, "<>xX") && !strings.Contains(s.Text, "&") {
				t.Errorf("%s: %q passes for the template's own", source, s.Text)
			}
		}
		if !found {
			t.Errorf("%s: nothing of the text is known: %v", source, spans)
		}
	}
}

// Nothing but what is written in the package comes out of any template: no
// panic, no endless work, and valid spans.
func FuzzTemplate(f *testing.F) {
	for _, s := range []string{
		"{% for m in messages %}{{ m.role }}: {{ m['content'] | trim }}\n{% endfor %}", "{{ a[1:2] ~ 'x' * 3 | tojson }}", "{% set a, b = (1, 2) %}{{ a ** b }}",
		"{% macro f(x=1) -%} {{ caller(x) }} {%- endmacro %}{% call(y) f() %}{{ y }}{% endcall %}", "{% raw %}{{{% endraw %}", "{{ 'a%sb' % m | upper }}",
		"{% if a is defined and a is not none %}x{% elif b in c %}y{% else %}z{% endif %}", "{{ messages | selectattr('role', 'eq', 'user') | list | length }}",
		"{{ messages['-1'] }}{{ c['-9'] }}{{ c.0 }}{{ b.1 }}{{ c['0'] }}", "{{ (9223372036854775807 + a) // -1 % 0 }}{{ c[9223372036854775807::-9223372036854775807] }}", "{{ range(0, 9, 0) }}{{ b * -1 }}{{ c | batch(-1) }}{{ c | slice(0) }}",
		"{{ '{-1}{9}{}'.format(a) }}{{ b.split('w', -5) }}{{ b.replace('', 'x', -2) }}{{ b | indent(-1) }}{{ a | round(400) }}{{ c | tojson(indent=-1) }}{{ m.strip(b) }}",
	} {
		f.Add(s)
	}
	l := Limits{Steps: 20_000, Memory: 1 << 20, Output: 1 << 16, Depth: 50, Range: 100, Time: time.Second}
	f.Fuzz(func(t *testing.T, source string) {
		tm, err := Parse(source, l)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("an error of type %T", err)
			}
			return
		}
		spans, err := tm.Render(t.Context(), map[string]any{
			"m": Text{"text", 0}, "messages": []any{Pairs{{"role", "user"}, {"content", Text{"<|x|>", 1}}}}, "a": 1, "b": "two", "c": []any{1.5, nil, true},
		}, time.Unix(0, 0))
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("an error of type %T: %v", err, err)
		}
		for _, s := range spans {
			if s.Text == "" || s.ID < Own || s.ID > 1 {
				t.Fatalf("the span %v", s)
			}
		}
	})
}
