package fold

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/bailey-run/bailey/internal/limits"
)

// scan cuts text into words and calls emit with each folded form. The slice is
// only good during the call.
func (f *Folder) scan(text string, emit func(form []byte, kind Kind, capital bool)) {
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf && !asciiWord(c) {
			i++
			continue
		}
		// A run of word characters and of connectors between them.
		j, ascii := i, true
		for j < len(text) && j-i < limits.FoldRun {
			c := text[j]
			if c < utf8.RuneSelf {
				if asciiWord(c) || j > i && j+1 < len(text) && joins(text[j-1], c, text[j+1]) {
					j++
					continue
				}
				break
			}
			r, n := utf8.DecodeRuneInString(text[j:])
			if !wordRune(r) {
				break
			}
			ascii = false
			j += n
		}
		if j == i { // a character that is no word's
			_, n := utf8.DecodeRuneInString(text[i:])
			i += n
			continue
		}
		if ascii {
			f.run(text[i:j], emit)
		} else {
			f.mixed(text[i:j], emit)
		}
		i = j
	}
}

// mixed cuts a run that is not all ASCII: runs of scripts without spaces go to
// pairs, the rest is a run of its own.
func (f *Folder) mixed(s string, emit func([]byte, Kind, bool)) {
	if !norm.NFKC.IsNormalString(s) {
		s = norm.NFKC.String(s)
	}
	start, dense := 0, false
	flush := func(end int) {
		if end <= start {
			return
		}
		if dense {
			f.pairs(s[start:end], emit)
		} else {
			f.run(s[start:end], emit)
		}
	}
	for i, r := range s {
		d := r >= 0xE00 && denseRune(r)
		if d != dense && !(dense && unicode.Is(unicode.M, r)) {
			flush(i)
			start, dense = i, d
		}
	}
	flush(len(s))
}

// pairs emits overlapping pairs of characters; a mark belongs to what it is on.
func (f *Folder) pairs(s string, emit func([]byte, Kind, bool)) {
	f.word = f.fold(f.word[:0], s)
	w := string(f.word)
	var cuts []int
	for i, r := range w {
		if len(cuts) == 0 || !unicode.Is(unicode.M, r) {
			cuts = append(cuts, i)
		}
	}
	cuts = append(cuts, len(w))
	if len(cuts) == 2 {
		emit([]byte(w), Pair, false)
		return
	}
	for i := 0; i+2 < len(cuts); i++ {
		if cuts[i+2]-cuts[i] <= limits.TokenBytes {
			emit([]byte(w[cuts[i]:cuts[i+2]]), Pair, false)
		}
	}
}

// run emits the tokens of one run of word characters and connectors.
func (f *Folder) run(s string, emit func([]byte, Kind, bool)) {
	if numeric(s) {
		f.number(s, emit)
		return
	}
	simple := true
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c < utf8.RuneSelf && !('a' <= c && c <= 'z') && !('0' <= c && c <= '9') && (i > 0 || !('A' <= c && c <= 'Z')) {
			simple = false
			break
		}
		if c >= utf8.RuneSelf && i > 0 {
			if r, _ := utf8.DecodeRuneInString(s[i:]); unicode.IsUpper(r) || connectorRune(r) {
				simple = false
				break
			}
		}
	}
	if simple {
		f.emitWord(s, Word, emit)
		return
	}
	f.compound(s, emit)
}

// compound cuts a run at connectors and at changes of case, and emits its
// parts, then the whole without connectors.
func (f *Folder) compound(s string, emit func([]byte, Kind, bool)) {
	var cuts [limits.FoldParts][2]int
	n, start := 0, -1
	apostrophe, other := false, false
	part := func(end int) {
		if start >= 0 && end > start && n < len(cuts) {
			cuts[n] = [2]int{start, end}
			n++
		}
		start = -1
	}
	prev, prev2 := rune(0), rune(0)
	for i, r := range s {
		switch {
		case r == '\'' || r == '’':
			part(i)
			apostrophe = true
		case r < utf8.RuneSelf && connector(byte(r)), r == '_', connectorRune(r):
			part(i)
			other = true
		case start < 0:
			start = i
		case unicode.IsUpper(r) && unicode.IsLower(prev):
			part(i)
			start = i
		case unicode.IsLower(r) && unicode.IsUpper(prev) && unicode.IsUpper(prev2) && i-utf8.RuneLen(prev) > start:
			// HTTPServer: the last capital begins the next word.
			at := i - utf8.RuneLen(prev)
			begin := start
			start = begin
			part(at)
			start = at
		}
		prev2, prev = prev, r
	}
	part(len(s))
	if n == 0 {
		return
	}
	if apostrophe && !other {
		// don't, l'index, Hertz's: what stands alone beside an apostrophe is
		// no word.
		for _, c := range cuts[:n] {
			if utf8.RuneCountInString(s[c[0]:c[1]]) > 1 {
				f.emitWord(s[c[0]:c[1]], Word, emit)
			}
		}
		return
	}
	if n == 1 {
		f.emitWord(s[cuts[0][0]:cuts[0][1]], Word, emit)
		return
	}
	whole := 0
	for _, c := range cuts[:n] {
		whole += c[1] - c[0]
		if numeric(s[c[0]:c[1]]) {
			f.number(s[c[0]:c[1]], emit)
			continue
		}
		f.emitWord(s[c[0]:c[1]], Part, emit)
	}
	if whole <= limits.TokenBytes {
		f.text = f.text[:0]
		for _, c := range cuts[:n] {
			f.text = append(f.text, s[c[0]:c[1]]...)
		}
		f.emitWord(string(f.text), Whole, emit)
	}
}

func (f *Folder) emitWord(s string, kind Kind, emit func([]byte, Kind, bool)) {
	if len(s) > limits.TokenBytes {
		return // base64, hashes, minified code: nobody asks for it
	}
	if w, ok := asciiFold(f.word[:0], s); ok {
		f.word = w
		if len(w) > 0 {
			emit(w, kind, 'A' <= s[0] && s[0] <= 'Z')
		}
		return
	}
	f.word = f.fold(f.word[:0], s)
	// NFKC may bring in characters that are no word's (a vulgar fraction's
	// slash, a spacing accent's space).
	w := f.word[:0]
	for i := 0; i < len(f.word); {
		r, n := utf8.DecodeRune(f.word[i:])
		if r != utf8.RuneError && (unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r)) {
			w = append(w, f.word[i:i+n]...)
		}
		i += n
	}
	if len(w) == 0 {
		return
	}
	first, _ := utf8.DecodeRuneInString(s)
	emit(w, kind, unicode.IsUpper(first))
}

// asciiFold folds s if it is all ASCII.
func asciiFold(dst []byte, s string) ([]byte, bool) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			dst = append(dst, c)
		case 'A' <= c && c <= 'Z':
			dst = append(dst, c+'a'-'A')
		case c >= utf8.RuneSelf:
			return dst, false
		}
	}
	return dst, true
}

// number emits digits with the dots between them; commas between digits go.
func (f *Folder) number(s string, emit func([]byte, Kind, bool)) {
	if len(s) > limits.TokenBytes {
		return
	}
	f.word = f.word[:0]
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case '0' <= c && c <= '9', c == '.':
			f.word = append(f.word, c)
		case c == ',':
		default: // a range or a date: its numbers apart
			if len(f.word) > 0 {
				emit(f.word, Number, false)
			}
			f.word = f.word[:0]
		}
	}
	if len(f.word) > 0 {
		emit(f.word, Number, false)
	}
}

// numeric reports whether s is digits and connectors alone, beginning and
// ending with a digit.
func numeric(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !('0' <= c && c <= '9') && c != '.' && c != ',' && c != '-' && c != '_' {
			return false
		}
	}
	return len(s) > 0 && '0' <= s[0] && s[0] <= '9' && '0' <= s[len(s)-1] && s[len(s)-1] <= '9'
}

func asciiWord(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

// connector reports whether c joins two words into one when it stands between
// them.
func connector(c byte) bool { return c == '-' || c == '.' || c == '\'' || c == ',' }

func connectorRune(r rune) bool { return r == '’' || r == '‐' || r == '‑' || r == '·' }

// joins reports whether c, between the bytes prev and next, goes on with a word.
func joins(prev, c, next byte) bool {
	if c == ',' {
		return digit(prev) && digit(next)
	}
	return connector(c) && (next >= utf8.RuneSelf || asciiWord(next))
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

func wordRune(r rune) bool {
	if r == utf8.RuneError {
		return false
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.M, r) || connectorRune(r) ||
		r == 0xAD || r == 0x200C || r == 0x200D || r == 0xFF9E || r == 0xFF9F || unicode.Is(unicode.Nl, r) || unicode.Is(unicode.No, r)
}

// denseRune reports whether r is of a script that is found by pairs.
func denseRune(r rune) bool {
	switch {
	case r >= 0x4E00 && r <= 0x9FFF, r >= 0x3040 && r <= 0x30FF, r >= 0x3400 && r <= 0x4DBF, r >= 0xAC00 && r <= 0xD7A3:
		return true
	case r >= 0xE00 && r <= 0xEFF, r >= 0x1000 && r <= 0x109F, r >= 0x1780 && r <= 0x17FF:
		return true
	case r == 0x3005 || r == 0x3006 || r == 0x3007, r >= 0x31F0 && r <= 0x31FF, r >= 0xF900 && r <= 0xFAFF, r >= 0x20000 && r <= 0x3FFFF:
		return true
	}
	return false
}
