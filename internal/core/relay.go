package core

import (
	"context"
	"io"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/limits"
	grantservice "github.com/bailey-run/bailey/internal/service/grant"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// relay carries one call of a client to the worker that holds its grant, and
// the answers back. Both ways are held to the schema; the client's handle is
// replaced by the one that stands for the grant on the worker's channel.
func (c *Core) relay(ctx context.Context, m *rpc.Method, request []byte, out rpc.Sender) error {
	sess := session.From(ctx)
	q := m.NewRequest().(rpc.Granted)
	if err := rpc.Decode(request, q, m.MaxRequest); err != nil {
		return err
	}
	g, err := c.table.Use(m.Kind, sess.Channel, q.GetGrant())
	if err != nil {
		return c.refuse(sess, m, err)
	}
	r := &call{core: c, method: m, grant: g, began: c.cfg.Clock.Wall(), requestBytes: len(request)}
	if err := r.note(auditlog.Call, nil); err != nil {
		return err
	}
	err = r.run(ctx, q, out)
	if lerr := r.note(auditlog.CallEnd, err); err == nil {
		err = lerr
	}
	return err
}

// refuse records a call without a grant; denials are on the record too.
func (c *Core) refuse(s *session.Session, m *rpc.Method, err error) error {
	e := errs.From(err)
	lerr := c.cfg.Audit.Note(audit.Event{
		Kind: auditlog.Deny, Actor: audit.Actor{App: s.App, Surface: s.Surface}, Method: m.Name, Decision: "deny", Code: string(e.Code),
		Detail: map[string]string{"kind": capability.Name(m.Kind)},
	})
	if lerr != nil {
		return lerr
	}
	return e
}

// call is one relayed call and what the record says of it.
type call struct {
	core   *Core
	method *rpc.Method
	grant  *grant.Grant
	began  time.Time

	requestBytes, responseBytes, messages int
}

func (r *call) note(kind auditlog.Kind, err error) error {
	ev := audit.Event{
		Kind: kind, Actor: grantservice.HolderActor(r.grant.Row.Holder),
		Method: r.method.Name, Grant: string(r.grant.Row.ID),
	}
	if kind == auditlog.CallEnd {
		ev.Code = "ok"
		if err != nil {
			ev.Code = string(errs.CodeOf(err))
		}
		ev.RequestBytes, ev.ResponseBytes, ev.Messages = uint64(r.requestBytes), uint64(r.responseBytes), uint64(r.messages)
		ev.Milliseconds = uint64(r.core.cfg.Clock.Wall().Sub(r.began).Milliseconds())
	}
	return r.core.cfg.Audit.Note(ev)
}

func (r *call) run(ctx context.Context, q rpc.Granted, out rpc.Sender) error {
	const op = "core.relay"
	r.core.mu.Lock()
	a := r.core.assigned[r.grant.Row.ID]
	r.core.mu.Unlock()
	if a == nil {
		if cause := context.Cause(r.grant.Context()); cause != nil {
			return cause
		}
		return errs.New(errs.GrantMissing, op)
	}
	w, h, err := a.use(ctx)
	if err != nil {
		return err
	}
	if !w.May(r.method.Number) {
		return errs.New(errs.GrantMissing, op)
	}
	q.SetGrant(h[:])
	b, err := proto.Marshal(q)
	if err != nil {
		return errs.Wrap(errs.Internal, op, err)
	}
	// The call ends with the client, with the grant, or when the worker says
	// nothing for too long.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.grant.Context(), func() { cancel(context.Cause(r.grant.Context())) })()
	silence := time.AfterFunc(limits.WorkerSilence, func() {
		cancel(errs.New(errs.WorkerHung, op))
		w.Kill()
	})
	defer silence.Stop()
	in, err := w.Conn.Open(ctx, r.method, b)
	if err != nil {
		return r.why(ctx, err)
	}
	defer in.Close()
	for {
		msg, err := in.Recv()
		// Exactly: the error of a peer that went away is around io.EOF too.
		if err == io.EOF {
			a.worked()
			return nil
		}
		if err != nil {
			return r.why(ctx, err)
		}
		silence.Reset(limits.WorkerSilence)
		if err := rpc.Decode(msg, r.method.NewResponse(), r.method.MaxResponse); err != nil {
			// A worker that breaks the schema is not asked again.
			w.Conn.Fail("a response broke the schema")
			return err
		}
		r.messages++
		r.responseBytes += len(msg)
		// Back-pressure is not the worker's silence.
		silence.Stop()
		if err := out.Send(msg); err != nil {
			return err
		}
		silence.Reset(limits.WorkerSilence)
	}
}

// why prefers the reason that the core knows of over the error that a dying
// worker or a cancelled call gave: the grant's end, a hang, the client's going.
func (r *call) why(ctx context.Context, err error) error {
	if cause := context.Cause(r.grant.Context()); cause != nil {
		return cause
	}
	if cause := context.Cause(ctx); errs.CodeOf(cause) == errs.WorkerHung {
		return cause
	}
	return fromWorker(err)
}

// fromWorker keeps of a worker's error what a worker can know: one code of a few.
// Its words would be taken for Bailey's own by the person who reads them, and a
// code such as audit-log-broken for a finding of the core.
func fromWorker(err error) error {
	const op = "core.from-worker"
	switch c := errs.CodeOf(err); c {
	case errs.FolderMissing, errs.FolderNotDir, errs.FolderClosed, errs.FolderChanged, errs.NoSpace, errs.TooLarge,
		errs.CoreBusy, errs.Cancelled, errs.Deadline, errs.GrantExpired, errs.QuotaUsedUp, errs.WorkerCrashed, errs.Malformed:
		return errs.Wrap(c, op, err)
	}
	return errs.Wrap(errs.Internal, op, err)
}
