package conformance

import (
	"context"
	"sync"
	"testing"

	"github.com/bailey-run/bailey/internal/worker/engine"
)

// owners: what one said is nothing that another can find out, by what is kept of
// its prompt.
func owners(t *testing.T, s Subject) {
	m := s.chat(t, engine.Options{Parallel: 2})
	p := encode(t, m, question(8))
	ask := func(what string, owner uint64, want int) {
		t.Helper()
		if _, res := run(t, m, engine.Request{Owner: owner, Prompt: p, Sampling: greedy, MaxTokens: 3}); res.Reused != want {
			t.Errorf("%s: %d of %d kept, want %d", what, res.Reused, len(p), want)
		}
	}
	all := len(p) - 1
	ask("the first call", 1, 0)
	ask("control: the same owner", 1, all)
	ask("another owner, another sequence", 2, 0)
	ask("the first one's is still there", 1, all)
	ask("a third one, in the sequence of the second", 3, 0)
	ask("the second, whose sequence was taken", 2, 0)
	ask("nobody", 0, 0)
	ask("nobody again", 0, 0)

	ask("before it is forgotten", 4, 0)
	ask("control: it is there", 4, all)
	m.Forget(4)
	ask("after it was forgotten", 4, 0)

	// Forgotten in the middle of a call: nothing stays at its end.
	_, err := m.Generate(context.Background(), engine.Request{Owner: 5, Prompt: p, Sampling: greedy, MaxTokens: 5}, func(engine.Event) error {
		m.Forget(5)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ask("after a call in which it was forgotten", 5, 0)
	m.Forget(6)
	ask("the others' stay when somebody unknown is forgotten", 5, all)

	// At the same time, in one batch.
	var both sync.WaitGroup
	for i := range uint64(8) {
		both.Go(func() {
			if res, err := m.Generate(context.Background(), engine.Request{Owner: 10 + i, Prompt: p, Sampling: greedy, MaxTokens: 3}, func(engine.Event) error { return nil }); err != nil || res.Reused != 0 {
				t.Errorf("beside others: %d of %d kept, %v", res.Reused, len(p), err)
			}
			m.Forget(10 + i)
		})
	}
	both.Wait()
}
