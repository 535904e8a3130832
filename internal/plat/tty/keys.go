package tty

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/limits"
)

// key is what a person did at the keyboard.
type key struct {
	what action
	// text is what was typed or pasted.
	text string
}

type action uint8

const (
	typed action = iota + 1
	pasted
	enter
	newLine
	tab
	backspace
	deleteChar
	left
	right
	up
	down
	home
	end
	wordLeft
	wordRight
	killEnd
	killStart
	killWord
	interrupt
	endOfInput
	redraw
	escape
	suspend
)

const (
	esc        = 0x1b
	pasteBegin = "200~"
	pasteEnd   = "\x1b[201~"
)

// decoder makes keys of the bytes that a terminal in raw mode sends (ECMA-48,
// xterm's control sequences). What it does not know it drops: no byte of an
// escape sequence is ever taken for text.
type decoder struct {
	rest    []byte
	pasting bool
}

// waits reports whether the bytes so far may be the beginning of a key: an
// escape that is followed by nothing is the key Esc.
func (d *decoder) waits() bool { return len(d.rest) > 0 && d.rest[0] == esc && !d.pasting }

// feed takes bytes and returns the keys that are complete. With last the bytes
// that wait are all that there is.
func (d *decoder) feed(b []byte, last bool) (keys []key) {
	d.rest = append(d.rest, b...)
	for len(d.rest) > 0 {
		k, n := d.next(last)
		if n == 0 {
			return keys
		}
		d.rest = d.rest[n:]
		if k.what == typed && len(keys) > 0 && keys[len(keys)-1].what == typed {
			keys[len(keys)-1].text += k.text
			continue
		}
		if k.what != 0 {
			keys = append(keys, k)
		}
	}
	return keys
}

// next returns the first key and its length; 0 when more bytes are needed, no
// action when it means nothing.
func (d *decoder) next(last bool) (key, int) {
	if d.pasting {
		return d.paste()
	}
	c := d.rest[0]
	switch {
	case c == esc:
		return d.sequence(last)
	case c < ' ' || c == 0x7f:
		return key{what: control(c)}, 1
	case !utf8.FullRune(d.rest) && !last:
		return key{}, 0
	}
	r, n := utf8.DecodeRune(d.rest)
	if r == utf8.RuneError && n == 1 {
		return key{}, 1
	}
	return key{typed, string(d.rest[:n])}, n
}

func control(c byte) action {
	switch c {
	case 0x01:
		return home
	case 0x02:
		return left
	case 0x03:
		return interrupt
	case 0x04:
		return endOfInput
	case 0x05:
		return end
	case 0x06:
		return right
	case 0x08, 0x7f:
		return backspace
	case '\t':
		return tab
	case '\n':
		return newLine
	case 0x0b:
		return killEnd
	case 0x0c:
		return redraw
	case '\r':
		return enter
	case 0x0e:
		return down
	case 0x10:
		return up
	case 0x15:
		return killStart
	case 0x17:
		return killWord
	case 0x1a:
		return suspend
	}
	return 0
}

// paste takes all up to the end mark as text. Line ends become line feeds.
func (d *decoder) paste() (key, int) {
	s := string(d.rest)
	i := strings.Index(s, pasteEnd)
	if i < 0 {
		if len(s) > limits.EditText {
			// Nobody reads that, and it never ends.
			d.pasting = false
			return key{}, len(s)
		}
		return key{}, 0
	}
	d.pasting = false
	text := strings.ReplaceAll(strings.ReplaceAll(s[:i], "\r\n", "\n"), "\r", "\n")
	return key{pasted, strings.ToValidUTF8(text, "\uFFFD")}, i + len(pasteEnd)
}

// sequence reads what begins with an escape.
func (d *decoder) sequence(last bool) (key, int) {
	s := d.rest
	if len(s) == 1 {
		if last {
			return key{what: escape}, 1
		}
		return key{}, 0
	}
	switch s[1] {
	case '[', 'O':
	case esc:
		return key{what: escape}, 1
	case '\r', '\n':
		return key{what: newLine}, 2
	case 'b':
		return key{what: wordLeft}, 2
	case 'f':
		return key{what: wordRight}, 2
	case 0x7f, 0x08:
		return key{what: killWord}, 2
	default:
		return key{}, 2
	}
	// Parameters, then one final byte of 0x40 to 0x7e.
	for i := 2; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 0x40 && c <= 0x7e:
			if s[1] == '[' && string(s[2:i+1]) == pasteBegin {
				d.pasting = true
				return key{}, i + 1
			}
			return key{what: named(string(s[2:i]), c)}, i + 1
		case c < 0x20 || c > 0x7e:
			return key{}, i
		case i > limits.EditSequence:
			return key{}, i
		}
	}
	if last {
		return key{}, len(s)
	}
	return key{}, 0
}

// named is the key of a control sequence with these parameters and final byte.
func named(parameters string, final byte) action {
	first, modifier, _ := strings.Cut(parameters, ";")
	moved := modifier == "5" || modifier == "3" // Ctrl, Alt
	switch final {
	case 'A':
		return up
	case 'B':
		return down
	case 'C':
		if moved {
			return wordRight
		}
		return right
	case 'D':
		if moved {
			return wordLeft
		}
		return left
	case 'H':
		return home
	case 'F':
		return end
	case 'u': // fixterms: a code and modifiers, 2 is Shift
		if n, err := strconv.Atoi(first); err == nil && n == '\r' && modifier != "" {
			return newLine
		}
	case '~':
		switch first {
		case "1", "7":
			return home
		case "4", "8":
			return end
		case "3":
			return deleteChar
		}
	}
	return 0
}
