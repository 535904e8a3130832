package fake

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/bailey-run/bailey/internal/worker/engine"
	"github.com/bailey-run/bailey/internal/worker/engine/conformance"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func file(t *testing.T, text string) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConformance(t *testing.T) {
	empty := func(t *testing.T) *os.File { return file(t, "") }
	conformance.Run(t, conformance.Subject{
		Library: func(*testing.T) engine.Library { return New(Script{}) },
		Chat:    empty, Embedding: empty, Draws: true,
		Damaged: func(t *testing.T) *os.File { return file(t, "nothing") },
	})
}
