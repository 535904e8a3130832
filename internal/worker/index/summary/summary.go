// Package summary says in a few sentences what a folder holds.
package summary

import (
	"context"

	"github.com/bailey-run/bailey/internal/worker/index/store"
)

// Source is what the summary needs of package store.
type Source interface {
	Leads(ctx context.Context, fn func(store.File) error) error
}

// Sentence is a sentence of a summary with its citation.
type Sentence struct {
	// Overview is set for sentences about the folder; the others are about
	// the file that they cite.
	Overview  bool
	Text      string
	Path      string
	Line, End int
	Quote     string
}

// Licence is a licence text in the folder.
type Licence struct{ Path, Name string }

// Summary is what a folder holds.
type Summary struct {
	Sentences []Sentence
	// Licences holds the first limits.ServeLicences licence texts, one a name
	// first; LicencesTotal counts all.
	Licences      []Licence
	LicencesTotal int
}

// Make summarises.
func Make(ctx context.Context, src Source, name string, max int) (Summary, error) {
	var s Summary
	err := src.Leads(ctx, func(f store.File) error {
		if f.Licence != "" {
			s.Licences = append(s.Licences, Licence{f.Path, f.Licence})
			s.LicencesTotal++
			return nil
		}
		leads, err := store.DecodeLeads(f.Lead)
		if err != nil {
			return err
		}
		if len(leads) > 0 && (max == 0 || len(s.Sentences) < max) {
			l := leads[0]
			s.Sentences = append(s.Sentences, Sentence{Text: l.Text, Path: f.Path, Line: l.Line, End: l.End, Quote: l.Quote})
		}
		return nil
	})
	return s, err
}
