package window

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/apps"
	"github.com/bailey-run/bailey/internal/audit"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/desktop"
	"github.com/bailey-run/bailey/internal/session"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

const (
	none   = policyv1.Kind_KIND_NONE
	app    = policyv1.Surface_SURFACE_APP
	panel  = policyv1.Surface_SURFACE_PANEL
	noSuch = 4242
)

// echo answers with what it got, and remembers who asked.
func (b *bench) echo(number uint32, k policyv1.Kind, surfaces ...policyv1.Surface) *callers {
	seen := &callers{}
	b.routes[number] = rpc.Route{Method: method(number, k, false, surfaces...), Unary: func(ctx context.Context, q []byte) ([]byte, error) {
		s := session.From(ctx)
		seen.add(s.App + "/" + s.Surface)
		return append([]byte("you said "), q...), nil
	}}
	return seen
}

// callers are those that a method had.
type callers struct {
	mu   sync.Mutex
	list []string
}

func (c *callers) add(who string) { c.mu.Lock(); defer c.mu.Unlock(); c.list = append(c.list, who) }

func (c *callers) all() []string { c.mu.Lock(); defer c.mu.Unlock(); return slices.Clone(c.list) }

func TestOpenConfiguresCallsAndCloses(t *testing.T) {
	b := newBench(t)
	seen := b.echo(7, none, app)
	b.desk.now = Settings{Scheme: surfacev1.Scheme_SCHEME_DARK, Scale: 1500, ReducedMotion: true}
	w, raised, err := b.m.Open(context.Background(), apps.Studio, "", desktop.Display{X11: ":7", Language: "de_DE.UTF-8"})
	if err != nil || raised {
		t.Fatal(raised, err)
	}
	f := <-b.hosts
	got := strings.Split(string(f.waitKind(kindConfig).payload), "\x00")
	want := []string{"studio", "Bailey Studio", "1100", "760", "de-DE", "dark", "1500", "", "reduced", "auto"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Fatalf("configured with %q, want %q", got, want)
	}
	f.say(kindDocument, 0, nil)
	f.say(kindReady, 0, nil)
	<-w.Shown()
	if r := f.call(7, []byte("hello")); string(r.Message) != "you said hello" {
		t.Fatalf("%v", r)
	}
	if len(seen.all()) != 1 || seen.all()[0] != "studio/window" {
		t.Fatalf("the caller was %q", seen.all())
	}
	f.say(kindClosed, 0, nil)
	f.waitKind(kindClose)
	f.die()
	if why, err := closed(t, w); why != ByPerson || err != nil {
		t.Fatal(why, err)
	}
	if n := b.log.with(func(e audit.Event) bool { return e.Kind == "worker-crash" || e.Kind == "malformed-peer" }); n != 0 {
		t.Fatalf("an orderly end stands as a crash: %+v", b.log.all())
	}
}

// A second start raises the first window.
func TestSecondOpenRaises(t *testing.T) {
	b := newBench(t)
	w, f := b.show(apps.Studio)
	again, raised, err := b.m.Open(context.Background(), apps.Studio, "", desktop.Display{})
	if err != nil || !raised || again != w {
		t.Fatal(again, raised, err)
	}
	f.waitKind(kindRaise)
}

// A window that is still starting is not said to be there: when it does not come, a
// second start is a first one.
func TestOpenWhileStarting(t *testing.T) {
	b := newBench(t)
	fails := make(chan error)
	b.slow <- fails
	first := make(chan error, 1)
	go func() {
		_, _, err := b.m.Open(context.Background(), apps.Studio, "", desktop.Display{})
		first <- err
	}()
	<-fails
	second := make(chan bool, 1)
	go func() {
		_, raised, err := b.m.Open(context.Background(), apps.Studio, "", desktop.Display{})
		second <- raised || err != nil
	}()
	early := false
	select {
	case <-second:
		early = true
	case <-time.After(50 * time.Millisecond):
	}
	b.desk = &desk{changes: make(chan struct{}, 1)}
	fails <- errs.New(errs.WindowUnavailable, "test")
	if err := <-first; errs.CodeOf(err) != errs.WindowUnavailable {
		t.Error(err)
	}
	if early || <-second {
		t.Fatal("the second start did not start")
	}
	(<-b.hosts).waitKind(kindConfig)
}

// A window that is about to end is not raised: there is another when it is gone.
func TestOpenWhileClosing(t *testing.T) {
	b := newBench(t)
	first, f := b.show(apps.Studio)
	f.say(kindClosed, 0, nil)
	f.waitKind(kindClose)
	opened := make(chan *Window, 1)
	go func() {
		w, raised, err := b.m.Open(context.Background(), apps.Studio, "", desktop.Display{})
		if err != nil || raised {
			t.Error(raised, err)
		}
		opened <- w
	}()
	f.die()
	closed(t, first)
	if w := <-opened; w == first {
		t.Fatal("the window that ended")
	}
	(<-b.hosts).waitKind(kindConfig)
}

// R24: a page whose process is not in its sandbox calls nothing, and its window is
// ended, saying why; one that is seen in it a moment later is shown.
func TestPageOutsideItsSandbox(t *testing.T) {
	b := newBench(t)
	seen := b.echo(7, none, app)
	loose := error(errs.New(errs.PostureFailed, "test").With("WebKitWebProcess: no filter"))
	b.loose.Store(&loose)
	w, f := b.show(apps.Studio)
	id := f.begin(7, nil)
	f.say(kindReady, 0, nil)
	b.loose.Store(nil)
	if r := f.answer(id); r.Error != nil {
		t.Fatal(r)
	}
	b.loose.Store(&loose)
	f.say(kindDocument, 0, nil)
	f.begin(7, nil)
	if why, err := closed(t, w); why != Crashed || errs.CodeOf(err) != errs.PostureFailed {
		t.Fatal(why, err)
	}
	if n := len(seen.all()); n != 1 {
		t.Fatalf("%d calls", n)
	}
	if n := b.log.with(func(e audit.Event) bool {
		return e.Code == string(errs.PostureFailed) && strings.Contains(e.Detail["reason"], "no filter")
	}); n != 1 {
		t.Fatalf("%+v", b.log.all())
	}
}

func TestOpenRefuses(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		id, view string
		want     errs.Code
	}{{"nothing", "", errs.AppUnknown}, {"", "", errs.AppUnknown}, {"studio", "activity", errs.AppUnknown}, {"panels", "../", errs.AppUnknown}} {
		if _, _, err := b.m.Open(context.Background(), c.id, c.view, desktop.Display{}); errs.CodeOf(err) != c.want {
			t.Errorf("%q %q: %v", c.id, c.view, err)
		}
	}
	// A host that does not start leaves nothing, and the next try is a first one.
	b.refuse = errs.New(errs.WindowUnavailable, "test")
	if _, _, err := b.m.Open(context.Background(), apps.Studio, "", desktop.Display{}); errs.CodeOf(err) != errs.WindowUnavailable {
		t.Fatal(err)
	}
	b.refuse = nil
	b.desk = &desk{changes: make(chan struct{}, 1)}
	b.show(apps.Studio)
}

// What a page may call is in the policy of its surface and below the ceiling of
// its app; the rest has no effect and is on the record. The control is the panel
// that may.
func TestPolicyOfSurfaces(t *testing.T) {
	b := newBench(t)
	forPanel, forNone := b.echo(7, none, panel), b.echo(8, none)
	exec, read := b.echo(9, policyv1.Kind_KIND_EXEC_RUN, app, panel), b.echo(10, policyv1.Kind_KIND_FILE_READ, app, panel)
	_, f := b.show(apps.Studio)
	for _, n := range []uint32{7, 8, 9, noSuch} {
		if r := f.call(n, nil); code(r) != errs.Denied {
			t.Errorf("method %d: %v", n, r)
		}
	}
	if len(forPanel.all())+len(forNone.all())+len(exec.all()) != 0 {
		t.Fatalf("%v %v %v", forPanel.all(), forNone.all(), exec.all())
	}
	for reason, want := range map[string]int{"not for this surface": 2, "above the app's ceiling": 1, "no such method": 1} {
		if n := b.log.with(denied(reason)); n != want {
			t.Errorf("%d records of %q: %+v", n, reason, b.log.all())
		}
	}
	if r := f.call(10, nil); r.Error != nil || len(read.all()) != 1 {
		t.Fatalf("%v", r)
	}
	_, p := b.show(apps.Panels)
	if r := p.call(7, nil); r.Error != nil || forPanel.all()[0] != "panels/panel" {
		t.Fatalf("%v %v", r, forPanel.all())
	}
	// A panel's ceiling is empty: it lists, and opens nothing.
	if r := p.call(10, nil); code(r) != errs.Denied {
		t.Fatalf("%v", r)
	}
}

// Before a document is there nobody can have called.
func TestNoDocumentNoCall(t *testing.T) {
	b := newBench(t)
	seen := b.echo(7, none, app)
	if _, _, err := b.m.Open(context.Background(), apps.Studio, "", desktop.Display{}); err != nil {
		t.Fatal(err)
	}
	f := <-b.hosts
	if r := f.call(7, nil); code(r) != errs.Denied || len(seen.all()) != 0 {
		t.Fatalf("%v %v", r, seen.all())
	}
	f.say(kindDocument, 0, nil)
	if r := f.call(7, nil); r.Error != nil {
		t.Fatalf("%v", r)
	}
}

// A document is a principal: with the next one its calls, streams and tasks are
// over and its session is another.
func TestDocumentIsThePrincipal(t *testing.T) {
	b := newBench(t)
	var mu sync.Mutex
	var tasks []*session.Task
	var channels []uint64
	begun, ended := make(chan struct{}, 1), make(chan error, 2)
	b.routes[7] = rpc.Route{Method: method(7, none, false, app), Unary: func(ctx context.Context, _ []byte) ([]byte, error) {
		s := session.From(ctx)
		task, err := b.sessions.Begin(s, "ask")
		mu.Lock()
		defer mu.Unlock()
		channels = append(channels, s.Channel)
		tasks = append(tasks, task)
		return nil, err
	}}
	b.routes[8] = rpc.Route{Method: method(8, none, false, app), Unary: func(ctx context.Context, _ []byte) ([]byte, error) {
		begun <- struct{}{}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return nil, ctx.Err()
	}}
	b.routes[9] = rpc.Route{Method: method(9, none, true, app), Stream: func(ctx context.Context, _ []byte, out rpc.Sender) error {
		if err := out.Send([]byte("first")); err != nil {
			return err
		}
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return ctx.Err()
	}}
	_, f := b.show(apps.Studio)
	f.call(7, nil)
	slow := f.begin(8, nil)
	<-begun
	id := f.call(9, nil).Stream
	_, _, body := f.get("/.stream/" + hexOf(id))
	r, err := record(body)
	if err != nil || string(r.Message) != "first" {
		t.Fatal(r, err)
	}
	f.say(kindDocument, 0, nil)
	for range 2 {
		if err := <-ended; errs.CodeOf(err) != errs.Cancelled {
			t.Fatal(err)
		}
	}
	if r := f.answer(slow); code(r) != errs.Cancelled {
		t.Fatalf("%v", r)
	}
	// Cut, not ended: no record says that all is there.
	if rest, err := io.ReadAll(body); err != nil || len(rest) != 0 {
		t.Fatalf("%q %v", rest, err)
	}
	f.call(7, nil)
	// The stream of the first is nothing to the second.
	if status, _, _ := f.get("/.stream/" + hexOf(id)); status != statusNotFound {
		t.Fatal(status)
	}
	mu.Lock()
	defer mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !tasks[0].Ended() || tasks[1].Ended() || channels[0] == channels[1] {
		t.Fatalf("the tasks of the first document ended: %v, of the second: %v, channels %v", tasks[0].Ended(), tasks[1].Ended(), channels)
	}
	if len(b.gone) != 2 || b.gone[1] != channels[0] {
		t.Fatalf("gone: %v", b.gone)
	}
}

// A window that is killed takes its page's work along; so does one that crashes
// inside.
func TestKilledAndCrashed(t *testing.T) {
	b := newBench(t)
	var task atomic.Pointer[session.Task]
	b.routes[7] = rpc.Route{Method: method(7, none, false, app), Unary: func(ctx context.Context, _ []byte) ([]byte, error) {
		t, err := b.sessions.Begin(session.From(ctx), "ask")
		task.Store(t)
		return nil, err
	}}
	w, f := b.show(apps.Studio)
	f.call(7, nil)
	first := task.Load()
	f.say(kindCrashed, 0, []byte("memory"))
	until(t, "the task of the crashed page ended", first.Ended)
	f.say(kindDocument, 0, nil)
	f.call(7, nil)
	f.die()
	if why, err := closed(t, w); why != Crashed || errs.CodeOf(err) != errs.WorkerCrashed {
		t.Fatal(why, err)
	}
	if !task.Load().Ended() {
		t.Fatal("the task outlives its window")
	}
	if n := b.log.with(func(e audit.Event) bool { return e.Kind == "worker-crash" }); n != 2 {
		t.Fatalf("%+v", b.log.all())
	}
}

// A window that shows nothing is started once more, without the graphics card.
func TestBlankFallsBack(t *testing.T) {
	b := newBench(t)
	w, f := b.show(apps.Studio)
	f.say(kindBlank, 0, nil)
	f.ended()
	second := <-b.hosts
	if got := string(second.waitKind(kindConfig).payload); !strings.HasSuffix(got, "\x00software") {
		t.Fatalf("%q", got)
	}
	second.say(kindDocument, 0, nil)
	second.say(kindReady, 0, nil)
	<-w.Shown()
	second.say(kindBlank, 0, nil)
	if why, err := closed(t, w); why != Crashed || err == nil {
		t.Fatal(why, err)
	}
}

// The end of the core tells the hosts, and does not wait for one that does not
// listen.
func TestCloseEndsHosts(t *testing.T) {
	b := newBench(t)
	w, f := b.show(apps.Studio)
	b.m.Close()
	f.waitKind(kindClose)
	if why, err := closed(t, w); why != Stopped || err != nil {
		t.Fatal(why, err)
	}
	f.ended()
	if _, _, err := b.m.Open(context.Background(), apps.Studio, "", desktop.Display{}); err == nil {
		t.Fatal("a window was opened after the end")
	}
}

// Calls that run, and what their requests take, are bounded; what is beyond is
// refused, once on the record, and what runs is not hurt.
func TestFloods(t *testing.T) {
	b := newBench(t)
	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	t.Cleanup(release)
	running := make(chan struct{}, limits.WindowCalls)
	b.routes[7] = rpc.Route{Method: method(7, none, false, app), Unary: func(context.Context, []byte) ([]byte, error) {
		running <- struct{}{}
		<-hold
		return []byte("done"), nil
	}}
	_, f := b.show(apps.Studio)
	var ids []uint64
	for range limits.WindowCalls {
		ids = append(ids, f.begin(7, nil))
	}
	for range ids {
		<-running
	}
	for range 20 {
		if r := f.call(7, nil); code(r) != errs.CoreBusy {
			t.Fatalf("%v", r)
		}
	}
	// An Ack is taken all the same: what is under way goes on.
	if r := f.call(1001, ackOf(make([]byte, 16), 1)); r.Error != nil {
		t.Fatalf("%v", r)
	}
	release()
	for _, id := range ids {
		if r := f.answer(id); string(r.Message) != "done" {
			t.Fatalf("%v", r)
		}
	}
	if r := f.call(7, nil); r.Error != nil {
		t.Fatalf("%v", r)
	}
	if n := b.log.with(denied("flood")); n != 1 {
		t.Fatalf("%d records of a flood", n)
	}
}

// A page's message that is too long is refused before the handler.
func TestSizes(t *testing.T) {
	b := newBench(t)
	seen := b.echo(7, none, app)
	b.routes[8] = rpc.Route{Method: method(8, none, false, app), Unary: func(context.Context, []byte) ([]byte, error) {
		return make([]byte, limits.SurfaceMessage+1), nil
	}}
	_, f := b.show(apps.Studio)
	if r := f.call(7, make([]byte, 4097)); code(r) != errs.TooLarge || len(seen.all()) != 0 {
		t.Fatalf("%v", r)
	}
	if r := f.call(7, make([]byte, 4096)); r.Error != nil || !bytes.HasPrefix(r.Message, []byte("you said ")) {
		t.Fatalf("%v", r)
	}
	if r := f.call(8, nil); code(r) != errs.TooLarge {
		t.Fatalf("%v", r)
	}
}

// A handler that panics is a fault in one call.
func TestPanics(t *testing.T) {
	b := newBench(t)
	b.routes[7] = rpc.Route{Method: method(7, none, false, app), Unary: func(context.Context, []byte) ([]byte, error) { panic(errors.New("boom")) }}
	b.routes[8] = rpc.Route{Method: method(8, none, true, app), Stream: func(context.Context, []byte, rpc.Sender) error { panic(errors.New("boom")) }}
	seen := b.echo(9, none, app)
	_, f := b.show(apps.Studio)
	if r := f.call(7, nil); code(r) != errs.Internal {
		t.Fatalf("%v", r)
	}
	_, _, body := f.get("/.stream/" + hexOf(f.call(8, nil).Stream))
	if got := records(t, body); len(got) != 1 || got[0].GetError().GetCode() != string(errs.Internal) {
		t.Fatalf("%v", got)
	}
	if r := f.call(9, nil); r.Error != nil || len(seen.all()) != 1 {
		t.Fatalf("%v", r)
	}
}
