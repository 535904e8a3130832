package workerkit

import (
	"context"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
)

// Row is what the calls with one grant may still take. Everything is taken
// before it is given out, so that parallel calls never get more together than
// the quota says.
type Row struct {
	r *rows
	g *held
}

type rowKey struct{}

// RowOf returns the row of the call of a handler's context. The methods of the
// nil Row, which a call without a grant has, allow everything.
func RowOf(ctx context.Context) *Row { r, _ := ctx.Value(rowKey{}).(*Row); return r }

// Number tells the row from every other one that this process has or had; the
// nil Row's is 0. A grant that comes again is another row.
func (q *Row) Number() uint64 {
	if q == nil {
		return 0
	}
	return q.g.number
}

// AtEnd has f called when the row ends, in a goroutine of its own, so that what
// was kept for its calls can go. The first f of a row counts, so that every call
// may say it. The nil Row has no end.
func (q *Row) AtEnd(f func()) {
	if q != nil {
		q.g.watched.Do(func() { context.AfterFunc(q.g.ctx, f) })
	}
}

// Ended reports whether the row is gone.
func (q *Row) Ended() bool { return q != nil && q.g.ctx.Err() != nil }

// TakeTokens takes up to n tokens and returns how many there were.
func (q *Row) TakeTokens(n uint64) uint64 {
	if q == nil {
		return n
	}
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	if most := q.g.quota.tokens; most != 0 {
		n = min(n, most-q.g.used.tokens)
	}
	q.g.used.tokens += n
	return n
}

// GiveTokens gives back tokens that were taken and not given out.
func (q *Row) GiveTokens(n uint64) {
	if q == nil {
		return
	}
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	q.g.used.tokens -= min(n, q.g.used.tokens)
}

// Tokens returns how many are left, and false when there is no limit.
func (q *Row) Tokens() (left uint64, limited bool) {
	if q == nil {
		return 0, false
	}
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	return q.g.quota.tokens - q.g.used.tokens, q.g.quota.tokens != 0
}

// Begin admits a call that will be at work. It fails with errs.QuotaUsedUp when
// no token or no time is left, and with errs.CoreBusy when as many calls as the
// grant allows are at work: a call does not wait for another one's end, since
// nobody would see why it does. The returned context ends with errs.QuotaUsedUp
// as its cause when the time is used up. done ends the call; idle is how much of
// its time it had to wait for others, which does not count.
func (q *Row) Begin(ctx context.Context) (work context.Context, done func(idle time.Duration), err error) {
	const op = "workerkit.begin"
	if q == nil {
		return ctx, func(time.Duration) {}, nil
	}
	q.r.mu.Lock()
	defer q.r.mu.Unlock()
	g := q.g
	switch {
	case g.quota.tokens != 0 && g.used.tokens >= g.quota.tokens:
		return nil, nil, errs.New(errs.QuotaUsedUp, op).With("all tokens of the grant were written")
	case g.quota.time != 0 && g.used.time >= g.quota.time:
		return nil, nil, errs.New(errs.QuotaUsedUp, op).With("all the time of the grant was used")
	case g.quota.parallel != 0 && g.running >= g.quota.parallel:
		return nil, nil, errs.New(errs.CoreBusy, op).With("as many calls as the grant allows are at work").WithHint("wait for one of them to end")
	}
	g.running++
	w := &atWork{q: q, clock: q.r.clock.Boot, began: q.r.clock.Boot()}
	ctx, w.cancel = context.WithCancelCause(ctx)
	if g.quota.time != 0 {
		w.slice()
	}
	return ctx, w.done, nil
}

// atWork is one call at work under a quota of time. It takes its time in slices,
// so that one call cannot hold all of it while it may need little.
type atWork struct {
	q      *Row
	clock  func() time.Duration
	began  time.Duration
	cancel context.CancelCauseFunc

	// Guarded by the mutex of rows.
	taken time.Duration
	timer *time.Timer
	over  bool
}

// slice takes more time, and reports whether there was any. The mutex is held.
func (w *atWork) slice() bool {
	g := w.q.g
	n := min(limits.WorkerTimeSlice, g.quota.time-g.used.time)
	if n <= 0 {
		return false
	}
	g.used.time += n
	w.taken += n
	left := w.taken - (w.clock() - w.began)
	if w.timer == nil {
		w.timer = time.AfterFunc(max(left, 0), w.end)
	} else {
		w.timer.Reset(max(left, 0))
	}
	return true
}

// end is called when a slice is over.
func (w *atWork) end() {
	w.q.r.mu.Lock()
	defer w.q.r.mu.Unlock()
	if !w.over && !w.slice() {
		w.cancel(errs.New(errs.QuotaUsedUp, "workerkit").With("all the time of the grant was used"))
	}
}

func (w *atWork) done(idle time.Duration) {
	w.q.r.mu.Lock()
	defer w.q.r.mu.Unlock()
	if w.over {
		return
	}
	w.over = true
	w.q.g.running--
	if w.timer != nil {
		w.timer.Stop()
		worked := max(w.clock()-w.began-max(idle, 0), 0)
		w.q.g.used.time -= max(w.taken-worked, 0)
	}
	w.cancel(nil)
}
