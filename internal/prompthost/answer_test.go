package prompthost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

var hash = strings.Repeat("0f", 32)

// examples are sheets that use every field.
func examples() []Sheet {
	one := Sheet{
		Title: "Bailey", Heading: "Studio wants to read this folder",
		Groups: []Group{{Rows: []Row{{Ticked: true, Fixed: true, Object: "/home/maria/Notes", Details: []string{"until this task ends"}}}}},
		Denies: []string{"It cannot change them."}, Stop: []string{"Press Revoke."},
		Yes: "Read this folder", No: "Don’t", Inert: 500 * time.Millisecond, Timeout: time.Minute, Hash: hash,
		Unread: "Scroll down to read all", Wait: "You can answer in a moment",
	}
	many := one
	many.Groups = []Group{
		{Heading: "to read", Rows: []Row{{Ticked: true, Object: "/a"}, {Object: "/b", Details: []string{"one", "two"}}}},
		{Heading: "to run", Rows: []Row{{Ticked: true, Fixed: true, Object: "smollm2"}}},
	}
	many.Words = []Words{{"The app says:", "please"}}
	many.Warning, many.NeverEnter = "X11", true
	many.Look = Look{Scheme: "dark", Scale: 2000, Language: "ar", HighContrast: true, ReducedMotion: true}
	return []Sheet{one, many}
}

// TestParseResult: what is not exactly an answer to what was asked is no.
func TestParseResult(t *testing.T) {
	s := examples()[1]
	for _, c := range []struct {
		line string
		want Result
		ok   bool
	}{
		{"yes " + hash + " 0,1,2\n", Result{Yes: true, Rows: []int{0, 1, 2}}, true},
		{"yes " + hash + " 2\n", Result{Yes: true, Rows: []int{2}}, true},
		{"no " + hash + " denied\n", Result{Word: Denied}, true},
		{"no " + hash + " timeout\n", Result{Word: TimedOut}, true},
		{"no " + hash + " closed\n", Result{Word: Closed}, true},
		{"no " + hash + " hidden\n", Result{Word: Hidden}, true},
		{"no " + hash + " lost\n", Result{Word: Lost}, true},
		{line: ""},
		{line: "yes " + hash + " 0,1\n"},   // a fixed row is missing
		{line: "yes " + hash + " 2,0\n"},   // not ascending
		{line: "yes " + hash + " 0,0,2\n"}, // twice
		{line: "yes " + hash + " 2,3\n"},   // was not offered
		{line: "yes " + hash + " -1,2\n"},
		{line: "yes " + hash + " 02\n"},
		{line: "yes " + hash + " +2\n"},
		{line: "yes " + hash + " \n"},
		{line: "yes " + hash + " 2"},     // no end
		{line: "yes " + hash + " 2\n\n"}, // more behind
		{line: "yes " + hash + " 2\nyes\n"},
		{line: "yes " + hash + "  2\n"},
		{line: "yes " + hash + "\n"},
		{line: "Yes " + hash + " 2\n"},
		{line: "yes " + strings.Repeat("00", 32) + " 2\n"}, // to another question
		{line: "yes " + strings.ToUpper(hash) + " 2\n"},
		{line: "no " + hash + " perhaps\n"},
		{line: "no\n"},
	} {
		got, err := ParseResult([]byte(c.line), s)
		if c.ok != (err == nil) || c.ok && (got.Yes != c.want.Yes || got.Word != c.want.Word || !slices.Equal(got.Rows, c.want.Rows)) || !c.ok && got.Yes {
			t.Errorf("%q: %+v, %v", c.line, got, err)
		}
	}
	// A row that is fixed and not ticked can never be part of a yes.
	s.Groups[1].Rows[0].Ticked = false
	if got, err := ParseResult([]byte("yes "+hash+" 0,2\n"), s); err == nil || got.Yes {
		t.Error("a fixed row was ticked")
	}
}

// talk connects Ask or Pick with a process that reads the sheet and then does
// what it is told.
func talk(t *testing.T, s Sheet, do func(net.Conn)) *net.UnixConn {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: t.TempDir() + "/s", Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	mine, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { mine.Close(); theirs.Close(); <-done })
	go func() {
		defer close(done)
		var sheet []byte
		for b := make([]byte, 1); ; sheet = append(sheet, b[0]) {
			if _, whole := fieldsOf(sheet); whole {
				break
			}
			if _, err := io.ReadFull(theirs, b); err != nil {
				return
			}
		}
		do(theirs)
	}()
	return mine
}

// TestAsk: the driver's own time and the caller's, and what a broken process says.
func TestAsk(t *testing.T) {
	quick := examples()[0]
	quick.Timeout = 50 * time.Millisecond
	quiet := func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) }
	t.Run("yes", func(t *testing.T) {
		conn := talk(t, examples()[0], func(c net.Conn) { fmt.Fprintf(c, "yes %s 0\n", hash); c.Close() })
		if got, err := Ask(context.Background(), conn, examples()[0]); err != nil || !got.Yes {
			t.Error(got, err)
		}
	})
	t.Run("silence", func(t *testing.T) {
		got, err := Ask(context.Background(), talk(t, quick, quiet), quick)
		if got.Yes || got.Word != TimedOut || errs.CodeOf(err) != errs.Deadline {
			t.Error(got, err)
		}
	})
	t.Run("half an answer and silence", func(t *testing.T) {
		conn := talk(t, quick, func(c net.Conn) { fmt.Fprintf(c, "yes %s 0\n", hash); quiet(c) })
		if got, err := Ask(context.Background(), conn, quick); got.Yes || err == nil {
			t.Error(got, err)
		}
	})
	t.Run("an answer without end", func(t *testing.T) {
		conn := talk(t, quick, func(c net.Conn) {
			for {
				if _, err := c.Write(make([]byte, limits.PromptAnswer)); err != nil {
					return
				}
			}
		})
		if got, err := Ask(context.Background(), conn, quick); got.Yes || errs.CodeOf(err) != errs.Malformed {
			t.Error(got, err)
		}
	})
	t.Run("the caller gives up", func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		conn := talk(t, examples()[0], func(c net.Conn) { stop(); quiet(c) })
		if got, err := Ask(ctx, conn, examples()[0]); got.Yes || errs.CodeOf(err) != errs.Cancelled {
			t.Error(got, err)
		}
	})
	t.Run("a sheet that is none", func(t *testing.T) {
		bad := examples()[0]
		bad.Hash = ""
		conn := talk(t, bad, quiet)
		if got, err := Ask(context.Background(), conn, bad); got.Yes || errs.CodeOf(err) != errs.Malformed {
			t.Error(got, err)
		}
	})
}

// TestPick: a path of any bytes but NUL, and nothing that is not exactly one.
func TestPick(t *testing.T) {
	for _, c := range []struct {
		said, path string
		bad        bool
	}{
		{said: "picked 2049 77 6\n/a\nb\xff\"", path: "/a\nb\xff\""},
		{said: "none\n"},
		{said: "picked 1 2 3\n/ab/cd", path: "/ab"},
		{said: "picked 1 2 3\nabc", bad: true},
		{said: "picked 1 2 3\n/\x00a", bad: true},
		{said: "picked 1 2 0\n", bad: true},
		{said: "picked 1 2 4097\n", bad: true},
		{said: "picked 1 2 3\n/a", bad: true},
		{said: "picked -1 2 2\n/a", bad: true},
		{said: "picked 01 2 2\n/a", bad: true},
		{said: "picked 1 2\n/a", bad: true},
		{said: "picked 1 99999999999999999999 2\n/a", bad: true},
		{said: strings.Repeat("a", limits.PromptAnswer+2), bad: true},
		{said: "nothing\n", bad: true},
		{said: "", bad: true},
	} {
		s := examples()[0]
		conn := talk(t, s, func(n net.Conn) { _, _ = io.WriteString(n, c.said); n.Close() })
		p, ok, err := Pick(context.Background(), conn, s)
		if c.bad != (err != nil) || ok != (c.path != "") || p.Path != c.path {
			t.Errorf("%q: %+v %v %v", c.said, p, ok, err)
		}
		var typed *errs.Error
		if err != nil && !errors.As(err, &typed) {
			t.Errorf("%q: %v", c.said, err)
		}
	}
}
