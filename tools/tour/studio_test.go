package main

import (
	"io"
	"strings"
	"testing"
)

func TestWindowOrTerminal(t *testing.T) {
	for _, c := range []struct {
		d    desktop
		want string
	}{
		{desktop{display: true, built: true}, ""},
		{desktop{root: true, display: true, built: true}, "ordinary user"},
		{desktop{built: true}, "desktop session"},
		{desktop{display: true}, "make build"},
	} {
		if got := c.d.missing(); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q", c.d, got)
		}
	}
}

// Models come first, each by its digest; where the window cannot be shown the
// terminal's tour follows, and any other end is Studio's own.
func TestStudio(t *testing.T) {
	for _, c := range []struct {
		code  int
		shown bool
	}{{0, true}, {1, true}, {unavailable, false}} {
		var out strings.Builder
		f := &fake{fail: "studio", code: c.code}
		shown, code := tour{&out, f.run, studioHome}.studio(here(), true)
		if shown != c.shown || code != c.code {
			t.Errorf("%d: shown %v, code %d", c.code, shown, code)
		}
		want := []string{"model pull build/models/meaning.gguf --sha256 aa", "model pull build/models/talk.gguf --sha256 bb", "studio"}
		if len(f.ran) != len(want) {
			t.Fatalf("ran %q", f.ran)
		}
		for i, w := range want {
			if f.ran[i] != w+" --home "+studioHome {
				t.Errorf("ran %q", f.ran[i])
			}
		}
	}
	// What was withdrawn stays so.
	f := &fake{}
	if (tour{io.Discard, f.run, studioHome}).studio(here(), false); len(f.ran) != 1 || f.did("model") {
		t.Errorf("the second time it ran %q", f.ran)
	}
	f = &fake{}
	without := here()
	without.missing = "none"
	var out strings.Builder
	if shown, _ := (tour{&out, f.run, studioHome}).studio(without, true); !shown || len(f.ran) != 1 || !strings.Contains(out.String(), "Without models: none") {
		t.Errorf("ran %q, said %q", f.ran, out.String())
	}
}
