package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
)

// flow prints a model's text while it comes. Nothing of it acts on the terminal:
// it goes through package visible, but for line ends and blanks. On a terminal it
// is broken between words: a word is printed as soon as its first letters are
// there, and moved to the next line when it turns out not to fit. Code between
// lines of ``` is never broken: somebody may want to copy it.
//
// With a margin no text reaches column 0, which is Bailey's own, in whatever way:
// what is too long for a line is broken by flow, code too, because a terminal
// would go on at column 0.
type flow struct {
	out io.Writer
	// columns to wrap at; 0 = wrap nothing.
	columns int
	// margin stands before each line that has any text; first, if there is one,
	// before the first instead. Both are as wide.
	margin, first string
	// edge is how wide a line may be at all; for a margin.
	edge int
	// trim leaves the blanks before the first word out, which some models begin
	// every answer with.
	trim bool

	used   int    // columns before the word
	blanks string // before the word, not printed yet
	word   string // as it came
	drawn  string // of it, as it stands there
	line   string // the beginning of the line, without blanks
	code   bool
	some   bool // anything was printed
	inside bool // something stands on the line
	err    error
}

// write prints more of the text.
func (f *flow) write(s string) error {
	for rest := s; rest != ""; {
		i := strings.IndexAny(rest, " \t\n\r")
		if i < 0 {
			f.word += rest
			break
		}
		f.word += rest[:i]
		f.endWord()
		f.white(rest[i])
		rest = rest[i+1:]
	}
	f.draw(false)
	return f.err
}

// end prints what is left, and a line end if the text had none.
func (f *flow) end() error {
	f.endWord()
	if f.inside {
		f.print("\n")
	}
	f.used, f.blanks, f.line = 0, "", ""
	return f.err
}

func (f *flow) white(c byte) {
	if f.trim && !f.some {
		return
	}
	switch c {
	case '\n':
		if strings.HasPrefix(f.line, "```") {
			f.code = !f.code
		}
		f.print("\n")
		f.used, f.blanks, f.line = 0, "", ""
	case '\t':
		f.blanks += "    "
	case ' ':
		f.blanks += " "
	}
	if len(f.blanks) > limits.ChatBlanks {
		f.blanks = f.blanks[:limits.ChatBlanks]
	}
}

// draw brings the word on the screen up to what is known of it. Where nothing can
// be taken back, a word is printed when it is whole.
func (f *flow) draw(whole bool) {
	f.split()
	if f.word == "" || !whole && !f.redraws() && (f.wraps() || len(f.word) < limits.ChatWord) {
		return
	}
	f.put(visible.Text(f.word))
}

// split ends the word where a line may be broken inside of it: behind letters of
// scripts that write no blanks (UAX #14). Where letters are ASCII, words end at
// blanks and nowhere else, as in [visible.Wrap]. With a margin a word that is
// longer than a line ends with the line.
func (f *flow) split() {
	state, at, from := -1, 0, 0
	for rest := f.word; rest != ""; {
		cluster, tail, boundaries, next := uniseg.StepString(rest, state)
		rest, state = tail, next
		if f.margin != "" && at > from && f.wide(visible.Text(f.word[from:at+len(cluster)])) > f.room() {
			f.put(visible.Text(f.word[from:at]))
			f.settle()
			from = at
		}
		at += len(cluster)
		if rest != "" && cluster[len(cluster)-1] >= 0x80 && boundaries&uniseg.MaskLine != uniseg.LineDontBreak {
			f.put(visible.Text(f.word[from:at]))
			f.settle()
			from = at
		}
	}
	f.word = f.word[from:]
}

// put makes the word on the screen this one.
func (f *flow) put(shown string) {
	before, now, room := visible.Width(f.drawn), f.wide(shown), f.room()
	switch {
	case shown == f.drawn:
		return
	case f.drawn == "":
		if f.wraps() && f.used > 0 && f.used+len(f.blanks)+now > room {
			f.print("\n" + shown)
			f.used = 0
		} else {
			if f.margin != "" && len(f.blanks)+now > room {
				// At the beginning of a line.
				f.blanks = ""
			}
			f.print(f.blanks + shown)
			f.used += len(f.blanks)
		}
		f.blanks = ""
	case strings.HasPrefix(shown, f.drawn) && (f.used+now <= room || f.used == 0 || !f.wraps()):
		f.print(shown[len(f.drawn):])
	case !f.redraws() || f.used+before > room:
		// It went over the edge and cannot be taken back: once more, below.
		f.print("\n" + shown)
		f.used = 0
	default:
		f.print(fmt.Sprintf("\x1b[%dD\x1b[K", before))
		if f.used+now > room && f.used > 0 {
			f.print("\n")
			f.used = 0
		}
		f.print(shown)
	}
	f.drawn = shown
}

// endWord makes the word a part of the line.
func (f *flow) endWord() {
	f.draw(true)
	f.settle()
	f.word = ""
}

// settle makes what is drawn a part of the line.
func (f *flow) settle() {
	f.used += f.wide(f.drawn)
	if len(f.line) < limits.ChatBlanks {
		f.line += f.drawn
	}
	f.drawn = ""
}

// wide is how many columns a text takes. Terminals differ in what they join into
// one character; with a margin it is reckoned with the one that joins nothing.
func (f *flow) wide(s string) int {
	n := visible.Width(s)
	if f.margin == "" {
		return n
	}
	each := 0
	for _, r := range s {
		each += visible.Width(string(r))
	}
	return max(n, each)
}

// room is how many columns of text a line may have; 0 = any number.
func (f *flow) room() int {
	n := f.columns
	if n < limits.LineWidthMin || f.code {
		n = 0
	}
	if f.margin == "" {
		return n
	}
	if n == 0 || n > f.edge {
		n = f.edge
	}
	return max(1, n-visible.Width(f.margin))
}

func (f *flow) wraps() bool { return f.room() > 0 }

// redraws reports whether what was printed can be taken back.
func (f *flow) redraws() bool { return f.columns > 0 && f.wraps() }

func (f *flow) print(s string) {
	if s == "" || f.err != nil {
		return
	}
	if rest, ok := strings.CutPrefix(s, "\n"); ok {
		f.emit("\n")
		f.inside, s = false, rest
	}
	if s != "" && !f.inside {
		lead := f.margin
		if f.first != "" {
			lead, f.first = f.first, ""
		}
		f.inside, s = true, lead+s
	}
	f.emit(s)
}

func (f *flow) emit(s string) {
	if s == "" || f.err != nil {
		return
	}
	f.some = true
	if _, err := io.WriteString(f.out, s); err != nil {
		f.err = outputError(err)
	}
}
