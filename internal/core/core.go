// Package core wires the one process that acts for the user: it answers
// clients, keeps grants, the log and the workers, and ends when nobody needs
// it any more. What is decided where:
//
//	session     who is connected, which tasks are open
//	consent     the questions that wait for a person
//	capability  whether a use is allowed
//	grant       the table of live grants, and what is remembered
//	audit       the record
//	supervise   starting workers, and seeing that they are confined
//	relay.go    a client's call on its way to the worker that holds the grant
package core

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/consent"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/grant"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/datadir"
	"github.com/bailey-run/bailey/internal/plat/peer"
	auditservice "github.com/bailey-run/bailey/internal/service/audit"
	coreservice "github.com/bailey-run/bailey/internal/service/core"
	grantservice "github.com/bailey-run/bailey/internal/service/grant"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/wire/auditv1"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/table"
)

// Config is what a core is made of. It owns nothing of it but the listener.
type Config struct {
	Release  string
	Clock    clock.Clock
	Log      *slog.Logger
	Audit    *audit.Log
	Policies *grant.Policies
	Listener *peer.Listener
	// Programs are the workers' binaries by name, open; EngineDir is the directory
	// of inference libraries.
	Programs  map[string]*os.File
	EngineDir string
	// Data is where workers' directories are made.
	Data *datadir.Parent
	// StateDir is told to clients; Own are all of Bailey's directories.
	StateDir string
	Own      []string
}

// Core is the running core.
type Core struct {
	cfg      Config
	sessions *session.Registry
	desk     *consent.Desk
	table    *grant.Table
	workers  *supervise.Supervisor
	grants   *grantservice.Service
	mux      *rpc.Mux

	// changed is signalled when a session or task ended.
	changed chan struct{}
	// background counts what has to be done before the core may end.
	background sync.WaitGroup

	mu sync.Mutex
	// assigned are the workers of live grants.
	assigned map[capability.ID]*assignment
	// kept are the remembered folders whose data directory is in use, and by
	// whom.
	kept map[capability.ID]*assignment
}

// New returns a core that runs when Run is called.
func New(cfg Config) *Core {
	c := &Core{
		cfg:      cfg,
		sessions: session.NewRegistry(cfg.Clock),
		desk:     consent.NewDesk(cfg.Clock, func(q *consent.Question) { grantservice.Unanswered(cfg.Audit, q) }),
		table:    grant.NewTable(cfg.Clock),
		workers:  supervise.New(supervise.Config{Programs: cfg.Programs, EngineDir: cfg.EngineDir, Release: cfg.Release, Log: cfg.Log}),
		changed:  make(chan struct{}, 1),
		assigned: map[capability.ID]*assignment{},
		kept:     map[capability.ID]*assignment{},
	}
	c.grants = &grantservice.Service{
		Clock: cfg.Clock, Sessions: c.sessions, Table: c.table, Policies: cfg.Policies, Desk: c.desk, Log: cfg.Audit,
		Own: cfg.Own, Assign: c.assign, Forgotten: c.forgotten,
	}
	c.mux = rpc.NewMux(
		greeted(corev1.CoreServiceRoutes(&coreservice.Service{
			Release: cfg.Release, PID: os.Getpid(), StateDir: cfg.StateDir, Sessions: c.sessions, Log: cfg.Audit,
			Began: c.taskBegan, Examine: c.examine,
		})),
		greeted(grantv1.GrantServiceRoutes(c.grants)),
		greeted(auditv1.AuditServiceRoutes(&auditservice.Service{Log: cfg.Audit})),
		greeted(c.relays()),
	)
	return c
}

// greeted lets nothing but Hello through before a client has said who it is; a
// client that tries breaks the protocol.
func greeted(routes []rpc.Route) []rpc.Route {
	refuse := func(ctx context.Context, m *rpc.Method) error {
		if m == corev1.CoreServiceHelloMethod() || session.From(ctx).Greeted() {
			return nil
		}
		ipc.FromContext(ctx).Fail("a call before the hello")
		return errs.New(errs.Malformed, "core.greeted")
	}
	for i, r := range routes {
		if r.Unary != nil {
			routes[i].Unary = func(ctx context.Context, q []byte) ([]byte, error) {
				if err := refuse(ctx, r.Method); err != nil {
					return nil, err
				}
				return r.Unary(ctx, q)
			}
			continue
		}
		routes[i].Stream = func(ctx context.Context, q []byte, s rpc.Sender) error {
			if err := refuse(ctx, r.Method); err != nil {
				return err
			}
			return r.Stream(ctx, q, s)
		}
	}
	return routes
}

// relays returns a route to a worker for each method that a client may call
// on one.
func (c *Core) relays() []rpc.Route {
	var out []rpc.Route
	for _, m := range table.All() {
		if m.Caller == policyv1.Caller_CALLER_CLIENT_TO_WORKER {
			out = append(out, rpc.Route{Method: m, Stream: func(ctx context.Context, q []byte, s rpc.Sender) error {
				return c.relay(ctx, m, q, s)
			}})
		}
	}
	return out
}

// Run serves until ctx ends or nobody needs the core any more, and then ends
// everything that it started. ready is called once clients can connect.
func (c *Core) Run(ctx context.Context, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var conns sync.WaitGroup
	accepted := make(chan error, 1)
	go func() { accepted <- c.accept(ctx, &conns) }()
	ready()
	// What the start did not check of the log is checked beside the first
	// answers; damage closes Broken, which wait looks at.
	c.background.Go(func() { _ = c.cfg.Audit.Check(ctx) })
	err := c.wait(ctx, accepted)
	cancel()
	c.cfg.Listener.Close()
	conns.Wait()
	c.table.Close()
	c.background.Wait()
	return err
}

// wait returns when the core has to end. A core that has never had a client
// waits as long as one that has lost its last.
func (c *Core) wait(ctx context.Context, accepted <-chan error) error {
	tick := time.NewTicker(limits.ExpiryTick)
	defer tick.Stop()
	linger := time.NewTimer(limits.ClientHello)
	defer linger.Stop()
	broken := c.cfg.Audit.Broken()
	for {
		select {
		case <-broken:
			// What was allowed was allowed on the strength of the log.
			c.table.Break(errs.From(c.cfg.Audit.Status().Broken))
			broken = nil
		case <-ctx.Done():
			return nil
		case err := <-accepted:
			return err
		case <-tick.C:
			c.expire()
		case <-c.changed:
			linger.Reset(limits.CoreLinger)
		case <-linger.C:
			if c.sessions.Idle() {
				return nil
			}
		}
	}
}

func (c *Core) expire() {
	for _, e := range c.table.Expire() {
		_ = c.cfg.Audit.Note(grantservice.Ended(auditlog.Expire, grantservice.HolderActor(e.Row.Holder), e))
	}
}

func (c *Core) accept(ctx context.Context, conns *sync.WaitGroup) error {
	for {
		conn, cred, err := c.cfg.Listener.Accept(func(p peer.Credentials) {
			c.cfg.Log.Warn("a process of another user was refused", "uid", p.UID)
		})
		switch {
		case errors.Is(err, net.ErrClosed) || ctx.Err() != nil:
			return nil
		case err != nil:
			return errs.Wrap(errs.Internal, "core.accept", err)
		}
		conns.Go(func() { c.serve(ctx, conn, cred) })
	}
}

// The app and surface of the command line, as they stand in the log.
const (
	cliApp     = "bailey"
	cliSurface = "terminal"
)

// serve answers one client until it goes.
func (c *Core) serve(ctx context.Context, conn *net.UnixConn, cred peer.Credentials) {
	defer c.signal()
	s, err := c.sessions.Open(cliApp, cliSurface, cred.PID)
	if err != nil {
		conn.Close()
		return
	}
	base, cancel := context.WithCancel(session.With(ctx, s))
	defer cancel()
	ic := ipc.New(conn, ipc.Options{
		Mux: c.mux, Peer: policyv1.Caller_CALLER_CLIENT, Even: true, Gone: errs.Cancelled, Context: base, Log: c.cfg.Log,
		OnMalformed: func(reason string) {
			_ = c.cfg.Audit.Note(audit.Event{Kind: auditlog.MalformedPeer, Actor: audit.Actor{App: s.App, Surface: s.Surface}, Detail: map[string]string{"reason": reason}})
		},
	})
	hello := time.AfterFunc(limits.ClientHello, func() {
		if !s.Greeted() {
			ic.Fail("no hello in time")
		}
	})
	defer hello.Stop()
	select {
	case <-ic.Done():
	case <-ctx.Done():
	}
	// First the tasks, so that what they run ends; then the handlers.
	c.sessions.Close(s)
	ic.Close()
	c.desk.Drop(s.Channel)
	c.table.Forget(s.Channel)
}

func (c *Core) signal() {
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// taskBegan ties grants to the task's end, and records it.
func (c *Core) taskBegan(t *session.Task) {
	t.OnEnd(func(o session.Outcome) {
		c.table.EndTask(t.Session.Channel, t.ID)
		_ = c.cfg.Audit.Note(audit.Event{
			Kind: auditlog.TaskEnd, Actor: coreservice.Actor(t), Code: string(o),
			Milliseconds: uint64(c.cfg.Clock.Wall().Sub(t.Started).Milliseconds()),
		})
	})
}
