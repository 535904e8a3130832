package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/worker/engine/llama"
	"github.com/bailey-run/bailey/internal/worker/index"
)

// model is an embedding model in this process, without its sandbox: what is
// measured is the answers. It is an index.Embedder.
type model struct {
	m      engine.Model
	digest [sha256.Size]byte
}

var _ index.Embedder = (*model)(nil)

// openModel loads an embedding model.
func openModel(ctx context.Context, file, library string) (*model, error) {
	return load(ctx, file, library, true)
}

// load loads the model of a file with the libraries of a folder.
func load(ctx context.Context, file, library string, embedding bool) (*model, error) {
	l, err := llama.Open(library)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m, err := l.Load(ctx, f, engine.Options{Size: size, Embedding: embedding}, func(float32) {})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return &model{m: m, digest: [sha256.Size]byte(h.Sum(nil))}, nil
}

func (m *model) Digest() [sha256.Size]byte { return m.digest }

func (m *model) Dimension() int { return m.m.Info().Dimension }

// Embed never works in the background: somebody waits for the figures.
func (m *model) Embed(ctx context.Context, texts []string, _ bool, emit func([]float32) error) error {
	return m.m.Embed(ctx, texts, false, func(v []float32, _, _ int) error { return emit(v) })
}

// byMeaning is the engine with a model that finds by meaning: with the vectors of
// all passages, or on a folder that has none yet.
type byMeaning struct {
	*engineOf
	m *model
}

func openByMeaning(ctx context.Context, dir string, m *model, vectors bool) (*byMeaning, error) {
	e, err := openEngine(ctx, dir)
	if err != nil {
		return nil, err
	}
	b := &byMeaning{e, m}
	if vectors {
		if err := e.x.Vectors(ctx, m, func(int, int) {}); err != nil {
			return nil, errors.Join(err, b.close())
		}
	}
	return b, nil
}

func (b *byMeaning) ask(ctx context.Context, q string) (answer, error) {
	a, err := b.x.AskBy(ctx, q, asked, b.m)
	if err != nil {
		return answer{}, err
	}
	if a.Without != "" {
		return answer{}, fmt.Errorf("the model was not used: %s", a.Without)
	}
	return fromIndex(a), nil
}
