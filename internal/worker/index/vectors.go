package index

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/index/answer"
	"github.com/bailey-run/bailey/internal/worker/index/store"
)

// Embedder is a model that turns texts into vectors of length 1. Package attach
// implements it on an engine of its own process.
type Embedder interface {
	// Digest is the SHA-256 of the model's file.
	Digest() [sha256.Size]byte
	// Dimension is how many numbers a vector has.
	Dimension() int
	// Embed calls emit with a vector for each text, in order. Work in the
	// background gives way to any other.
	Embed(ctx context.Context, texts []string, background bool, emit func([]float32) error) error
}

// meaning is an embedder with the vectors that are kept of it.
type meaning struct {
	e Embedder
	s *store.Store
	m store.Model
}

var _ answer.Meaning = (*meaning)(nil)

func (x *Index) meaning(ctx context.Context, e Embedder) (*meaning, error) {
	m, err := x.store.Model(ctx, e.Digest(), e.Dimension())
	if err != nil {
		return nil, err
	}
	if !m.Measured {
		floor, err := measure(ctx, e)
		if err != nil {
			return nil, answer.ModelError{Err: err}
		}
		if err := x.store.SetFloor(ctx, &m, floor); err != nil {
			return nil, err
		}
	}
	return &meaning{e, x.store, m}, nil
}

// measure returns the mean cosine of some texts that have nothing to do with
// each other.
func measure(ctx context.Context, e Embedder) (float64, error) {
	texts := []string{
		"The cat sleeps on the warm roof.", "Interest rates rose by a quarter of a percent.", "Press the green button to start the machine.",
		"She was born in a small village by the sea.", "The function returns an error when the file is missing.", "Add two eggs and a cup of flour.",
	}
	ctx, cancel := context.WithTimeout(ctx, limits.MeaningMeasureTime)
	defer cancel()
	var vs [][]float32
	if err := e.Embed(ctx, texts, false, func(v []float32) error { vs = append(vs, v); return nil }); err != nil {
		return 0, err
	}
	sum, n := 0.0, 0.0
	for i := range vs {
		for j := range i {
			sum += cosine(vs[i], vs[j])
			n++
		}
	}
	if n == 0 {
		return 0, errs.New(errs.Malformed, "index.measure")
	}
	return min(max(sum/n, 0), limits.MeaningFloor), nil
}

func cosine(a, b []float32) float64 {
	var s float64
	for i := range min(len(a), len(b)) {
		s += float64(a[i]) * float64(b[i])
	}
	return s
}

func (m *meaning) All(ctx context.Context, n int) ([]int64, error) { return m.s.IDs(ctx, n) }

func (m *meaning) Floor() float64 { return m.m.Floor }

func (m *meaning) Embed(ctx context.Context, texts []string, emit func([]float32) error) error {
	return m.e.Embed(ctx, texts, false, emit)
}

func (m *meaning) Nearest(ctx context.Context, q []float32, n int) ([]store.Near, error) {
	return m.s.Nearest(ctx, m.m, q, n)
}

func (m *meaning) Cosines(ctx context.Context, q []float32, ids []int64) (map[int64]float32, error) {
	return m.s.Cosines(ctx, m.m, q, ids)
}

// Vectors makes the vectors that e has not made yet of the passages that Update
// found, and keeps them. It calls report with how many passages have theirs, of
// how many, at the beginning, then at most once a second, and at the end. What was made is committed every
// few seconds, so that a run that is ended, or killed, is gone on with by the
// next. Other calls take turns with its batches.
func (x *Index) Vectors(ctx context.Context, e Embedder, report func(done, total int)) error {
	const op = "index.vectors"
	v := &vectors{x: x, e: e, report: report, said: x.cfg.Clock.Boot()}
	for after := int64(0); ; {
		next, done, err := v.batch(ctx, after)
		if errors.Is(err, store.ErrDamaged) {
			// The next update makes the database anew.
			return errs.Wrap(errs.Internal, op, err)
		}
		if err != nil {
			return typed(op, err)
		}
		if done {
			return nil
		}
		after = next
	}
}

// vectors is one run of Vectors.
type vectors struct {
	x      *Index
	e      Embedder
	report func(done, total int)
	said   time.Duration
	begun  bool
}

// batch makes and commits the vectors of the passages behind the id after, for
// limits.MeaningCommit or until somebody waits for a turn. It returns the id of
// the last, and whether there is none behind it.
func (v *vectors) batch(ctx context.Context, after int64) (last int64, done bool, err error) {
	x := v.x
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.closed || x.store == nil {
		return after, false, errs.New(errs.Cancelled, "index.vectors")
	}
	m, err := x.store.Model(ctx, v.e.Digest(), v.e.Dimension())
	if err != nil {
		return after, false, err
	}
	have, of, err := x.store.Covered(ctx, m)
	if err != nil {
		return after, false, err
	}
	if !v.begun {
		v.begun = true
		v.report(have, of)
	}
	var made []store.Embedded
	began := x.cfg.Clock.Boot()
	failed := error(nil)
	for failed == nil && x.wanted.Load() == 0 && x.cfg.Clock.Boot()-began < limits.MeaningCommit && len(made) < limits.MeaningKept {
		var next []store.Embedded
		if err := x.store.Lacking(ctx, m, after, limits.MeaningBatch, func(id int64, c *store.Chunk) error {
			next = append(next, store.Embedded{ID: id, Chunk: c})
			return nil
		}); err != nil {
			return after, false, err
		}
		if len(next) == 0 {
			done = true
			break
		}
		if failed = v.embed(ctx, next); failed == nil {
			made = append(made, next...)
			after = next[len(next)-1].ID
		}
		if at := x.cfg.Clock.Boot(); at-v.said >= limits.MeaningReport {
			v.said = at
			v.report(have+len(made), of)
		}
	}
	// Also what was made before the engine failed or the caller went.
	if err := x.store.PutVectors(m, made); err != nil {
		return after, false, err
	}
	if failed != nil {
		return after, false, failed
	}
	if done {
		if err := x.store.Settle(ctx); err != nil {
			return after, false, err
		}
		v.report(have+len(made), of)
	}
	return after, done, nil
}

// embed fills in the vectors of those passages that are to have one.
func (v *vectors) embed(ctx context.Context, list []store.Embedded) error {
	var texts []string
	var at []int
	for i := range list {
		if text := list[i].Chunk.Meaning(); text != "" {
			texts = append(texts, text)
			at = append(at, i)
		}
	}
	n := 0
	return v.e.Embed(ctx, texts, true, func(vec []float32) error {
		list[at[n]].Vector = vec
		n++
		return nil
	})
}

// AskBy is Ask with a model's help.
func (x *Index) AskBy(ctx context.Context, question string, max int, e Embedder) (answer.Answer, error) {
	var a answer.Answer
	err := x.read(ctx, "index.ask", func() error {
		m, err := x.meaning(ctx, e)
		if code := answer.Lost(ctx, err); code != "" {
			a, err = answer.Find(ctx, x.store, question, max)
			a.Without = code
			return err
		}
		if err != nil {
			return err
		}
		a, err = answer.FindBy(ctx, x.store, question, max, m)
		return err
	})
	return a, err
}
