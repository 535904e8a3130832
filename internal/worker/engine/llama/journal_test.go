package llama

import (
	"fmt"
	"testing"

	"github.com/bailey-run/bailey/internal/limits"
)

func TestJournal(t *testing.T) {
	j := &journal{}
	j.add(levelError, "unknown model architecture: 'x'\n")
	j.add(levelError, "llama_model_load_from_file_impl: failed to load model\n")
	j.add(2, "information")
	if got := j.last(); got != "unknown model architecture: 'x'" {
		t.Errorf("%q", got)
	}
	if j.memory() {
		t.Error("an unknown architecture is no want of memory")
	}
	for i := range limits.EngineLogLines {
		j.add(levelWarn, fmt.Sprint("line ", i))
	}
	if len(j.lines) != limits.EngineLogLines || j.lines[0] != "line 0" {
		t.Errorf("%d lines from %q", len(j.lines), j.lines[0])
	}
	j.add(levelError, "ggml_aligned_malloc: failed to allocate 9 MB")
	if !j.memory() {
		t.Error("a failed allocation was not seen")
	}
	j.reset()
	if j.memory() || j.last() != "no reason was given" {
		t.Error("something was kept")
	}
}
