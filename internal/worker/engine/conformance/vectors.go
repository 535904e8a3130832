package conformance

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

type vector struct {
	v           []float32
	tokens, cut int
}

func vectors(t *testing.T, m engine.Model, background bool, texts ...string) []vector {
	t.Helper()
	out := []vector{}
	err := m.Embed(context.Background(), texts, background, func(v []float32, tokens, cut int) error {
		out = append(out, vector{append([]float32(nil), v...), tokens, cut})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != len(texts) {
		t.Fatalf("%d vectors of %d texts", len(out), len(texts))
	}
	return out
}

func cosine(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func embed(t *testing.T, s Subject) {
	m := s.model(t, s.Embedding(t), engine.Options{Embedding: true})
	texts := []string{"the sea and the river", "a river runs to the sea", "", "seven questions about school", "漢字 🙂 \xff", strings.Repeat("water and stone ", 10)}
	for range 4 {
		texts = append(texts, texts[:6]...)
	}
	all := vectors(t, m, false, texts...)
	behind := vectors(t, m, true, texts...)
	for i, v := range all {
		if len(v.v) != m.Info().Dimension {
			t.Fatalf("%d numbers, the model says %d", len(v.v), m.Info().Dimension)
		}
		if n := math.Sqrt(cosine(v.v, v.v)); math.Abs(n-1) > 1e-4 {
			t.Errorf("%q: length %v", texts[i], n)
		}
		if v.cut != 0 || v.tokens == 0 && texts[i] != "" {
			t.Errorf("%q: %d tokens, %d cut", texts[i], v.tokens, v.cut)
		}
		// Neither the place in the batch nor the number of threads changes it.
		if c := cosine(v.v, all[i%6].v); c < 0.9999 {
			t.Errorf("%q: %v to itself in another place", texts[i], c)
		}
		if c := cosine(v.v, behind[i].v); c < 0.9999 {
			t.Errorf("%q: %v to itself in the background", texts[i], c)
		}
		if one := vectors(t, m, false, texts[i])[0]; cosine(one.v, v.v) < 0.9999 || one.tokens != v.tokens {
			t.Errorf("%q: alone %v, %d tokens", texts[i], cosine(one.v, v.v), one.tokens)
		}
	}
	if near, far := cosine(all[0].v, all[1].v), cosine(all[0].v, all[3].v); near <= far {
		t.Errorf("like texts %v, unlike %v", near, far)
	}
	long := vectors(t, m, false, strings.Repeat("water and stone ", repeats))[0]
	if long.cut <= 0 || long.tokens-long.cut != m.Info().Context {
		t.Errorf("a text over the context of %d: %d tokens, %d cut", m.Info().Context, long.tokens, long.cut)
	}

	gone := errors.New("gone")
	if err := m.Embed(context.Background(), texts, false, func([]float32, int, int) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("an error of emit came back as %v", err)
	}
	for _, background := range []bool{false, true} {
		ctx, end := context.WithCancel(context.Background())
		var asked time.Time
		many := []string{}
		for range 50 {
			many = append(many, texts...)
		}
		err := m.Embed(ctx, many, background, func([]float32, int, int) error {
			if asked.IsZero() {
				asked = time.Now()
				end()
			}
			return nil
		})
		code(t, "cancelled", err, errs.Cancelled)
		// Work in the background waits for every other process before it can end.
		if took := time.Since(asked); !background && took > slack*limits.EngineCancel {
			t.Errorf("it ended after %v", took)
		}
		end()
	}
	if err := m.Embed(context.Background(), nil, false, nil); err != nil {
		t.Errorf("no texts: %v", err)
	}
	m.Close()
	code(t, "closed", m.Embed(context.Background(), texts, false, nil), errs.Cancelled)
}

func role(t *testing.T, s Subject) {
	m := s.model(t, s.Embedding(t), engine.Options{Embedding: true})
	_, err := m.Generate(context.Background(), engine.Request{Prompt: []engine.Token{1}}, nil)
	code(t, "an embedding model that is to write", err, errs.ModelRole)
	code(t, "a chat model that is to make vectors", s.chat(t, engine.Options{}).Embed(context.Background(), []string{"x"}, false, nil), errs.ModelRole)
}
