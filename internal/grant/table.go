// Package grant is the core's table of live grants and its store of what a
// person asked to be remembered. Only the core links it. It refuses to hold a
// grant that has no record: the caller passes the record's durable append to
// [Table.Mint], and a failed append means no grant.
package grant

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"maps"
	"sort"
	"sync"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// Table holds the live grants. Its methods may be called from any goroutine.
type Table struct {
	clock clock.Clock

	mu     sync.Mutex
	grants map[capability.ID]*Grant
	// keys finds a grant by channel and handle together, so that a handle
	// seen on another channel is not even looked at.
	keys map[key]*Grant
	// watchers are told of the ends of a channel's grants.
	watchers map[uint64]func(capability.ID, errs.Code)
	// ends counts the grants that have ended.
	ends uint64
	// closed is why nothing can be minted any more; nil while it can.
	closed *errs.Error
}

type key struct {
	channel uint64
	handle  capability.Handle
}

// Grant is one live row.
type Grant struct {
	Row    capability.Row
	handle capability.Handle
	// ctx ends with the grant; its cause is the errs code a user sees.
	ctx    context.Context
	cancel context.CancelCauseFunc

	table *Table
	// Guarded by table.mu.
	calls    uint64
	level    string
	ended    bool
	place    uint64 // among those that have ended
	children []*Grant
	onEnd    []func()
}

// Ended is a grant that a call of the table has just ended.
type Ended struct {
	Row   capability.Row
	Calls uint64
	// Level is that of the sandbox in which the work under it runs, in a person's
	// words; empty where none has begun.
	Level string
}

// NewTable returns an empty table.
func NewTable(c clock.Clock) *Table {
	return &Table{clock: c, grants: map[capability.ID]*Grant{}, keys: map[key]*Grant{}, watchers: map[uint64]func(capability.ID, errs.Code){}}
}

// NewID returns a fresh name for a grant or a remembered policy: 64 random
// bits, for people to type.
func NewID() capability.ID {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return capability.ID(hex.EncodeToString(b[:]))
}

// Mint adds a grant and returns it with its handle. record is called first,
// outside the lock, with the finished row; when it fails nothing is minted.
// Errors: those of record, errs.CoreBusy when the table, or the channel's share of
// it, is full.
func (t *Table) Mint(row capability.Row, record func(capability.Row) error) (*Grant, capability.Handle, error) {
	const op = "grant.mint"
	if !capability.Mintable(row) {
		return nil, capability.Handle{}, errs.New(errs.Denied, op).With(capability.Name(row.Kind) + " cannot be granted in this release")
	}
	var h capability.Handle
	_, _ = rand.Read(h[:])
	row.ID = NewID()
	row.Since = t.clock.Wall()
	g := &Grant{Row: row, handle: h, table: t}
	g.ctx, g.cancel = context.WithCancelCause(context.Background())
	if err := t.room(op, g); err != nil {
		return nil, h, err
	}
	err := record(row)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		err = t.add(op, g)
	}
	if err != nil {
		delete(t.keys, g.key())
		return nil, h, err
	}
	return g, h, nil
}

// add makes a grant live, for who holds the lock.
func (t *Table) add(op string, g *Grant) error {
	if t.closed != nil {
		return t.closed
	}
	if g.Row.Parent != "" {
		p := t.grants[g.Row.Parent]
		if p == nil {
			return errs.New(errs.GrantRevoked, op)
		}
		p.children = append(p.children, g)
	}
	t.grants[g.Row.ID] = g
	return nil
}

// room takes the key of a grant that is about to be minted, so that calls at the
// same time do not share the last place; nobody has its handle yet. Where there
// is no place, a key of the channel gives way whose grant ended first.
func (t *Table) room(op string, g *Grant) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed != nil {
		return t.closed
	}
	if g.Row.Run {
		return nil // it has no key; limits.ProgramRuns bounds them
	}
	keys, folders := 0, 0
	var first *Grant
	for k, o := range t.keys {
		if k.channel != g.Row.Holder.Channel {
			continue
		}
		keys++
		switch {
		case o.ended && (first == nil || o.place < first.place):
			first = o
		case !o.ended && o.Row.Kind == policyv1.Kind_KIND_FILE_READ:
			folders++
		}
	}
	if g.Row.Kind == policyv1.Kind_KIND_FILE_READ && folders >= limits.FoldersPerChannel {
		return errs.New(errs.CoreBusy, op).With("no more folders can be read at the same time")
	}
	if keys >= limits.GrantsPerChannel || len(t.keys) >= limits.GrantsLive {
		if first == nil {
			return errs.New(errs.CoreBusy, op).With("too many permissions are in use at the same time")
		}
		delete(t.keys, first.key())
	}
	t.keys[g.key()] = g
	return nil
}

func (g *Grant) key() key { return key{g.Row.Holder.Channel, g.handle} }

// Use checks one call against the grant that a handle stands for on a channel
// and counts it. A handle that is unknown, of another channel or of another
// kind gives errs.GrantMissing each time.
func (t *Table) Use(kind policyv1.Kind, channel uint64, h []byte) (*Grant, error) {
	if len(h) != len(capability.Handle{}) {
		return nil, errs.New(errs.GrantMissing, "grant.use")
	}
	wall, boot := t.clock.Wall(), t.clock.Boot()
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.keys[key{channel, capability.Handle(h)}]
	if g == nil {
		return nil, errs.New(errs.GrantMissing, "grant.use")
	}
	if g.ended {
		return nil, context.Cause(g.ctx)
	}
	if err := g.Row.Check(capability.Use{Kind: kind, Channel: channel, Calls: g.calls + 1, Wall: wall, Boot: boot}); err != nil {
		return nil, err
	}
	g.calls++
	return g, nil
}

// Context ends when the grant does; context.Cause then is errs.GrantRevoked,
// errs.GrantExpired or errs.Cancelled.
func (g *Grant) Context() context.Context { return g.ctx }

// OnEnd has f called when the grant ends, before the call that ended it
// returns; at once when it has ended already.
func (g *Grant) OnEnd(f func()) {
	g.table.mu.Lock()
	if !g.ended {
		g.onEnd = append(g.onEnd, f)
		g.table.mu.Unlock()
		return
	}
	g.table.mu.Unlock()
	f()
}

// RunsAt notes the level of the sandbox in which the work under the grant runs.
func (g *Grant) RunsAt(level string) {
	g.table.mu.Lock()
	defer g.table.mu.Unlock()
	g.level = level
}

// Watch has f called for every grant of a channel that ends, with the code of the
// reason, until stop is called. It is called before what used the grant is gone,
// so that a person sees at once what they withdrew; it must not block. A channel
// has one watcher.
func (t *Table) Watch(channel uint64, f func(capability.ID, errs.Code)) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watchers[channel] = f
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watchers, channel)
	}
}

// Revoke ends a grant and all below it, and returns them once whatever used
// them is gone. errs.NotFound when no such grant is live.
func (t *Table) Revoke(id capability.ID) ([]Ended, error) {
	t.mu.Lock()
	g := t.grants[id]
	t.mu.Unlock()
	if g == nil {
		return nil, errs.New(errs.NotFound, "grant.revoke").With("no grant has that id").WithHint("`bailey grant list` shows those that are live")
	}
	return t.end([]*Grant{g}, errs.New(errs.GrantRevoked, "grant")), nil
}

// EndTask ends all grants of a task on a channel.
func (t *Table) EndTask(channel uint64, task string) []Ended {
	return t.end(t.find(func(g *Grant) bool { return g.Row.Holder.Channel == channel && g.Row.Holder.Task == task }), errs.New(errs.Cancelled, "grant"))
}

// Finish ends a grant, and all below it, whose purpose is over. It is nobody's
// withdrawal: one that has ended stays as it is. Its key goes in any case.
func (t *Table) Finish(id capability.ID) []Ended {
	ended := t.end(t.find(func(g *Grant) bool { return g.Row.ID == id }), errs.New(errs.Cancelled, "grant"))
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.keys, func(_ key, g *Grant) bool { return g.Row.ID == id })
	return ended
}

// Expire ends the grants whose time is over on either clock.
func (t *Table) Expire() []Ended {
	wall, boot := t.clock.Wall(), t.clock.Boot()
	return t.end(t.find(func(g *Grant) bool { return g.Row.Expiry.Over(wall, boot) }), errs.New(errs.GrantExpired, "grant"))
}

// Close ends every grant; nothing can be minted after it.
func (t *Table) Close() []Ended {
	return t.stop(errs.New(errs.CoreUnavailable, "grant"), errs.New(errs.Cancelled, "grant"))
}

// Break is Close for a reason that whoever uses a grant, or asks for one later,
// is told.
func (t *Table) Break(why *errs.Error) []Ended { return t.stop(why, why) }

func (t *Table) stop(closed, ended *errs.Error) []Ended {
	t.mu.Lock()
	if t.closed == nil {
		t.closed = closed
	}
	t.mu.Unlock()
	return t.end(t.find(func(*Grant) bool { return true }), ended)
}

func (t *Table) find(match func(*Grant) bool) []*Grant {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []*Grant
	for _, g := range t.grants {
		if match(g) {
			out = append(out, g)
		}
	}
	return out
}

// end marks first, so that no new call passes; then cancels what runs; then
// calls the hooks, which kill.
func (t *Table) end(gs []*Grant, cause *errs.Error) []Ended {
	var ended []Ended
	var hooks, told []func()
	t.mu.Lock()
	for len(gs) > 0 {
		g := gs[0]
		gs = append(gs[1:], g.children...)
		if g.ended {
			continue
		}
		t.ends++
		g.ended, g.place = true, t.ends
		delete(t.grants, g.Row.ID)
		if cause.Code == errs.Cancelled {
			delete(t.keys, g.key())
		} // else its own channel is told the cause until Forget, or until it has room for no more
		ended = append(ended, Ended{Row: g.Row, Calls: g.calls, Level: g.level})
		hooks = append(hooks, g.onEnd...)
		g.onEnd = nil
		g.cancel(cause)
		if watch := t.watchers[g.Row.Holder.Channel]; watch != nil {
			told = append(told, func() { watch(g.Row.ID, cause.Code) })
		}
	}
	t.mu.Unlock()
	for _, f := range append(told, hooks...) {
		f()
	}
	return ended
}

// Forget drops what is known of a channel that is gone. Its grants must have
// been ended.
func (t *Table) Forget(channel uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.keys, func(k key, _ *Grant) bool { return k.channel == channel })
}

// List returns the live rows with their counts of calls, oldest first.
func (t *Table) List() []Ended {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Ended, 0, len(t.grants))
	for _, g := range t.grants {
		out = append(out, Ended{Row: g.Row, Calls: g.calls, Level: g.level})
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := &out[i].Row, &out[j].Row
		if a.Since.Equal(b.Since) {
			return a.ID < b.ID
		}
		return a.Since.Before(b.Since)
	})
	return out
}
