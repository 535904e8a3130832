package core

import (
	"cmp"
	"context"
	"time"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/models"
	"github.com/bailey-run/bailey/internal/plat/datadir"
	grantservice "github.com/bailey-run/bailey/internal/service/grant"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

// wanted implements the Wanted of service/grant.
func (c *Core) wanted(t *session.Task, ref string, pin bool) (*grantservice.Wanted, error) {
	w, err := c.models.Resolve(t, ref, pin)
	if err != nil {
		return nil, err
	}
	return &grantservice.Wanted{Model: w.Model, Again: w.Again, Accept: func() error {
		_, err := w.Accept()
		return err
	}}, nil
}

// model implements the Model of service/grant.
func (c *Core) model(d capability.Digest) (*modelv1.Model, bool) {
	m, err := c.cfg.Models.Get(models.Digest(d))
	if err != nil {
		return nil, false
	}
	return &modelv1.Model{Name: m.Name, Facts: m.Facts, Quarantined: m.Quarantined}, true
}

// engines implements the Engines of service/model.
type engines struct{ core *Core }

func (e engines) of(d models.Digest) []*engine {
	e.core.mu.Lock()
	defer e.core.mu.Unlock()
	var out []*engine
	for k, v := range e.core.engines {
		if k.digest == capability.Digest(d) {
			out = append(out, v)
		}
	}
	return out
}

// Loaded implements the Engines of service/model.
func (e engines) Loaded(d models.Digest) bool {
	for _, v := range e.of(d) {
		v.mu.Lock()
		live := v.live != nil
		v.mu.Unlock()
		if live {
			return true
		}
	}
	return false
}

// EndIdle implements the Engines of service/model.
func (e engines) EndIdle(d models.Digest) {
	for _, v := range e.of(d) {
		v.endIdle()
	}
}

// End implements the Engines of service/model.
func (e engines) End(d models.Digest) error {
	for _, v := range e.of(d) {
		v.evict(errs.New(errs.GrantRevoked, "core.end-engine"))
	}
	return nil
}

// unpin forgets every pin of a model that is removed, and ends the grants that
// were for a task alone.
func (c *Core) unpin(ctx context.Context, d models.Digest) error {
	var failed error
	for _, p := range c.cfg.Policies.List() {
		if m, ok := p.Model(); ok && models.Digest(m) == d {
			if _, err := c.grants.Forget(ctx, p.ID); err != nil && errs.CodeOf(err) != errs.NotFound {
				failed = cmp.Or(failed, err) // it may hold all the same, and the others' end does
			}
		}
	}
	for _, l := range c.table.List() {
		if l.Row.Kind == policyv1.Kind_KIND_MODEL_RUN && models.Digest(l.Row.Scope.Digest) == d {
			if _, err := c.grants.Revoke(ctx, &grantv1.RevokeRequest{Id: string(l.Row.ID)}); err != nil && errs.CodeOf(err) != errs.NotFound {
				failed = cmp.Or(failed, err) // it may hold all the same, and the others' end does
			}
		}
	}
	return failed
}

// forgotten ends what a remembered permission kept: an index, or an engine. The
// grants that came of it have been ended.
func (c *Core) forgotten(p grant.Remembered) {
	if d, ok := p.Model(); ok {
		for _, e := range (engines{c}).of(models.Digest(d)) {
			if e.key.app == p.App {
				e.evict(errs.New(errs.GrantRevoked, "core.forgotten"))
			}
		}
		return
	}
	if p.Kind == capability.Name(policyv1.Kind_KIND_GPU_USE) {
		return // its grants have ended, and the engines with them
	}
	c.mu.Lock()
	var t *session.Task
	if v := c.vectors[p.ID]; v != nil {
		t = v.task
	}
	c.mu.Unlock()
	if t != nil {
		// It may wait for its turn, and have no grant yet.
		c.sessions.Finish(t, session.Cancelled)
	}
	c.background.Go(func() {
		if err := c.cfg.Data.Remove(datadir.KeptPrefix + string(p.ID)); err != nil {
			c.cfg.Log.Warn("a data directory could not be removed", "error", err)
		}
	})
}

// load implements the Start of service/model.
func (c *Core) load(ctx context.Context, in *modelv1.LoadRequest, out *modelv1.ModelServiceLoadSender) error {
	const op = "core.load"
	sess, m := session.From(ctx), modelv1.ModelServiceLoadMethod()
	if in.OverMemory && apps.Untrusted(sess.Surface) {
		return c.refuse(sess, m, errs.New(errs.Denied, op).With("a page loads no model that does not fit into memory").WithHint("`bailey chat --over-memory` loads it"))
	}
	g, err := c.table.Use(policyv1.Kind_KIND_MODEL_RUN, sess.Channel, in.Grant)
	if err != nil {
		return c.refuse(sess, m, err)
	}
	r := &call{core: c, method: m, grant: g, actor: grantservice.HolderActor(g.Row.Holder), began: c.cfg.Clock.Wall()}
	if err := r.note(auditlog.Call, nil); err != nil {
		return err
	}
	err = r.why(func() error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(g.Context(), func() { cancel(context.Cause(g.Context())) })()
		l := c.lease(g.Row.ID)
		if l == nil {
			return errs.New(errs.GrantMissing, op)
		}
		began, said := time.Now(), time.Time{}
		o := loadOptions{context: in.Context, parallel: in.Parallel, threads: in.Threads, overMemory: in.OverMemory}
		v, err := l.at().ensure(ctx, l, o, func(n uint32) {
			if time.Since(said) < limits.ModelProgress {
				return
			}
			said = time.Now()
			// A client that is gone ends the context.
			_ = out.Send(&modelv1.LoadResponse{Event: &modelv1.LoadResponse_Progress{Progress: &modelv1.LoadProgress{Thousandths: n}}})
		})
		if err != nil {
			return err
		}
		l.wants(o)
		c.cfg.Log.Info("a model is loaded", "milliseconds", time.Since(began).Milliseconds())
		return out.Send(&modelv1.LoadResponse{Event: &modelv1.LoadResponse_Loaded{Loaded: v.loaded}})
	}())
	if lerr := r.note(auditlog.CallEnd, err); err == nil {
		err = lerr
	}
	return err
}
