package window

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"slices"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/visible"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// Pick has the person choose a folder, and returns a token that a question can
// name it by, and what the page may show of it; none if none was chosen. One
// dialog at a time, and not at once after another.
//
// Errors: errs.CoreBusy, those of the desk.
func (m *Manager) Pick(ctx context.Context) (token []byte, object string, err error) {
	const op = "window.pick"
	d, err := m.document(session.From(ctx))
	if err != nil {
		return nil, "", err
	}
	w := d.window
	now := m.cfg.Clock.Wall()
	w.mu.Lock()
	if w.picking || now.Sub(w.pick).Abs() < limits.PickPause {
		w.mu.Unlock()
		return nil, "", errs.New(errs.CoreBusy, op)
	}
	w.picking = true
	desk := w.desk
	w.mu.Unlock()
	f, err := desk.Pick(ctx)
	w.mu.Lock()
	w.picking, w.pick = false, m.cfg.Clock.Wall()
	w.mu.Unlock()
	if err != nil || f == nil {
		return nil, "", err
	}
	p, err := d.keep(f)
	return p, visible.Path(f.Path), err
}

// keep notes a folder, closes it, and returns its token. The oldest goes when
// there are too many.
func (d *document) keep(f *folder.Folder) ([]byte, error) {
	defer f.Close()
	p := picked{path: f.Path, renamed: f.Renamed, object: f.Object}
	_, _ = rand.Read(p.token[:]) // never fails: crypto/rand ends the program instead
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ended {
		return nil, errs.New(errs.Cancelled, "window.pick")
	}
	d.picked = append(d.picked, p)
	if len(d.picked) > limits.PickedMost {
		d.picked = d.picked[1:]
	}
	return p.token[:], nil
}

// Picked opens the folder that a token stands for on a session's document: the
// same one that was chosen. A token is good as long as its document, so that a
// person who said no can be asked again.
//
// Errors: errs.NotFound for any other token, errs.FolderChanged, and those of
// [folder.Open].
func (m *Manager) Picked(s *session.Session, token []byte) (*folder.Folder, error) {
	const op = "window.picked"
	d, err := m.document(s)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	i := slices.IndexFunc(d.picked, func(p picked) bool { return subtle.ConstantTimeCompare(p.token[:], token) == 1 })
	var p picked
	if i >= 0 {
		p = d.picked[i]
	}
	d.mu.Unlock()
	if i < 0 {
		return nil, errs.New(errs.NotFound, op).With("the folder that was chosen").WithHint("choose it again")
	}
	f, err := folder.Open(p.path)
	if err != nil {
		return nil, err
	}
	if !folder.Same(f.Object, p.object) {
		f.Close()
		return nil, errs.New(errs.FolderChanged, op)
	}
	f.Renamed = p.renamed
	return f, nil
}

// dropped opens a folder that was let fall on the window, if it is one. The path
// is only a claim: what it names becomes a row of a question.
func (w *Window) dropped(path string) {
	d := w.document()
	if d == nil || len(path) > limits.PathBytes {
		return
	}
	d.mu.Lock()
	if d.ended || d.opening >= limits.WindowDropped {
		d.mu.Unlock()
		return
	}
	d.opening++
	d.mu.Unlock()
	w.m.all.Go(func() {
		defer func() {
			d.mu.Lock()
			d.opening--
			d.mu.Unlock()
		}()
		f, err := folder.Open(path)
		if err != nil {
			return
		}
		token, err := d.keep(f)
		if err != nil {
			return
		}
		e := &surfacev1.Dropped{Picked: token, Object: visible.Path(f.Path)}
		d.each(func(s *subscriber) { s.dropped(e) })
	})
}

// OpenPanel shows Permissions or Activity beside the window of the session that
// asks, on the same display. It is closed with that window.
//
// Errors: errs.CoreBusy when the last one was a moment ago, those of Open.
func (m *Manager) OpenPanel(ctx context.Context, panel surfacev1.Panel) error {
	d, err := m.document(session.From(ctx))
	if err != nil {
		return err
	}
	w := d.window
	now := m.cfg.Clock.Wall()
	w.mu.Lock()
	soon := now.Sub(w.panel).Abs() < limits.PanelPause
	if !soon {
		w.panel = now
	}
	w.mu.Unlock()
	if soon {
		return errs.New(errs.CoreBusy, "window.panel")
	}
	view := map[surfacev1.Panel]string{surfacev1.Panel_PANEL_PERMISSIONS: "permissions", surfacev1.Panel_PANEL_ACTIVITY: "activity"}[panel]
	if view == "" {
		return errs.New(errs.Malformed, "window.panel")
	}
	var owner *Window
	if w.app.ID != apps.Panels {
		owner = w
	}
	_, _, err = m.open(ctx, apps.Panels, view, w.display, owner)
	return err
}
