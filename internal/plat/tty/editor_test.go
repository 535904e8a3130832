package tty

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"

	"github.com/bailey-run/bailey/internal/visible"
)

// screen is a terminal of a few control sequences that types what a test gives
// it, and keeps what it shows.
type screen struct {
	t             *testing.T
	columns, rows int
	input         []string // each is read at once; "" is a silence
	lines         [][]string
	row, column   int
	suspended     int
}

func newScreen(t *testing.T, columns int, input ...string) *screen {
	return &screen{t: t, columns: columns, rows: 10, input: input, lines: [][]string{nil}}
}

func (s *screen) Size() (int, int) { return s.columns, s.rows }
func (s *screen) Suspend() error   { s.suspended++; return nil }

func (s *screen) Keys(ctx context.Context, buf []byte, wait time.Duration) (int, error) {
	if len(s.input) == 0 {
		if wait > 0 {
			return 0, nil
		}
		return 0, errors.New("nothing more is typed")
	}
	next := s.input[0]
	s.input = s.input[1:]
	if next == "" && wait == 0 {
		return s.Keys(ctx, buf, wait)
	}
	return copy(buf, next), nil
}

func (s *screen) Write(p []byte) (int, error) {
	for rest := string(p); rest != ""; {
		if strings.HasPrefix(rest, "\x1b[") {
			i := strings.IndexAny(rest[2:], "ABCDHJKhl") + 2
			if i < 2 {
				s.t.Fatalf("unknown sequence %q", rest)
			}
			s.control(rest[2:i], rest[i])
			rest = rest[i+1:]
			continue
		}
		cluster, tail, width, _ := uniseg.FirstGraphemeClusterInString(rest, -1)
		rest = tail
		switch cluster {
		case "\r":
			s.column = 0
		case "\n", "\r\n":
			if cluster == "\r\n" {
				s.column = 0
			}
			s.row++
			for len(s.lines) <= s.row {
				s.lines = append(s.lines, nil)
			}
		default:
			if strings.IndexFunc(cluster, func(r rune) bool { return r < ' ' || r == 0x7f }) >= 0 {
				s.t.Fatalf("the control character %q reaches the terminal", cluster)
			}
			if s.column+width > s.columns {
				s.t.Fatalf("%q is drawn beyond the last column", cluster)
			}
			line := s.lines[s.row]
			for len(line) < s.column+width {
				line = append(line, " ")
			}
			line[s.column] = cluster
			for i := 1; i < width; i++ {
				line[s.column+i] = ""
			}
			s.lines[s.row] = line
			s.column += width
		}
	}
	return len(p), nil
}

func (s *screen) control(parameters string, final byte) {
	n := 1
	if parameters != "" {
		_, _ = fmt.Sscan(parameters, &n)
	}
	switch final {
	case 'A':
		if s.row -= n; s.row < 0 {
			s.t.Fatal("the cursor leaves the top")
		}
	case 'C':
		s.column += n
	case 'D':
		s.column -= n
	case 'J':
		if parameters == "2" {
			s.lines = [][]string{nil}
			return
		}
		s.lines = s.lines[:s.row+1]
		if len(s.lines[s.row]) > s.column {
			s.lines[s.row] = s.lines[s.row][:s.column]
		}
	case 'K':
		if len(s.lines[s.row]) > s.column {
			s.lines[s.row] = s.lines[s.row][:s.column]
		}
	case 'H':
		s.row, s.column = 0, 0
	}
}

func (s *screen) text() string {
	var all []string
	for _, l := range s.lines {
		all = append(all, strings.TrimRight(strings.Join(l, ""), " "))
	}
	return strings.TrimRight(strings.Join(all, "\n"), "\n")
}

func TestKeysOfTheEditor(t *testing.T) {
	for _, c := range []struct {
		typed, want string
	}{
		{"hello\r", "hello"},
		{"Grüße 日本\r", "Grüße 日本"},
		{"ab\x02X\r", "aXb"},
		{"ab\x1b[DX\x1b[CY\r", "aXbY"},
		{"abc\x01X\x05Y\r", "XabcY"},
		{"abc\x1bOHX\x1bOFY\r", "XabcY"},
		{"abc\x1b[1~\x1b[3~\r", "bc"},
		{"abc\x7f\x08d\r", "ad"},
		{"e\u0301x\x7f\x7f\r", ""},
		{"👩\u200d🔬\x7fok\r", "ok"},
		{"one two  three\x17X\r", "one two  X"},
		{"one two\x1bbX\r", "one Xtwo"},
		{"one two\x01\x1bfX\r", "oneX two"},
		{"one two\x1b[1;5DX\r", "one Xtwo"},
		{"one two\x01\x1b[1;5C\x0b\r", "one"},
		{"one two\x1bb\x15\r", "two"},
		{"one\\\rtwo\r", "one\ntwo"},
		{"one\\\\\r", `one\\`},
		{"one\x1b\rtwo\r", "one\ntwo"},
		{"one\ntwo\r", "one\ntwo"},
		{"one\x1b[13;2utwo\r", "one\ntwo"},
		{"\"\"\"\rone\rtwo\r\"\"\"\r", "\"\"\"\none\ntwo\n\"\"\""},
		{"\x1b[200~a\rb\x1b[31m\tc\x1b[201~\r", "a\nb\x1b[31m\tc"},
		{"\x1b[200~rm -rf\r\n\x03\x04\x1b[201~!\r", "rm -rf\n\x03\x04!"},
		{"ab\ncd\x1b[AX\r", "abX\ncd"},
		{"abc\nd\x1b[A\x1b[BX\r", "abc\ndX"},
		{"gone\x03kept\r", "kept"},
		{"abc\x02\x02\x04\r", "ac"},
		{"a\x1b[99;5~\x1b[?1;2c\x1b]b\r", "ab"},
		{"a\x1b\x1bb\r", "a"},
		{"a\xffb\xc3\r", "ab"},
		{"x\x0cy\r", "xy"},
		{"x\x1ay\r", "xy"},
	} {
		for split := range len(c.typed) + 1 {
			s := newScreen(t, 40, c.typed[:split], c.typed[split:])
			got, err := NewEditor(s).Read(t.Context(), "> ", "… ")
			if err != nil || got != c.want {
				t.Errorf("%q (split at %d): %q, %v; want %q", c.typed, split, got, err, c.want)
			}
		}
	}
}

func TestEnds(t *testing.T) {
	for typed, want := range map[string]error{"\x03": ErrInterrupt, "\x04": ErrEnd, "ab\x03\x03": ErrInterrupt, "a\x7f\x04": ErrEnd} {
		if got, err := NewEditor(newScreen(t, 40, typed)).Read(t.Context(), "> ", ""); !errors.Is(err, want) || got != "" {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
}

func TestHistory(t *testing.T) {
	s := newScreen(t, 40, "dra\x1b[A\x1b[A\x1b[A!\r", "dra\x1b[A\x1b[Bft\r", "\x10\x10\x0e\r", "\x1b[A\r")
	e := NewEditor(s)
	for _, h := range []string{"first", "second\nline", "second\nline", ""} {
		e.Remember(h)
	}
	// Up goes to the line above first.
	for _, want := range []string{"first!", "draft", "", "second\nline"} {
		if want == "" {
			if got, err := e.Read(t.Context(), "> ", ""); err != nil || got != "second\nline" {
				t.Errorf("%q %v", got, err)
			}
			continue
		}
		if got, err := e.Read(t.Context(), "> ", ""); err != nil || got != want {
			t.Errorf("%q %v, want %q", got, err, want)
		}
	}
}

// What is typed while an answer comes waits for the prompt; Ctrl-C and Esc stop
// the answer, an arrow key does not.
func TestWatch(t *testing.T) {
	s := newScreen(t, 40, "next", "\x1b[D", "\x1b", "", " more\r")
	e := NewEditor(s)
	if err := e.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Read(t.Context(), "> ", ""); err != nil || got != "nex moret" {
		t.Errorf("%q %v", got, err)
	}
	s.input = []string{"one\rtwo\x03three", "\r"}
	if err := e.Watch(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"one", "twothree"} {
		if got, err := e.Read(t.Context(), "> ", ""); err != nil || got != want {
			t.Errorf("%q %v, want %q", got, err, want)
		}
	}
}

func TestDrawing(t *testing.T) {
	for _, c := range []struct {
		columns     int
		typed       string
		want        string
		row, column int
	}{
		{20, "hello", "> hello", 0, 7},
		{12, "one two three", "> one two t\nhree", 1, 4},
		{12, "日本語日本語", "> 日本語日\n本語", 1, 4},
		{20, "a\nb\x1b[A", "> a\n… b", 0, 3},
		{20, "\x1b[200~x\x1b[2J\u202ey\x1b[201~", "> x\\x1b[2J\\u202ey", 0, 17},
		{12, strings.Repeat("x", 25) + "\x01", "> xxxxxxxxx\nxxxxxxxxxxx\nxxxxx", 0, 2},
		{12, strings.Repeat("x", 25) + "\x01\x04\x04", "> xxxxxxxxx\nxxxxxxxxxxx\nxxx", 0, 2},
	} {
		s := newScreen(t, c.columns, c.typed)
		_, _ = s.Write([]byte("above\r\n"))
		_, err := NewEditor(s).Read(t.Context(), "> ", "… ")
		if err == nil {
			t.Fatal("it ended")
		}
		// The last drawing, at the end of the input, puts the cursor below.
		if got := s.text(); got != "above\n"+c.want {
			t.Errorf("%q draws\n%s\nwant\n%s", c.typed, got, c.want)
		}
		e := NewEditor(newScreen(t, c.columns))
		e.prompt, e.more = "> ", "… "
		for _, k := range e.decode.feed([]byte(c.typed), true) {
			if _, err := e.press(k); err != nil {
				t.Fatal(err)
			}
		}
		if _, row, column := e.layout(c.columns); row != c.row || column != c.column {
			t.Errorf("%q: the cursor is at %d, %d; want %d, %d", c.typed, row, column, c.row, c.column)
		}
	}
}

// A text that is higher than the screen stays on it.
func TestHighText(t *testing.T) {
	s := newScreen(t, 20, strings.Repeat("line\n", 30)+"last", "\x1b[A\x1b[A", "\r")
	s.rows = 6
	got, err := NewEditor(s).Read(t.Context(), "> ", "")
	if err != nil || strings.Count(got, "\n") != 30 {
		t.Errorf("%q %v", got, err)
	}
}

func TestUnquote(t *testing.T) {
	for in, want := range map[string]string{
		`"""a"""`: "a", "\"\"\"\na\n b\n\"\"\"": "a\n b", `""`: `""`, `say """x""" now`: `say """x""" now`, `"""`: `"""`, "plain": "plain",
	} {
		if got := Unquote(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Whatever is typed: nothing acts on the terminal, the cursor stays within the
// text, and the screen shows the text.
func FuzzEditor(f *testing.F) {
	for _, s := range []string{"abc\x1b[D\x7f", "\x1b[200~a\x1b[201~", "日\x02本\x17", "a\n\x1b[A\x0b", "\xe6\x97", "\x1b[1;5D\x1b\x7f", "e\u0301\x02x", "🇩🇪🇫🇷\x02a", "\u200d\x02\x02"} {
		f.Add([]byte(s), 20)
	}
	f.Fuzz(func(t *testing.T, typed []byte, columns int) {
		if len(typed) > 200 || columns < 1 || columns > 300 {
			return
		}
		columns = max(columns, 9)
		s := newScreen(t, columns, string(typed))
		s.rows = 500
		e := NewEditor(s)
		e.Remember("before\nthat")
		e.entry = 1
		e.prompt = "> "
		for _, k := range e.decode.feed(typed, true) {
			if _, err := e.press(k); err != nil {
				return
			}
			if e.at < 0 || e.at > len(e.text) {
				t.Fatalf("the cursor is at %d of %q", e.at, e.text)
			}
			if err := e.draw(); err != nil {
				t.Fatal(err)
			}
		}
		rows, _, _ := e.layout(columns)
		for _, r := range rows {
			if visible.Width(r) >= columns && columns > 9 {
				t.Fatalf("a row of %d in %d columns", visible.Width(r), columns)
			}
		}
	})
}
