package window

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
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
	defer f.Close()
	p, err := d.keep(picked{path: f.Path, renamed: f.Renamed, object: f.Object})
	return p, visible.Path(f.Path), err
}

// keep notes what was chosen, and returns its token. The oldest goes when there
// are too many.
func (d *document) keep(p picked) ([]byte, error) {
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
// same one that was chosen, or whatever is now where a drop was claimed to be
// from. A token is good as long as its document, so that a person who said no can
// be asked again.
//
// Errors: errs.NotFound for any other token, and for whatever is wrong with a
// dropped one; errs.FolderChanged, and those of [folder.Open].
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
	var f *folder.Folder
	if p.claimed && folder.Automounted(p.path) {
		err = errs.New(errs.NotFound, op)
	} else {
		f, err = folder.Open(p.path)
	}
	if p.claimed {
		if err != nil {
			// Not said: whether there is nothing, a file, or a folder of somebody else's. Nor
			// is anything mounted by the look, from a machine whose name the host made up.
			return nil, errs.New(errs.NotFound, op).With("the folder that was dropped").WithHint("drop a folder that is there and that you can open")
		}
		return f, nil
	}
	if err != nil {
		return nil, err
	}
	if !p.is(f) {
		f.Close()
		return nil, errs.New(errs.FolderChanged, op)
	}
	f.Renamed = p.renamed
	return f, nil
}

// is reports whether f is what was picked, where it was picked.
func (p *picked) is(f *folder.Folder) bool {
	return f.Path == p.path && folder.Still(p.object, f.Object)
}

// dropped answers what was let fall on the window with a token. The path is only
// a claim of the host's, and nothing is looked at because of it: it is answered in
// the same way whether it is there or not. Who asks for the token's folder has it
// opened, on the record and before the person's eyes.
func (w *Window) dropped(path string) {
	d := w.document()
	if d == nil || !filepath.IsAbs(path) || len(path) > limits.PathBytes || strings.IndexByte(path, 0) >= 0 {
		return
	}
	object := visible.Path(path)
	if len(object) > limits.PickedObject {
		return
	}
	w.mu.Lock()
	ok := w.drops.take(w.m.cfg.Clock.Boot(), limits.WindowDropped, limits.WindowDropEvery)
	w.mu.Unlock()
	if !ok {
		w.denials.add("drops", w.deny("", errs.CoreBusy, "too many drops", ""))
		return
	}
	// In Activity it is what it is to a person: a folder was chosen.
	w.denials.add("drop", audit.Event{
		Kind: auditlog.Call, Actor: w.actor(), Method: surfacev1.SurfaceServicePickMethod().Name, Detail: map[string]string{"reason": "dropped"},
	})
	token, err := d.keep(picked{path: path, claimed: true})
	if err != nil {
		return
	}
	e := &surfacev1.Dropped{Picked: token, Object: object}
	d.each(func(s *subscriber) { s.dropped(e) })
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
