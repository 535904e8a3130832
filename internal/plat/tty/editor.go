package tty

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/rivo/uniseg"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/visible"
)

// What Read returns besides a text.
var (
	// ErrInterrupt is Ctrl-C on an empty line.
	ErrInterrupt = errors.New("tty: interrupted")
	// ErrEnd is Ctrl-D on an empty line, or the end of the terminal.
	ErrEnd = errors.New("tty: end of input")
)

// Screen is the terminal of an [Editor], in raw mode; [*Terminal] is one.
type Screen interface {
	Write([]byte) (int, error)
	Size() (columns, rows int)
	// Keys reads what is typed. With wait > 0 it returns 0 and no error when
	// nothing came for so long.
	Keys(ctx context.Context, buf []byte, wait time.Duration) (int, error)
	// Suspend stops the program until it is continued.
	Suspend() error
}

// Editor reads texts of one or more lines, with the keys that shells have and a
// history. It draws what is typed on the terminal's own screen, below what is
// there; nothing that is typed or pasted acts on the terminal.
//
// Enter ends a text, unless its last line ends in a backslash, or three double
// quotes are open: then it goes on in another line, as it does at Alt-Enter,
// Shift-Enter (where the terminal tells) and Ctrl-J. What is pasted is taken
// whole, line ends and all.
//
// One goroutine at a time.
type Editor struct {
	screen  Screen
	history []string
	decode  decoder
	waiting []key

	prompt, more string
	text         string
	at           int // the cursor, a byte of text
	entry        int // of the history; len(history) is the text itself
	draft        string
	drawn        int // rows above the cursor that are ours
}

// NewEditor returns an editor on a screen.
func NewEditor(s Screen) *Editor { return &Editor{screen: s} }

// Remember adds a text to the history.
func (e *Editor) Remember(text string) {
	if text == "" || len(e.history) > 0 && e.history[len(e.history)-1] == text {
		return
	}
	if len(e.history) == limits.EditHistory {
		e.history = e.history[1:]
	}
	e.history = append(e.history, text)
}

// Watch reads keys until Ctrl-C or Esc, and returns nil then; or until ctx ends.
// What else is typed is there for the next Read.
func (e *Editor) Watch(ctx context.Context) error {
	for {
		keys, err := e.keys(ctx)
		if err != nil {
			return err
		}
		for i, k := range keys {
			if k.what == interrupt || k.what == escape {
				e.waiting = append(e.waiting, keys[i+1:]...)
				return nil
			}
			e.waiting = append(e.waiting, k)
		}
		if len(e.waiting) > limits.EditAhead {
			e.waiting = e.waiting[:limits.EditAhead]
		}
	}
}

// Forget drops what was typed ahead.
func (e *Editor) Forget() { e.waiting = nil }

// keys returns the next keys that were typed, at least one.
func (e *Editor) keys(ctx context.Context) ([]key, error) {
	buf := make([]byte, limits.EditRead)
	for {
		wait := time.Duration(0)
		if e.decode.waits() {
			wait = limits.EditEscape
		}
		n, err := e.screen.Keys(ctx, buf, wait)
		if err != nil {
			return nil, err
		}
		if keys := e.decode.feed(buf[:n], n == 0); len(keys) > 0 {
			return keys, nil
		}
	}
}

// Read shows the prompt and returns what was typed. more stands before each
// further line. It returns ErrInterrupt, ErrEnd, or the error of the terminal or
// of ctx.
func (e *Editor) Read(ctx context.Context, prompt, more string) (string, error) {
	e.prompt, e.more, e.text, e.at, e.entry, e.drawn, e.draft = prompt, more, "", 0, len(e.history), 0, ""
	for {
		waiting := e.waiting
		e.waiting = nil
		for i, k := range waiting {
			done, err := e.press(k)
			if done || err != nil {
				e.waiting = waiting[i+1:]
				e.finish()
				return e.text, err
			}
		}
		if err := e.draw(); err != nil {
			return "", err
		}
		keys, err := e.keys(ctx)
		if err != nil {
			e.finish()
			return "", err
		}
		e.waiting = keys
	}
}

// finish draws the text for the last time, and goes below it.
func (e *Editor) finish() {
	e.at = len(e.text)
	_ = e.draw()
	_, _ = e.screen.Write([]byte("\r\n"))
	e.drawn = 0
}

// press does what a key means; done ends the text.
func (e *Editor) press(k key) (done bool, err error) {
	switch k.what {
	case typed, pasted:
		e.insert(k.text)
	case tab:
		e.insert("\t")
	case newLine:
		e.insert("\n")
	case enter:
		if body, goesOn := e.goesOn(); goesOn {
			e.text, e.at = body, len(body)
			e.insert("\n")
			return false, nil
		}
		return true, nil
	case interrupt:
		if e.text == "" {
			return true, ErrInterrupt
		}
		e.set("")
		e.entry = len(e.history)
	case endOfInput:
		if e.text == "" {
			return true, ErrEnd
		}
		e.remove(e.at, e.after(e.at))
	case suspend:
		if err := e.screen.Suspend(); err != nil {
			return false, err
		}
		e.drawn = 0
	case redraw:
		_, err := e.screen.Write([]byte("\x1b[H\x1b[2J"))
		e.drawn = 0
		return false, err
	case up:
		e.vertical(-1)
	case down:
		e.vertical(1)
	default:
		e.edit(k.what)
	}
	return false, nil
}

// edit is the keys that move within the text or remove of it.
func (e *Editor) edit(what action) {
	begin := strings.LastIndexByte(e.text[:e.at], '\n') + 1
	stop := len(e.text)
	if i := strings.IndexByte(e.text[e.at:], '\n'); i >= 0 {
		stop = e.at + i
	}
	switch what {
	case left:
		e.at = e.before(e.at)
	case right:
		e.at = e.after(e.at)
	case home:
		e.at = begin
	case end:
		e.at = stop
	case wordLeft:
		e.at = e.word(-1)
	case wordRight:
		e.at = e.word(1)
	case backspace:
		e.remove(e.before(e.at), e.at)
	case deleteChar:
		e.remove(e.at, e.after(e.at))
	case killStart:
		e.remove(begin, e.at)
	case killEnd:
		if stop == e.at && stop < len(e.text) {
			stop++
		}
		e.remove(e.at, stop)
	case killWord:
		e.remove(e.word(-1), e.at)
	}
}

func (e *Editor) insert(s string) {
	if len(e.text)+len(s) > limits.EditText {
		return
	}
	e.text = e.text[:e.at] + s + e.text[e.at:]
	e.at += len(s)
}

func (e *Editor) remove(from, to int) { e.text, e.at = e.text[:from]+e.text[to:], from }

func (e *Editor) set(s string) { e.text, e.at = s, len(s) }

// before and after are the ends of the characters beside a place. A character is
// what a person sees as one (UAX #29).
func (e *Editor) before(at int) int {
	last, state := 0, -1
	// A line at most is looked at: nothing joins across its end.
	begin := 0
	if at > 0 {
		begin = strings.LastIndexByte(e.text[:at-1], '\n') + 1
	}
	for rest := e.text[begin:at]; rest != ""; {
		cluster, tail, _, next := uniseg.FirstGraphemeClusterInString(rest, state)
		last = len(cluster)
		rest, state = tail, next
	}
	return at - last
}

func (e *Editor) after(at int) int {
	cluster, _, _, _ := uniseg.FirstGraphemeClusterInString(e.text[at:], -1)
	return at + len(cluster)
}

// word is where the word before or behind the cursor ends.
func (e *Editor) word(direction int) int {
	inWord := func(s string) bool {
		return strings.IndexFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) >= 0
	}
	at, seen := e.at, false
	for {
		next, part := at, ""
		if direction < 0 {
			next = e.before(at)
			part = e.text[next:at]
		} else {
			next = e.after(at)
			part = e.text[at:next]
		}
		if next == at || seen && !inWord(part) {
			return at
		}
		seen = seen || inWord(part)
		at = next
	}
}

// vertical goes to the line above or below, and beyond the first and the last
// through the history.
func (e *Editor) vertical(direction int) {
	begin := strings.LastIndexByte(e.text[:e.at], '\n') + 1
	column := uniseg.GraphemeClusterCount(e.text[begin:e.at])
	switch {
	case direction < 0 && begin > 0:
		e.place(strings.LastIndexByte(e.text[:begin-1], '\n')+1, column)
	case direction > 0 && strings.IndexByte(e.text[e.at:], '\n') >= 0:
		e.place(e.at+strings.IndexByte(e.text[e.at:], '\n')+1, column)
	case direction < 0 && e.entry > 0, direction > 0 && e.entry < len(e.history):
		if e.entry == len(e.history) {
			e.draft = e.text
		}
		if e.entry += direction; e.entry == len(e.history) {
			e.set(e.draft)
		} else {
			e.set(e.history[e.entry])
		}
	}
}

// place puts the cursor so many characters behind the begin of a line, or at
// its end.
func (e *Editor) place(begin, column int) {
	e.at = begin
	for ; column > 0 && e.at < len(e.text) && e.text[e.at] != '\n'; column-- {
		e.at = e.after(e.at)
	}
}

const quotes = `"""`

// goesOn reports whether Enter does not end the text, and the text without the
// backslash that says so.
func (e *Editor) goesOn() (string, bool) {
	if strings.Count(e.text, quotes)%2 == 1 {
		return e.text, true
	}
	body := strings.TrimRight(e.text, `\`)
	if (len(e.text)-len(body))%2 == 1 {
		return e.text[:len(e.text)-1], true
	}
	return e.text, false
}

// Unquote returns a text without the three quotes around it.
func Unquote(text string) string {
	t := strings.TrimSpace(text)
	if len(t) >= 2*len(quotes) && strings.HasPrefix(t, quotes) && strings.HasSuffix(t, quotes) {
		return strings.Trim(t[len(quotes):len(t)-len(quotes)], "\n")
	}
	return text
}

// draw draws the text over what was drawn before.
func (e *Editor) draw() error {
	columns, screen := e.screen.Size()
	rows, row, column := e.layout(columns)
	// Of a text that is higher than the screen, the part around the cursor.
	if room := max(1, screen-1); len(rows) > room {
		from := max(0, min(row-room/2, len(rows)-room))
		rows, row = rows[from:from+room], row-from
	}
	var b strings.Builder
	if e.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", e.drawn)
	}
	b.WriteString("\r\x1b[J" + strings.Join(rows, "\r\n"))
	if n := len(rows) - 1 - row; n > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", n)
	}
	b.WriteString("\r")
	if column > 0 {
		fmt.Fprintf(&b, "\x1b[%dC", column)
	}
	e.drawn = row
	_, err := e.screen.Write([]byte(b.String()))
	return err
}

// layout breaks prompt and text into rows, and says where the cursor stands. The
// last column stays free: terminals differ in what they do there.
func (e *Editor) layout(columns int) (rows []string, row, column int) {
	width := max(columns-1, 8)
	line, used := e.prompt, visible.Width(e.prompt)
	flush := func(next string) {
		rows = append(rows, line)
		line, used = next, visible.Width(next)
	}
	state, at := -1, 0
	for rest := e.text; ; {
		if at == e.at {
			row, column = len(rows), used
		}
		if rest == "" {
			break
		}
		cluster, tail, _, next := uniseg.FirstGraphemeClusterInString(rest, state)
		rest, state = tail, next
		at += len(cluster)
		if cluster == "\n" {
			flush(e.more)
			continue
		}
		// An escape of a character that is not drawn may be longer than a row.
		for _, part := range visible.Chop(shown(cluster), width) {
			w := visible.Width(part)
			if used+w > width {
				flush("")
				if at == e.at+len(cluster) {
					row, column = len(rows), 0
				}
			}
			line += part
			used += w
		}
	}
	flush("")
	return rows, row, column
}

// shown is how one character is drawn.
func shown(cluster string) string {
	if cluster == "\t" {
		return "    "
	}
	if s := visible.Text(cluster); s != "" {
		return s
	}
	return " "
}
