package consent

import (
	"context"
	"crypto/sha256"
	"slices"
	"sync"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Line is where questions of all apps stand until the screen is theirs: a person
// is shown one prompt at a time.
type Line struct {
	mu    sync.Mutex
	turns []*Turn
}

// Turn is a place in the line. Whoever has one leaves it.
type Turn struct {
	line *Line
	app  string
	hash [sha256.Size]byte
	// moved is signalled when somebody before it left.
	moved chan struct{}
}

// Enter takes the last place for a question of an app. errs.PromptBusy when too
// many of the app's stand there already, or this very one does: asked twice it
// is not asked twice.
func (l *Line) Enter(app string, hash [sha256.Size]byte) (*Turn, error) {
	const op = "consent.enter"
	l.mu.Lock()
	defer l.mu.Unlock()
	of := 0
	for _, t := range l.turns {
		if t.app != app {
			continue
		}
		if t.hash == hash {
			return nil, errs.New(errs.PromptBusy, op).With("the same question is open")
		}
		of++
	}
	if of >= limits.ProposalsWaiting {
		return nil, errs.New(errs.PromptBusy, op)
	}
	t := &Turn{line: l, app: app, hash: hash, moved: make(chan struct{}, 1)}
	l.turns = append(l.turns, t)
	return t, nil
}

// Wait returns when the turn has come, or with the cause of ctx's end, or with an
// error of tell, which hears how many stand before: at first and whenever that
// has changed, 0 included.
func (t *Turn) Wait(ctx context.Context, tell func(before int) error) error {
	for {
		t.line.mu.Lock()
		before := slices.Index(t.line.turns, t)
		t.line.mu.Unlock()
		if before < 0 {
			panic("BUG: a turn that was left")
		}
		if err := tell(before); err != nil {
			return err
		}
		if before == 0 {
			return context.Cause(ctx)
		}
		select {
		case <-t.moved:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Leave gives the place up; idempotent.
func (t *Turn) Leave() {
	t.line.mu.Lock()
	defer t.line.mu.Unlock()
	i := slices.Index(t.line.turns, t)
	if i < 0 {
		return
	}
	t.line.turns = slices.Delete(t.line.turns, i, i+1)
	for _, later := range t.line.turns[i:] {
		select {
		case later.moved <- struct{}{}:
		default:
		}
	}
}
