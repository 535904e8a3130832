package core

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/consent/prompt"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/hosts"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/prompthost"
	"github.com/bailey-run/bailey/internal/release"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/window"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
	"github.com/bailey-run/bailey/internal/workerspec"
)

// newWindows wires the windows to the rest of the core.
func (c *Core) newWindows() *window.Manager {
	return window.New(window.Config{
		Release: c.cfg.Release, Clock: c.cfg.Clock, Log: c.cfg.Log, Record: c.cfg.Audit, Sessions: c.sessions,
		Find:   func(n uint32) (rpc.Route, bool) { return c.mux.Find(n) },
		Check:  func(ctx context.Context, d desktop.Display) error { return d.Check(ctx, c.cfg.Own...) },
		Bundle: c.bundles.get, Start: c.startWindow, Confined: hosts.CheckTree, Desk: c.newDesk, Watch: c.watchGrants,
		Gone: func(s *session.Session) {
			c.desk.Drop(s.Channel)
			c.table.Forget(s.Channel)
			c.signal()
		},
	})
}

// watchGrants has f called when a grant of a channel was withdrawn or has
// expired. That it ended with its task is nothing that a page has to be told.
func (c *Core) watchGrants(channel uint64, f func(capability.ID, grantv1.State)) (stop func()) {
	return c.table.Watch(channel, func(id capability.ID, code errs.Code) {
		switch code {
		case errs.GrantExpired:
			f(id, grantv1.State_STATE_EXPIRED)
		case errs.Cancelled:
		default:
			f(id, grantv1.State_STATE_REVOKED)
		}
	})
}

// bundles are the apps' files, each read when it is first shown.
type bundles struct {
	open func(id string) (io.ReadCloser, error)

	mu  sync.Mutex
	got map[string]*apps.Bundle
}

func (b *bundles) get(a apps.App) (*apps.Bundle, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if have := b.got[a.ID]; have != nil {
		return have, nil
	}
	if b.open == nil || release.App(a.ID) == "" {
		return nil, apps.Missing(a)
	}
	f, err := b.open(a.ID)
	if err != nil {
		return nil, apps.Missing(a)
	}
	defer f.Close()
	have, err := apps.Read(a, f, release.App(a.ID))
	if err != nil {
		return nil, err
	}
	if b.got == nil {
		b.got = map[string]*apps.Bundle{}
	}
	b.got[a.ID] = have
	return have, nil
}

// startWindow starts bailey-window, confined.
func (c *Core) startWindow(ctx context.Context, d desktop.Display, accessibility string) (*window.Host, error) {
	h, err := hosts.Start(ctx, hosts.Window, hosts.Options{
		Display: d, Accessibility: accessibility, Runtime: c.cfg.RuntimeDir, Program: c.cfg.Programs[workerspec.WindowProgram], Stub: c.cfg.Programs[workerspec.WorkerProgram],
	})
	if err != nil {
		return nil, err
	}
	return &window.Host{
		Conn: h.Conn, PID: h.PID(), Done: h.Done(), Kill: h.Kill,
		Ended: func() map[string]string {
			e := h.Exit()
			if words := h.Words(); words != "" {
				// Not the words: a page may have made it say them.
				c.cfg.Log.Info("window said", "bytes", len(words))
			}
			return map[string]string{"exit": strconv.Itoa(e.Code), "signal": strconv.Itoa(e.Signal), "forbidden-call": strconv.FormatBool(e.Forbidden)}
		},
	}, nil
}

// desk is what is known of one display. It is asked while the host starts; a
// window waits for the answers, but not long: settings that come later are a
// change, and a window without an accessibility bus is shown all the same.
type desk struct {
	core    *Core
	display desktop.Display
	changes chan struct{}
	stop    context.CancelFunc
	all     sync.WaitGroup
	// first is closed when the settings are known, late when they are not waited
	// for any more.
	first chan struct{}
	late  <-chan struct{}
	// proxied is closed when it is known whether there is a proxy.
	proxied chan struct{}
	proxy   *desktop.Proxy

	mu  sync.Mutex
	now desktop.Settings
}

func (c *Core) newDesk(display desktop.Display) window.Desk {
	d := &desk{
		core: c, display: display, changes: make(chan struct{}, 1), now: desktop.Defaults(),
		first: make(chan struct{}), proxied: make(chan struct{}),
	}
	late, stopWaiting := context.WithTimeout(context.Background(), limits.WindowSettings)
	life, stop := context.WithCancel(context.Background())
	d.late, d.stop = late.Done(), func() { stop(); stopWaiting() }
	d.all.Go(func() { d.watch(life) })
	d.all.Go(func() {
		defer close(d.proxied)
		ctx, cancel := context.WithTimeout(life, limits.WindowAccessibility)
		defer cancel()
		var err error
		if d.proxy, err = desktop.StartA11yProxy(ctx, display, c.cfg.RuntimeDir, c.cfg.Programs[workerspec.WorkerProgram]); err != nil {
			c.cfg.Log.Info("a window without a way for screen readers", "error", err)
		}
	})
	return d
}

// watch follows the settings until ctx ends.
func (d *desk) watch(ctx context.Context) {
	known := false
	desktop.Watch(ctx, d.display, func(s desktop.Settings) {
		d.mu.Lock()
		d.now = s
		d.mu.Unlock()
		if !known {
			known = true
			close(d.first)
			select {
			case <-d.late:
			default:
				return
			}
		}
		select {
		case d.changes <- struct{}{}:
		default:
		}
	})
	if !known {
		close(d.first)
	}
}

// Settings implements window.Desk.
func (d *desk) Settings() window.Settings {
	select {
	case <-d.first:
	case <-d.late:
	}
	d.mu.Lock()
	s := d.now
	d.mu.Unlock()
	out := window.Settings{Scale: uint32(s.TextScale), HighContrast: s.Contrast != "", ReducedMotion: s.Motion != ""}
	switch s.Scheme {
	case "dark":
		out.Scheme = surfacev1.Scheme_SCHEME_DARK
	case "light":
		out.Scheme = surfacev1.Scheme_SCHEME_LIGHT
	}
	return out
}

// Changes implements window.Desk.
func (d *desk) Changes() <-chan struct{} { return d.changes }

// Accessibility implements window.Desk.
func (d *desk) Accessibility() string {
	<-d.proxied
	if d.proxy == nil {
		return ""
	}
	select {
	case <-d.proxy.Done():
		return ""
	default:
		return d.proxy.Path
	}
}

// Close implements window.Desk.
func (d *desk) Close() {
	d.stop()
	d.all.Wait()
	if d.proxy != nil {
		d.proxy.Close()
	}
	close(d.changes)
}

// Pick implements window.Desk: by the desktop's own dialog, or where there is
// none by ours. Whoever says which folder was chosen is not believed: the core
// opens the path itself.
func (d *desk) Pick(ctx context.Context) (*folder.Folder, error) {
	title, _, _ := prompt.LanguageOf(d.display.Language).Picker()
	path, err := desktop.PickFolder(ctx, d.display, title, d.core.cfg.UserDir)
	switch {
	case errors.Is(err, desktop.ErrNoPortal):
		return d.pickNative(ctx)
	case errors.Is(err, desktop.ErrNothingPicked):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return folder.Open(path)
}

// pickNative has bailey-prompt show the dialog of GTK.
func (d *desk) pickNative(ctx context.Context) (*folder.Folder, error) {
	c := d.core
	h, err := hosts.Start(ctx, hosts.Picker, hosts.Options{
		Display: d.display, Accessibility: d.Accessibility(), Home: c.cfg.UserDir, Hidden: c.within, Runtime: c.cfg.RuntimeDir,
		Program: c.cfg.Programs[workerspec.PromptProgram], Stub: c.cfg.Programs[workerspec.WorkerProgram],
	})
	if err != nil {
		return nil, err
	}
	// The picker holds what was chosen until its connection is closed, so that the
	// inode cannot have become another's before it is compared.
	defer h.Kill()
	defer h.Conn.Close()
	language := prompt.LanguageOf(d.display.Language)
	var s prompt.Sheet
	s.Language = language
	sheet := onWire(s, d.Settings())
	sheet.Title, sheet.Yes, sheet.No = language.Picker()
	p, ok, err := prompthost.Pick(ctx, h.Conn, sheet)
	if err != nil || !ok {
		return nil, err
	}
	f, err := folder.Open(p.Path)
	if err != nil {
		return nil, err
	}
	// Where device and inode are said they have to be those of what was opened.
	if f.Object.Device != p.Dev || f.Object.Inode != p.Ino {
		f.Close()
		return nil, errs.New(errs.FolderChanged, "core.pick")
	}
	return f, nil
}
