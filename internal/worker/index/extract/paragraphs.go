package extract

import "github.com/bailey-run/bailey/internal/worker/index/doc"

// Text reads a file's text as one document: by its paragraphs where it has any,
// else as [Extract] does.
func Text(t doc.Text) *doc.Document {
	if len(t.Paragraphs) == 0 {
		return Extract(t.Name, t.Source)
	}
	b := &builder{src: t.Source, doc: &doc.Document{Source: t.Source, Format: t.Format, Title: t.Title}, name: t.Name}
	for _, p := range t.Paragraphs {
		n := len(b.doc.Blocks)
		if p.Role == doc.Table || p.Role == doc.Code {
			b.verbatim(int(p.Start), int(p.End))
		} else {
			b.words(int(p.Start), int(p.End))
		}
		b.close(p.Role, int(p.Level))
		for i := range b.doc.Blocks[n:] {
			b.doc.Blocks[n+i].Page, b.doc.Blocks[n+i].Paragraph = int(p.Page), int(p.Number)
		}
	}
	finish(b.doc, b.name)
	return b.doc
}
