package window

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/apps"
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

// A panel picks nothing.
func TestPanelsDoNotPick(t *testing.T) {
	b := newBench(t)
	_, f := b.show(apps.Panels)
	if r := f.call(1004, nil); code(r) != errs.Denied {
		t.Fatalf("%v", r)
	}
}

// What falls on the window is a folder that the core opens itself, or nothing.
func TestDropped(t *testing.T) {
	b := newBench(t)
	who := b.whoAmI()
	_, f := b.show(apps.Studio)
	next := f.events()
	next()
	d := dir(t)
	must(t, os.WriteFile(d+"/file", nil, 0o600))
	for _, path := range []string{"", "relative", d + "/none", d + "/file", "/proc", "/" + strings.Repeat("a", limits.PathBytes), d + "\x00/x"} {
		f.say(kindDropped, 0, []byte(path))
	}
	must(t, os.Mkdir(d+"/a\u202eb", 0o700))
	until(t, "the drops are done with", func() bool {
		doc := b.m.documents[who(f).Channel]
		doc.mu.Lock()
		defer doc.mu.Unlock()
		return doc.opening == 0
	})
	f.say(kindDropped, 0, []byte(d+"/a\u202eb"))
	e := next().GetDropped()
	if len(e.GetPicked()) != 16 || strings.Contains(e.Object, "\u202e") || !strings.HasPrefix(e.Object, d) {
		t.Fatalf("%v", e)
	}
	got, err := b.m.Picked(who(f), e.Picked)
	must(t, err)
	defer got.Close()
	if got.Path != d+"/a\u202eb" {
		t.Fatalf("%q", got.Path)
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
