// Package sentence cuts the prose of a document into sentences, by rules that
// hold for many languages, and tells what only looks like one.
//
// It takes prose, list items, comments and descriptions, never code or tables.
// A full stop ends a sentence when white space follows and neither the word
// before it is an abbreviation, an initial or a number that it belongs to, nor
// the word after it begins small; other scripts' stops end one wherever they
// stand. Rules and a few words instead of UAX #29, whose sentences end at every
// "e.g. The". It does no I/O and keeps nothing. The index worker calls it.
package sentence

import (
	"strings"
	"unicode/utf8"

	"github.com/bailey-run/bailey/internal/worker/index/doc"
)

// Split returns the sentences of d in the order of its blocks. Their texts
// share the blocks' memory.
func Split(d *doc.Document) []doc.Sentence {
	var out []doc.Sentence
	Each(d, func(s doc.Sentence) bool {
		out = append(out, s)
		return true
	})
	return out
}

// Each calls yield for each sentence of d, in order, until it returns false. It
// needs no memory of its own.
func Each(d *doc.Document, yield func(doc.Sentence) bool) {
	c := counter{src: d.Source, line: 1}
	for i := range d.Blocks {
		b := &d.Blocks[i]
		if !speaks(b.Role) {
			continue
		}
		for from := 0; from < len(b.Text); {
			to := from + Next(b.Text[from:], d.Language)
			if text := strings.TrimRight(b.Text[from:to], " "); text != "" {
				s := doc.Sentence{Text: text, Block: i}
				s.Start, s.End = b.SourceRange(from, from+len(text))
				s.Start, s.End = whole(d.Source, s.Start, s.End)
				s.Line = c.at(s.Start)
				s.Last = c.at(max(s.Start, s.End-1))
				if !yield(s) {
					return
				}
			}
			for from = to; from < len(b.Text) && b.Text[from] == ' '; from++ {
			}
		}
	}
}

func speaks(r doc.Role) bool {
	return r == doc.Prose || r == doc.ListItem || r == doc.Comment || r == doc.FrontMatter
}

// whole widens a range so that it cuts no character in two: what a macro or a
// character reference stands for may map to the middle of one.
func whole(s string, from, to int) (int, int) {
	for from > 0 && from < len(s) && !utf8.RuneStart(s[from]) {
		from--
	}
	for to < len(s) && to > 0 && !utf8.RuneStart(s[to]) {
		to++
	}
	return from, to
}

// counter counts lines: sentences come in the order of the source, so no table
// of all lines is needed.
type counter struct {
	src  string
	pos  int
	line int
}

func (c *counter) at(offset int) int {
	if offset < c.pos {
		c.line -= strings.Count(c.src[offset:c.pos], "\n")
	} else {
		c.line += strings.Count(c.src[c.pos:offset], "\n")
	}
	c.pos = offset
	return c.line
}
