package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// fake answers each command with an exit code and notes what was run.
type fake struct {
	ran  []string
	fail string
	err  error
}

func (f *fake) run(args ...string) (int, error) {
	f.ran = append(f.ran, strings.Join(args, " "))
	if args[0] == f.fail {
		return 5, f.err
	}
	return 0, nil
}

func TestAllSteps(t *testing.T) {
	var out strings.Builder
	f := &fake{}
	if !(tour{&out, f.run, "build/tour"}).all() {
		t.Fatal("a tour without a failure failed")
	}
	if len(f.ran) != len(steps())+1 || f.ran[len(f.ran)-1] != "stop --home build/tour" {
		t.Errorf("ran %q", f.ran)
	}
	for _, s := range steps() {
		if !strings.Contains(out.String(), "$ bin/bailey "+quote(s.args)) {
			t.Errorf("the command of %q is not shown", s.why)
		}
	}
	for _, c := range f.ran {
		if !strings.HasSuffix(c, "--home build/tour") {
			t.Errorf("%q writes outside of the tour's home", c)
		}
	}
}

func TestStopsAtAFailure(t *testing.T) {
	for _, err := range []error{nil, errors.New("no such program")} {
		var out strings.Builder
		f := &fake{fail: "summarize", err: err}
		if (tour{&out, f.run, "h"}).all() {
			t.Error("a failed step was passed over")
		}
		if !strings.Contains(out.String(), "exit code 5") || !strings.Contains(out.String(), "doctor --home h") {
			t.Errorf("%s", out.String())
		}
		if !slices.Contains(f.ran, "stop --home h") || slices.ContainsFunc(f.ran, func(s string) bool { return strings.HasPrefix(s, "ask") }) {
			t.Errorf("ran %q", f.ran)
		}
	}
}

func TestQuote(t *testing.T) {
	if got := quote([]string{"ask", "docs", "what is it?"}); got != `ask docs "what is it?"` {
		t.Error(got)
	}
}
