package model

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// One file that two tasks bring in at once, when neither sees the other's: it is one
// model, by the name that was asked for, whichever yes comes first.
func TestTwoTasksBringInOneFile(t *testing.T) {
	for name, c := range map[string]struct {
		a, b   string // the name that each asks for; empty = none
		bFirst bool
		want   string
	}{
		"the file's, then one that was asked for":  {"", "other", false, "other"},
		"one that was asked for, then the file's":  {"", "other", true, "other"},
		"two that were asked for":                  {"one", "two", false, "two"},
		"two that were asked for, in other order":  {"one", "two", true, "one"},
		"the file's, and it asked for, by another": {"", "m", false, "m"},
		"neither asks": {"", "", false, "m"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			path := r.file("m.gguf", "GGUF bytes")
			one := r.task
			r.begin()
			two := r.task
			r.task = one
			a, err := r.pull(path, c.a, nil)
			must(t, err)
			r.task = two
			b, err := r.pull(path, c.b, nil)
			must(t, err)
			if a.Known || b.Known || r.partials() != 2 {
				t.Fatalf("control: %v, %v, %d", a.Known, b.Known, r.partials())
			}
			yes := []func() error{
				func() error { r.task = one; _, err := r.pin(stagedRef(a)); return err },
				func() error { r.task = two; _, err := r.pin(stagedRef(b)); return err },
			}
			if c.bFirst {
				slices.Reverse(yes)
			}
			for _, say := range yes {
				must(t, say())
			}
			blobs, err := os.ReadDir(filepath.Join(r.base, "state", "models", "blobs"))
			must(t, err)
			if r.names() != c.want+" terminal" || r.partials() != 0 || len(blobs) != 1 {
				t.Errorf("%s, %d partials, %d files", r.names(), r.partials(), len(blobs))
			}
		})
	}
}

// The name that was asked for may be another model's by the time of the yes.
func TestTwoTasksAndATakenName(t *testing.T) {
	r := newRig(t)
	a, err := r.pull(r.file("m.gguf", "GGUF bytes"), "", nil)
	must(t, err)
	b, err := r.pull(r.file("m.gguf", "GGUF bytes"), "other", nil)
	must(t, err)
	taker, err := r.pull(r.file("t.gguf", "GGUF of another"), "other", nil)
	must(t, err)
	for _, st := range []*modelv1.Staged{a, taker} {
		_, err := r.pin(stagedRef(st))
		must(t, err)
	}
	_, err = r.pin(stagedRef(b))
	wantCode(t, "a name that was taken meanwhile", err, errs.ModelNameTaken)
	if r.names() != "m terminal, other terminal" || r.partials() != 0 {
		t.Error(r.names(), r.partials())
	}
}
