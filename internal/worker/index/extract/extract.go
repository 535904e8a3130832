// Package extract turns the text of a file into a document: blocks with roles,
// each of which knows where in the source its every character stands.
//
// The format is told by the file's name and, where that says nothing, by its
// content. Whatever the input, extraction ends in time linear in its size,
// makes no more text than the source has, and never fails: what cannot be
// understood is plain text. There are own small scanners instead of parsers,
// since exact source positions, speed and bounds matter here and rendering does
// not. It does no I/O. The index worker calls it.
package extract

import (
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/language"
)

// Extract reads source, the UTF-8 text of the file called name (its base name
// or path, without .gz). The document's texts share source's memory where they
// can.
func Extract(name, source string) *doc.Document {
	d := &doc.Document{Source: source}
	k := kindOf(name, source)
	d.Format = k.format
	b := &builder{src: source, doc: d}
	k.scan(b, k.variant)
	finish(b, name)
	return d
}

func finish(b *builder, name string) {
	d := b.doc
	if d.Title == "" {
		// A heading further down is one of many.
		for i := range d.Blocks[:min(len(d.Blocks), 6)] {
			if blk := &d.Blocks[i]; blk.Role == doc.Heading && blk.Level < 4 && letters(blk.Text) > 2 {
				d.Title = blk.Text
				break
			}
		}
	}
	d.Title = clip(d.Title)
	if d.Licence = licenceText(name, d); d.Licence != "" {
		markLicence(d)
		d.Title = ""
	} else {
		markNotices(d)
	}
	d.Language = guess(d)
}

// guess guesses the language of the document's prose.
func guess(d *doc.Document) string {
	var g language.Guesser
	for i := range d.Blocks {
		switch b := &d.Blocks[i]; b.Role {
		case doc.Prose, doc.ListItem, doc.Comment, doc.FrontMatter, doc.LicenceText:
			if !g.Add(b.Text) {
				return g.Language()
			}
		}
	}
	return g.Language()
}

func letters(s string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		if word(s[i]) && !digit(s[i]) {
			n++
		}
	}
	return n
}
