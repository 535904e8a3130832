package main

import (
	"strings"
	"testing"
	"time"
)

func summarise(t *testing.T, exitedWell bool, lines ...string) (string, bool) {
	t.Helper()
	var out strings.Builder
	s := newSummary(&out)
	if err := s.read(strings.NewReader(strings.Join(lines, "\n"))); err != nil {
		t.Fatal(err)
	}
	ok := s.close(exitedWell, 3*time.Second)
	return out.String(), ok
}

const (
	passA      = `{"Action":"pass","Package":"p","Test":"TestA"}`
	passSub    = `{"Action":"pass","Package":"p","Test":"TestA/sub"}`
	okP        = `{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`
	passP      = `{"Action":"pass","Package":"p"}`
	quiet      = `{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}`
	noFiles    = `{"Action":"output","Package":"q","Output":"?   \tq\t[no test files]\n"}`
	skipQ      = `{"Action":"skip","Package":"q"}`
	skipSaid   = `{"Action":"output","Package":"p","Test":"TestRoot","Output":"    x_test.go:7: needs root: owns the mount\n"}`
	skipScript = `{"Action":"output","Package":"p","Test":"TestRoot","Output":"        > [root] skip 'root''s own: may do all'\n"}`
	skipTest   = `{"Action":"skip","Package":"p","Test":"TestRoot"}`
	failSaid   = `{"Action":"output","Package":"p","Test":"TestB","Output":"    x_test.go:9: got 1, want 2\n"}`
	failTest   = `{"Action":"fail","Package":"p","Test":"TestB"}`
	failP      = `{"Action":"fail","Package":"p"}`
	panicked   = `{"Action":"output","Package":"p","Output":"panic: BUG: x\n"}`
	hung       = `{"Action":"output","Package":"p","Test":"TestHung","Output":"panic: test timed out after 10m0s\n"}`
	broken     = `{"Action":"build-output","ImportPath":"p","Output":"x.go:1: undefined: y\n"}`
)

func TestSummary(t *testing.T) {
	for _, c := range []struct {
		name       string
		exitedWell bool
		lines      []string
		ok         bool
		has, lacks []string
	}{
		{"all pass", true, []string{quiet, passSub, passA, okP, passP, noFiles, skipQ}, true,
			[]string{"ok  \tp\t0.1s", "1 tests passed, 0 failed, 0 left out, in 1 packages and 3 s"}, []string{"chatter", "no test files"}},
		{"left out", true, []string{passA, skipSaid, skipTest, okP, passP}, true,
			[]string{"left out: TestRoot (p): needs root: owns the mount", "1 left out"}, nil},
		{"a script left out", true, []string{passA, skipScript, skipTest, okP, passP}, true, []string{"TestRoot (p): root's own: may do all"}, nil},
		{"left out without a reason", true, []string{passA, skipTest, passP}, true, []string{"TestRoot (p): no reason given"}, nil},
		{"one fails", false, []string{passA, failSaid, failTest, failP}, false, []string{"got 1, want 2", "1 failed"}, nil},
		{"a failure that go did not report", true, []string{passA, failTest, failP}, false, []string{"1 failed"}, nil},
		{"a panic", false, []string{panicked, failP}, false, []string{"panic: BUG: x"}, nil},
		{"out of time", false, []string{passA, hung, failP}, false, []string{"panic: test timed out after 10m0s"}, nil},
		{"does not build", false, []string{passA, broken, failP}, false, []string{"undefined: y"}, nil},
		{"nothing ran", true, []string{noFiles, skipQ}, false, []string{"no test ran"}, nil},
		{"all left out", true, []string{skipSaid, skipTest, okP, passP}, false, []string{"no test ran"}, nil},
		{"go itself failed", false, []string{passA, passP}, false, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := summarise(t, c.exitedWell, c.lines...)
			if ok != c.ok {
				t.Errorf("ok = %v", ok)
			}
			for _, h := range c.has {
				if !strings.Contains(got, h) {
					t.Errorf("%q is not in\n%s", h, got)
				}
			}
			for _, l := range c.lacks {
				if strings.Contains(got, l) {
					t.Errorf("%q is in\n%s", l, got)
				}
			}
		})
	}
}

func TestBadStream(t *testing.T) {
	if err := newSummary(&strings.Builder{}).read(strings.NewReader("{]")); err == nil {
		t.Error("a broken stream was read")
	}
}
