package answer

import (
	"context"
	"errors"
	"slices"
	"sort"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/fold"
	"github.com/bailey-run/bailey/internal/worker/index/store"
)

// Meaning is a model that turns texts into vectors of length 1, and the vectors
// of it that are kept.
type Meaning interface {
	// Embed calls emit with a vector for each text, in order.
	Embed(ctx context.Context, texts []string, emit func([]float32) error) error
	// Nearest returns the n passages nearest to a vector, of those whose vectors
	// are kept, the nearest first.
	Nearest(ctx context.Context, q []float32, n int) ([]store.Near, error)
	// All returns the passages of the folder, at most n.
	All(ctx context.Context, n int) ([]int64, error)
	// Floor is the cosine of texts that have nothing to do with each other, below
	// 1.
	Floor() float64
	// Cosines returns the cosines of a vector with those that are kept of the
	// passages.
	Cosines(ctx context.Context, q []float32, ids []int64) (map[int64]float32, error)
}

// FindBy is [Find] with a model's help: passages are found by words and by
// meaning, and their ranks fused. Where the model fails, the answer is that of
// Find, and Without says why.
func FindBy(ctx context.Context, src Source, question string, max int, m Meaning) (Answer, error) {
	return findBy(ctx, src, question, max, m, standard(), mixed())
}

// mix weighs words and meaning. The figures were set by measurement on two
// thirds of bench/answers.
type mix struct {
	// rank is what the fused rank of a passage counts beside the score of the
	// window's words.
	rank float64
	// near is what the nearness of a window's passage counts for evidence, beside
	// what it covers of the question.
	near float64
	// silence is the evidence below which nothing is said, unless the best
	// passage is so near that words do not matter: sure.
	silence, sure float64
	// others is the evidence that a window needs beside the best where no word of
	// its passage was asked for: of a folder of a few passages each is among the
	// nearest.
	others float64
}

func mixed() mix { return mix{rank: 1, near: 0.35, silence: 0.715, sure: 0.65, others: 0.2} }

func findBy(ctx context.Context, src Source, question string, max int, m Meaning, p params, x mix) (Answer, error) {
	if max <= 0 {
		max = limits.AnswerSentences
	}
	l, err := byWords(ctx, src, question, p)
	if err != nil {
		return Answer{}, err
	}
	g, err := byMeaning(ctx, src, question, m, l)
	if code := Lost(ctx, err); code != "" {
		a := l.answer(max)
		a.Without = code
		return a, nil
	}
	if err != nil {
		return Answer{}, err
	}
	return g.answer(max, x), nil
}

// Lost tells a model that failed, with which code, from a caller that is gone
// and from a store that is damaged.
func Lost(ctx context.Context, err error) errs.Code {
	var m ModelError
	if ctx.Err() != nil || !errors.As(err, &m) {
		return ""
	}
	return errs.CodeOf(m.Err)
}

// ModelError marks an error as the model's.
type ModelError struct{ Err error }

func (e ModelError) Error() string { return e.Err.Error() }
func (e ModelError) Unwrap() error { return e.Err }

// lexical is what was found by words: windows of the candidates, best first.
type lexical struct {
	r       *ranker
	windows []window
	top     float64 // the best score of a passage
}

// byWords is the part of Find before it is silent or picks.
func byWords(ctx context.Context, src Source, question string, p params) (lexical, error) {
	f := fold.New()
	q, err := analyse(ctx, src, f, question, p)
	if err != nil {
		return lexical{}, err
	}
	l := lexical{r: &ranker{q: q, p: p, fold: f}}
	if len(q.terms) == 0 {
		return l, nil
	}
	passages, err := candidates(ctx, src, q)
	if err != nil {
		return lexical{}, err
	}
	for _, c := range passages {
		l.top = max(l.top, c.bm25)
	}
	l.windows = l.r.rank(passages)
	return l, nil
}

// answer is silent, or picks the best windows.
func (l *lexical) answer(most int) Answer {
	if len(l.windows) == 0 {
		return Answer{}
	}
	a := Answer{Evidence: l.r.evidence(l.windows)}
	silence := l.r.p.silence
	if l.r.q.lang != "en" {
		silence = l.r.p.foreign
	}
	if a.Evidence >= silence {
		a.Sentences = l.r.pick(l.windows, most)
	}
	return a
}

// meant is what was found by words and by meaning.
type meant struct {
	lexical
	// cosine of the passages that have a vector.
	cosine map[int64]float32
	// near are the passages of the whole index by their cosines, nearest first;
	// of a folder without vectors, those that were embedded now.
	near  []store.Near
	floor float64
	// all are the windows of the passages that were found by either.
	all []window
}

// byMeaning finds by meaning, among all vectors that are kept and, as far as
// limits.MeaningFreshTime goes, among the best by words that have none.
func byMeaning(ctx context.Context, src Source, question string, m Meaning, l lexical) (*meant, error) {
	g := &meant{lexical: l, cosine: map[int64]float32{}, floor: m.Floor()}
	q, err := questionVector(ctx, m, question)
	if err != nil {
		return nil, err
	}
	if g.near, err = m.Nearest(ctx, q, limits.MeaningNear); err != nil {
		return nil, err
	}
	have := map[int64]bool{}
	var ids []int64
	var passages []store.Passage
	for i := range l.windows {
		if ps := l.windows[i].passage; !have[ps.ID] {
			have[ps.ID] = true
			ids = append(ids, ps.ID)
			passages = append(passages, *ps)
		}
	}
	if l.r.q.chunks <= limits.MeaningFresh {
		// So few that all of them can be embedded now, also those that share no
		// word with the question.
		all, err := m.All(ctx, limits.MeaningFresh)
		if err != nil {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(id int64) bool { return have[id] })
		others, err := src.Passages(ctx, all)
		if err != nil {
			return nil, err
		}
		ids, passages = append(ids, all...), append(passages, others...)
	}
	if g.cosine, err = m.Cosines(ctx, q, ids); err != nil {
		return nil, err
	}
	if err := g.embed(ctx, m, q, passages); err != nil {
		return nil, err
	}
	// What only meaning found.
	var more []int64
	for _, n := range g.near {
		g.cosine[n.Chunk] = n.Cosine
		if !have[n.Chunk] {
			more = append(more, n.Chunk)
		}
	}
	found, err := src.Passages(ctx, more)
	if err != nil {
		return nil, err
	}
	g.all = append(g.all, l.windows...)
	for _, ps := range found {
		c := candidate{Passage: ps}
		g.all = append(g.all, l.r.windowsOf(&c, l.top, true)...)
	}
	return g, nil
}

func questionVector(ctx context.Context, m Meaning, question string) ([]float32, error) {
	ctx, cancel := context.WithTimeout(ctx, limits.MeaningQuestionTime)
	defer cancel()
	var q []float32
	if err := m.Embed(ctx, []string{question}, func(v []float32) error { q = v; return nil }); err != nil {
		return nil, ModelError{err}
	}
	return q, nil
}

// embed makes vectors of the best passages by words that have none, until the
// time is over.
func (g *meant) embed(ctx context.Context, m Meaning, q []float32, passages []store.Passage) error {
	var texts []string
	var ids []int64
	for _, ps := range passages {
		if len(ids) >= limits.MeaningFresh {
			break
		}
		if _, ok := g.cosine[ps.ID]; ok {
			continue
		}
		if text := ps.Meaning(); text != "" {
			texts = append(texts, text)
			ids = append(ids, ps.ID)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, limits.MeaningFreshTime)
	defer cancel()
	n := 0
	err := m.Embed(limited, texts, func(v []float32) error {
		c := product(q, v)
		g.cosine[ids[n]] = c
		g.near = append(g.near, store.Near{Chunk: ids[n], Cosine: c})
		n++
		return nil
	})
	sort.SliceStable(g.near, func(i, j int) bool { return g.near[i].Cosine > g.near[j].Cosine })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && limited.Err() == nil {
		return ModelError{err}
	}
	return nil // with what there is
}

func product(a, b []float32) float32 {
	var s float32
	for i := range min(len(a), len(b)) {
		s += a[i] * b[i]
	}
	return s
}

// fused orders passages by the sum of their reciprocal ranks in both lists
// (Cormack, Clarke, Büttcher, SIGIR 2009), from 0 to 1.
func (g *meant) fused() map[int64]float64 {
	const k = limits.MeaningFusion
	out := map[int64]float64{}
	add := func(ids []int64) {
		for i, id := range ids {
			out[id] += (k + 1) / float64(k+1+i) / 2
		}
	}
	var byWords, byMeaning []int64
	seen := map[int64]bool{}
	for i := range g.windows {
		if id := g.windows[i].passage.ID; !seen[id] {
			seen[id] = true
			byWords = append(byWords, id)
		}
	}
	for _, n := range g.near {
		byMeaning = append(byMeaning, n.Chunk)
	}
	add(byWords)
	add(byMeaning)
	return out
}

// answer orders the windows by words and meaning together, and is silent when
// the best has too little evidence of both.
func (g *meant) answer(most int, x mix) Answer {
	if len(g.all) == 0 {
		return Answer{}
	}
	fused := g.fused()
	ws := append([]window(nil), g.all...)
	for i := range ws {
		ws[i].score += x.rank * fused[ws[i].passage.ID]
	}
	sort.SliceStable(ws, func(i, j int) bool { return ws[i].score > ws[j].score })
	best := &ws[0]
	a := Answer{Evidence: g.evidence(best, x)}
	silence := x.silence
	if g.r.q.lang != "en" {
		silence -= g.r.p.silence - g.r.p.foreign
	}
	if g.nearness(best.passage.ID) >= x.sure {
		a.Evidence = max(a.Evidence, silence)
	}
	if a.Evidence >= silence {
		found := map[int64]bool{best.passage.ID: true}
		for i := range g.windows {
			found[g.windows[i].passage.ID] = true
		}
		ws = slices.DeleteFunc(ws, func(w window) bool { return !found[w.passage.ID] && g.evidence(&w, x) < x.others })
		a.Sentences = g.r.pick(ws, most)
	}
	return a
}

// evidence is that of a window's words and of its passage's nearness together.
func (g *meant) evidence(w *window, x mix) float64 {
	e := x.near * g.nearness(w.passage.ID)
	if len(g.r.q.terms) > 0 {
		e += g.r.evidence([]window{*w})
	}
	return e
}

// nearness is the cosine of a passage between that of any two texts, 0, and that
// of the same, 1: models differ in what they give to texts that have nothing to
// do with each other, from 0 to 0.8.
func (g *meant) nearness(id int64) float64 {
	return max(0, (float64(g.cosine[id])-g.floor)/(1-g.floor))
}
