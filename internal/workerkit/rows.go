package workerkit

import (
	"context"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
)

// rows is the worker's own table of the grants that it may serve, as the core
// pushed them. A router in the core that is wrong cannot widen it.
type rows struct {
	clock clock.Clock

	mu sync.Mutex
	m  map[capability.Handle]*held
}

type held struct {
	row    capability.Row
	mount  string
	calls  uint64
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (r *rows) put(q *workerv1.PutGrantRequest) error {
	const op = "workerkit.put"
	h := capability.Handle(q.Handle)
	row := capability.Row{Kind: q.Kind, MaxCalls: q.MaxCalls}
	if (q.ExpiresWallMs == 0) != (q.ExpiresInMs == 0) {
		return errs.New(errs.Malformed, op).With("an expiry needs both clocks")
	}
	if q.ExpiresWallMs != 0 {
		row.Expiry = capability.Expiry{
			Wall: time.UnixMilli(q.ExpiresWallMs),
			Boot: r.clock.Boot() + time.Duration(q.ExpiresInMs)*time.Millisecond,
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, dup := r.m[h]; dup {
		return errs.New(errs.Malformed, op).With("the handle is in use")
	}
	if len(r.m) >= limits.WorkerGrants {
		return errs.New(errs.TooLarge, op)
	}
	g := &held{row: row, mount: q.Mount}
	g.ctx, g.cancel = context.WithCancelCause(context.Background())
	r.m[h] = g
	return nil
}

func (r *rows) drop(h []byte) {
	r.mu.Lock()
	g := r.m[capability.Handle(h)]
	delete(r.m, capability.Handle(h))
	r.mu.Unlock()
	if g != nil {
		g.cancel(errs.New(errs.GrantRevoked, "workerkit"))
	}
}

// use checks one call and counts it.
func (r *rows) use(kind policyv1.Kind, h []byte) (*held, error) {
	if len(h) != len(capability.Handle{}) {
		return nil, errs.New(errs.GrantMissing, "workerkit.use")
	}
	wall, boot := r.clock.Wall(), r.clock.Boot()
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.m[capability.Handle(h)]
	if g == nil {
		return nil, errs.New(errs.GrantMissing, "workerkit.use")
	}
	if err := g.row.Check(capability.Use{Kind: kind, Calls: g.calls + 1, Wall: wall, Boot: boot}); err != nil {
		return nil, err
	}
	g.calls++
	return g, nil
}
