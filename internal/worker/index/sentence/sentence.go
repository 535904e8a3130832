// Package sentence cuts the prose of a document into sentences, by rules that
// hold for many languages, and tells what only looks like one.
//
// It takes prose, list items, comments and descriptions, never code or tables.
// It does no I/O and keeps nothing. The index worker calls it.
package sentence

import (
	"strings"

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

// Each calls yield for each sentence of d until it returns false.
func Each(d *doc.Document, yield func(doc.Sentence) bool) {
	c := counter{src: d.Source, line: 1}
	for i := range d.Blocks {
		b := &d.Blocks[i]
		if !speaks(b.Role) {
			continue
		}
		for from := 0; from < len(b.Text); {
			to := from + next(b.Text[from:])
			text := strings.TrimRight(b.Text[from:to], " ")
			if text != "" {
				s := doc.Sentence{Text: text, Block: i}
				s.Start, s.End = b.SourceRange(from, from+len(text))
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

// counter counts lines forward: sentences come in the order of the source, so
// no table of all lines is needed.
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

func next(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if (s[i] == '.' || s[i] == '!' || s[i] == '?') && s[i+1] == ' ' {
			return i + 1
		}
	}
	return len(s)
}

// Junk reports whether text is not worth quoting as a sentence.
func Junk(text string) bool { return len(text) < 20 }
