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
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/doc"
	"github.com/bailey-run/bailey/internal/worker/index/language"
)

// Extract reads source, the UTF-8 text of the file called name (its base name
// or path, without .gz), as one document. The document's texts share source's
// memory where they can; of a text of many short paragraphs up to three times
// its size stays in memory. Use [Each] where sizes are not known to be small.
func Extract(name, source string) *doc.Document {
	var whole *doc.Document
	_ = read(name, source, 0, func(d *doc.Document) error {
		whole = d
		return nil
	})
	return whole
}

// Each reads source as Extract does, but calls yield with one part of the
// document after the other, each of about [limits.DocPart] bytes of text, so
// that memory stays bounded beside source. All parts have the same Source,
// Format, Title, Language and Licence, as the first part shows them, and the
// offsets of all are those of Source. It returns the first error of yield, and
// calls it no more.
func Each(name, source string, yield func(*doc.Document) error) error {
	return read(name, source, limits.DocPart, yield)
}

func read(name, source string, part int, yield func(*doc.Document) error) error {
	k := kindOf(name, source)
	b := &builder{src: source, doc: &doc.Document{Source: source, Format: k.format}, name: name, part: part, yield: yield}
	k.scan(b, k.variant)
	if !b.parted || len(b.doc.Blocks) > 0 {
		b.emit()
	}
	return b.err
}

// emit hands out the blocks so far.
func (b *builder) emit() {
	d := b.doc
	if b.parted {
		finishPart(d)
	} else {
		finish(d, b.name)
	}
	b.parted = true
	b.doc = &doc.Document{Source: d.Source, Format: d.Format, Title: d.Title, Language: d.Language, Licence: d.Licence}
	b.arena, b.size = nil, 0
	if b.err == nil {
		b.err = b.yield(d)
	}
}

// finish fills in what the blocks together tell.
func finish(d *doc.Document, name string) {
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
		d.Title = ""
	}
	finishPart(d)
	d.Language = guess(d)
}

func finishPart(d *doc.Document) {
	if d.Licence != "" {
		markLicence(d)
	} else {
		markNotices(d)
	}
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
