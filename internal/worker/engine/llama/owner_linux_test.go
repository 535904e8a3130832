package llama

import (
	"context"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/testkit/gguf"
	"github.com/bailey-run/bailey/internal/worker/engine"
)

// What an owner left is out of the context once it is forgotten, and not only
// when another one needs the room.
func TestForgottenIsCleared(t *testing.T) {
	for name, c := range map[string]struct {
		owner uint64
		after func(engine.Model)
		stays bool
	}{
		"control":   {1, func(engine.Model) {}, true},
		"forgotten": {1, func(m engine.Model) { m.Forget(1) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := loaded(t, gguf.Llama(gguf.Small(1)), engine.Options{Parallel: 2})
			p, err := m.Tokenize(asked, true)
			if err != nil {
				t.Fatal(err)
			}
			call := func(owner uint64) {
				t.Helper()
				q := engine.Request{Owner: owner, Prompt: p, Sampling: engine.Sampling{Greedy: true}, MaxTokens: 3}
				if _, err := m.Generate(context.Background(), q, func(engine.Event) error { return nil }); err != nil {
					t.Fatal(err)
				}
			}
			call(c.owner)
			c.after(m)
			// Another owner, in the other sequence: what came before is done with.
			call(2)
			w := m.(*model).writer
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			found := map[uint64]int{}
			for _, s := range w.slots {
				found[s.owner] += len(s.held)
			}
			if (found[c.owner] > 0) != c.stays || found[2] == 0 {
				t.Errorf("tokens by owner: %v", found)
			}
		})
	}
}

// Prompts are read beside those who write in whole groups of rows, some always, and
// no more than fit into a step.
func TestBeside(t *testing.T) {
	for _, c := range []struct {
		written int
		pace    time.Duration
		want    int
	}{
		{1, 10 * time.Millisecond, 7}, {1, time.Second, 3}, {3, time.Second, 1}, {4, time.Second, 4},
		{1, 40 * time.Millisecond, 3}, {2, 4 * time.Millisecond, 18}, {1, limits.EngineStep, 3},
	} {
		if got := beside(c.written, c.pace); got != c.want || (got+c.written)%limits.EngineRows != 0 {
			t.Errorf("%d written at %v: %d, want %d", c.written, c.pace, got, c.want)
		}
	}
}
