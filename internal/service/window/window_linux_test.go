package window

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/window"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/windowv1"
)

const patience = 20 * time.Second

type journal struct {
	mu   sync.Mutex
	said []string
}

func (j *journal) Note(e audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.Method != "" {
		j.said = append(j.said, string(e.Kind)+" "+e.Detail["app"]+e.Code)
	}
	return nil
}

func (j *journal) all() []string { j.mu.Lock(); defer j.mu.Unlock(); return slices.Clone(j.said) }

type desk struct{ c chan struct{} }

func (desk) Settings() window.Settings                    { return window.Settings{} }
func (d desk) Changes() <-chan struct{}                   { return d.c }
func (desk) Pick(context.Context) (*folder.Folder, error) { return nil, nil }
func (desk) Accessibility() string                        { return "" }
func (d desk) Close()                                     { close(d.c) }

// heard are the events of one call; the test takes them in turn.
type heard chan *windowv1.OpenResponse

func (h heard) Send(b []byte) error {
	m := new(windowv1.OpenResponse)
	if err := rpc.Decode(b, m, len(b)); err != nil {
		return err
	}
	h <- m
	return nil
}

func (h heard) next(t *testing.T) *windowv1.OpenResponse {
	t.Helper()
	select {
	case m := <-h:
		return m
	case <-time.After(patience):
		t.Fatal("no event")
		return nil
	}
}

// rig is a service with hosts that are the test's own.
type rig struct {
	t      *testing.T
	log    *journal
	ctx    context.Context
	hosts  chan *net.UnixConn
	route  rpc.Route
	refuse error
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, log: &journal{}, hosts: make(chan *net.UnixConn, 4)}
	sessions := session.NewRegistry(clock.System{})
	m := window.New(window.Config{
		Release: "test", Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Record: r.log, Sessions: sessions,
		Find:     func(uint32) (rpc.Route, bool) { return rpc.Route{}, false },
		Check:    func(context.Context, desktop.Display) error { return r.refuse },
		Bundle:   func(apps.App) (*apps.Bundle, error) { return nil, nil },
		Start:    r.start,
		Confined: func(int) error { return nil },
		Desk:     func(desktop.Display) window.Desk { return desk{make(chan struct{})} },
		Watch:    func(uint64, func(capability.ID, grantv1.State)) func() { return func() {} },
		Gone:     func(*session.Session) {},
	})
	t.Cleanup(m.Close)
	s, err := sessions.Open("bailey", "terminal", 1)
	if err != nil {
		t.Fatal(err)
	}
	r.ctx = session.With(context.Background(), s)
	r.route = windowv1.WindowServiceRoutes(&Service{Windows: m, Clock: clock.System{}, Record: r.log})[0]
	return r
}

func (r *rig) start(context.Context, desktop.Display, string) (*window.Host, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	var conns [2]*net.UnixConn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			return nil, err
		}
		conns[i] = c.(*net.UnixConn)
	}
	done := make(chan struct{})
	kill := sync.OnceFunc(func() { conns[1].Close(); close(done) })
	r.hosts <- conns[1]
	return &window.Host{Conn: conns[0], PID: 4242, Done: done, Kill: kill, Ended: func() map[string]string { return nil }}, nil
}

// open calls Open and returns its events, what gives it up, and how it ended.
func (r *rig) open(in *windowv1.OpenRequest) (heard, context.CancelFunc, <-chan error) {
	r.t.Helper()
	b, err := rpc.Encode(in, r.route.Method.MaxRequest)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.ctx)
	r.t.Cleanup(cancel)
	h, ended := make(heard, 8), make(chan error, 1)
	go func() { ended <- r.route.Stream(ctx, b, h) }()
	return h, cancel, ended
}

func (r *rig) ended(c <-chan error) error {
	r.t.Helper()
	select {
	case err := <-c:
		return err
	case <-time.After(patience):
		r.t.Fatal("the call goes on")
		return nil
	}
}

func studio() *windowv1.OpenRequest {
	return &windowv1.OpenRequest{App: "studio", Display: &windowv1.Display{X11: ":7"}}
}

// say sends a frame of a kind without id and payload.
func say(c *net.UnixConn, kind byte) {
	_, _ = c.Write([]byte{0, 0, 0, 0, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
}

// A client hears of a window's whole life, and the log of its beginning and end; a
// second client is told that it was raised.
func TestOpen(t *testing.T) {
	r := newRig(t)
	events, _, ended := r.open(studio())
	if o := events.next(t).GetOpened(); o == nil || o.Raised || o.Pid != 4242 {
		t.Fatalf("%v", o)
	}
	host := <-r.hosts
	second, _, secondEnded := r.open(studio())
	if o := second.next(t).GetOpened(); !o.GetRaised() {
		t.Fatalf("%v", o)
	}
	if err := r.ended(secondEnded); err != nil {
		t.Fatal(err)
	}
	say(host, 16)
	if events.next(t).GetShown() == nil {
		t.Fatal("not shown")
	}
	say(host, 23)
	if c := events.next(t).GetClosed(); c.GetWhy() != window.ByPerson {
		t.Fatalf("%v", c)
	}
	if err := r.ended(ended); err != nil {
		t.Fatal(err)
	}
	if got := r.log.all(); !slices.Equal(got, []string{"call studio", "call studio", "call-end ok", "call-end ok"}) {
		t.Fatalf("%q", got)
	}
}

// A client that gives the call up, or goes, takes its window along.
func TestGivenUp(t *testing.T) {
	r := newRig(t)
	events, cancel, ended := r.open(studio())
	events.next(t)
	host := <-r.hosts
	cancel()
	if err := r.ended(ended); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	_ = host.SetReadDeadline(time.Now().Add(patience))
	for b := make([]byte, 4096); ; {
		if _, err := host.Read(b); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the window lives on")
			}
			return
		}
	}
}

// What keeps a window from being shown is the call's error, and on the record; so
// is a window that ends as it should not.
func TestFails(t *testing.T) {
	r := newRig(t)
	r.refuse = errs.New(errs.DisplayMissing, "test")
	_, _, ended := r.open(studio())
	if err := r.ended(ended); errs.CodeOf(err) != errs.DisplayMissing {
		t.Fatal(err)
	}
	r.refuse = nil
	_, _, ended = r.open(&windowv1.OpenRequest{App: "nothing", Display: &windowv1.Display{}})
	if err := r.ended(ended); errs.CodeOf(err) != errs.AppUnknown {
		t.Fatal(err)
	}
	events, _, ended := r.open(studio())
	events.next(t)
	say(<-r.hosts, 99)
	if err := r.ended(ended); errs.CodeOf(err) != errs.Malformed {
		t.Fatal(err)
	}
	if got := r.log.all(); !slices.Equal(got, []string{"call studio", "call-end display-missing", "call nothing", "call-end app-unknown", "call studio", "call-end malformed"}) {
		t.Fatalf("%q", got)
	}
}
