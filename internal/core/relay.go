package core

import (
	"context"
	"io"
	"slices"
	"strings"
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
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/table"
)

// relays returns a route to a worker for each method that a client may call on
// one.
func (c *Core) relays() []rpc.Route {
	var out []rpc.Route
	for _, m := range table.All() {
		var carry func(context.Context, *rpc.Method, []byte, rpc.Sender) error
		switch m.Caller {
		case policyv1.Caller_CALLER_CLIENT_TO_WORKER:
			carry = c.relay
		case policyv1.Caller_CALLER_CLIENT_TO_STORE:
			carry = c.relayStore
		default:
			continue
		}
		if m.Streaming {
			out = append(out, rpc.Route{Method: m, Stream: func(ctx context.Context, q []byte, s rpc.Sender) error {
				return carry(ctx, m, q, s)
			}})
			continue
		}
		out = append(out, rpc.Route{Method: m, Unary: func(ctx context.Context, q []byte) ([]byte, error) {
			var one single
			err := carry(ctx, m, q, &one)
			return one.message, err
		}})
	}
	return out
}

// single is the sender of a unary call.
type single struct{ message []byte }

// Send implements rpc.Sender.
func (s *single) Send(b []byte) error { s.message = b; return nil }

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
	r := &call{core: c, method: m, grant: g, actor: grantservice.HolderActor(g.Row.Holder), began: c.cfg.Clock.Wall(), requestBytes: len(request), out: out}
	if err := r.note(auditlog.Call, nil); err != nil {
		return err
	}
	err = r.granted(ctx, q)
	if lerr := r.note(auditlog.CallEnd, err); err == nil {
		err = lerr
	}
	return err
}

// refuse records a call without a grant; denials are on the record too, many as one.
func (c *Core) refuse(s *session.Session, m *rpc.Method, err error) error {
	e := errs.From(err)
	ev := audit.Event{
		Kind: auditlog.Deny, Actor: audit.Actor{App: s.App, Surface: s.Surface}, Method: m.Name, Decision: "deny", Code: string(e.Code),
		Detail: map[string]string{"kind": capability.Name(m.Kind)},
	}
	if !c.refusals.add(s.App+" "+m.Name, c.cfg.Clock.Boot(), &ev) {
		return e
	}
	if err := c.cfg.Audit.Note(ev); err != nil {
		return err
	}
	return e
}

// call is one relayed call and what the record says of it.
type call struct {
	core   *Core
	method *rpc.Method
	// grant is nil for a call to the app's own store.
	grant *grant.Grant
	// models are the grants of the engines that the call uses.
	models []*grant.Grant
	// channels are an index worker's ways to them, and took the names of those that
	// took part in its answer.
	channels []*channel
	took     []string
	actor    audit.Actor
	began    time.Time
	out      rpc.Sender
	// amend, if set, may add messages before one, change it, and refuse it as one
	// that the worker had no right to.
	amend func(rpc.Message) (before []rpc.Message, changed bool, err error)

	requestBytes, responseBytes, messages int
}

// note records that a call begins or has ended; where its method says so the beginning
// is durable before this returns.
func (r *call) note(kind auditlog.Kind, err error) error {
	if r.method.Audit == policyv1.Audit_AUDIT_NONE {
		return nil
	}
	if r.method.Audit == policyv1.Audit_AUDIT_INTENT && kind == auditlog.Call {
		_, err := r.core.cfg.Audit.Append(context.Background(), audit.Event{Kind: auditlog.Intent, Actor: r.actor, Method: r.method.Name})
		return err
	}
	ev := audit.Event{Kind: kind, Actor: r.actor, Method: r.method.Name}
	if r.grant != nil {
		ev.Grant = string(r.grant.Row.ID)
	}
	if kind == auditlog.CallEnd {
		ev.Code = "ok"
		if err != nil {
			ev.Code = string(errs.CodeOf(err))
		}
		ev.RequestBytes, ev.ResponseBytes, ev.Messages = uint64(r.requestBytes), uint64(r.responseBytes), uint64(r.messages)
		if len(r.models) > 0 {
			// The calls of a model that came of this one do not pass the core.
			var ids []string
			for _, g := range r.models {
				ids = append(ids, string(g.Row.ID))
			}
			ev.Detail = map[string]string{grantservice.ModelGrants: strings.Join(ids, " ")}
		}
		ev.Milliseconds = uint64(max(0, r.core.cfg.Clock.Wall().Sub(r.began).Milliseconds()))
	}
	return r.core.cfg.Audit.Note(ev)
}

// target is the worker that a call goes to.
type target struct {
	worker *supervise.Worker
	// silence is how long it may say nothing.
	silence time.Duration
	// hung is what it is called then.
	hung errs.Code
	// hang ends a worker that says nothing for so long.
	hang func()
	// why says what a failed call means.
	why func(error) error
	// begin, which may be nil, is called as the call begins, with what cancels it.
	begin func(context.CancelCauseFunc) (end func(), err error)
	// heard, which may be nil, sees each message, and refuses those that are too
	// many.
	heard func(rpc.Message) error
	// worked is called when the call ended in order, and ended, which may be nil,
	// however it did.
	worked, ended func()
}

// granted finds the worker that holds the grant, and carries the call there.
// It ends with the client or with the grant.
func (r *call) granted(ctx context.Context, q rpc.Granted) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(r.grant.Context(), func() { cancel(context.Cause(r.grant.Context())) })()
	t, h, err := r.find(ctx, q)
	if err != nil {
		return r.why(err)
	}
	q.SetGrant(h[:])
	b, err := proto.Marshal(q)
	if err != nil {
		return errs.Wrap(errs.Internal, "core.relay", err)
	}
	return r.why(r.carry(ctx, t, b))
}

// find returns where the call goes, started if need be, and the grant's handle
// there.
func (r *call) find(ctx context.Context, q rpc.Granted) (target, capability.Handle, error) {
	if r.method.Kind == policyv1.Kind_KIND_MODEL_RUN {
		return r.findEngine(ctx)
	}
	r.core.mu.Lock()
	a := r.core.assigned[r.grant.Row.ID]
	r.core.mu.Unlock()
	if a == nil {
		return target{}, capability.Handle{}, errs.New(errs.GrantMissing, "core.relay")
	}
	w, h, err := a.use(ctx)
	if err != nil {
		return target{}, h, err
	}
	r.amend = func(m rpc.Message) ([]rpc.Message, bool, error) { return amend(m, nil, told{}) }
	if e, ok := q.(rpc.Engines); ok && len(e.GetEngines()) > 0 {
		if err := r.connect(ctx, a, w, e); err != nil {
			return target{}, h, err
		}
	}
	return target{worker: w, silence: limits.WorkerSilence, hung: errs.WorkerHung, hang: w.Kill, why: endOf(w), worked: func() {
		a.worked()
		for _, ch := range r.channels {
			if slices.Contains(r.took, ch.lease.grant.Row.Scope.Name) {
				ch.live.worked()
			}
		}
	}}, h, nil
}

// findEngine returns the loaded engine of the grant's model.
func (r *call) findEngine(ctx context.Context) (target, capability.Handle, error) {
	const op = "core.relay"
	l := r.core.lease(r.grant.Row.ID)
	if l == nil {
		return target{}, capability.Handle{}, errs.New(errs.GrantMissing, op)
	}
	v, err := l.at().ensure(ctx, l, l.wanted(), nil)
	if err != nil {
		return target{}, capability.Handle{}, err
	}
	h, err := v.put(ctx, l, directWay)
	if err != nil {
		return target{}, h, err
	}
	silence := limits.EngineSilence
	if v.card != nil {
		silence = limits.GraphicsSilence
	}
	t := target{worker: v.worker, silence: silence, hung: errs.EngineHung, hang: func() { v.hang(op) }, why: v.why, worked: func() {}}
	switch r.method.NewResponse().(type) {
	case *enginev1.GenerateResponse, *enginev1.EmbedResponse:
		// Nothing else is work: what an engine says of itself ends no row of crashes.
		t.worked, t.ended = v.worked, v.used
		if l.grant.Row.Quota != (capability.Quota{}) {
			m := &meter{lease: l}
			t.begin, t.heard = m.begin, m.heard
		}
	}
	return t, h, nil
}

// carry makes the call at the worker and passes what comes back on. A worker
// that says nothing for too long is ended.
func (r *call) carry(ctx context.Context, t target, request []byte) error {
	const op = "core.carry"
	if !t.worker.May(r.method.Number) {
		return errs.New(errs.GrantMissing, op)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if t.begin != nil {
		end, err := t.begin(cancel)
		if err != nil {
			return err
		}
		defer end()
	}
	if t.ended != nil {
		defer t.ended()
	}
	silence := time.AfterFunc(t.silence, func() {
		cancel(errs.New(t.hung, op))
		t.hang()
	})
	defer silence.Stop()
	fail := func(err error) error {
		switch cause := context.Cause(ctx); errs.CodeOf(cause) {
		case t.hung, errs.QuotaUsedUp:
			return cause
		}
		return t.why(err)
	}
	if !r.method.Streaming {
		msg, err := t.worker.Conn.Invoke(ctx, r.method, request)
		if err != nil {
			return fail(err)
		}
		if err := r.pass(t, msg, nil); err != nil {
			return err
		}
		t.worked()
		return nil
	}
	in, err := t.worker.Conn.Open(ctx, r.method, request)
	if err != nil {
		return fail(err)
	}
	defer in.Close()
	for {
		msg, err := in.Recv()
		// Exactly: the error of a peer that went away is around io.EOF too.
		if err == io.EOF {
			t.worked()
			return nil
		}
		if err != nil {
			return fail(err)
		}
		if err := r.pass(t, msg, silence); err != nil {
			return err
		}
		silence.Reset(t.silence)
	}
}

// pass holds one message of the worker to the schema and sends it on. The
// client's slowness is not the worker's silence.
func (r *call) pass(t target, msg []byte, silence *time.Timer) error {
	m := r.method.NewResponse()
	if err := rpc.Decode(msg, m, r.method.MaxResponse); err != nil {
		// A worker that breaks the schema is not asked again.
		t.worker.Conn.Fail("a response broke the schema")
		return err
	}
	r.messages++
	r.responseBytes += len(msg)
	if t.heard != nil {
		if err := t.heard(m); err != nil {
			return err
		}
	}
	if silence != nil {
		silence.Stop()
	}
	if r.amend != nil {
		before, changed, err := r.amend(m)
		if err != nil {
			t.worker.Conn.Fail("a response broke the schema")
			return err
		}
		for _, b := range before {
			if err := r.send(b); err != nil {
				return err
			}
		}
		if changed {
			return r.send(m)
		}
	}
	return r.out.Send(msg)
}

// send sends a message that is the core's own.
func (r *call) send(m rpc.Message) error {
	b, err := rpc.Encode(m, r.method.MaxResponse)
	if err != nil {
		return err
	}
	return r.out.Send(b)
}

// why prefers the reason that the core knows of over the error that a dying
// worker or a cancelled call gave: the grant's end, above all.
func (r *call) why(err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(r.grant.Context()); cause != nil {
		return cause
	}
	for _, g := range r.models {
		if cause := context.Cause(g.Context()); cause != nil && (errs.CodeOf(err) == errs.EngineCrashed || errs.CodeOf(err) == errs.WorkerCrashed) {
			return cause
		}
	}
	return err
}
