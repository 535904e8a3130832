package jinja

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

func limits() Limits {
	return Limits{Steps: 1_000_000, Memory: 16 << 20, Output: 1 << 20, Depth: 200, Range: 100_000, Time: 10 * time.Second}
}

func render(t testing.TB, source string, vars map[string]any) (string, error) {
	t.Helper()
	tm, err := Parse(source, limits())
	if err != nil {
		return "", err
	}
	spans, err := tm.Render(t.Context(), vars, time.Date(2026, 11, 28, 9, 5, 3, 0, time.UTC))
	var b strings.Builder
	for _, s := range spans {
		b.WriteString(s.Text)
	}
	return b.String(), err
}

// What jinja2 makes of the same templates; testdata/reference.py wrote it down.
func TestAgainstJinja2(t *testing.T) {
	raw, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vars  json.RawMessage
		Cases []struct {
			Template string
			Want     *string
			Error    string
		}
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	vars := variables(t, file.Vars)
	for _, c := range file.Cases {
		got, err := render(t, c.Template, vars)
		switch {
		case c.Want != nil && err != nil:
			t.Errorf("%s\n  fails: %v\n  want   %q", c.Template, err, *c.Want)
		case c.Want != nil && got != *c.Want:
			t.Errorf("%s\n  gives %q\n  want  %q", c.Template, got, *c.Want)
		case c.Want == nil && err == nil:
			t.Errorf("%s\n  gives %q, jinja2 fails with %s", c.Template, got, c.Error)
		}
		var e *Error
		if err != nil && !errors.As(err, &e) {
			t.Errorf("%s\n  an error of type %T", c.Template, err)
		}
	}
}

// variables decodes an object with the order of its keys kept.
func variables(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	out := map[string]any{}
	for _, p := range decode(t, d).(Pairs) {
		out[p.Key] = p.Value
	}
	return out
}

func decode(t *testing.T, d *json.Decoder) any {
	t.Helper()
	tok, err := d.Token()
	if err != nil {
		t.Fatal(err)
	}
	switch tok := tok.(type) {
	case json.Number:
		if n, err := tok.Int64(); err == nil {
			return int(n)
		}
		f, _ := tok.Float64()
		return f
	case json.Delim:
		if tok == '[' {
			list := []any{}
			for d.More() {
				list = append(list, decode(t, d))
			}
			_, _ = d.Token()
			return list
		}
		pairs := Pairs{}
		for d.More() {
			k, _ := d.Token()
			pairs = append(pairs, Pair{k.(string), decode(t, d)})
		}
		_, _ = d.Token()
		return pairs
	}
	return tok
}
