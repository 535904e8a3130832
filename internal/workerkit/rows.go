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
// pushed them. A router in the core that is wrong cannot widen it. A row is
// usable on one connection: the core's (channel 0), or the peer's that it was
// bound to.
type rows struct {
	clock clock.Clock

	mu       sync.Mutex
	m        map[capability.Handle]*held
	channels uint64
	// count is how many rows there ever were.
	count uint64
}

type held struct {
	// number is the row's own; none has it again.
	number uint64
	row    capability.Row
	mount  string
	quota  quota
	ctx    context.Context
	cancel context.CancelCauseFunc
	// watched says that somebody is told of the end.
	watched sync.Once

	// Guarded by the mutex of rows.
	calls   uint64
	used    quota
	running uint32
}

// quota is what all calls with one grant may take together; 0 = no limit.
type quota struct {
	tokens   uint64
	time     time.Duration
	parallel uint32
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
	g := &held{row: row, mount: q.Mount, quota: quota{
		tokens:   q.MaxTokens,
		time:     milliseconds(q.MaxMilliseconds),
		parallel: q.MaxParallel,
	}}
	g.ctx, g.cancel = context.WithCancelCause(context.Background())
	r.count++
	g.number = r.count
	r.m[h] = g
	return nil
}

// milliseconds turns n into a duration; more than a duration holds is the
// longest one, 292 years.
func milliseconds(n uint64) time.Duration {
	const longest = time.Duration(1<<63 - 1)
	if n > uint64(longest/time.Millisecond) {
		return longest
	}
	return time.Duration(n) * time.Millisecond
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

// bind moves a row from the core's connection to another one, for good, and
// returns the number of that one.
func (r *rows) bind(h []byte) (channel uint64, g *held, err error) {
	const op = "workerkit.bind"
	if len(h) != len(capability.Handle{}) {
		return 0, nil, errs.New(errs.GrantMissing, op)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	g = r.m[capability.Handle(h)]
	if g == nil || g.row.Holder.Channel != 0 || g.calls != 0 {
		return 0, nil, errs.New(errs.GrantMissing, op)
	}
	r.channels++
	g.row.Holder.Channel = r.channels
	return r.channels, g, nil
}

// use checks one call that came on a channel, and counts it.
func (r *rows) use(kind policyv1.Kind, channel uint64, h []byte) (*held, error) {
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
	if err := g.row.Check(capability.Use{Kind: kind, Channel: channel, Calls: g.calls + 1, Wall: wall, Boot: boot}); err != nil {
		return nil, err
	}
	g.calls++
	return g, nil
}
