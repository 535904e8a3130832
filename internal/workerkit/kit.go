// Package workerkit is the part that all Go workers share: what the core says
// to a worker before work, the worker's own table of grants, and the check of
// every call against it. It links no minting and no audit writer.
//
// A worker serves nothing of its own before it was sealed, and nothing that
// needs a grant but names no row which the core pushed.
package workerkit

import (
	"context"
	"log/slog"
	"sync/atomic"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
)

// Config is what a worker kind brings.
type Config struct {
	Kind    string
	Release string
	Clock   clock.Clock
	// Probe tries what the sandbox must refuse.
	Probe func() []*workerv1.Attempt
	// Log gets why a call failed: the cause does not cross to the core.
	Log *slog.Logger
	// Seal is the last step before work: the process becomes non-dumpable.
	Seal func() error
}

// Kit answers the core's WorkerService and guards the worker's own service.
type Kit struct {
	cfg    Config
	rows   rows
	peers  *rpc.Mux
	hello  atomic.Bool
	sealed atomic.Bool
}

// New returns a Kit.
func New(cfg Config) *Kit {
	return &Kit{cfg: cfg, rows: rows{clock: cfg.Clock, m: map[capability.Handle]*held{}}}
}

// Mux returns all routes that the worker serves: WorkerService, and the given
// ones behind the guard. It is called once.
func (k *Kit) Mux(service []rpc.Route) *rpc.Mux {
	guarded := make([]rpc.Route, len(service))
	for i, r := range service {
		guarded[i] = k.guard(r)
	}
	k.peers = forPeers(guarded)
	return rpc.NewMux(workerv1.WorkerServiceRoutes(k), guarded)
}

type mountKey struct{}

// Mount returns which of the worker's mounts the call's grant speaks of.
func Mount(ctx context.Context) string { s, _ := ctx.Value(mountKey{}).(string); return s }

func (k *Kit) guard(r rpc.Route) rpc.Route {
	if _, ok := r.Method.NewRequest().(rpc.Granted); !ok && r.Method.Kind != policyv1.Kind_KIND_NONE {
		panic("BUG: a worker's method whose request names no grant: " + r.Method.Name)
	}
	out := rpc.Route{Method: r.Method}
	if r.Unary != nil {
		out.Unary = func(ctx context.Context, request []byte) ([]byte, error) {
			ctx, done, err := k.admit(ctx, r.Method, request)
			if err != nil {
				return nil, err
			}
			defer done()
			b, err := r.Unary(ctx, request)
			k.failed(r.Method, err)
			return b, err
		}
		return out
	}
	out.Stream = func(ctx context.Context, request []byte, s rpc.Sender) error {
		ctx, done, err := k.admit(ctx, r.Method, request)
		if err != nil {
			return err
		}
		defer done()
		err = r.Stream(ctx, request, s)
		k.failed(r.Method, err)
		return err
	}
	return out
}

func (k *Kit) failed(m *rpc.Method, err error) {
	if err != nil {
		k.cfg.Log.Info("call failed", "method", m.Name, "error", err)
	}
}

// admit checks a call and ties its context to the grant.
func (k *Kit) admit(ctx context.Context, m *rpc.Method, request []byte) (context.Context, func(), error) {
	const op = "workerkit.admit"
	if !k.sealed.Load() {
		return nil, nil, errs.New(errs.Malformed, op).With("work before the seal")
	}
	if m.Kind == policyv1.Kind_KIND_NONE {
		// From the core itself, or for the store of the client's own app.
		return context.WithValue(ctx, kitKey{}, k), func() {}, nil
	}
	q := m.NewRequest().(rpc.Granted)
	if err := rpc.Decode(request, q, m.MaxRequest); err != nil {
		return nil, nil, err
	}
	g, err := k.rows.use(m.Kind, channelOf(ctx), q.GetGrant())
	if err != nil {
		return nil, nil, err
	}
	ctx = context.WithValue(context.WithValue(ctx, mountKey{}, g.mount), rowKey{}, &Row{r: &k.rows, g: g})
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(g.ctx, func() { cancel(context.Cause(g.ctx)) })
	return ctx, func() { stop(); cancel(nil) }, nil
}

// Hello implements workerv1.WorkerServiceServer.
func (k *Kit) Hello(_ context.Context, q *workerv1.HelloRequest) (*workerv1.HelloResponse, error) {
	const op = "workerkit.hello"
	if q.Release != k.cfg.Release {
		return nil, errs.New(errs.ReleaseMismatch, op)
	}
	if q.Kind != k.cfg.Kind || k.hello.Swap(true) {
		return nil, errs.New(errs.Malformed, op)
	}
	return &workerv1.HelloResponse{Release: k.cfg.Release, Nonce: q.Nonce}, nil
}

// Probe implements workerv1.WorkerServiceServer.
func (k *Kit) Probe(context.Context, *workerv1.ProbeRequest) (*workerv1.ProbeResponse, error) {
	return &workerv1.ProbeResponse{Attempts: k.cfg.Probe()}, nil
}

// Seal implements workerv1.WorkerServiceServer.
func (k *Kit) Seal(context.Context, *workerv1.SealRequest) (*workerv1.SealResponse, error) {
	if !k.hello.Load() {
		return nil, errs.New(errs.Malformed, "workerkit.seal")
	}
	if err := k.cfg.Seal(); err != nil {
		return nil, errs.Wrap(errs.PostureFailed, "workerkit.seal", err)
	}
	k.sealed.Store(true)
	return &workerv1.SealResponse{}, nil
}

// PutGrant implements workerv1.WorkerServiceServer.
func (k *Kit) PutGrant(_ context.Context, q *workerv1.PutGrantRequest) (*workerv1.PutGrantResponse, error) {
	if err := k.rows.put(q); err != nil {
		return nil, err
	}
	return &workerv1.PutGrantResponse{}, nil
}

// DropGrant implements workerv1.WorkerServiceServer.
func (k *Kit) DropGrant(_ context.Context, q *workerv1.DropGrantRequest) (*workerv1.DropGrantResponse, error) {
	k.rows.drop(q.Handle)
	return &workerv1.DropGrantResponse{}, nil
}
