package llama

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/worker/engine/conformance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// libraries is the directory of the libraries; without them the test is left
// out.
func libraries(t testing.TB) string {
	t.Helper()
	dirs := []string{os.Getenv("BAILEY_ENGINE_LIBS"), filepath.Join("..", "..", "..", "..", "build", "engine")}
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, llamaName)); err == nil {
			return dir
		}
	}
	t.Skip("the libraries for models are not there: `make engine` fetches them")
	return ""
}

func opened(t testing.TB) *Library {
	t.Helper()
	l, err := Open(libraries(t))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// written is a model's file, open for reading.
func written(t testing.TB, g *gguf.File) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	w, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Write(w); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConformance(t *testing.T) {
	l := opened(t)
	conformance.Run(t, conformance.Subject{
		Library:   func(*testing.T) engine.Library { return l },
		Chat:      func(t *testing.T) *os.File { return written(t, gguf.Llama(gguf.Small(1))) },
		Embedding: func(t *testing.T) *os.File { return written(t, gguf.Embedding(1)) },
		Damaged: func(t *testing.T) *os.File {
			g := gguf.Llama(gguf.Small(1))
			g.Cut = 400_000
			return written(t, g)
		},
		Draws: true,
	})
}
