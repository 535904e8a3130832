package index

import (
	"context"
	"crypto/sha256"

	"github.com/bailey-run/bailey/internal/worker/index/answer"
	"github.com/bailey-run/bailey/internal/worker/index/summary"
	"github.com/bailey-run/bailey/internal/worker/index/written"
)

// Writer is a model that writes; package attach implements it.
type Writer interface {
	written.Writer
	// Digest is the SHA-256 of the model's file.
	Digest() [sha256.Size]byte
}

// Write has a model write about the files that matter most in a summary, and
// about the folder. What it said of a file is kept, and said again until the
// file, the model or the question changes.
func (x *Index) Write(ctx context.Context, w Writer, s summary.Summary, emit func(written.Sentence) error) (written.Text, error) {
	var files []written.File
	m := &memory{x: x, model: w.Digest()}
	for _, top := range s.Top {
		f := written.File{Path: top.Path, Title: top.Title}
		for _, l := range top.Leads {
			f.Leads = append(f.Leads, written.Passage{Text: l.Text, Language: top.Language,
				Citations: []answer.Citation{{Path: top.Path, Line: l.Line, End: l.End, Quote: l.Quote, Page: l.Page, Paragraph: l.Paragraph}}})
		}
		files = append(files, f)
		m.hashes = append(m.hashes, top.Hash)
	}
	return written.Summary(ctx, w, files, m, emit)
}

// memory is what the database holds of a model's words. Files go by the hash of
// what the model is told of: while it writes, they may change.
type memory struct {
	x      *Index
	model  [sha256.Size]byte
	hashes [][]byte
}

func (m *memory) Recall(ctx context.Context, file int) (text string, err error) {
	err = m.x.read(ctx, "index.recall", func() error {
		text, err = m.x.store.Told(ctx, m.hashes[file], m.model, written.Prompt)
		return err
	})
	return text, err
}

func (m *memory) Keep(ctx context.Context, file int, text string) error {
	return m.x.read(ctx, "index.keep", func() error {
		return m.x.store.Tell(ctx, m.hashes[file], m.model, written.Prompt, text)
	})
}
