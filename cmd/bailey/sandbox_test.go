package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/sandboxv1"
)

// TestCarried: what a program writes passes as it is, and on a terminal nothing of it
// acts, however it is cut into pieces.
func TestCarried(t *testing.T) {
	text := "line é\n\x1b[31mred\x9b\t\u202eevil\r\nhalf \xff 😀"
	want := "line é\n\\x1b[31mred\\x9b\t\\u202eevil\nhalf \\xff 😀"
	for size := 1; size <= len(text); size++ {
		var plain, seen bytes.Buffer
		a, b := &carried{to: &plain, lock: &sync.Mutex{}}, &carried{to: &seen, lock: &sync.Mutex{}, seen: true}
		for rest := []byte(text); len(rest) > 0; {
			n := min(size, len(rest))
			for _, w := range []*carried{a, b} {
				if m, err := w.Write(rest[:n]); err != nil || m != n {
					t.Fatal(m, err)
				}
			}
			rest = rest[n:]
		}
		if plain.String() != text {
			t.Errorf("in pieces of %d: %q", size, plain.String())
		}
		// A return that was cut off from its line is shown.
		if got := strings.ReplaceAll(seen.String(), `\r`, ""); got != want {
			t.Errorf("in pieces of %d: %q", size, got)
		}
		if !a.midLine() {
			t.Error("something stands on the last line")
		}
	}
}

// FuzzShown: nothing that is shown can act.
func FuzzShown(f *testing.F) {
	f.Add("a\x1b]0;x\x07\n\t\u202e\xff")
	f.Fuzz(func(t *testing.T, s string) {
		for _, r := range shown(s) {
			if r != '\n' && r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069) {
				t.Fatalf("%q holds %U", shown(s), r)
			}
		}
	})
}

// TestFindProgram: a name is looked for in PATH alone, in no place that depends on
// where one stands.
func TestFindProgram(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"a/run": 0o755, "b/run": 0o644, "run": 0o755} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("a/run", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, c := range []struct {
		name, search, want string
		code               errs.Code
	}{
		{"run", dir + "/b:" + dir + "/a", dir + "/a/run", ""},
		{"run", ".::" + dir + "/b", "", errs.ProgramMissing},
		{"run", "", "", errs.ProgramMissing},
		{"./run", "", dir + "/run", ""},
		{"./link", "", dir + "/a/run", ""},
		{"./none", dir, "", errs.ProgramMissing},
	} {
		got, err := findProgram(c.name, c.search)
		if got != c.want || (err == nil) != (c.code == "") || err != nil && errs.CodeOf(err) != c.code {
			t.Errorf("%s in %q: %q, %v", c.name, c.search, got, err)
		}
	}
}

// TestRanExit: the exit code is the program's, or 128 and the signal's number.
func TestRanExit(t *testing.T) {
	for want, e := range map[int]*sandboxv1.Ended{0: {}, 3: {ExitCode: 3}, 255: {ExitCode: 255}, 137: {ExitCode: -1, Signal: 9}, 159: {ExitCode: -1, Signal: 31, Layer: "seccomp"}} {
		r := &ran{level: "full", ended: e}
		if r.exit() != want {
			t.Errorf("%+v: %d, want %d", e, r.exit(), want)
		}
	}
	r := &ran{level: "level 2", ended: &sandboxv1.Ended{ExitCode: -1, Signal: 31, Layer: "seccomp"}}
	if got := r.after(); got != "the program was killed by signal 31 (SIGSYS), by the layer seccomp, at level 2" {
		t.Error(got)
	}
	r = &ran{level: "bwrap", ended: &sandboxv1.Ended{ExitCode: 3}}
	if got := r.after(); got != "the program ended with exit code 3, started by bubblewrap" {
		t.Error(got)
	}
}
