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
		for i := range d.Blocks {
			if d.Blocks[i].Role == doc.Heading {
				d.Title = d.Blocks[i].Text
				break
			}
		}
	}
	d.Title = clip(d.Title)
	if d.Licence = licenceText(name, d.Source); d.Licence != "" {
		markLicence(d)
	}
	d.Language = language(d)
}
