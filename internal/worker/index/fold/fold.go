// Package fold turns text and questions into the tokens that the index holds,
// so that both sides agree: what differs only in Unicode form (NFC, NFD, full
// and half width), case, accents, ß or ss, or in a word's ending, is one token.
//
//   - Words are stemmed in the language they are in (Snowball), after accents
//     are gone: "Größe", "GROESSE" aside, "grösse" and "Gro\u0308ße" are one.
//   - Identifiers give their parts and, joined, the whole: readFile, read_file
//     and read-file all give "readfil", "read" and "file".
//   - Scripts without spaces between words (Chinese, Japanese, Thai, Lao, Khmer,
//     Burmese) and Korean give overlapping pairs of characters.
//   - Numbers and versions stay whole: 1.26.8 is one token, 10,000 is 10000.
//
// A token holds letters, marks, digits and "." between digits, nothing else:
// no white space, no quote, no operator of any query language.
//
// The package is pure. It refuses nothing: any bytes give some tokens.
package fold

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/bailey-run/bailey/internal/limits"
)

// Kind says what a token is.
type Kind uint8

// The kinds.
const (
	Word   Kind = iota
	Part        // a part of an identifier or compound
	Whole       // the whole of an identifier or compound, joined
	Number      // digits, with dots between them
	Pair        // two characters of a script without spaces
)

// Token is one token with what it was made of.
type Token struct {
	// Text is what the index holds: folded and stemmed.
	Text string
	// Form is the folded word before stemming.
	Form string
	Kind Kind
	// Stop is set for a word too common in its language to search for.
	Stop bool
	// Capital is set when the word began with a capital letter.
	Capital bool
}

// Folder makes tokens. It caches stems, so keep it; it is not safe for
// concurrent use.
type Folder struct {
	latin [latinEnd]string
	langs map[string]*language
	buf   []byte
	word  []byte
	text  []byte
}

type language struct {
	stem  func(string) string
	stop  map[string]bool
	cache map[string]entry
}

type entry struct {
	stem string
	stop bool
}

// New returns a Folder.
func New() *Folder {
	f := &Folder{langs: map[string]*language{}}
	for r := rune(utf8.RuneSelf); r < latinEnd; r++ {
		f.latin[r] = foldRune(r)
	}
	return f
}

// Append adds the tokens of text to dst, each followed by a space, and returns
// it. With drop set, words too common to search for are left out.
func (f *Folder) Append(dst []byte, text, lang string, drop bool) []byte {
	l := f.language(lang)
	f.scan(text, func(form []byte, kind Kind, _ bool) {
		e := l.entryOf(form, kind)
		if drop && e.stop {
			return
		}
		dst = append(append(dst, e.stem...), ' ')
	})
	return dst
}

// Tokens returns the tokens of text.
func (f *Folder) Tokens(text, lang string) []Token {
	l := f.language(lang)
	var out []Token
	f.scan(text, func(form []byte, kind Kind, capital bool) {
		if kind == Number || kind == Pair {
			s := string(form)
			out = append(out, Token{Text: s, Form: s, Kind: kind})
			return
		}
		e := l.entry(form)
		out = append(out, Token{Text: e.stem, Form: string(form), Kind: kind, Stop: e.stop, Capital: capital})
	})
	return out
}

// Each calls fn with the index token of every word of text, in order, and
// whether the word is too common to search for. The string is shared: keep it,
// do not change it.
func (f *Folder) Each(text, lang string, fn func(token string, kind Kind, stop bool)) {
	l := f.language(lang)
	f.scan(text, func(form []byte, kind Kind, _ bool) {
		e := l.entryOf(form, kind)
		fn(e.stem, kind, e.stop)
	})
}

// EachForm is Each with the folded word before stemming, which is good during
// the call only.
func (f *Folder) EachForm(text, lang string, fn func(token string, form []byte)) {
	l := f.language(lang)
	f.scan(text, func(form []byte, kind Kind, _ bool) { fn(l.entryOf(form, kind).stem, form) })
}

// Stem returns the index token of one folded word in a language.
func (f *Folder) Stem(form, lang string) string { return f.language(lang).entry([]byte(form)).stem }

// String folds the characters of s, without stemming and without splitting:
// it is idempotent and the same for NFC and NFD.
func (f *Folder) String(s string) string {
	return string(f.fold(make([]byte, 0, len(s)), s))
}

// fold appends s with its characters folded.
func (f *Folder) fold(dst []byte, s string) []byte {
	if isASCII(s) {
		for i := 0; i < len(s); i++ {
			dst = append(dst, lower(s[i]))
		}
		return dst
	}
	// Folding a character may leave a sequence that composes again (a mark
	// was lower-cased, a base lost its own accent), so fold to a fixed point.
	for range limits.FoldRounds {
		if !norm.NFKC.IsNormalString(s) {
			s = norm.NFKC.String(s)
		}
		f.buf = f.buf[:0]
		prev := rune(0)
		for _, r := range s {
			if dropMark(prev, r) {
				continue
			}
			f.buf = f.appendRune(f.buf, r)
			prev = r
		}
		folded := string(f.buf)
		if folded == s {
			break
		}
		s = folded
	}
	return append(dst, s...)
}

func (f *Folder) appendRune(dst []byte, r rune) []byte {
	switch {
	case r < utf8.RuneSelf:
		return append(dst, lower(byte(r)))
	case r < latinEnd:
		return append(dst, f.latin[r]...)
	case r >= 0x1E00 && r < 0x2000: // Latin additional, Greek extended
		return append(dst, foldRune(r)...)
	default:
		return utf8.AppendRune(dst, unicode.ToLower(r))
	}
}

// latinEnd is the end of the scripts folded by table: Latin, Greek and
// Cyrillic without their later extensions.
const latinEnd = 0x0530

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// foldRune folds one rune of a script whose letters carry accents.
func foldRune(r rune) string {
	r = unicode.ToLower(r)
	switch r {
	case 'ß':
		return "ss"
	case 'æ':
		return "ae"
	case 'œ':
		return "oe"
	case 'ø':
		return "o"
	case 'đ', 'ð':
		return "d"
	case 'ł':
		return "l"
	case 'þ':
		return "th"
	case 'ħ':
		return "h"
	case 'ı':
		return "i"
	case 'ŋ':
		return "n"
	case 'ς':
		return "σ"
	case 'й': // a letter of its own, and so to the Russian stemmer
		return "й"
	case 0x1E9E:
		return "ss"
	}
	d := norm.NFKD.String(string(r))
	var b strings.Builder
	for _, c := range d {
		if !unicode.Is(unicode.Mn, c) {
			b.WriteRune(unicode.ToLower(c))
		}
	}
	if b.Len() == 0 {
		return string(r)
	}
	return b.String()
}

// dropMark reports whether r is a mark that folding removes behind prev: an
// accent on Latin, Greek or Cyrillic, Arabic and Hebrew vowel points. Marks of
// other scripts are part of the spelling.
func dropMark(prev, r rune) bool {
	switch {
	case r < 0x300:
		return r == 0xAD // soft hyphen
	case r == 0x200B || r == 0x200C || r == 0x200D || r == 0x2060 || r == 0xFEFF:
		return true
	case r >= 0x591 && r <= 0x5C7 && unicode.Is(unicode.Mn, r):
		return true
	case r == 0x640, r >= 0x64B && r <= 0x652, r == 0x670:
		return true
	}
	return prev < latinEnd && unicode.Is(unicode.Mn, r)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
