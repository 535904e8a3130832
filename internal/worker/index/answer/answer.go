// Package answer finds the sentences of a folder that answer a question, or
// nothing: BM25 over passages finds candidates; windows of one to three
// sentences within them are scored by how much of the question's informative
// words they hold, how close together, under which headings and in which file,
// and by whether they look like what was asked for (a number, a path, a reason).
// Below a threshold of evidence the answer is empty.
//
// It writes nothing of its own: each sentence is a document's, with its
// citation. It reads the store and does no other I/O. Package index calls it.
package answer

import (
	"context"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/store"
)

// Source is what the ranker needs of package store.
type Source interface {
	Search(ctx context.Context, tokens []string, limit int) ([]store.Hit, error)
	Passages(ctx context.Context, ids []int64) ([]store.Passage, error)
	Frequencies(ctx context.Context, tokens []string) (map[string]int, error)
	Counts(ctx context.Context) (files, chunks int, err error)
	Languages(ctx context.Context) (map[string]int, error)
}

// Citation says where a sentence stands.
type Citation struct {
	Path string
	// Line and End count from 1 in the decoded, unpacked text.
	Line, End int
	// Quote is the source's own text from its place in Line to its place in End.
	Quote string
	// Page and Paragraph are those in which Quote begins, from 1; 0 where the
	// file has none.
	Page, Paragraph int
}

// Sentence is a part of an answer, at most limits.AnswerText characters: one
// line, but of code and tables a line for each of theirs.
type Sentence struct {
	Text      string
	Citations []Citation
	// Language is that of its document; empty when not known.
	Language string
	// Score orders the sentences; it has no unit.
	Score float64
}

// Answer holds the best sentences first; none when nothing was found.
type Answer struct {
	Sentences []Sentence
	// Evidence is the figure that was held against the threshold of silence,
	// for logs and tests.
	Evidence float64
	// Without is why a model that was to help did not; empty = it did, or there
	// was none.
	Without errs.Code
}

// Find answers question in at most max sentences; 0 means
// limits.AnswerSentences. Its errors are the source's.
func Find(ctx context.Context, src Source, question string, max int) (Answer, error) {
	return find(ctx, src, question, max, standard())
}

func find(ctx context.Context, src Source, question string, max int, p params) (Answer, error) {
	if max <= 0 {
		max = limits.AnswerSentences
	}
	l, err := byWords(ctx, src, question, p)
	if err != nil {
		return Answer{}, err
	}
	return l.answer(max), nil
}

// candidates returns the best passages for the question's own words and
// some more for words that mean the same.
func candidates(ctx context.Context, src Source, q *query) ([]candidate, error) {
	own := q.tokens(false)
	hits, err := src.Search(ctx, own, limits.IndexCandidates)
	if err != nil {
		return nil, err
	}
	score := map[int64]float64{}
	var ids []int64
	add := func(hits []store.Hit) {
		for _, h := range hits {
			if _, ok := score[h.Chunk]; !ok {
				ids = append(ids, h.Chunk)
				score[h.Chunk] = h.Score
			}
		}
	}
	add(hits)
	if all := q.tokens(true); len(all) > len(own) {
		if hits, err = src.Search(ctx, all, limits.IndexCandidates/2); err != nil {
			return nil, err
		}
		add(hits)
	}
	ps, err := src.Passages(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]candidate, len(ps))
	for i, p := range ps {
		out[i] = candidate{Passage: p, bm25: score[p.ID]}
	}
	return out, nil
}
