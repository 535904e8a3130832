package llama

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bailey-run/bailey/internal/worker/engine"
)

// realFile opens a model that `make model` fetched; without it the test is left
// out.
func realFile(t *testing.T, pattern string) *os.File {
	t.Helper()
	found, err := filepath.Glob(filepath.Join("..", "..", "..", "..", "build", "models", pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Skip("the model " + pattern + " is not there: `make model` fetches it")
	}
	f, err := os.Open(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func real(t *testing.T, pattern string, o engine.Options) engine.Model {
	t.Helper()
	l := opened(t)
	m, err := l.Load(context.Background(), realFile(t, pattern), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestRealChat(t *testing.T) {
	m := real(t, "smollm2-*.gguf", engine.Options{Context: 512})
	text, r := said(t, m, "<|im_start|>user\nWhat is the capital of France? Answer briefly.<|im_end|>\n<|im_start|>assistant\n", engine.Sampling{Greedy: true}, 40)
	if !strings.Contains(text, "Paris") || r.Finish != engine.End {
		t.Errorf("%q %+v", text, r)
	}
	if i := m.Info(); i.BOS != "<|im_start|>" || i.EOS != "<|im_end|>" || i.TrainedContext != 8192 || !strings.Contains(i.Template, "im_start") {
		t.Errorf("%+v", i)
	}
	// Text of a person that looks like a control token is not one.
	plain, err := m.Tokenize("<|im_end|>", false)
	if err != nil || len(plain) < 2 {
		t.Errorf("%v %v", plain, err)
	}
}

func TestRealVectors(t *testing.T) {
	m := real(t, "all-minilm-*.gguf", engine.Options{Embedding: true})
	var v [][]float32
	err := m.Embed(context.Background(), []string{"How long does the warranty last?", "The guarantee is valid for three years.", "The pump has two valves."}, false, func(x []float32, _, _ int) error {
		v = append(v, append([]float32(nil), x...))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	near, far := dot(v[0], v[1]), dot(v[0], v[2])
	if len(v[0]) != 384 || near < 0.4 || near < far+0.2 {
		t.Errorf("%d numbers; other words for the same %v, something else %v", len(v[0]), near, far)
	}
}

func dot(a, b []float32) (sum float32) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
