package core

import (
	"context"
	"encoding/hex"
	"slices"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	grantservice "github.com/bailey-run/bailey/internal/service/grant"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// channel is the way from one index worker to one engine: a socket that the core
// made under both grants, and the one handle that the engine takes there. It
// ends with the folder's grant, because the index worker is killed, and with the
// model's, because the engine drops the row.
type channel struct {
	index  *supervise.Worker
	live   *live
	lease  *lease
	way    string
	handle capability.Handle
}

// missing is a model that was granted for a call and cannot be used.
type missing struct {
	name string
	role modelv1.Role
	code errs.Code
}

// connect gives the index worker a channel to the engine of each model that the
// call names, and puts the handles that the worker knows in the place of the
// client's. A handle that stands for no grant of the same task is refused. A
// model whose engine cannot be had is left out, and the answer says why: it is
// made from the words alone then.
func (r *call) connect(ctx context.Context, a *assignment, w *supervise.Worker, q rpc.Engines) error {
	c, sess := r.core, session.From(ctx)
	var handles [][]byte
	var without []missing
	var told told
	for _, client := range q.GetEngines() {
		g, err := c.table.Use(policyv1.Kind_KIND_MODEL_RUN, sess.Channel, client)
		if err == nil && (g.Row.Holder.Task != r.grant.Row.Holder.Task || g.Row.Holder.App != r.grant.Row.Holder.App) {
			err = errs.New(errs.GrantMissing, "core.connect")
		}
		if err != nil {
			return c.refuse(sess, r.method, err)
		}
		l := c.lease(g.Row.ID)
		if l == nil {
			return errs.New(errs.GrantMissing, "core.connect")
		}
		r.models = append(r.models, g)
		ch, err := c.attach(ctx, a, w, l)
		switch {
		case err == nil:
			handles = append(handles, ch.handle[:])
			r.channels = append(r.channels, ch)
			told.add(g.Row.Scope.Name, l.role)
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case broken(w):
			return err
		default:
			c.cfg.Log.Info("an engine is missing from an answer", "error", err)
			without = append(without, missing{g.Row.Scope.Name, l.role, errs.CodeOf(err)})
		}
	}
	q.SetEngines(handles)
	r.amend = func(m rpc.Message) ([]rpc.Message, bool, error) {
		before, changed, err := amend(m, without, told)
		r.notePart(m)
		return before, changed, err
	}
	return nil
}

// notePart notes which model took part, once however often the worker says it.
func (r *call) notePart(m rpc.Message) {
	if name := tookPart(m); name != "" && !slices.Contains(r.took, name) {
		r.took = append(r.took, name)
	}
}

func broken(w *supervise.Worker) bool {
	select {
	case <-w.Conn.Done():
		return true
	default:
		return false
	}
}

// attach returns the channel from an assignment's worker to the engine of a
// lease, making it when there is none.
func (c *Core) attach(ctx context.Context, a *assignment, w *supervise.Worker, l *lease) (*channel, error) {
	a.connecting.Lock()
	defer a.connecting.Unlock()
	// The model's grant may end while its engine is loaded.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(l.grant.Context(), func() { cancel(context.Cause(l.grant.Context())) })()
	v, err := l.at().ensure(ctx, l, l.wanted(), nil)
	if err != nil {
		return nil, err
	}
	a.channels = slices.DeleteFunc(a.channels, func(ch *channel) bool {
		old := ch.index != w || ch.live.over()
		if old {
			ch.close()
		}
		return old
	})
	for _, ch := range a.channels {
		if ch.live == v && ch.lease == l {
			return ch, nil
		}
	}
	// Both ends answer at once, whatever they are at work on; an engine that was
	// stopped does not, and an answer is not to wait until it is found to hang.
	ctx, stop := context.WithTimeout(ctx, limits.EngineJoin)
	defer stop()
	ch := &channel{index: w, live: v, lease: l, way: "index " + string(a.grant.Row.ID)}
	if ch.handle, err = v.put(ctx, l, ch.way); err != nil {
		return nil, err
	}
	if err := ch.join(ctx); err != nil {
		ch.close()
		return nil, err
	}
	a.channels = append(a.channels, ch)
	// The socket is between two processes that nobody trusts: that the engine says
	// it has dropped the row ends nothing. The kernel takes it from the index
	// worker, which is started again by the next call.
	l.grant.OnEnd(func() {
		if errs.CodeOf(context.Cause(l.grant.Context())) != errs.Cancelled {
			w.Kill()
		}
	})
	err = c.cfg.Audit.Note(audit.Event{
		Kind: auditlog.Call, Actor: grantservice.HolderActor(a.grant.Row.Holder), Method: indexv1.IndexServiceAttachMethod().Name,
		Grant: string(a.grant.Row.ID), Detail: map[string]string{
			"model-grant": string(l.grant.Row.ID), "model": l.grant.Row.Scope.Name, "sha256": hex.EncodeToString(l.grant.Row.Scope.Digest[:]),
		},
	})
	return ch, err
}

// join makes the socket and hands one end to each.
func (ch *channel) join(ctx context.Context) error {
	one, two, err := ipc.Socket()
	if err != nil {
		return err
	}
	defer one.Close()
	defer two.Close()
	// An engine that does not take the socket at once does not take its work.
	ctx, cancel := context.WithTimeoutCause(ctx, limits.EngineSilence, errs.New(errs.EngineHung, "core.attach"))
	defer cancel()
	engine := enginev1.NewEngineServiceClient(ch.live.worker.Conn)
	if _, err := engine.Serve(ipc.WithFiles(ctx, one), &enginev1.ServeRequest{Handle: ch.handle[:]}); err != nil {
		return ch.live.why(err)
	}
	index := indexv1.NewIndexServiceClient(ch.index.Conn)
	scope := ch.lease.grant.Row.Scope
	_, err = index.Attach(ipc.WithFiles(ctx, two), &indexv1.AttachRequest{
		Handle: ch.handle[:], Model: scope.Name, Sha256: scope.Digest[:], Role: ch.lease.role, Loaded: ch.live.loaded,
	})
	if err != nil {
		return fromWorker(err)
	}
	return nil
}

// close takes the channel's row from the engine, behind the caller's back: what
// was at its other end is gone, or was never told of it.
func (ch *channel) close() {
	rows := ch.live.takeWay(ch.lease.grant.Row.ID, ch.way)
	ch.live.engine.core.background.Go(func() { ch.live.forget(rows, limits.EngineDropSlow) })
}
