// Package window owns the windows: for each it has a host process that draws the
// page, carries what the page calls to the core's methods, and ends all of it
// when the window is gone.
//
// Who calls is known from the connection, never from a message: the host process
// that the core started is the window, and the document that it last committed is
// the principal. Each document has a session of its own, so that its tasks,
// grants and handles are worth nothing to the next one. A page calls what the
// policy of a method lists for its surface, below the ceiling of its app; all
// else is refused and recorded. What comes from a host is hostile: a frame that
// breaks the format ends it, and everything that waits is bounded.
//
// # Wire
//
// One AF_UNIX SOCK_STREAM socket carries frames both ways: a header of 16 bytes,
// little-endian, and a payload.
//
//	0  4  length of the payload, at most limits.WindowFrame
//	4  1  kind
//	5  3  zero
//	8  8  id; zero where the kind has none
//
// A descriptor may ride on the first byte of a frame to the host; what rides on
// frames from the host is closed by the kernel.
//
//	to the host     id   payload
//	 1 config       -    app, title, width, height, language, scheme, scale, contrast, motion, renderer; NUL between
//	 2 response     yes  u16 status, then lines "Name: value\n"; the body rides on it
//	 3 reply        yes  bailey.surface.v1.Reply
//	 4 settings     -    scheme, scale, contrast, motion
//	 5 raise, 6 close    nothing
//	from the host
//	16 ready        -    the first page has painted
//	17 request      yes  path and query of a GET
//	18 call         yes  bailey.surface.v1.Call
//	19 refused      -    a word, perhaps NUL and a detail
//	20 cancelled    yes  nobody wants the body of that request any more
//	21 document     -    a new main document; the one before is over
//	22 crashed      -    a word: the web process ended
//	23 closed       -    the person closed the window
//	24 dropped      -    an absolute path, which is only a claim
//	25 blank        -    nothing was painted
//
// # Streams
//
// A streaming method is answered with 16 random bytes, which the page fetches
// once as "/.stream/HEX" on its own origin. The body is a pipe: records of four
// bytes of length, the highest first, and a StreamRecord. At most
// limits.WindowStreamBytes are unacknowledged.
//
// Only package core makes a [Manager]; services window and surface call it.
package window

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/clock"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// Recorder is the log; *audit.Log.
type Recorder interface{ Note(audit.Event) error }

// Desk is what is known of one display: the person's settings and the folder
// dialog. Package core makes one from package desktop.
type Desk interface {
	// Settings are the present ones. The first call may wait for them, not long.
	Settings() Settings
	// Changes is signalled when they may have changed. It is closed by Close.
	Changes() <-chan struct{}
	// Pick has the person choose a folder, and opens it; nil = none was chosen.
	Pick(context.Context) (*folder.Folder, error)
	// Accessibility is the socket of the filtered accessibility bus; "" = none.
	Accessibility() string
	Close()
}

// Settings are how a person has set the desktop up.
type Settings struct {
	Scheme surfacev1.Scheme
	// Scale of text in thousandths; 0 is 1000.
	Scale                       uint32
	HighContrast, ReducedMotion bool
}

// Config is what a manager needs.
type Config struct {
	Release  string
	Clock    clock.Clock
	Log      *slog.Logger
	Record   Recorder
	Sessions *session.Registry
	// Find returns the route of a method.
	Find func(number uint32) (rpc.Route, bool)
	// Bundle returns an app's files.
	Bundle func(apps.App) (*apps.Bundle, error)
	// Check finds out whether a window can be shown on a display that a client
	// named.
	Check func(context.Context, desktop.Display) error
	// Start starts a host, confined, on a display.
	Start func(ctx context.Context, d desktop.Display, accessibility string) (*Host, error)
	// Confined looks from outside at a host and all below it, and says whether they
	// are in their sandboxes, the page's own process above all.
	Confined func(pid int) error
	// Desk begins to ask a display's desktop.
	Desk func(desktop.Display) Desk
	// Watch has f called when a grant of a channel was withdrawn or has expired,
	// until stop is called. f must not block.
	Watch func(channel uint64, f func(capability.ID, grantv1.State)) (stop func())
	// Gone is called when a session is over, after its tasks have ended.
	Gone func(*session.Session)
}

// Manager owns the open windows. Its methods may be called from any goroutine.
type Manager struct {
	cfg Config
	// life ends with the manager.
	life context.Context
	end  context.CancelFunc

	mu      sync.Mutex
	closed  bool
	windows []*Window
	// documents are those that live, by the channel of their session.
	documents map[uint64]*document
	// told counts the clients that are waiting for the end of a window.
	told sync.WaitGroup
	// all are the goroutines of windows.
	all sync.WaitGroup
}

// New returns a manager without windows.
func New(cfg Config) *Manager {
	m := &Manager{cfg: cfg, documents: map[uint64]*document{}}
	m.life, m.end = context.WithCancel(context.Background())
	return m
}

// Open shows an app on a display, or raises the window that it has, at a view if
// the app has several. With a new window it returns when the host is confined;
// the page comes after.
//
// Errors: errs.AppUnknown, errs.AppMissing, errs.BundleDamaged, and those of the
// display and the host: errs.DisplayMissing, errs.WindowUnavailable,
// errs.SandboxMissing, errs.PostureFailed; errs.CoreBusy.
func (m *Manager) Open(ctx context.Context, id, view string, d desktop.Display) (w *Window, raised bool, err error) {
	return m.open(ctx, id, view, d, nil)
}

func (m *Manager) open(ctx context.Context, id, view string, d desktop.Display, owner *Window) (*Window, bool, error) {
	const op = "window.open"
	app, ok := apps.Find(id)
	if !ok || view != "" && !slices.Contains(app.Views, view) {
		return nil, false, errs.New(errs.AppUnknown, op)
	}
	if err := m.cfg.Check(ctx, d); err != nil {
		return nil, false, err
	}
	bundle, err := m.cfg.Bundle(app)
	if err != nil {
		return nil, false, err
	}
	w := newWindow(m, app, bundle, d, owner)
	for {
		old, err := m.add(w)
		if err != nil {
			return nil, false, err
		}
		if old == nil {
			break
		}
		select {
		case <-old.started:
		case <-ctx.Done():
			return nil, false, errs.Wrap(errs.Cancelled, op, ctx.Err())
		}
		if old.raise(view) {
			return old, true, nil
		}
		// It is about to end, and would take the person's wish along.
		select {
		case <-old.Done():
		case <-ctx.Done():
			return nil, false, errs.Wrap(errs.Cancelled, op, ctx.Err())
		}
	}
	w.setView(view)
	if err := w.start(ctx); err != nil {
		m.remove(w)
		close(w.done)
		return nil, false, err
	}
	return w, false, nil
}

// add puts a window among the others, or returns the one that its app has.
func (m *Manager) add(w *Window) (*Window, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errs.New(errs.Cancelled, "window.open")
	}
	for _, o := range m.windows {
		if o.app.ID == w.app.ID {
			return o, nil
		}
	}
	m.windows = append(m.windows, w)
	return nil, nil
}

func (m *Manager) remove(w *Window) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.windows = slices.DeleteFunc(m.windows, func(o *Window) bool { return o == w })
}

// owned lists the windows that a window has opened.
func (m *Manager) owned(by *Window) []*Window {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []*Window
	for _, o := range m.windows {
		if o.owner == by {
			out = append(out, o)
		}
	}
	return out
}

// Close ends every window and returns when they are gone and whoever waits for
// one has been told.
func (m *Manager) Close() {
	m.mu.Lock()
	m.closed = true
	ws := slices.Clone(m.windows)
	m.mu.Unlock()
	for _, w := range ws {
		w.Close(Stopped)
	}
	for _, w := range ws {
		<-w.Done()
	}
	told := make(chan struct{})
	go func() { m.told.Wait(); close(told) }()
	t := time.NewTimer(limits.WindowsTold)
	defer t.Stop()
	select {
	case <-told:
	case <-t.C:
	}
	m.end()
	m.all.Wait()
}

// Following is called by whoever streams the fate of a window to a client, and
// the result when the client has been told.
func (m *Manager) Following() (done func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return func() {}
	}
	m.told.Add(1)
	return m.told.Done
}

// document is the live document that a session stands for.
func (m *Manager) document(s *session.Session) (*document, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.documents[s.Channel]
	if d == nil {
		return nil, errs.New(errs.Cancelled, "window.document")
	}
	return d, nil
}

// Of returns the window whose present document a session stands for.
func (m *Manager) Of(s *session.Session) (*Window, bool) {
	d, err := m.document(s)
	if err != nil {
		return nil, false
	}
	return d.window, true
}

// DisplayOf says where the window of a session is shown, and how its person has
// set up the desktop, so that a question appears in the same place.
func (m *Manager) DisplayOf(s *session.Session) (d desktop.Display, settings Settings, accessibility string, ok bool) {
	w, ok := m.Of(s)
	if !ok {
		return desktop.Display{}, Settings{}, "", false
	}
	w.mu.Lock()
	desk := w.desk
	w.mu.Unlock()
	return w.display, desk.Settings(), desk.Accessibility(), true
}
