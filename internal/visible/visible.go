// Package visible turns bytes that somebody else chose (names of files, text
// of documents, an app's words) into text that a person can read and that
// cannot act: no control character, no ANSI sequence, no bidirectional or
// zero-width character and no invalid UTF-8 leaves it as such. What is taken out
// is shown, as \xNN for a byte and \u202e for a character, as Go's own quoting
// writes it (The Go Programming Language Specification, "Rune literals").
//
// The three functions differ in what they promise:
//
//   - [Name] can be read back: two names that differ are written differently, and
//     characters that are equal by Unicode's canonical equivalence (UAX #15, an
//     é of one or of two code points) do not look the same. Blanks that nobody
//     would see, at the ends of a name and after another, are shown. Letters of
//     two scripts that look alike are not told apart. For prompts.
//   - [Path] leaves a backslash alone, so that an ordinary path can be copied.
//   - [Text] is for sentences: white space becomes one blank, and the joiners
//     that Persian, Hindi and emoji are written with stay.
//
// [JSON] does the same for encoded JSON without changing its value. The package
// is pure; every part that prints may call it.
package visible

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/bailey-run/bailey/internal/limits"
)

const (
	zwnj = '\u200c'
	zwj  = '\u200d'
	// The blank Braille pattern is a symbol by its category and draws nothing.
	brailleBlank = '\u2800'
)

// Name shows a name so that it can be read back: a backslash is doubled.
func Name(s string) string { return show(s, name) }

// Path shows a path for output.
func Path(s string) string { return show(s, path) }

// Text shows a sentence on one line.
func Text(s string) string { return strings.TrimSpace(show(s, text)) }

type mode int

const (
	name mode = iota
	path
	text
)

func show(s string, m mode) string {
	if plain(s, m) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	marks := 0
	base, blank := false, false // what stands before: something to put a mark on; a blank
	composed := m == text || norm.NFC.IsNormalString(s)
	segment, odd := 0, false // the end of what i stands in, and that it is not in its composed form
	for i := 0; i < len(s); {
		if !composed && i >= segment {
			segment = i + norm.NFC.NextBoundaryInString(s[i:], true)
			odd = !norm.NFC.IsNormalString(s[i:segment])
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		raw := s[i : i+size]
		i += size
		if m == text && (unicode.IsSpace(r) || r == '\u2028' || r == '\u2029') {
			if !blank {
				b.WriteByte(' ')
			}
			base, blank, marks = false, true, 0
			continue
		}
		blank = false
		ok := allowed(r, raw, m) && (r < utf8.RuneSelf || !odd)
		if ok && unicode.Is(unicode.M, r) {
			// A mark with nothing below it would be drawn on what Bailey wrote;
			// a tower of them over the neighbouring lines.
			marks++
			ok = base && marks <= limits.Marks
		} else {
			marks = 0
		}
		switch {
		case !ok:
			b.WriteString(escape(r, raw))
			base = false
		case r == ' ' && m == name && unseen(s, i-size):
			b.WriteString(`\u0020`)
			base = false
		case r == '\\' && m == name:
			b.WriteString(`\\`)
			base = true
		default:
			b.WriteString(raw)
			base = true
		}
	}
	return b.String()
}

// plain reports whether s is printable ASCII that needs no work: nearly all.
func plain(s string, m mode) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < ' ' || c > '~' || m == name && (c == '\\' || c == ' ' && unseen(s, i)) || c == ' ' && m == text && i > 0 && s[i-1] == ' ' {
			return false
		}
	}
	return true
}

// unseen reports whether the blank at i does not show where it is drawn: at an end
// of a name or of a part of a path, or after another blank.
func unseen(s string, i int) bool {
	return i == 0 || i == len(s)-1 || s[i-1] == ' ' || s[i-1] == '/' || s[i+1] == '/'
}

// allowed reports whether a character may be printed as it is: a letter, mark,
// number, punctuation, symbol or ASCII blank that draws something.
func allowed(r rune, raw string, m mode) bool {
	if r == utf8.RuneError && len(raw) == 1 {
		return false
	}
	if m == text && (r == zwj || r == zwnj || unicode.Is(unicode.Variation_Selector, r) && r < 0xe0000) {
		return true
	}
	return unicode.IsPrint(r) && r != brailleBlank &&
		!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) && !unicode.Is(unicode.Variation_Selector, r)
}

func escape(r rune, raw string) string {
	switch {
	case r == utf8.RuneError && len(raw) == 1:
		return fmt.Sprintf(`\x%02x`, raw[0])
	case r == '\n':
		return `\n`
	case r == '\t':
		return `\t`
	case r == '\r':
		return `\r`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r > 0xffff:
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}

// JSON rewrites encoded JSON so that every character which does not draw itself
// is written as \uXXXX. The value stays the same: outside of strings JSON is
// ASCII, and inside the two spellings are equal (RFC 8259, section 7). Invalid
// UTF-8 becomes U+FFFD, as encoding/json has made it already.
func JSON(b []byte) []byte {
	clean := true
	for _, c := range b {
		if c >= 0x7f {
			clean = false
			break
		}
	}
	if clean {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			out = append(out, `\ufffd`...)
		case r < 0x7f || allowed(r, string(b[i:i+size]), path) && !unicode.Is(unicode.M, r):
			out = append(out, b[i:i+size]...)
		case r > 0xffff:
			hi, lo := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		i += size
	}
	return out
}
