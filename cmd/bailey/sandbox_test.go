package main

import (
	"bytes"
	"cmp"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/sandboxv1"
)

// TestCarried: what a program writes passes as it is, and on a terminal nothing of it
// acts, however it is cut into pieces.
func TestCarried(t *testing.T) {
	text := "line é\n\x1b[31mred\x9b\t\u202eevil\r\nback\rhalf \xff 😀\xf0\x9f"
	want := "line é\n\\x1b[31mred\\x9b\t\\u202eevil\nback\\rhalf \\xff 😀\\xf0\\x9f"
	for size := 1; size <= len(text); size++ {
		var plain, seen bytes.Buffer
		a, b := &carried{to: &plain, at: &place{}}, &carried{to: &seen, at: &place{}, seen: true}
		for rest := []byte(text); len(rest) > 0; {
			n := min(size, len(rest))
			for _, w := range []*carried{a, b} {
				if m, err := w.Write(rest[:n]); err != nil || m != n {
					t.Fatal(m, err)
				}
			}
			rest = rest[n:]
		}
		if err := cmp.Or(a.end(), b.end()); err != nil {
			t.Fatal(err)
		}
		if plain.String() != text {
			t.Errorf("in pieces of %d: %q", size, plain.String())
		}
		if got := seen.String(); got != want {
			t.Errorf("in pieces of %d: %q", size, got)
		}
		if !a.at.mid || !b.at.mid {
			t.Error("something stands on the last line")
		}
	}
}

// TestLastLine: Bailey's own line begins one, whichever of the program's streams
// left something on the last line of where it goes, and no line is empty for it.
func TestLastLine(t *testing.T) {
	type piece struct {
		err  bool
		text string
	}
	for _, c := range []struct {
		name           string
		together, json bool
		pieces         []piece
		// out and err are where the streams lead; of one place it is out.
		out, err string
	}{
		{"one place, output unfinished", true, false, []piece{{false, "half"}}, "half\n", ""},
		{"one place, error unfinished", true, false, []piece{{true, "half"}}, "half\n", ""},
		{"one place, ended by the other", true, false, []piece{{false, "half"}, {true, " whole\n"}}, "half whole\n", ""},
		{"one place, begun by the other", true, false, []piece{{false, "whole\n"}, {true, "half"}}, "whole\nhalf\n", ""},
		{"one place, whole", true, false, []piece{{false, "whole\n"}}, "whole\n", ""},
		{"one place, nothing", true, false, nil, "", ""},
		{"one place, an object follows", true, true, []piece{{false, "half"}}, "half\n", ""},
		{"two places, output unfinished", false, false, []piece{{false, "half"}}, "half", ""},
		{"two places, error unfinished", false, false, []piece{{true, "half"}}, "", "half\n"},
		{"two places, an object elsewhere", false, true, []piece{{true, "half"}}, "", "half"},
	} {
		var out, errOut bytes.Buffer
		to := &errOut
		if c.together {
			to = &out
		}
		s, err := newStreams(&cli{out: newOutput(&out), errOut: to, json: c.json, screen: screen{together: c.together}})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range c.pieces {
			w := s.out
			if p.err {
				w = s.err
			}
			if _, err := io.WriteString(w, p.text); err != nil {
				t.Error(err)
			}
		}
		s.drain(t.Context())
		s.close()
		if out.String() != c.out || errOut.String() != c.err {
			t.Errorf("%s: %q and %q", c.name, out.String(), errOut.String())
		}
	}
}

// TestCarriedToTheEnd: what is held when the program ends its output is shown, and
// is no more when the rest of it was given up: Bailey has said its own by then.
func TestCarriedToTheEnd(t *testing.T) {
	for _, given := range []bool{false, true} {
		nothing, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer nothing.Close()
		var out, errOut bytes.Buffer
		s, err := newStreams(&cli{in: nothing, out: newOutput(&out), errOut: &errOut, screen: screen{columns: 80}})
		if err != nil {
			t.Fatal(err)
		}
		program := s.theirs[1]
		s.carry(func(error) {})
		if _, err := io.WriteString(program, "half\xf0\x9f"); err != nil {
			t.Fatal(err)
		}
		want := `half\xf0\x9f`
		if given {
			for passed := false; !passed; runtime.Gosched() {
				s.out.at.lock.Lock()
				passed = out.Len() > 0
				s.out.at.lock.Unlock()
			}
			want = "half"
			s.ours[1].Close()
			s.ours[2].Close()
		}
		s.closeTheirs()
		s.drain(t.Context())
		s.close()
		if out.String() != want {
			t.Errorf("given up: %v: %q", given, out.String())
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
