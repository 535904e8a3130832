package extractive

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
		Library: func(*testing.T) engine.Library { return New() },
		Chat:    empty, Embedding: empty,
	})
}

func TestAnswer(t *testing.T) {
	for _, c := range []struct{ prompt, want string }{
		{"The pump has two valves. It weighs 12 kg.\nThe warranty lasts three years.\n\nHow long does the warranty last?", "The warranty lasts three years."},
		{"<|im_start|>system\nUse these.\n\nThe sea is deep.<|im_end|>\n<|im_start|>user\nIs the sea deep?<|im_end|>\n<|im_start|>assistant\n", "The sea is deep."},
		{"The pump has two valves.\n\nWho wrote Hamlet?", ""},
		{"", ""},
	} {
		if got := Answer(c.prompt); got != c.want {
			t.Errorf("%q: %q, want %q", c.prompt, got, c.want)
		}
	}
}
