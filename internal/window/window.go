package window

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// Why a window closed.
const (
	ByPerson = "closed"
	Stopped  = "stopped"
	Crashed  = "crashed"
)

// The renderers that a host can be told to use.
const (
	rendererAuto     = "auto"
	rendererSoftware = "software"
)

// Host is a running host process, see package hosts.
type Host struct {
	Conn *net.UnixConn
	PID  int
	Done <-chan struct{}
	// Kill ends it and returns when it is gone. Idempotent.
	Kill func()
	// Ended says how it did, in tokens for the log; valid after Done.
	Ended func() map[string]string
}

// Window is one window of an app, over the hosts that it may need one after the
// other.
type Window struct {
	m       *Manager
	app     apps.App
	bundle  *apps.Bundle
	display desktop.Display
	owner   *Window
	denials folded
	started chan struct{}
	shown   chan struct{}
	done    chan struct{}
	began   time.Time

	mu sync.Mutex
	// desk is set once, by start.
	desk    Desk
	link    *link
	doc     *document
	view    surfacev1.Panel
	closing bool
	why     string
	err     error
	// panel and pick are when the page opened the last one.
	panel, pick time.Time
	picking     bool
	// written, crashes and drops bound the records that a page or a host can cause.
	written, crashes, drops bucket
	// handlers are those of streams that are at work, of whichever document.
	handlers int
}

func newWindow(m *Manager, app apps.App, b *apps.Bundle, d desktop.Display, owner *Window) *Window {
	return &Window{
		m: m, app: app, bundle: b, display: d, owner: owner, began: m.cfg.Clock.Wall(),
		denials: folded{record: m.cfg.Record, wall: m.cfg.Clock.Wall},
		started: make(chan struct{}), shown: make(chan struct{}), done: make(chan struct{}),
	}
}

// PID is the present host's process.
func (w *Window) PID() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.link == nil {
		return 0
	}
	return w.link.host.PID
}

// Shown is closed when the page has painted for the first time.
func (w *Window) Shown() <-chan struct{} { return w.shown }

// Done is closed when the window is gone, and all that was its page's.
func (w *Window) Done() <-chan struct{} { return w.done }

// Why says how it ended, and with which error if it should not have; valid after
// Done.
func (w *Window) Why() (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.why, w.err
}

// Close has the window end, for a reason that is kept if it is the first. It
// does not wait.
func (w *Window) Close(why string) { w.fail(why, nil) }

func (w *Window) fail(why string, err error) {
	w.mu.Lock()
	if w.why == "" {
		w.why, w.err = why, err
	}
	l := w.link
	was := w.closing
	w.closing = true
	w.mu.Unlock()
	if l == nil || was {
		return
	}
	// A host that does not read its orders is ended all the same, which also ends
	// the wait to write them.
	time.AfterFunc(limits.WindowClose, l.host.Kill)
	_ = l.out.send(kindClose, 0, nil)
}

// setView notes what the page of a panel is to show.
func (w *Window) setView(view string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch view {
	case "permissions":
		w.view = surfacev1.Panel_PANEL_PERMISSIONS
	case "activity":
		w.view = surfacev1.Panel_PANEL_ACTIVITY
	}
}

// raise brings the window to the front, at a view; false if it is about to end.
func (w *Window) raise(view string) bool {
	w.setView(view)
	w.mu.Lock()
	l, d, ends := w.link, w.doc, w.closing || w.why != ""
	w.mu.Unlock()
	if ends {
		return false
	}
	if d != nil && view != "" {
		d.each(func(s *subscriber) { s.show() })
	}
	if l != nil {
		_ = l.out.send(kindRaise, 0, nil)
	}
	return true
}

// start starts the first host; the window lives on by itself then. It closes
// started, whatever comes of it.
func (w *Window) start(ctx context.Context) error {
	defer close(w.started)
	desk := w.m.cfg.Desk(w.display)
	w.mu.Lock()
	w.desk = desk
	w.mu.Unlock()
	l, err := w.host(ctx, rendererAuto)
	if err != nil {
		desk.Close()
		w.mu.Lock()
		w.why, w.err = Crashed, err // for those who wait for it
		w.mu.Unlock()
		return err
	}
	w.m.all.Go(func() { w.watchSettings(desk) })
	w.m.all.Go(func() { w.run(l) })
	return nil
}

// host starts a host and tells it what to be.
func (w *Window) host(ctx context.Context, renderer string) (*link, error) {
	h, err := w.m.cfg.Start(ctx, w.display, w.desk.Accessibility())
	if err != nil {
		return nil, err
	}
	l := w.newLink(h)
	d, err := w.newDocument(h.PID, false)
	if err == nil {
		err = l.out.send(kindConfig, 0, nil, w.config(renderer))
	}
	if err != nil {
		if d != nil {
			w.over(d)
		}
		h.Kill()
		h.Conn.Close()
		l.stop()
		return nil, err
	}
	w.mu.Lock()
	w.link, w.doc = l, d
	closing := w.closing
	w.mu.Unlock()
	w.record(l, auditlog.WorkerStart, "", map[string]string{"renderer": renderer})
	if closing {
		// It was closed while the host was started.
		h.Kill()
	}
	return l, nil
}

func (w *Window) config(renderer string) []byte {
	values := append([]string{
		w.app.ID, w.app.Name, strconv.Itoa(w.app.Width), strconv.Itoa(w.app.Height), Language(w.display.Language),
	}, w.desk.Settings().fields()...)
	return fields(append(values, renderer)...)
}

// fields are the settings as the wire has them.
func (s Settings) fields() []string {
	var scheme, contrast, motion string
	switch s.Scheme {
	case surfacev1.Scheme_SCHEME_DARK:
		scheme = "dark"
	case surfacev1.Scheme_SCHEME_LIGHT:
		scheme = "light"
	}
	if s.HighContrast {
		contrast = "high"
	}
	if s.ReducedMotion {
		motion = "reduced"
	}
	return []string{scheme, strconv.Itoa(int(s.scale())), contrast, motion}
}

func (s Settings) scale() uint32 {
	if s.Scale == 0 {
		return limits.ScaleOne
	}
	return min(max(s.Scale, limits.PromptScaleMin), limits.PromptScaleMax)
}

// Language makes a BCP 47 tag of a locale's name: "de-DE" of "de_DE.UTF-8". What
// is no language is "en".
func Language(locale string) string {
	s, _, _ := strings.Cut(locale, ".")
	s, _, _ = strings.Cut(s, "@")
	s = strings.ReplaceAll(s, "_", "-")
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' && i > 0 || c == '-' && i > 0) {
			return "en"
		}
	}
	if len(s) < 2 || len(s) > limits.WindowWord || strings.EqualFold(s, "POSIX") {
		return "en"
	}
	return s
}

// run lives as long as the window: over a host, and over a second one when the
// first has shown nothing.
func (w *Window) run(l *link) {
	renderer := rendererAuto
	for {
		blank := w.serve(l)
		w.mu.Lock()
		again := blank && renderer == rendererAuto && !w.closing
		w.mu.Unlock()
		if !again {
			break
		}
		renderer = rendererSoftware
		next, err := w.host(w.m.life, renderer)
		if err != nil {
			w.mu.Lock()
			w.why, w.err = Crashed, err
			w.mu.Unlock()
			break
		}
		l = next
	}
	w.desk.Close()
	for _, o := range w.m.owned(w) {
		o.Close(Stopped)
	}
	w.mu.Lock()
	if w.why == "" {
		w.why, w.err = Crashed, errs.New(errs.WorkerCrashed, "window.run").With("the window").WithHint("open it again; what was begun in it has ended")
	}
	w.mu.Unlock()
	w.denials.flush()
	w.m.remove(w)
	close(w.done)
}

// serve answers one host until it ends, and ends all that its page had. It
// reports whether the host showed nothing.
func (w *Window) serve(l *link) (blank bool) {
	late := time.AfterFunc(limits.WindowStart, w.late)
	l.all.Go(func() { w.read(l) })
	err := <-l.end
	late.Stop()
	// Its page is over before anything else: what it may not do any more does not
	// wait for a process to die.
	w.mu.Lock()
	d := w.doc
	closing := w.closing
	w.doc, w.link = nil, nil
	w.mu.Unlock()
	if d != nil {
		w.over(d)
	}
	if closing {
		t := time.NewTimer(limits.WindowClose)
		select {
		case <-l.host.Done:
		case <-t.C:
		}
		t.Stop()
	}
	broken := l.broke(err)
	if broken != "" {
		w.record(l, auditlog.MalformedPeer, errs.Malformed, map[string]string{"reason": string(broken)})
		w.mu.Lock()
		if w.why == "" {
			w.why, w.err = Crashed, errs.New(errs.Malformed, "window.serve")
		}
		w.mu.Unlock()
	}
	l.host.Kill()
	l.host.Conn.Close()
	l.all.Wait()
	l.stop()
	w.recordEnd(l, broken)
	return l.blank
}

// late ends a window that has not shown anything by now.
func (w *Window) late() {
	select {
	case <-w.shown:
	default:
		w.fail(Crashed, errs.New(errs.WindowUnavailable, "window.start").With("nothing was shown in time").
			WithHint("see whether the desktop shows other new windows; `bailey doctor` checks the rest"))
	}
}

// broke returns what was malformed of a host, if that is why it is over.
func (l *link) broke(err error) errFrame {
	var broken errFrame
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	if !errors.As(err, &broken) {
		errors.As(l.out.err, &broken)
	}
	return broken
}

func (w *Window) recordEnd(l *link, broken errFrame) {
	w.mu.Lock()
	expected := w.closing || l.blank || broken != ""
	w.mu.Unlock()
	detail := l.host.Ended()
	k, code := auditlog.WorkerEnd, errs.Code("")
	if !expected {
		k, code = auditlog.WorkerCrash, errs.WorkerCrashed
	}
	w.record(l, k, code, detail)
}

// record notes something of a window's process.
func (w *Window) record(l *link, k auditlog.Kind, code errs.Code, detail map[string]string) {
	if detail == nil {
		detail = map[string]string{}
	}
	detail["kind"], detail["pid"] = "window", strconv.Itoa(l.host.PID)
	// The log's own failure shows at the next act.
	_ = w.m.cfg.Record.Note(audit.Event{Kind: k, Actor: w.actor(), Code: string(code), Detail: detail})
}

func (w *Window) actor() audit.Actor {
	return audit.Actor{App: w.app.ID, Surface: w.app.SurfaceName()}
}

// watchSettings passes changes of the desktop on to the host and the page.
func (w *Window) watchSettings(desk Desk) {
	for {
		select {
		case _, ok := <-desk.Changes():
			if !ok {
				return
			}
		case <-w.done:
			return
		}
		w.mu.Lock()
		l, d := w.link, w.doc
		w.mu.Unlock()
		if l != nil {
			_ = l.out.send(kindSettings, 0, nil, fields(desk.Settings().fields()...))
		}
		if d != nil {
			d.each(func(s *subscriber) { s.settings() })
		}
	}
}
