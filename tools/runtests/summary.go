package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// event is one line of `go test -json` (see `go doc test2json`).
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// summary reads events and writes what a person wants to see of them.
type summary struct {
	out io.Writer
	// said is the output of each test that has not ended well, by package and
	// test; a package's own output stands under the empty name.
	said map[[2]string]string

	passed, failed, packages int
	leftOut                  []string
}

func newSummary(out io.Writer) *summary {
	return &summary{out: out, said: map[[2]string]string{}}
}

func (s *summary) read(r io.Reader) error {
	d := json.NewDecoder(r)
	for {
		var e event
		if err := d.Decode(&e); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		s.add(e)
	}
}

func (s *summary) add(e event) {
	key := [2]string{e.Package, e.Test}
	top := e.Test != "" && !strings.Contains(e.Test, "/")
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "output":
		if e.Test == "" && closing(e.Output) {
			fmt.Fprint(s.out, e.Output)
			return
		}
		s.said[key] += e.Output
	case "pass":
		delete(s.said, key)
		if top {
			s.passed++
		}
		if e.Test == "" {
			s.packages++
		}
	case "skip":
		if e.Test != "" {
			s.leftOut = append(s.leftOut, fmt.Sprintf("%s (%s): %s", e.Test, short(e.Package), reason(s.said[key])))
		}
		delete(s.said, key)
	case "fail":
		// A package that crashed or ran out of time leaves tests behind that never
		// ended; the trace stands in the output of one of them.
		if e.Test == "" {
			s.unended(e.Package)
		}
		fmt.Fprint(s.out, s.said[key])
		delete(s.said, key)
		if top {
			s.failed++
		}
		if e.Test == "" {
			s.packages++
		}
	}
}

// unended writes what the tests of a package said that began and did not end,
// in the order of their names.
func (s *summary) unended(pkg string) {
	var tests []string
	for key := range s.said {
		if key[0] == pkg && key[1] != "" {
			tests = append(tests, key[1])
		}
	}
	slices.Sort(tests)
	for _, test := range tests {
		fmt.Fprint(s.out, s.said[[2]string{pkg, test}])
		delete(s.said, [2]string{pkg, test})
	}
}

// closing reports whether a line is the one by which go test ends a package
// that has tests.
func closing(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "FAIL\t")
}

func short(pkg string) string {
	return strings.TrimPrefix(pkg, "github.com/bailey-run/bailey/")
}

// reason picks what t.Skip was told out of a test's output, which is
// "    file_test.go:12: reason"; of a script it is the line that skipped, which is
// "    > [condition] skip 'reason'".
func reason(output string) string {
	for _, line := range strings.Split(output, "\n") {
		line = strings.TrimSpace(line)
		if at := strings.Index(line, "_test.go:"); at >= 0 {
			if _, text, ok := strings.Cut(line[at:], ": "); ok {
				return text
			}
		}
	}
	if _, text, ok := strings.Cut(output, "] skip '"); ok {
		text, _, _ = strings.Cut(text, "\n")
		return strings.ReplaceAll(strings.TrimSuffix(strings.TrimSpace(text), "'"), "''", "'")
	}
	return "no reason given"
}

// close writes the end and reports whether all is well.
func (s *summary) close(exitedWell bool, took time.Duration) bool {
	for _, l := range s.leftOut {
		fmt.Fprintln(s.out, "left out:", l)
	}
	ran := s.passed + s.failed
	fmt.Fprintf(s.out, "runtests: %d tests passed, %d failed, %d left out, in %d packages and %.0f s\n",
		s.passed, s.failed, len(s.leftOut), s.packages, took.Seconds())
	if ran == 0 {
		fmt.Fprintln(s.out, "runtests: no test ran")
	}
	return exitedWell && s.failed == 0 && ran > 0
}
