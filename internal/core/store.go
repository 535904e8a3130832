package core

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/datadir"
	"github.com/bailey-run/bailey/internal/plat/sandbox"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/storev1"
)

const storeKind = "store"

// store is the worker of one app's own data. An app reaches its own by being
// who the connection says it is, so there is no grant and no handle to steal.
// The worker starts with the first call, and ends when there has been none for a
// while; it does not keep the core.
type store struct {
	core *Core
	app  string

	mu      sync.Mutex
	worker  *supervise.Worker
	crashes int
	calls   int
	idle    *time.Timer
	ended   bool
}

func (c *Core) store(app string) *store {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stores[app]
	if s == nil {
		s = &store{core: c, app: app}
		c.stores[app] = s
	}
	return s
}

// relayStore carries a call to the store of the client's own app.
func (c *Core) relayStore(ctx context.Context, m *rpc.Method, request []byte, out rpc.Sender) error {
	if err := rpc.Decode(request, m.NewRequest(), m.MaxRequest); err != nil {
		return err
	}
	sess := session.From(ctx)
	s := c.store(sess.App)
	r := &call{core: c, method: m, actor: audit.Actor{App: sess.App, Surface: sess.Surface}, began: c.cfg.Clock.Wall(), requestBytes: len(request), out: out}
	if err := r.note(auditlog.Call, nil); err != nil {
		return err
	}
	err := s.carry(ctx, r, request)
	if lerr := r.note(auditlog.CallEnd, err); err == nil {
		err = lerr
	}
	return err
}

// carry makes the call, and once more when the worker was gone before it said
// anything: every call of the store may be made twice.
func (s *store) carry(ctx context.Context, r *call, request []byte) error {
	err := s.once(ctx, r, request)
	if errs.CodeOf(err) == errs.WorkerCrashed && r.messages == 0 {
		err = s.once(ctx, r, request)
		if r.method == storev1.StoreServiceEraseMethod() && errs.CodeOf(err) == errs.NotFound {
			// It was erased, and the worker ended before it could say so.
			err = r.send(&storev1.EraseResponse{Conversations: 1})
		}
	}
	return err
}

func (s *store) once(ctx context.Context, r *call, request []byte) error {
	w, err := s.use(ctx)
	if err != nil {
		return err
	}
	defer s.done()
	return r.carry(ctx, target{worker: w, silence: limits.WorkerSilence, hung: errs.WorkerHung, hang: w.Kill, why: endOf(w), worked: s.worked}, request)
}

// use returns the running worker, starting it when need be; done has to follow.
func (s *store) use(ctx context.Context) (*supervise.Worker, error) {
	const op = "core.store"
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil, errs.New(errs.CoreUnavailable, op)
	}
	if s.worker != nil {
		select {
		case <-s.worker.Conn.Done():
			if err := wait(ctx, s.worker.Done()); err != nil {
				return nil, err
			}
			if s.worker.Crashed() {
				s.crashes++
			}
			s.worker = nil
		default:
		}
	}
	if s.worker == nil {
		if err := s.start(ctx); err != nil {
			return nil, err
		}
	}
	s.calls++
	if s.idle != nil {
		s.idle.Stop()
		s.idle = nil
	}
	return s.worker, nil
}

// start starts the worker over the app's directory, a little later after each
// crash in a row.
func (s *store) start(ctx context.Context) error {
	const op = "core.store-start"
	c := s.core
	if !auditlog.ValidToken(s.app) || strings.Contains(s.app, "/") {
		return errs.New(errs.Internal, op) // its name is a directory's
	}
	if s.crashes >= limits.WorkerRestarts {
		return errs.New(errs.WorkerCrashed, op).With("it crashed " + strconv.Itoa(s.crashes) + " times in a row")
	}
	if s.crashes > 0 {
		t := time.NewTimer(limits.WorkerBackoff << (s.crashes - 1))
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	d, err := c.cfg.Stores.Make(datadir.StorePrefix + s.app)
	if err != nil {
		return err
	}
	defer d.Close()
	w, err := c.workers.Start(ctx, storeKind, supervise.Options{Mounts: []sandbox.Mount{{Target: dataMount, Dir: d.Dir, Path: d.Path, Write: true}}})
	if err != nil {
		return err
	}
	actor := audit.Actor{App: s.app, Surface: ownSurface}
	if err := c.noteStart(w, actor, ""); err != nil {
		w.Kill()
		return err
	}
	s.worker = w
	c.background.Go(func() { c.noteEnd(w, actor, "") })
	return nil
}

// done follows use.
func (s *store) done() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls--
	if s.calls > 0 || s.ended {
		return
	}
	s.idle = time.AfterFunc(limits.StoreIdle, func() { s.stop(false) })
}

// stop ends the worker, at the core's end for good. One that has calls again is
// left alone.
func (s *store) stop(forGood bool) {
	s.mu.Lock()
	if s.calls > 0 && !forGood {
		s.mu.Unlock()
		return
	}
	w := s.worker
	s.worker, s.ended = nil, s.ended || forGood
	if s.idle != nil {
		s.idle.Stop()
		s.idle = nil
	}
	s.mu.Unlock()
	if w != nil {
		w.Kill()
	}
}

func (s *store) worked() {
	s.mu.Lock()
	s.crashes = 0
	s.mu.Unlock()
}
