// Package layout puts the lines of a page together into paragraphs. A PDF says
// where characters stand and not what they belong to; this is a guess, made of the
// distances between lines, their indentation and size, and where sentences end.
//
// The order of lines is kept as it comes. It drops nothing but the white space
// between words and the hyphens of words that were broken at a line's end. Package
// pdf calls it.
package layout

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/worker/pdf/pdfium"
)

// Paragraph is one paragraph, or heading, of a page.
type Paragraph struct {
	Text string
	// Heading says that it is set larger than the page's text, and is short.
	Heading bool
}

// Fractions of the size of a page's text, or of the distance of its lines, by which
// a line is told to begin a paragraph. Typographers set a gap of half a line at
// least, an indentation of one em, and headings a fifth larger.
const (
	gap     = 1.35
	indent  = 0.8
	larger  = 1.15
	resized = 0.12
	// short is the part of the column that a line leaves empty at its end when it is
	// the last of a paragraph, in widths of the column.
	short = 0.15
	// heading is the most characters of a heading.
	heading = 160
)

// Paragraphs puts lines together.
func Paragraphs(lines []pdfium.Line) []Paragraph {
	lines = slices.DeleteFunc(slices.Clone(lines), func(l pdfium.Line) bool { return clean(l.Text) == "" })
	m := measure(lines)
	var out []Paragraph
	var b []byte
	size := 0.0
	flush := func() {
		if s := strings.TrimSpace(string(b)); s != "" {
			out = append(out, Paragraph{Text: s, Heading: m.size > 0 && size > larger*m.size && utf8.RuneCountInString(s) <= heading})
		}
		b = b[:0]
	}
	for i, l := range lines {
		text := clean(l.Text)
		if i > 0 && m.begins(lines[i-1], l) {
			flush()
		}
		if len(b) == 0 {
			size = l.Size
		}
		b = join(b, text)
	}
	flush()
	return out
}

// measures are what is usual on a page.
type measures struct{ size, leading, right, left float64 }

func measure(lines []pdfium.Line) measures {
	var sizes, leadings, rights, lefts []float64
	for i, l := range lines {
		n := max(1, len(l.Text)/20)
		for range min(n, 8) { // by how much text there is
			sizes = append(sizes, l.Size)
		}
		rights, lefts = append(rights, l.Right), append(lefts, l.Left)
		if i > 0 {
			if d := lines[i-1].Base - l.Base; d > 0 {
				leadings = append(leadings, d)
			}
		}
	}
	return measures{size: at(sizes, 0.5), leading: at(leadings, 0.4), right: at(rights, 0.9), left: at(lefts, 0.1)}
}

// at returns the value below which a part of v lies.
func at(v []float64, part float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return v[int(part*float64(len(v)-1))]
}

// begins reports whether b begins a paragraph, a being the line before.
func (m measures) begins(a, b pdfium.Line) bool {
	if a.Size == 0 && a.Right == 0 || b.Size == 0 && b.Right == 0 {
		return false // it is not known where they stand
	}
	down := a.Base - b.Base
	em := max(m.size, 1)
	ended := sentenceEnds(a.Text)
	switch {
	case bullet(b.Text), leaders(a.Text):
		return true
	case a.Size > 0 && (b.Size-a.Size)/a.Size > resized, a.Size > 0 && (a.Size-b.Size)/a.Size > resized:
		// A line that begins with a small capital or a footnote's number is no other
		// text, so that headings alone count.
		return a.Size > larger*m.size || b.Size > larger*m.size || down > gap*m.leading
	case down < -em:
		// Upwards: another column, where a sentence may go on.
		return ended || !continues(b.Text)
	case down < em/4:
		// On the same height: a cell of a table, or a piece of the same line.
		return b.Left-a.Right > 2*em
	case m.leading > 0 && down > gap*max(m.leading, em):
		return true
	case b.Left-a.Left > indent*em && b.Left-a.Left < 5*em && ended:
		return true
	case ended && m.right > m.left && a.Right < m.right-short*(m.right-m.left) && a.Right < b.Right-em:
		return true
	}
	return false
}

// continues reports whether a line goes on with a sentence.
func continues(s string) bool {
	r, _ := utf8.DecodeRuneInString(strings.TrimSpace(s))
	return unicode.IsLower(r)
}

// sentenceEnds reports whether a line ends as a sentence does.
func sentenceEnds(s string) bool {
	s = strings.TrimRight(s, " \u00a0)\"'”’»]")
	r, _ := utf8.DecodeLastRuneInString(s)
	return strings.ContainsRune(".!?:;…。！？", r)
}

// bullet reports whether a line begins as an item of a list does.
func bullet(s string) bool {
	s = strings.TrimLeft(s, " \u00a0")
	r, n := utf8.DecodeRuneInString(s)
	switch r {
	case '•', '◦', '▪', '‣', '●', '○', '■', '□', '➢', '✓', '\uf0b7', '\uf0a7':
		return true
	case '–', '-', '*':
		return strings.HasPrefix(s[n:], " ") && strings.TrimSpace(s[n:]) != ""
	}
	return false
}

// leaders reports whether a line is one of a table of contents: dots lead from its
// words to a page.
func leaders(s string) bool { return strings.Contains(s, ". . . .") || strings.Contains(s, ".....") }

// PDFium puts these where a word was broken by a hyphen at the end of a line.
const (
	brokenWord  = '\ufffe'
	brokenWord2 = '\u0002'
)

// clean turns a line into words with one space in between.
func clean(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool {
		return unicode.IsSpace(r) || r != brokenWord && r != brokenWord2 && unicode.IsControl(r) || r == '\ufeff'
	}), " ")
}

// join adds a line to a paragraph. A word that was broken becomes whole where that
// shows: a hyphen between letters, with a small one behind it.
func join(b []byte, line string) []byte {
	text := whole(line)
	if len(b) == 0 {
		return append(b, text...)
	}
	last, n := utf8.DecodeLastRune(b)
	next, _ := utf8.DecodeRuneInString(text)
	cut := b[:len(b)-n]
	before, _ := utf8.DecodeLastRune(cut)
	switch {
	case (last == brokenWord || last == brokenWord2 || last == '-' || last == '\u2010' || last == '\u00ad') && unicode.IsLetter(before) && unicode.IsLower(next):
		b = cut
	case last == brokenWord || last == brokenWord2:
		b = append(cut, '-')
	case last == '-' && unicode.IsLetter(before) && unicode.IsLetter(next), last == '\u2014':
	default:
		b = append(b, ' ')
	}
	return append(b, text...)
}

// whole mends the words that PDFium has joined itself: a broken word and its rest
// on one line.
func whole(s string) string {
	if !strings.ContainsAny(s, string([]rune{brokenWord, brokenWord2})) {
		return s
	}
	runes := []rune(s)
	var b strings.Builder
	for i, r := range runes {
		if r != brokenWord && r != brokenWord2 {
			b.WriteRune(r)
			continue
		}
		switch {
		case i+1 == len(runes):
			b.WriteRune(r) // join sees what comes
		case unicode.IsLower(runes[i+1]) && i > 0 && unicode.IsLetter(runes[i-1]):
		default:
			b.WriteByte('-')
		}
	}
	return b.String()
}
