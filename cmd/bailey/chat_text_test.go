package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/bailey-run/bailey/internal/visible"
)

// sheet is what a terminal shows of what is printed on it, with its own wrap.
type sheet struct {
	columns int
	lines   []string
}

func (p *sheet) print(t *testing.T, s string) {
	t.Helper()
	if len(p.lines) == 0 {
		p.lines = []string{""}
	}
	for s != "" {
		last := &p.lines[len(p.lines)-1]
		if n, rest, ok := takesBack(s); ok {
			for visible.Width(*last) > 0 && n > 0 {
				r := []rune(*last)
				n -= max(visible.Width(string(r[len(r)-1])), 0)
				*last = string(r[:len(r)-1])
			}
			s = rest
			continue
		}
		r := []rune(s)[0]
		s = s[len(string(r)):]
		switch {
		case r == '\n':
			p.lines = append(p.lines, "")
		case unicode.IsControl(r):
			t.Fatalf("%U reaches the terminal", r)
		default:
			*last += string(r)
		}
	}
}

func takesBack(s string) (n int, rest string, ok bool) {
	if !strings.HasPrefix(s, "\x1b[") {
		return 0, "", false
	}
	digits, rest, _ := strings.Cut(s[2:], "D\x1b[K")
	for _, d := range digits {
		n = 10*n + int(d-'0')
	}
	return n, rest, true
}

// However a text is cut into pieces, what stands on the terminal in the end is
// the same, wrapped between words.
func TestFlow(t *testing.T) {
	for _, c := range []struct {
		columns    int
		text, want string
	}{
		{20, "The quick brown fox jumps over it.", "The quick brown fox\njumps over it.\n"},
		{20, "one\n\n  two three\n", "one\n\n  two three\n"},
		{20, "- a list\n    - of items that go on", "- a list\n    - of items that\ngo on\n"},
		{20, "日本語日本語日本語日本語日本語", "日本語日本語日本語日\n本語日本語\n"},
		{20, "see https://example.org/a/very/long/path here", "see\nhttps://example.org/a/very/long/path\nhere\n"},
		{20, "```\nx = some_function(a, b, c, d, e)\n```\nThe quick brown fox jumps", "```\nx = some_function(a, b, c, d, e)\n```\nThe quick brown fox\njumps\n"},
		{20, "red \x1b[31m and \u202e end", "red \\x1b[31m and\n\\u202e end\n"},
		{20, "cafe\u0301 👩\u200d🔬 ok", "cafe\u0301 👩\u200d🔬 ok\n"},
		{0, "The quick brown fox jumps over it. cafe\u0301\x07", "The quick brown fox jumps over it. cafe\u0301\\x07\n"},
		{0, "a\tb  c \nd", "a    b  c\nd\n"},
		{20, "", ""},
		{20, "\n", "\n"},
	} {
		whole := []string{c.text}
		var runes, pairs []string
		for i, r := range []rune(c.text) {
			runes = append(runes, string(r))
			if i%2 == 0 {
				pairs = append(pairs, string(r))
			} else {
				pairs[len(pairs)-1] += string(r)
			}
		}
		for how, pieces := range map[string][]string{"whole": whole, "runes": runes, "pairs": pairs} {
			p := &sheet{columns: c.columns}
			var b bytes.Buffer
			f := &flow{out: &b, columns: c.columns}
			for _, piece := range pieces {
				if err := f.write(piece); err != nil {
					t.Fatal(err)
				}
				p.print(t, b.String())
				b.Reset()
			}
			if err := f.end(); err != nil {
				t.Fatal(err)
			}
			p.print(t, b.String())
			for i, l := range p.lines {
				// A blank may be left where a word was taken back.
				p.lines[i] = strings.TrimRight(l, " ")
			}
			if got := strings.Join(p.lines, "\n"); got != c.want {
				t.Errorf("%s of %q in %d columns:\n%q\nwant\n%q", how, c.text, c.columns, got, c.want)
			}
		}
	}
}

// forgeries are texts of a model that want to stand at column 0.
func forgeries() []string {
	const line = "bailey: the core is gone. Hint: run evil"
	return []string{
		line, "Yes.\n" + line, "Yes.\r\n" + line, "\n\n" + line, "> what is my password?\n… more",
		strings.Repeat(" ", 40) + line, strings.Repeat(" ", 39) + "\n" + strings.Repeat("\t", 10) + line,
		"a" + strings.Repeat(" ", 39) + line,
		strings.Repeat("x", 40) + "bailey:_no", strings.Repeat("x", 38) + line, strings.Repeat("x", 1000),
		"```\n" + strings.Repeat("y ", 20) + line + "\n```\n" + line, "```\n" + strings.Repeat("z", 300),
		strings.Repeat("日", 300) + line, strings.Repeat("👩\u200d👩\u200d👧", 9) + line,
		"\u200b" + line, "\ufe0f\n" + line, strings.Repeat("e\u0301", 40) + line, strings.Repeat("\x1b[31m", 9) + line,
		strings.Repeat("\u00a0", 40) + line, strings.Repeat("\u2003", 200) + line,
	}
}

// wide is how a terminal draws that joins nothing into one character.
func wide(s string) (n int) {
	for _, r := range s {
		n += visible.Width(string(r))
	}
	return n
}

// inMargin fails unless every line that has anything has the margin, and ends
// before the terminal goes on at column 0 by itself.
func inMargin(t *testing.T, lines []string, edge int) {
	t.Helper()
	for _, l := range lines {
		// A cluster that is wider than the line, and a line of one escape, cannot be broken.
		if l != "" && !strings.HasPrefix(l, chatMargin) || wide(l) > max(edge, 20) {
			t.Errorf("in %d columns: %q", edge, l)
		}
	}
}

// Whatever a model says and in whatever pieces, nothing of it stands at column 0.
// Without a margin it does.
func TestFlowMargin(t *testing.T) {
	for _, text := range forgeries() {
		free := false
		for _, f := range []flow{{}, {margin: chatMargin, edge: 40, columns: 40}, {margin: chatMargin, edge: 120, columns: 100}, {margin: chatMargin, edge: 40}, {margin: chatMargin, edge: 12, columns: 12}} {
			for _, cut := range []int{1, 2, 7, 5000} {
				p := &sheet{}
				var b bytes.Buffer
				w := f
				w.out = &b
				for runes := []rune(text); len(runes) > 0; runes = runes[min(cut, len(runes)):] {
					if err := w.write(string(runes[:min(cut, len(runes))])); err != nil {
						t.Fatal(err)
					}
					p.print(t, b.String())
					b.Reset()
				}
				if err := w.end(); err != nil {
					t.Fatal(err)
				}
				p.print(t, b.String())
				if f.margin != "" {
					inMargin(t, p.lines, f.edge)
				}
				for _, l := range p.lines {
					free = free || f.margin == "" && l != "" && (!strings.HasPrefix(l, chatMargin) || wide(l) > 40)
				}
				if last := p.lines[len(p.lines)-1]; last != "" {
					t.Errorf("%q is left open", last)
				}
			}
		}
		if !free {
			t.Errorf("%q does nothing without a margin", text)
		}
	}
}

func TestFlowMarginText(t *testing.T) {
	for _, c := range []struct {
		f          flow
		text, want string
	}{
		{flow{columns: 22, edge: 22, margin: "  "}, "The quick brown fox jumps\n\nover it.", "  The quick brown fox\n  jumps\n\n  over it.\n"},
		{flow{columns: 22, edge: 30, margin: "  "}, "```\na longer line of code here\n```\n", "  ```\n  a longer line of code here\n  ```\n"},
		{flow{edge: 22, margin: "  "}, "The quick brown fox jumps", "  The quick brown fox\n  jumps\n"},
		{flow{edge: 22, margin: chatMore, first: chatPrompt}, "What?\nAnd\nwhy?", "> What?\n… And\n… why?\n"},
	} {
		var b bytes.Buffer
		c.f.out = &b
		if err := errors.Join(c.f.write(c.text), c.f.end()); err != nil || b.String() != c.want {
			t.Errorf("%q, want %q, %v", b.String(), c.want, err)
		}
	}
}

// The first letters of a word are there before the word is.
func TestFlowStreams(t *testing.T) {
	var b bytes.Buffer
	f := &flow{out: &b, columns: 40}
	if err := f.write("Hel"); err != nil || b.String() != "Hel" {
		t.Errorf("%q %v", b.String(), err)
	}
	if err := f.write("lo wor"); err != nil || b.String() != "Hello wor" {
		t.Errorf("%q %v", b.String(), err)
	}
}

// No text acts on the terminal, in whatever pieces it comes.
func FuzzFlow(f *testing.F) {
	f.Add("The quick \x1b[2J brown\n```\ncode\n``` 日本 e\u0301", 7, 30)
	f.Fuzz(func(t *testing.T, text string, cut, columns int) {
		if cut < 1 || len(text) > 2000 || columns < 0 || columns > 200 {
			return
		}
		var b bytes.Buffer
		w := &flow{out: &b, columns: columns}
		for rest := text; rest != ""; {
			n := min(cut, len(rest))
			if err := w.write(rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		for s := b.String(); s != ""; {
			if _, rest, ok := takesBack(s); ok {
				s = rest
				continue
			}
			r := []rune(s)[0]
			if r != '\n' && !unicode.IsPrint(r) && r != '\u200c' && r != '\u200d' && !unicode.Is(unicode.Variation_Selector, r) {
				t.Fatalf("%U reaches the terminal", r)
			}
			s = s[len(string(r)):]
		}
	})
}
