package core

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
)

// engineKey says which engine serves a grant: there is one for each app and
// model, so that two apps share no state of a model (S18).
type engineKey struct {
	app    string
	digest capability.Digest
	// card is the grant of a graphics card that it is for; empty = the processor.
	// Such an engine is that task's alone, and holds the device as long as the grant
	// lives and no longer.
	card capability.ID
}

// loadOptions are what a model is loaded with; zero is the default of each.
type loadOptions struct {
	context, parallel, threads uint32
	// overMemory loads it although the machine would have to swap.
	overMemory bool
}

// engine is where the grants of one app and model meet: the process that
// serves them all, while there is one. It stays in the core's map when it is
// idle; there are at most as many as models and apps.
type engine struct {
	core *Core
	key  engineKey

	mu sync.Mutex
	// leases are the live grants.
	leases map[capability.ID]*lease
	// live is the loaded process, last the one that was loaded last, which may still
	// be ending; starting is the one attempt to make it.
	live, last *live
	starting   *starting
	// kept is the task that keeps live while there is no grant.
	kept *session.Task
	// card is given to the process; it is taken away for good when the model does
	// not go there. refused says why then.
	card    *card
	refused string
}

// lease ties one grant to its engine.
type lease struct {
	core  *Core
	grant *grant.Grant
	role  modelv1.Role

	mu sync.Mutex
	// engine is another one when a card is withdrawn.
	engine *engine
	// options are what the grant's client asked for last: an engine that is started
	// anew is loaded with them.
	options loadOptions
	// way is how a grant with a quota is used; see take.
	way string
	// used is what the core saw used.
	used capability.Quota
	// running calls are at work with it, the first of them since then.
	running int
	since   time.Duration
}

// starting is one attempt to start and load. It belongs to all who wait for it
// and ends when none does any more.
type starting struct {
	options loadOptions
	cancel  context.CancelFunc
	done    chan struct{}

	// Guarded by the engine's mutex.
	waiting int
	heard   map[chan uint32]bool
	// abandoned says that nobody waits any more, so it is being given up.
	abandoned bool
	// err is valid once done is closed.
	err error
}

func (c *Core) engine(k engineKey) *engine {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.engines[k]
	if e == nil {
		e = &engine{core: c, key: k, leases: map[capability.ID]*lease{}}
		c.engines[k] = e
	}
	return e
}

// assignModel implements the AssignModel of service/grant. The engine is
// started by the first call, because loading takes memory and time.
func (c *Core) assignModel(g *grant.Grant, m *modelv1.Model, card *grant.Grant) {
	l := &lease{core: c, grant: g, role: m.GetFacts().GetRole()}
	key := engineKey{app: g.Row.Holder.App, digest: g.Row.Scope.Digest}
	// What makes vectors is small, and stays on the processor.
	onCard := card != nil && l.role != modelv1.Role_ROLE_EMBEDDING
	if onCard {
		key.card = card.Row.ID
	}
	l.engine = c.engine(key)
	if onCard {
		l.engine.give(card)
	}
	c.mu.Lock()
	c.leases[g.Row.ID] = l
	c.mu.Unlock()
	l.engine.join(l)
	g.OnEnd(l.end)
	if onCard {
		card.OnEnd(func() { l.loseCard(card) })
	}
}

// at is the engine that serves the grant now.
func (l *lease) at() *engine {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.engine
}

func (c *Core) lease(id capability.ID) *lease {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leases[id]
}

// forTask reports whether the grant is of its task alone, and nothing that is
// remembered allows the model.
func (l *lease) forTask() bool { return l.grant.Row.Policy == "" }

func (e *engine) join(l *lease) {
	e.mu.Lock()
	e.leases[l.grant.Row.ID] = l
	kept := e.kept
	e.kept = nil
	e.mu.Unlock()
	if kept != nil {
		// Its hook sees that it keeps nothing any more.
		e.core.sessions.Finish(kept, session.OK)
	}
}

// end takes the grant from the engine. A grant that was withdrawn is gone from
// the engine when end returns: the engine is killed at once when no other grant
// uses it, and else when it does not confirm in time. One whose task ended in
// order leaves the engine for the next, unless it was for that task alone: then
// nothing allows the model any more.
func (l *lease) end() {
	e, id := l.at(), l.grant.Row.ID
	cause := errs.CodeOf(context.Cause(l.grant.Context()))
	orderly := cause == errs.Cancelled
	e.core.mu.Lock()
	delete(e.core.leases, id)
	quiet := e.core.quiet > 0
	if cause == errs.GrantRevoked {
		for _, a := range e.core.assigned {
			a.withdrawn = a.withdrawn || a.grant.Row.Holder.Task == l.grant.Row.Holder.Task
		}
	}
	e.core.mu.Unlock()
	e.mu.Lock()
	delete(e.leases, id)
	v, last := e.live, len(e.leases) == 0
	kill := last && (!orderly || quiet || l.forTask() || e.key.card != "")
	if kill {
		e.live = nil
	}
	s := e.starting
	if s != nil && last {
		s.abandoned = true
	}
	e.mu.Unlock()
	if last && e.key.card != "" {
		e.core.drop(e)
	}
	if s != nil && last {
		s.cancel()
		if !orderly {
			<-s.done
		}
	}
	if v == nil {
		return
	}
	if kill {
		v.stop(nil, false)
		return
	}
	if last {
		e.keep(v)
	}
	rows := v.take(id)
	if !orderly {
		v.forget(rows, limits.EngineDrop)
		return
	}
	e.core.background.Go(func() { v.forget(rows, limits.EngineDropSlow) })
}

// keep holds a loaded engine that no grant uses for a while, as a task.
func (e *engine) keep(v *live) {
	c := e.core
	t := c.beginOwn(e.key.app, "engine")
	e.mu.Lock()
	wanted := e.live == v && len(e.leases) == 0 && e.kept == nil
	if wanted {
		e.kept = t
	}
	e.mu.Unlock()
	if !wanted {
		c.sessions.Finish(t, session.OK)
		return
	}
	timer := time.AfterFunc(c.cfg.keepAlive(), func() { c.sessions.Finish(t, session.OK) })
	if !t.OnEnd(func(session.Outcome) { timer.Stop(); e.unkeep(t) }) {
		timer.Stop()
		e.unkeep(t)
	}
}

// unkeep ends the engine with the task that kept it, unless a grant came in
// between.
func (e *engine) unkeep(t *session.Task) {
	e.mu.Lock()
	v := e.live
	if e.kept != t {
		v = nil
	} else {
		e.kept, e.live = nil, nil
	}
	e.mu.Unlock()
	if v != nil {
		v.stop(nil, false)
	}
}

// endIdle ends an engine that is kept while no grant uses it, and returns when it,
// or one that is ending anyway, has given the model back.
func (e *engine) endIdle() {
	e.mu.Lock()
	v, kept, last := e.live, e.kept, e.last
	if len(e.leases) > 0 || kept == nil {
		ending := len(e.leases) == 0 && v == nil && last != nil
		e.mu.Unlock()
		if ending {
			<-last.gone
		}
		return
	}
	e.live, e.kept = nil, nil
	e.mu.Unlock()
	if v != nil {
		v.stop(nil, false)
		<-v.gone
	}
	e.core.sessions.Finish(kept, session.OK)
}

// evict ends the engine whatever it does, for a model that may not be run any
// more, and returns when it has given the model back.
func (e *engine) evict(why *errs.Error) {
	e.mu.Lock()
	// What the end of its last grant ends may not have given the model back yet.
	v, s, kept := cmp.Or(e.live, e.last), e.starting, e.kept
	e.live, e.kept = nil, nil
	if s != nil {
		s.abandoned = true
	}
	e.mu.Unlock()
	if s != nil {
		s.cancel()
		<-s.done
	}
	if v != nil {
		v.stop(why, false)
		<-v.gone
	}
	if kept != nil {
		e.core.sessions.Finish(kept, session.Cancelled)
	}
}

// ensure returns the loaded engine, starting it when need be; those who ask
// meanwhile wait for the same start. One that is loaded with less than is wanted
// is loaded anew when nobody else uses it: errs.ModelInUse else. progress, which
// may be nil, gets thousandths.
func (e *engine) ensure(ctx context.Context, l *lease, o loadOptions, progress func(uint32)) (*live, error) {
	const op = "core.engine"
	for {
		e.mu.Lock()
		if e.leases[l.grant.Row.ID] != l {
			e.mu.Unlock()
			// It has lost its card meanwhile, or its grant.
			if next := l.at(); next != e {
				return next.ensure(ctx, l, o, progress)
			}
			if cause := context.Cause(l.grant.Context()); cause != nil {
				return nil, cause
			}
			return nil, errs.New(errs.GrantRevoked, op)
		}
		v, s := e.live, e.starting
		switch {
		case v != nil && v.over():
			e.mu.Unlock()
			if err := wait(ctx, v.gone); err != nil {
				return nil, err
			}
			e.mu.Lock()
			if e.live == v {
				e.live = nil // it had ended before it was taken for the live one
			}
			e.mu.Unlock()
			continue
		case v != nil && v.suits(o):
			e.mu.Unlock()
			l.grant.RunsAt(v.worker.Level())
			return v, nil
		case v != nil && v.usedBesides(l.grant.Row.ID):
			e.mu.Unlock()
			return nil, errs.New(errs.ModelInUse, op).With("it is loaded with another context or for fewer conversations").
				WithHint("end what uses it, or leave --context out")
		case v != nil:
			e.live = nil
			e.mu.Unlock()
			v.stop(nil, false)
			continue
		case s == nil:
			s = e.begin(o)
		case s.abandoned || !s.options.covers(o):
			e.mu.Unlock()
			if err := wait(ctx, s.done); err != nil {
				return nil, err
			}
			continue
		}
		heard := make(chan uint32, 1)
		s.waiting++
		s.heard[heard] = true
		e.mu.Unlock()
		err := e.follow(ctx, s, heard, progress)
		if err != nil {
			return nil, err
		}
	}
}

func wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// follow waits for a start.
func (e *engine) follow(ctx context.Context, s *starting, heard chan uint32, progress func(uint32)) error {
	defer func() {
		e.mu.Lock()
		s.waiting--
		delete(s.heard, heard)
		nobody := s.waiting == 0
		s.abandoned = s.abandoned || nobody
		e.mu.Unlock()
		if nobody {
			s.cancel()
		}
	}()
	for {
		select {
		case n := <-heard:
			if progress != nil {
				progress(n)
			}
		case <-s.done:
			return s.err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// begin starts an attempt; the caller holds the mutex.
func (e *engine) begin(o loadOptions) *starting {
	ctx, cancel := context.WithCancel(context.Background())
	s := &starting{options: o, cancel: cancel, done: make(chan struct{}), heard: map[chan uint32]bool{}}
	e.starting = s
	e.core.background.Go(func() {
		defer cancel()
		v, err := e.start(ctx, o, func(n uint32) {
			e.mu.Lock()
			defer e.mu.Unlock()
			for h := range s.heard {
				select {
				case h <- n:
				default: // it has one to read already
				}
			}
		})
		if err != nil {
			e.core.cfg.Log.Info("an engine was not started", "error", err)
		}
		e.mu.Lock()
		e.starting, s.err = nil, err
		unwanted := err == nil && (s.abandoned || len(e.leases) == 0)
		if err == nil && !unwanted {
			e.live, e.last = v, v
		}
		e.mu.Unlock()
		if unwanted {
			v.stop(nil, false)
			<-v.gone
			s.err = errs.New(errs.Cancelled, "core.engine")
		}
		close(s.done)
	})
	return s
}

// covers reports whether what is loaded with o does for want. A default context
// is not known before it is loaded, so it covers a default only; one that was
// asked for covers a default when it is no shorter than any.
func (o loadOptions) covers(want loadOptions) bool {
	context := o.context >= want.context
	switch {
	case want.context == 0:
		context = o.context == 0 || o.context >= limits.EngineContext
	case o.context == 0:
		context = false
	}
	return context && (want.parallel <= 1 || want.parallel <= o.parallel) &&
		(want.threads == 0 || want.threads == o.threads)
}

// wants notes what the grant's client asks for.
func (l *lease) wants(o loadOptions) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.options = o
}

func (l *lease) wanted() loadOptions {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.options
}
