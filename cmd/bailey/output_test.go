package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// A command that somebody may copy stands on one line, where one has room for it.
func TestBroken(t *testing.T) {
	line := "Allowed at the terminal; `bailey grant revoke 0011223344556677` withdraws that, `bailey model rm small` removes it."
	for _, columns := range []int{40, 44, 60, 80, 100} {
		lines := broken(line, columns)
		for i, l := range lines {
			if visible.Width(l) > columns || strings.Count(l, "`")%2 != 0 || i > 0 && !strings.HasPrefix(l, "  ") {
				t.Errorf("%d columns: %q", columns, lines)
			}
		}
		if got := strings.Join(strings.Fields(strings.Join(lines, " ")), " "); got != line {
			t.Errorf("%d columns: %q", columns, got)
		}
	}
	for _, c := range []struct {
		line    string
		columns int
		want    []string
	}{
		{line, 0, []string{line}},
		{"short", 80, []string{"short"}},
		// One that no line has room for is broken as any text.
		{"say `bailey model pull a b c d e f`", 24, []string{"say `bailey model pull", "  a b c d e f`"}},
		{"  Hint: run `bailey doctor` and look", 30, []string{"  Hint: run `bailey", "    doctor` and look"}},
	} {
		if got := broken(c.line, c.columns); c.columns != 30 && !slices.Equal(got, c.want) {
			t.Errorf("%q in %d: %q", c.line, c.columns, got)
		}
	}
}

// An error is broken on a terminal, and one line each elsewhere.
func TestPrintError(t *testing.T) {
	e := errs.New(errs.Denied, "x").With("running small was not allowed, and there is no terminal to ask at").WithHint("allow it with --allow-model small, or see what there is with `bailey model list`")
	var b bytes.Buffer
	c := &cli{errOut: &b}
	c.printError(e)
	if got := b.String(); got != "bailey: "+e.Message()+".\n  Hint: "+e.HintText()+"\n" {
		t.Errorf("got %q", got)
	}
	b.Reset()
	c.screen.errColumns = 50
	c.printError(e)
	want := "bailey: Not allowed: running small was not\n  allowed, and there is no terminal to ask at.\n  Hint: allow it with --allow-model small, or\n    see what there is with `bailey model list`\n"
	if b.String() != want {
		t.Errorf("got\n%s", b.String())
	}
}

// A table that is wider than the terminal goes without what can be spared, and has
// its last column broken between words; a path has a line of its own.
func TestTable(t *testing.T) {
	path := "/home/somebody/a/rather/long/way/to/some/folder"
	small := table{head: []string{"ID", "APP", "SCOPE"}, spare: []string{"APP"}}
	small.add("0011223344556677", "bailey", path)
	small.add("8899aabbccddeeff", "studio", "words that are told one behind the other")
	for _, c := range []struct {
		columns int
		want    string
	}{
		{0, "ID                APP     SCOPE\n0011223344556677  bailey  " + path + "\n8899aabbccddeeff  studio  words that are told one behind the other\n"},
		{80, "ID                APP     SCOPE\n0011223344556677  bailey  " + path + "\n8899aabbccddeeff  studio  words that are told one behind the other\n"},
		{70, "ID                SCOPE\n0011223344556677  " + path + "\n8899aabbccddeeff  words that are told one behind the other\n"},
		{52, "ID                SCOPE\n0011223344556677\n    " + path + "\n8899aabbccddeeff  words that are told one behind the\n                  other\n"},
	} {
		var b bytes.Buffer
		out := newOutput(&b)
		small.print(out, c.columns)
		out.Flush()
		if b.String() != c.want {
			t.Errorf("%d columns: got\n%s\nwant\n%s", c.columns, b.String(), c.want)
		}
	}
}

// How many files there are is known at the end; until then no number says so.
func TestProgressLine(t *testing.T) {
	for _, c := range []struct {
		e    *indexv1.Progress
		want string
	}{
		{&indexv1.Progress{Stage: "reading", Files: 1024, FilesTotal: 1024, Bytes: 82_000_000}, "reading, 1024 files so far, 82.0 MB"},
		{&indexv1.Progress{Stage: "reading", Files: 10, FilesTotal: 1024, Bytes: 1000}, "reading 10 of 1024 files, 1.0 kB"},
		{&indexv1.Progress{Stage: "embedding"}, "embedding"},
	} {
		var b bytes.Buffer
		p := &progress{out: &b, columns: 80, last: time.Time{}}
		p.draw(c.e)
		if got := strings.TrimPrefix(b.String(), "\r\x1b[K"); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// What is remembered of a live grant's object is found, and of nothing else.
func TestBehind(t *testing.T) {
	rows := []grantJSON{
		{ID: "p1", State: "remembered", Kind: "file.read", Scope: "/a", Holder: "bailey"},
		{ID: "p2", State: "remembered", Kind: "file.read", Scope: "/b", Holder: "studio"},
		{ID: "g1", State: "live", Kind: "file.read", Scope: "/a", Holder: "bailey"},
		{ID: "g2", State: "live", Kind: "file.read", Scope: "/b", Holder: "bailey"},
		{ID: "g3", State: "live", Kind: "file.write", Scope: "/a", Holder: "bailey"},
	}
	for id, want := range map[string]string{"g1": "p1", "g2": "", "g3": "", "p1": "", "none": ""} {
		if got := behind(rows, id); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}
