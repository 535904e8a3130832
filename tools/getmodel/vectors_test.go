package main

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/worker/engine/llama"
)

// reference is a text with its tokens and its vector by an implementation that
// shares nothing with the engine; testdata/reference.py made them.
type reference struct {
	Text   string
	Tokens []int
	Vector []float64
}

// least cosine to the reference. Q8_0 alone costs up to 0.0012, most on a text
// of one letter; a wrong tensor, pooling or tokenizer costs far more.
const least = 0.998

// The converted model, in the engine, is the model that was converted.
func TestVectorsAgainstReference(t *testing.T) {
	library, err := filepath.Abs(filepath.Join("..", "..", "build", "engine"))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := filepath.Glob(filepath.Join(library, "libllama*")); err != nil || len(found) == 0 {
		t.Skip("the engine's library is not in build/engine (make engine)")
	}
	f, err := os.Open(filepath.Join("..", "..", "build", "models", miniLM))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the model is not in build/models (make model)")
	}
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join("testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var refs []reference
	if err := json.Unmarshal(b, &refs); err != nil {
		t.Fatal(err)
	}
	l, err := llama.Open(library)
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.Load(t.Context(), f, engine.Options{Size: info.Size(), Embedding: true, Threads: 1}, func(float32) {})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if i := m.Info(); i.Dimension != len(refs[0].Vector) || i.TrainedContext != 512 {
		t.Errorf("%+v", i)
	}
	if len(refs) < 20 {
		t.Errorf("only %d texts", len(refs))
	}
	vectors := embed(t, m, refs)
	for i, r := range refs {
		if c := cosine(vectors[i], r.Vector); c < least {
			t.Errorf("%q: cosine %.5f", r.Text, c)
		}
		// The control: what is compared tells texts apart.
		other := refs[(i+7)%len(refs)]
		if c := cosine(vectors[i], other.Vector); c > 0.98 {
			t.Errorf("%q and %q: cosine %.5f, so the test shows nothing", r.Text, other.Text, c)
		}
	}
}

// embed wants as many tokens of each text as the reference has, and none left
// out.
func embed(t *testing.T, m engine.Model, refs []reference) [][]float32 {
	t.Helper()
	var texts []string
	for _, r := range refs {
		texts = append(texts, r.Text)
	}
	var out [][]float32
	err := m.Embed(context.Background(), texts, false, func(v []float32, tokens, truncated int) error {
		if r := refs[len(out)]; tokens != len(r.Tokens) || truncated != 0 {
			t.Errorf("%q: %d tokens and %d left out, the reference has %d", r.Text, tokens, truncated, len(r.Tokens))
		}
		out = append(out, append([]float32(nil), v...))
		return nil
	})
	if err != nil || len(out) != len(refs) {
		t.Fatalf("%d vectors for %d texts: %v", len(out), len(refs), err)
	}
	return out
}

func cosine(a []float32, b []float64) float64 {
	var ab, aa, bb float64
	for i := range a {
		ab += float64(a[i]) * b[i]
		aa += float64(a[i]) * float64(a[i])
		bb += b[i] * b[i]
	}
	return ab / math.Sqrt(aa*bb)
}
