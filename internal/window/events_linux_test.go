package window

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/auditlog"
	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/plat/folder"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// events subscribes a page and returns what reads the next event.
func (f *fake) events() func() *surfacev1.EventsResponse {
	f.t.Helper()
	id := f.call(1003, nil).Stream
	_, _, body := f.get("/.stream/" + hexOf(id))
	return func() *surfacev1.EventsResponse {
		f.t.Helper()
		r, err := record(body)
		if err != nil || r.Error != nil || r.End {
			f.t.Fatal(r, err)
		}
		e := new(surfacev1.EventsResponse)
		if err := rpc.Decode(r.Message, e, limits.WindowFrame); err != nil {
			f.t.Fatal(err)
		}
		return e
	}
}

// sessions of a window's documents, by a method that tells.
func (b *bench) whoAmI() func(f *fake) *session.Session {
	var last atomic.Pointer[session.Session]
	b.routes[90] = rpc.Route{Method: method(90, none, false, app, panel), Unary: func(ctx context.Context, _ []byte) ([]byte, error) {
		last.Store(session.From(ctx))
		return nil, nil
	}}
	return func(f *fake) *session.Session { f.call(90, nil); return last.Load() }
}

func TestEventsBeginWithSettingsAndFollow(t *testing.T) {
	b := newBench(t)
	b.desk.now = Settings{Scheme: surfacev1.Scheme_SCHEME_LIGHT}
	who := b.whoAmI()
	_, f := b.show(apps.Studio)
	next := f.events()
	s := next().GetSettings()
	if s.GetScheme() != surfacev1.Scheme_SCHEME_LIGHT || s.TextScale != 1000 || s.Language != "de-DE" || s.Release != "test" || s.Display != "x11" {
		t.Fatalf("%v", s)
	}
	b.desk.set(Settings{Scheme: surfacev1.Scheme_SCHEME_DARK, Scale: 9999, HighContrast: true})
	if s := next().GetSettings(); s.GetScheme() != surfacev1.Scheme_SCHEME_DARK || s.TextScale != limits.PromptScaleMax || !s.HighContrast {
		t.Fatalf("%v", s)
	}
	if got := string(f.waitKind(kindSettings).payload); got != "dark\x004000\x00high\x00" {
		t.Fatalf("the host was told %q", got)
	}
	b.mu.Lock()
	watch := b.watched[who(f).Channel]
	b.mu.Unlock()
	watch("c05384c1f7a7c5e3", grantv1.State_STATE_REVOKED)
	if g := next().GetGrant(); g.GetId() != "c05384c1f7a7c5e3" || g.State != grantv1.State_STATE_REVOKED {
		t.Fatalf("%v", g)
	}
	// A page that does not read makes nothing grow: the newest are kept.
	for range 3 * limits.WindowEvents {
		watch(capability.ID(strings.Repeat("a", 60)), grantv1.State_STATE_EXPIRED)
	}
	w := b.m.documents[who(f).Channel]
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.subscribers {
		s.mu.Lock()
		if len(s.grants) > limits.WindowEvents {
			t.Errorf("%d events wait", len(s.grants))
		}
		s.mu.Unlock()
	}
}

func TestSubscribersAreBounded(t *testing.T) {
	b := newBench(t)
	_, f := b.show(apps.Studio)
	for range limits.WindowSubscribers {
		f.events()()
	}
	_, _, body := f.get("/.stream/" + hexOf(f.call(1003, nil).Stream))
	if got := records(t, body); len(got) != 1 || got[0].GetError().GetCode() != string(errs.CoreBusy) {
		t.Fatalf("%v", got)
	}
}

func dir(t *testing.T) string {
	t.Helper()
	d, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	return d
}

// What was picked is named by a token: once, by the page that it was picked for,
// while it is fresh.
func TestPick(t *testing.T) {
	b := newBench(t)
	who := b.whoAmI()
	d := dir(t)
	var answer atomic.Pointer[errs.Error]
	var nothing atomic.Bool
	b.desk.pick = func(context.Context) (*folder.Folder, error) {
		if err := answer.Load(); err != nil {
			return nil, err
		}
		if nothing.Load() {
			return nil, nil
		}
		return folder.Open(d)
	}
	w, f := b.show(apps.Studio)
	pick := func() *surfacev1.PickResponse {
		t.Helper()
		w.mu.Lock()
		w.pick = w.pick.Add(-limits.PickPause)
		w.mu.Unlock()
		r := f.call(1004, nil)
		if r.Error != nil {
			t.Fatalf("%v", r)
		}
		p := new(surfacev1.PickResponse)
		must(t, proto.Unmarshal(r.Message, p))
		return p
	}
	p := pick()
	if len(p.Picked) != 16 || p.Object != d {
		t.Fatalf("%v", p)
	}
	// At once after a dialog there is no other.
	if r := f.call(1004, nil); code(r) != errs.CoreBusy {
		t.Fatalf("%v", r)
	}
	me := who(f)
	for i := range 16 {
		bad := append([]byte(nil), p.Picked...)
		bad[i] ^= 1
		if _, err := b.m.Picked(me, bad); errs.CodeOf(err) != errs.NotFound {
			t.Fatal(err)
		}
	}
	if _, err := b.m.Picked(me, nil); errs.CodeOf(err) != errs.NotFound {
		t.Fatal(err)
	}
	other, err := b.sessions.Open("studio", "window", 1)
	must(t, err)
	defer b.sessions.Close(other)
	if _, err := b.m.Picked(other, p.Picked); err == nil {
		t.Fatal("another session used the token")
	}
	got, err := b.m.Picked(me, p.Picked)
	must(t, err)
	if got.Path != d {
		t.Fatal(got.Path)
	}
	got.Close()
	// Who said no may be asked again.
	got, err = b.m.Picked(me, p.Picked)
	must(t, err)
	got.Close()
	// Another folder in its place is another folder.
	must(t, os.Rename(d, d+".away"))
	must(t, os.Mkdir(d, 0o700))
	if _, err := b.m.Picked(me, p.Picked); errs.CodeOf(err) != errs.FolderChanged {
		t.Fatal("another folder:", err)
	}
	must(t, os.Remove(d))
	// And so is a link to it, wherever that leads.
	must(t, os.Symlink(d+".away", d))
	if _, err := b.m.Picked(me, p.Picked); errs.CodeOf(err) != errs.FolderChanged {
		t.Fatal("a link:", err)
	}
	must(t, os.Remove(d))
	must(t, os.Rename(d+".away", d))
	// The oldest goes.
	p = pick()
	for range limits.PickedMost {
		pick()
	}
	if _, err := b.m.Picked(me, p.Picked); errs.CodeOf(err) != errs.NotFound {
		t.Fatal(err)
	}
	// Not for the next document.
	p = pick()
	f.say(kindDocument, 0, nil)
	if _, err := b.m.Picked(who(f), p.Picked); errs.CodeOf(err) != errs.NotFound {
		t.Fatal("on the next document:", err)
	}
	nothing.Store(true)
	if p := pick(); len(p.Picked) != 0 || p.Object != "" {
		t.Fatalf("nothing was chosen: %v", p)
	}
	answer.Store(errs.New(errs.WindowUnavailable, "test"))
	w.mu.Lock()
	w.pick = w.pick.Add(-limits.PickPause)
	w.mu.Unlock()
	if r := f.call(1004, nil); code(r) != errs.WindowUnavailable {
		t.Fatalf("%v", r)
	}
}

// A file system that tells of a folder no more than device and inode: one that was
// picked there can be asked for, and only where it was picked.
func TestPickWithoutHandle(t *testing.T) {
	poor := capability.Object{Device: 1, Inode: 2}
	p := picked{path: "/stick/a", object: poor}
	for _, c := range []struct {
		now  folder.Folder
		want bool
	}{
		{folder.Folder{Path: "/stick/a", Object: poor}, true},
		{folder.Folder{Path: "/stick/b", Object: poor}, false},
		{folder.Folder{Path: "/stick/a", Object: capability.Object{Device: 1, Inode: 3}}, false},
		{folder.Folder{Path: "/stick/a", Object: capability.Object{Device: 1, Inode: 2, FileHandle: "born:00"}}, false},
	} {
		if p.is(&c.now) != c.want {
			t.Errorf("%+v", c.now)
		}
	}
}

// A panel picks nothing.
func TestPanelsDoNotPick(t *testing.T) {
	b := newBench(t)
	_, f := b.show(apps.Panels)
	if r := f.call(1004, nil); code(r) != errs.Denied {
		t.Fatalf("%v", r)
	}
}

// fall lets something fall on the window, as if the last time were long ago.
func (f *fake) fall(w *Window, path string) {
	w.mu.Lock()
	w.drops = bucket{}
	w.mu.Unlock()
	f.say(kindDropped, 0, []byte(path))
	f.waitRead()
}

// waitRead waits until what was said is read: the answer to what comes after it
// is there.
func (f *fake) waitRead() {
	_, _, body := f.get("/")
	body.Close()
}

// What falls on the window is answered with a token and the name that was claimed,
// whatever is there: a host learns nothing of the disk. It is opened when the token
// is named.
func TestDropped(t *testing.T) {
	b := newBench(t)
	who := b.whoAmI()
	w, f := b.show(apps.Studio)
	next := f.events()
	next()
	d := dir(t)
	must(t, os.WriteFile(d+"/file", nil, 0o600))
	must(t, os.Mkdir(d+"/a\u202eb", 0o700))
	must(t, os.Symlink(d+"/a\u202eb", d+"/link"))
	// What is no path is nothing.
	for _, path := range []string{"", "relative", "/" + strings.Repeat("a", limits.PathBytes), d + "\x00/x"} {
		f.fall(w, path)
	}
	drop := func(path, object string) []byte {
		t.Helper()
		f.fall(w, path)
		e := next().GetDropped()
		if len(e.GetPicked()) != limits.PickedToken || e.GetObject() != object {
			t.Fatalf("%s: %v", path, e)
		}
		return e.Picked
	}
	me := who(f)
	for _, path := range []string{d + "/none", d + "/file", "/proc", d + "/file/x", d + "/../" + strings.Repeat("x/", 100)} {
		token := drop(path, path)
		if _, err := b.m.Picked(me, token); errs.CodeOf(err) != errs.NotFound || errs.From(err).Detail != "the folder that was dropped" {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, c := range []struct {
		path, object string
		renamed      bool
	}{{d + "/link", d + "/link", true}, {d + "/a\u202eb", d + `/a\u202eb`, false}} {
		token := drop(c.path, c.object)
		got, err := b.m.Picked(me, token)
		must(t, err)
		got.Close()
		if got.Path != d+"/a\u202eb" || got.Renamed != c.renamed {
			t.Fatalf("%q, renamed %v", got.Path, got.Renamed)
		}
	}
	// It comes into being after the drop: nobody had looked.
	token := drop(d+"/later", d+"/later")
	must(t, os.Mkdir(d+"/later", 0o700))
	got, err := b.m.Picked(me, token)
	must(t, err)
	got.Close()
}

// A host that drops without end is answered a few times a second, on the record.
func TestDropsArePaced(t *testing.T) {
	b := newBench(t)
	w, f := b.show(apps.Studio)
	next := f.events()
	next()
	began := time.Now()
	for range 500 {
		f.say(kindDropped, 0, []byte("/nowhere"))
	}
	f.waitRead()
	back := int(time.Since(began)/limits.WindowDropEvery) + 1
	d := w.document()
	d.mu.Lock()
	kept := len(d.picked)
	d.mu.Unlock()
	if kept < limits.WindowDropped || kept > limits.WindowDropped+back {
		t.Errorf("%d drops were answered", kept)
	}
	folds := int(time.Since(began)/limits.WindowFold) + 1
	drops := b.log.with(func(e audit.Event) bool { return e.Kind == auditlog.Call && e.Detail["reason"] == "dropped" })
	if drops == 0 || drops > folds {
		t.Errorf("%d records of drops", drops)
	}
	if n := b.log.with(denied("too many drops")); n == 0 || n > folds {
		t.Errorf("%d records of refusals", n)
	}
}

func openPanel(p surfacev1.Panel) []byte {
	b, _ := proto.Marshal(&surfacev1.OpenPanelRequest{Panel: p})
	return b
}

// An app opens a panel beside it, is not let to do so all the time, and takes it
// along when it closes.
func TestOpenPanel(t *testing.T) {
	b := newBench(t)
	w, f := b.show(apps.Studio)
	pause := func() {
		w.mu.Lock()
		w.panel = w.panel.Add(-limits.PanelPause)
		w.mu.Unlock()
	}
	if r := f.call(1005, openPanel(surfacev1.Panel_PANEL_ACTIVITY)); r.Error != nil {
		t.Fatalf("%v", r)
	}
	p := <-b.hosts
	p.say(kindDocument, 0, nil)
	next := p.events()
	next()
	if s := next().GetShow(); s.GetPanel() != surfacev1.Panel_PANEL_ACTIVITY {
		t.Fatalf("%v", s)
	}
	if r := f.call(1005, openPanel(surfacev1.Panel_PANEL_PERMISSIONS)); code(r) != errs.CoreBusy {
		t.Fatalf("%v", r)
	}
	pause()
	if r := f.call(1005, openPanel(surfacev1.Panel_PANEL_PERMISSIONS)); r.Error != nil {
		t.Fatalf("%v", r)
	}
	p.waitKind(kindRaise)
	if s := next().GetShow(); s.GetPanel() != surfacev1.Panel_PANEL_PERMISSIONS {
		t.Fatalf("%v", s)
	}
	pause()
	if r := f.call(1005, openPanel(7)); code(r) != errs.Malformed {
		t.Fatalf("%v", r)
	}
	f.say(kindClosed, 0, nil)
	f.waitKind(kindClose)
	f.die()
	closed(t, w)
	p.waitKind(kindClose)
}

// Where a window is shown is told for its present document, and for no other
// session.
func TestDisplayOf(t *testing.T) {
	b := newBench(t)
	who := b.whoAmI()
	_, f := b.show(apps.Studio)
	first := who(f)
	d, s, _, ok := b.m.DisplayOf(first)
	if !ok || d != (desktop.Display{X11: ":7", Language: "de_DE.UTF-8"}) || s != (Settings{}) {
		t.Fatal(d, s, ok)
	}
	f.say(kindDocument, 0, nil)
	who(f)
	if _, _, _, ok := b.m.DisplayOf(first); ok {
		t.Fatal("a document that is over has a display")
	}
	cli, err := b.sessions.Open("bailey", "terminal", 1)
	must(t, err)
	defer b.sessions.Close(cli)
	if _, _, _, ok := b.m.DisplayOf(cli); ok {
		t.Fatal("the command line has a window")
	}
	if _, _, err := b.m.Pick(session.With(context.Background(), cli)); err == nil {
		t.Fatal("the command line picked")
	}
}

func TestLanguage(t *testing.T) {
	for locale, want := range map[string]string{
		"de_DE.UTF-8": "de-DE", "de": "de", "ca_ES@valencia": "ca-ES", "C": "en", "C.UTF-8": "en", "POSIX": "en", "": "en", "../x": "en", "de\x00": "en",
		strings.Repeat("a", 100): "en", "zh_Hant_TW": "zh-Hant-TW", "_de": "en", "d<e": "en",
	} {
		if got := Language(locale); got != want {
			t.Errorf("%q: %q", locale, got)
		}
	}
}
