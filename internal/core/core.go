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
//	engine.go   which engine serves a grant of a model, and live.go its process
//	channel.go  an index worker's way to an engine
//	pdf.go      an index worker's way to a pdf worker, and that one's machine code
//	store.go    an app's own data
//	own.go      tasks of the core's own
//	window.go   windows, and what shows them
//	runs.go     programs of the person's own in the sandbox of a kind
//	vectors.go  work over a remembered folder while nobody waits
package core

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
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
	"github.com/bailey-run/bailey/internal/models"
	"github.com/bailey-run/bailey/internal/plat/cgroup"
	"github.com/bailey-run/bailey/internal/plat/codecache"
	"github.com/bailey-run/bailey/internal/plat/datadir"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/plat/memory"
	"github.com/bailey-run/bailey/internal/plat/peer"
	auditservice "github.com/bailey-run/bailey/internal/service/audit"
	coreservice "github.com/bailey-run/bailey/internal/service/core"
	grantservice "github.com/bailey-run/bailey/internal/service/grant"
	modelservice "github.com/bailey-run/bailey/internal/service/model"
	surfaceservice "github.com/bailey-run/bailey/internal/service/surface"
	windowservice "github.com/bailey-run/bailey/internal/service/window"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/supervise"
	"github.com/bailey-run/bailey/internal/window"
	"github.com/bailey-run/bailey/internal/wire/auditv1"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/modelv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/sandboxv1"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
	"github.com/bailey-run/bailey/internal/wire/windowv1"
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
	// ProgramDirs are where they and what they load lie, by their real names.
	ProgramDirs []string
	// OpenApp opens the archive of an app's files; nil where there are none.
	OpenApp func(id string) (io.ReadCloser, error)
	// UserDir is the person's own directory, which the folder dialog begins at;
	// RuntimeDir is Bailey's own for sockets.
	UserDir, RuntimeDir string
	// Models is the store of models.
	Models *models.Store
	// Data is where workers' directories are made, and Stores where those of apps'
	// own data are.
	Data, Stores *datadir.Parent
	// Code is where machine code is kept that workers made for later ones; nil = it
	// is made at each start.
	Code *codecache.Store
	// Groups is where workers get control groups; nil where they get none.
	Groups *cgroup.Source
	// KeepAlive is how long a loaded engine waits for its next grant; 0 =
	// limits.EngineKeepAlive.
	KeepAlive time.Duration
	// StateDir is told to clients; Own are all of Bailey's directories.
	StateDir string
	Own      []string
}

func (c *Config) keepAlive() time.Duration {
	if c.KeepAlive > 0 {
		return c.KeepAlive
	}
	return limits.EngineKeepAlive
}

// Core is the running core.
type Core struct {
	cfg      Config
	sessions *session.Registry
	desk     *consent.Desk
	table    *grant.Table
	workers  *supervise.Supervisor
	grants   *grantservice.Service
	prompts  *prompter
	models   *modelservice.Service
	windows  *window.Manager
	bundles  bundles
	mux      *rpc.Mux
	refusals refusals

	// changed is signalled when a session or task ended.
	changed chan struct{}
	// pins is held for reading by what allows a model, and for writing by what
	// collects those that nobody allowed.
	pins sync.RWMutex
	// turn is held by the one work in the background that goes on.
	turn chan struct{}
	// coding is held by who looks for machine code, and makes it.
	coding chan struct{}
	// background counts what has to be done before the core may end.
	background sync.WaitGroup

	mu sync.Mutex
	// assigned are the workers of live grants.
	assigned map[capability.ID]*assignment
	// kept are the remembered folders whose data directory is in use, and by
	// whom.
	kept map[capability.ID]*assignment
	// leases are the live grants of models, engines what they share, stores the
	// apps' own data.
	leases  map[capability.ID]*lease
	engines map[engineKey]*engine
	stores  map[string]*store
	// vectors is the work over remembered folders, by permission.
	vectors map[capability.ID]*vectors
	// quiet counts those who are stopping something: nothing is kept or begun in
	// the background meanwhile.
	quiet int
}

// New returns a core that runs when Run is called.
func New(cfg Config) *Core {
	c := &Core{
		cfg:      cfg,
		sessions: session.NewRegistry(cfg.Clock),
		desk:     consent.NewDesk(cfg.Clock, func(q *consent.Question) { grantservice.Unanswered(cfg.Audit, q) }),
		table:    grant.NewTable(cfg.Clock),
		workers:  supervise.New(supervise.Config{Programs: cfg.Programs, EngineDir: cfg.EngineDir, Groups: cfg.Groups, Release: cfg.Release, Log: cfg.Log}),
		changed:  make(chan struct{}, 1),
		assigned: map[capability.ID]*assignment{},
		kept:     map[capability.ID]*assignment{},
		leases:   map[capability.ID]*lease{},
		engines:  map[engineKey]*engine{},
		stores:   map[string]*store{},
		vectors:  map[capability.ID]*vectors{},
		turn:     make(chan struct{}, 1),
		coding:   make(chan struct{}, 1),
	}
	c.grants = &grantservice.Service{
		Clock: cfg.Clock, Sessions: c.sessions, Table: c.table, Policies: cfg.Policies, Desk: c.desk, Log: cfg.Audit,
		Own: cfg.Own, UserDir: folder.Real(cfg.UserDir), Wanted: c.wanted, Model: c.model, Assign: c.assign, AssignModel: c.assignModel, Forgotten: c.forgotten,
		Progress: c.progress, Graphics: c.card, Pins: c.pins.RLocker(), Line: &consent.Line{}, Name: appName, Allows: appAllows,
	}
	c.prompts = &prompter{start: c.startPrompt, log: cfg.Log}
	c.grants.Prompter = c.prompts
	c.bundles.open = cfg.OpenApp
	c.windows = c.newWindows()
	c.prompts.screen, c.grants.Picked = c.windows.DisplayOf, c.windows.Picked
	c.models = &modelservice.Service{
		Clock: cfg.Clock, Sessions: c.sessions, Store: cfg.Models, Policies: cfg.Policies, Log: cfg.Audit, Own: cfg.Own,
		Inspect: c.inspect, Memory: memory.Available, Engines: engines{c}, Unpin: c.unpin, Start: c.load,
		Pins: &c.pins,
	}
	c.mux = rpc.NewMux(
		greeted(corev1.CoreServiceRoutes(&coreservice.Service{
			Release: cfg.Release, PID: os.Getpid(), StateDir: cfg.StateDir, Sessions: c.sessions, Log: cfg.Audit,
			Began: c.taskBegan, Stop: c.stopTasks, Examine: c.examine, Examining: make(chan struct{}, 1),
		})),
		greeted(grantv1.GrantServiceRoutes(c.grants)),
		greeted(modelv1.ModelServiceRoutes(c.models)),
		greeted(auditv1.AuditServiceRoutes(&auditservice.Service{Log: cfg.Audit})),
		greeted(sandboxv1.SandboxServiceRoutes(c.newRuns())),
		greeted(windowv1.WindowServiceRoutes(&windowservice.Service{Windows: c.windows, Clock: cfg.Clock, Record: cfg.Audit})),
		greeted(surfacev1.SurfaceServiceRoutes(&surfaceservice.Service{Windows: c.windows, Record: cfg.Audit})),
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

// Run serves until ctx ends or nobody needs the core any more, and then ends
// everything that it started. ready is called once clients can connect.
func (c *Core) Run(ctx context.Context, ready func()) error {
	// Connections last a little longer than ctx: clients are told of the end of
	// their windows first.
	serving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var conns sync.WaitGroup
	accepted := make(chan error, 1)
	go func() { accepted <- c.accept(serving, &conns) }()
	go c.watchSocket(serving)
	ready()
	// What the start did not check of the log is checked beside the first
	// answers; damage closes Broken, which wait looks at.
	c.background.Go(func() { _ = c.cfg.Audit.Check(serving) })
	err := c.wait(ctx, accepted)
	// From here on nothing is kept.
	c.mu.Lock()
	c.quiet++
	c.mu.Unlock()
	c.windows.Close()
	cancel()
	c.cfg.Listener.Close()
	conns.Wait()
	c.sessions.Stop("")
	c.table.Close()
	c.endAll()
	c.background.Wait()
	c.noteRefusals(true)
	return err
}

// endAll ends the workers that belong to no task.
func (c *Core) endAll() {
	c.mu.Lock()
	es, ss := slices.Collect(maps.Values(c.engines)), slices.Collect(maps.Values(c.stores))
	c.mu.Unlock()
	for _, e := range es {
		e.evict(nil)
	}
	for _, s := range ss {
		s.stop(true)
	}
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
			c.noteRefusals(false)
		case <-c.changed:
			linger.Reset(limits.CoreLinger)
		case <-linger.C:
			if c.sessions.Idle() {
				return nil
			}
		}
	}
}

// watchSocket ends the core when its socket is lost, as after a logout: nobody could
// withdraw anything any more. It waits for nobody, as the file system may.
func (c *Core) watchSocket(ctx context.Context) {
	tick := time.NewTicker(limits.SocketTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if c.cfg.Listener.Lost() {
				c.cfg.Log.Warn("the socket is gone: the core ends")
				c.cfg.Listener.Close()
				return
			}
		}
	}
}

func (c *Core) expire() {
	for _, e := range c.table.Expire() {
		_ = c.cfg.Audit.Note(grantservice.Ended(auditlog.Expire, grantservice.HolderActor(e.Row.Holder), e))
	}
}

func (c *Core) noteRefusals(all bool) {
	for _, ev := range c.refusals.over(c.cfg.Clock.Boot(), all) {
		_ = c.cfg.Audit.Note(ev)
	}
}

func (c *Core) accept(ctx context.Context, conns *sync.WaitGroup) error {
	for {
		conn, cred, err := c.cfg.Listener.Accept(func(refused *net.UnixConn, p peer.Credentials) {
			ipc.Drop(refused)
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
		ipc.Drop(conn)
		return
	}
	base, cancel := context.WithCancel(session.With(ctx, s))
	defer cancel()
	ic := ipc.New(conn, ipc.Options{
		Mux: c.mux, Peer: policyv1.Caller_CALLER_CLIENT, Even: true, Gone: errs.Cancelled, Context: base, Log: c.cfg.Log, Descriptors: descriptors,
		OnMalformed: func(reason string) {
			// Connections cost nothing: who breaks one after the other only fills the log.
			ev := audit.Event{Kind: auditlog.MalformedPeer, Actor: audit.Actor{App: s.App, Surface: s.Surface}, Detail: map[string]string{"reason": reason}}
			if c.refusals.add(s.App+" malformed", c.cfg.Clock.Boot(), &ev) {
				_ = c.cfg.Audit.Note(ev)
			}
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

// taskBegan ties grants to the end of a task whose begin is on the record, and
// records it. One that was stopped meanwhile has ended.
func (c *Core) taskBegan(t *session.Task) {
	ended := func(o session.Outcome) {
		c.table.EndTask(t.Session.Channel, t.ID)
		_ = c.cfg.Audit.Note(audit.Event{
			Kind: auditlog.TaskEnd, Actor: coreservice.Actor(t), Code: string(o),
			Milliseconds: uint64(max(0, c.cfg.Clock.Wall().Sub(t.Started).Milliseconds())),
		})
	}
	if !t.OnEnd(ended) {
		ended(session.Cancelled)
	}
}
