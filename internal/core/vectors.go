package core

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// vectors is the work of making the vectors of one remembered folder while
// nobody waits for them. It is a task of the core's own with grants of its own,
// minted from what is remembered. It begins when a task over the folder has
// ended, unless its grant was withdrawn, and gives way when one begins; so what was
// stopped stays so until the next command over that folder.
type vectors struct {
	core   *Core
	task   *session.Task
	policy grant.Remembered
	pin    grant.Remembered
	model  *modelv1.Model
	// thousandths is how far it is.
	thousandths atomic.Uint32
}

// resume begins the work over a remembered folder, if there is some: a model
// that makes vectors was remembered with it, and can be used.
func (c *Core) resume(id capability.ID) {
	p, ok := c.cfg.Policies.Get(id)
	if !ok || !c.workers.Installed(engineKind) {
		return
	}
	v := &vectors{core: c, policy: p}
	if v.model, v.pin, ok = c.remembersVectors(p); !ok {
		return
	}
	c.mu.Lock()
	_, running := c.vectors[id]
	if running || c.quiet > 0 {
		c.mu.Unlock()
		return
	}
	c.vectors[id] = v
	c.mu.Unlock()
	t := c.beginOwn(p.App, "vectors")
	c.mu.Lock()
	v.task = t // forgotten may look for it
	c.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	if !v.task.OnEnd(func(session.Outcome) { cancel() }) {
		cancel()
	}
	c.background.Go(func() {
		defer cancel()
		err := v.run(ctx)
		if err != nil && ctx.Err() == nil {
			c.cfg.Log.Warn("vectors were not made", "error", err)
		}
		c.mu.Lock()
		delete(c.vectors, id)
		c.mu.Unlock()
		c.finishOwn(v.task, err == nil)
	})
}

// remembersVectors returns the model that makes the vectors of a folder, and its
// pin.
func (c *Core) remembersVectors(p grant.Remembered) (*modelv1.Model, grant.Remembered, bool) {
	for _, digits := range p.Models {
		b, err := hex.DecodeString(digits)
		if err != nil || len(b) != len(capability.Digest{}) {
			continue
		}
		pin, ok := c.cfg.Policies.FindModel(p.App, capability.Digest(b))
		if !ok {
			continue
		}
		if m, ok := c.model(capability.Digest(b)); ok && !m.Quarantined && m.Facts.GetRole() == modelv1.Role_ROLE_EMBEDDING {
			return m, pin, true
		}
	}
	return nil, grant.Remembered{}, false
}

// run waits for its turn, so that work over two folders takes one processor, and
// does the work. What ends a worker under it is met by another try, as often as
// in any other task.
func (v *vectors) run(ctx context.Context) error {
	c := v.core
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	a, l, err := v.grants(ctx)
	if err != nil {
		return err
	}
	for tries := 0; ; {
		made, err := v.try(ctx, a, l)
		if err == nil || ctx.Err() != nil || !again(err) {
			return err
		}
		if tries++; made {
			tries = 0 // in a row without anything made
		}
		if tries == limits.WorkerRestarts {
			return err
		}
		c.cfg.Log.Info("making vectors is tried again", "error", err)
	}
}

// again reports whether another try may do better.
func again(err error) bool {
	switch errs.CodeOf(err) {
	case errs.WorkerCrashed, errs.WorkerHung, errs.EngineCrashed, errs.EngineHung, errs.MemoryUsedUp:
		return true
	}
	return false
}

// grants mints what the task needs. The folder has to be the one that was
// remembered.
func (v *vectors) grants(ctx context.Context) (*assignment, *lease, error) {
	const op = "core.vectors"
	c := v.core
	f, err := folder.Open(v.policy.Path)
	if err != nil {
		return nil, nil, err
	}
	if !folder.Same(v.policy.Object(), f.Object) {
		return nil, nil, errors.Join(errs.New(errs.FolderChanged, op), f.Close())
	}
	digest, _ := v.pin.Model()
	read := consent.Row{Folder: f, Policy: v.policy.ID, Asked: capability.Asked{
		Kind: policyv1.Kind_KIND_FILE_READ, Scope: capability.Scope{Path: f.Path, Object: f.Object},
	}}
	run := consent.Row{Model: v.model, Policy: v.pin.ID, Asked: capability.Asked{
		Kind: policyv1.Kind_KIND_MODEL_RUN, Scope: capability.Scope{Name: v.model.Name, Digest: digest},
	}}
	gs, err := c.grants.MintOwn(v.task, read, run)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	c.assignModel(gs[1], v.model, nil)
	if err := c.assignTo(ctx, gs[0], f, v.task); err != nil {
		return nil, nil, err
	}
	c.mu.Lock()
	a := c.assigned[gs[0].Row.ID]
	c.mu.Unlock()
	l := c.lease(gs[1].Row.ID)
	if a == nil || l == nil {
		return nil, nil, errs.New(errs.GrantRevoked, op)
	}
	return a, l, nil
}

// try has the index worker make vectors with the engine until all are there, or
// one of the grants ends, and says whether some were made. The first report is of
// those that were there.
func (v *vectors) try(ctx context.Context, a *assignment, l *lease) (made bool, _ error) {
	const op = "core.vectors"
	c := v.core
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, g := range []*grant.Grant{a.grant, l.grant} {
		defer context.AfterFunc(g.Context(), func() { cancel(context.Cause(g.Context())) })()
	}
	w, _, err := a.use(ctx)
	if err != nil {
		return false, err
	}
	ch, err := c.attach(ctx, a, w, l)
	if err != nil {
		return false, err
	}
	silence := time.AfterFunc(limits.WorkerSilence, func() {
		cancel(errs.New(errs.WorkerHung, op))
		w.Kill()
	})
	defer silence.Stop()
	in, err := indexv1.NewIndexServiceClient(w.Conn).Vectors(ctx, &indexv1.VectorsRequest{Engine: ch.handle[:]})
	if err != nil {
		return false, cause(ctx, ch.ended(ctx, err))
	}
	defer in.Close()
	for first, before := true, uint64(0); ; first = false {
		r, err := in.Recv()
		// Exactly: the error of a peer that went away is around io.EOF too.
		if err == io.EOF {
			a.worked()
			return made, nil
		}
		if err != nil {
			return made, cause(ctx, ch.ended(ctx, err))
		}
		if !first && r.GetDone() > before {
			made = true
			ch.live.worked()
		}
		before = r.GetDone()
		silence.Reset(limits.WorkerSilence)
		v.thousandths.Store(thousandths(r.GetDone(), r.GetTotal()))
	}
}

// ended waits until it is known which of both is gone, so that another try does
// not meet the same one again.
func (ch *channel) ended(ctx context.Context, err error) error {
	if code := errs.CodeOf(err); code == errs.WorkerCrashed || code == errs.EngineCrashed {
		t := time.NewTimer(limits.EngineDying)
		defer t.Stop()
		select {
		case <-ch.index.Done():
		case <-ch.live.gone:
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return fromWorker(err)
}

// thousandths is at least 1, which says that there is work.
func thousandths(done, total uint64) uint32 {
	if total == 0 || done >= total {
		return 1000
	}
	return uint32(max(1, float64(done)/float64(total)*1000))
}

// progress implements the Progress of service/grant.
func (c *Core) progress(id capability.ID) uint32 {
	c.mu.Lock()
	v := c.vectors[id]
	c.mu.Unlock()
	if v == nil {
		return 0
	}
	return max(1, v.thousandths.Load())
}
