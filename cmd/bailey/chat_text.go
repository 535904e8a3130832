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
type flow struct {
	out io.Writer
	// columns to wrap at; 0 = wrap nothing.
	columns int
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
	if f.some && f.used > 0 {
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
	if f.word == "" || !whole && !f.wraps() && len(f.word) < limits.ChatWord {
		return
	}
	f.put(visible.Text(f.word))
}

// split ends the word where a line may be broken inside of it: behind letters of
// scripts that write no blanks (UAX #14). Where letters are ASCII, words end at
// blanks and nowhere else, as in [visible.Wrap].
func (f *flow) split() {
	state, at, from := -1, 0, 0
	for rest := f.word; rest != ""; {
		cluster, tail, boundaries, next := uniseg.StepString(rest, state)
		rest, state = tail, next
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
	before, now := visible.Width(f.drawn), visible.Width(shown)
	switch {
	case shown == f.drawn:
		return
	case f.drawn == "":
		if f.wraps() && f.used > 0 && f.used+len(f.blanks)+now > f.columns {
			f.print("\n" + shown)
			f.used = 0
		} else {
			f.print(f.blanks + shown)
			f.used += len(f.blanks)
		}
		f.blanks = ""
	case strings.HasPrefix(shown, f.drawn) && (f.used+now <= f.columns || f.used == 0 || !f.wraps()):
		f.print(shown[len(f.drawn):])
	case !f.wraps() || f.used+before > f.columns:
		// It went over the edge and cannot be taken back: once more, below.
		f.print("\n" + shown)
		f.used = 0
	default:
		f.print(fmt.Sprintf("\x1b[%dD\x1b[K", before))
		if f.used+now > f.columns && f.used > 0 {
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
	f.used += visible.Width(f.drawn)
	if len(f.line) < limits.ChatBlanks {
		f.line += f.drawn
	}
	f.drawn = ""
}

func (f *flow) wraps() bool { return f.columns >= limits.LineWidthMin && !f.code }

func (f *flow) print(s string) {
	if s == "" || f.err != nil {
		return
	}
	f.some = true
	if _, err := io.WriteString(f.out, s); err != nil {
		f.err = outputError(err)
	}
}
