package window

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

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
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/surfacev1"
)

// patience bounds every wait of a test.
const patience = 20 * time.Second

// TestMain sees that no goroutine outlives its window.
func TestMain(m *testing.M) {
	code := m.Run()
	deadline := time.Now().Add(patience)
	for code == 0 && runtime.NumGoroutine() > 2 && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); code == 0 && n > 2 {
		buf := make([]byte, 1<<20)
		fmt.Fprintf(os.Stderr, "%d goroutines are left:\n%s\n", n, buf[:runtime.Stack(buf, true)])
		code = 1
	}
	os.Exit(code)
}

// journal is the log of a test.
type journal struct {
	mu     sync.Mutex
	events []audit.Event
}

func (j *journal) Note(e audit.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	return nil
}

func (j *journal) all() []audit.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]audit.Event(nil), j.events...)
}

// with counts the events for which f holds.
func (j *journal) with(f func(audit.Event) bool) int {
	n := 0
	for _, e := range j.all() {
		if f(e) {
			n++
		}
	}
	return n
}

func denied(reason string) func(audit.Event) bool {
	return func(e audit.Event) bool { return e.Kind == "deny" && e.Detail["reason"] == reason }
}

// desk is a desktop of a test.
type desk struct {
	mu      sync.Mutex
	now     Settings
	changes chan struct{}
	pick    func(context.Context) (*folder.Folder, error)
	closed  bool
}

func (d *desk) Settings() Settings {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}
func (d *desk) set(s Settings) {
	d.mu.Lock()
	d.now = s
	d.mu.Unlock()
	d.changes <- struct{}{}
}
func (d *desk) Changes() <-chan struct{} { d.mu.Lock(); defer d.mu.Unlock(); return d.changes }
func (d *desk) Pick(ctx context.Context) (*folder.Folder, error) {
	return d.pick(ctx)
}
func (d *desk) Accessibility() string { return "" }
func (d *desk) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.closed = true
		close(d.changes)
	}
}

// bench is a manager with hosts that are the test's own.
type bench struct {
	t        testing.TB
	m        *Manager
	log      *journal
	sessions *session.Registry
	desk     *desk
	hosts    chan *fake
	routes   map[uint32]rpc.Route
	// gone are the sessions that are over; watched what to call about grants.
	mu      sync.Mutex
	gone    []uint64
	watched map[uint64]func(capability.ID, grantv1.State)
	refuse  error
	// slow has a start say that it has begun on what is sent there, and then wait for
	// the error that it ends with.
	slow chan chan error
	// loose is what is wrong with the sandboxes.
	loose atomic.Pointer[error]
}

func newBench(t testing.TB) *bench {
	b := &bench{
		t: t, log: &journal{}, sessions: session.NewRegistry(clock.System{}), hosts: make(chan *fake, 8), slow: make(chan chan error, 1), routes: map[uint32]rpc.Route{},
		desk: &desk{changes: make(chan struct{}, 1)}, watched: map[uint64]func(capability.ID, grantv1.State){},
	}
	bundles := map[string]*apps.Bundle{}
	for _, a := range apps.All() {
		bundles[a.ID] = testBundle(t, a)
	}
	b.m = New(Config{
		Release: "test", Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Record: b.log, Sessions: b.sessions,
		Find:   func(n uint32) (rpc.Route, bool) { r, ok := b.routes[n]; return r, ok },
		Bundle: func(a apps.App) (*apps.Bundle, error) { return bundles[a.ID], nil },
		Check:  func(context.Context, desktop.Display) error { return b.refuse },
		Start: func(context.Context, desktop.Display, string) (*Host, error) {
			if b.refuse != nil {
				return nil, b.refuse
			}
			select {
			case fails := <-b.slow:
				fails <- nil
				return nil, <-fails
			default:
			}
			h, f := newFake(t)
			b.hosts <- f
			return h, nil
		},
		Confined: func(int) error {
			if err := b.loose.Load(); err != nil {
				return *err
			}
			return nil
		},
		Desk: func(desktop.Display) Desk { return b.desk },
		Watch: func(c uint64, f func(capability.ID, grantv1.State)) func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.watched[c] = f
			return func() {
				b.mu.Lock()
				defer b.mu.Unlock()
				delete(b.watched, c)
			}
		},
		Gone: func(s *session.Session) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.gone = append(b.gone, s.Channel)
		},
	})
	for _, r := range surfaceRoutes(b.m) {
		b.routes[r.Method.Number] = r
	}
	t.Cleanup(func() {
		b.m.Close()
		if !b.sessions.Idle() {
			t.Error("sessions are left")
		}
	})
	return b
}

// surfaceRoutes are those of bailey.surface.v1 without the service that a core
// puts before the manager: services stand above this package.
func surfaceRoutes(m *Manager) []rpc.Route { return surfacev1.SurfaceServiceRoutes(server{m}) }

type server struct{ m *Manager }

func (s server) Ack(ctx context.Context, in *surfacev1.AckRequest) (*surfacev1.AckResponse, error) {
	return &surfacev1.AckResponse{}, s.m.Ack(ctx, in.Stream, in.Bytes)
}
func (s server) Cancel(ctx context.Context, in *surfacev1.CancelRequest) (*surfacev1.CancelResponse, error) {
	return &surfacev1.CancelResponse{}, s.m.CancelStream(ctx, in.Stream)
}
func (s server) Events(ctx context.Context, _ *surfacev1.EventsRequest, out *surfacev1.SurfaceServiceEventsSender) error {
	return s.m.Events(ctx, out.Send)
}
func (s server) Pick(ctx context.Context, _ *surfacev1.PickRequest) (*surfacev1.PickResponse, error) {
	token, object, err := s.m.Pick(ctx)
	return &surfacev1.PickResponse{Picked: token, Object: object}, err
}
func (s server) OpenPanel(ctx context.Context, in *surfacev1.OpenPanelRequest) (*surfacev1.OpenPanelResponse, error) {
	return &surfacev1.OpenPanelResponse{}, s.m.OpenPanel(ctx, in.Panel)
}

// files are an app's in these tests.
func files() map[string]string {
	return map[string]string{"index.html": "<!doctype html><title>t</title>", "app.js": "// a script", "assets/a.css": "/* a style */"}
}

// testBundle packs and reads an app.
func testBundle(t testing.TB, a apps.App) *apps.Bundle {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for name, text := range files() {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(buf.Bytes())
	b, err := apps.Read(a, &buf, hex.EncodeToString(sum[:]))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// fake is the other end of a host's connection: it says what a host would, or
// anything else.
type fake struct {
	t    testing.TB
	conn *net.UnixConn
	// in are the frames from the core; closed at the end.
	in   chan sent
	done chan struct{}
	once sync.Once
	next uint64
	// stash are frames that were read while another was waited for.
	stash []sent
}

// sent is a frame of the core's with the descriptor that rode on it.
type sent struct {
	kind    kind
	id      uint64
	payload []byte
	body    *os.File
}

func newFake(t testing.TB) (*Host, *fake) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	conns := [2]*net.UnixConn{}
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "pair")
		c, err := net.FileConn(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		conns[i] = c.(*net.UnixConn)
	}
	f := &fake{t: t, conn: conns[1], in: make(chan sent, 4096), done: make(chan struct{})}
	go f.read()
	t.Cleanup(f.die)
	return &Host{Conn: conns[0], PID: os.Getpid(), Done: f.done, Kill: f.die, Ended: func() map[string]string { return map[string]string{"exit": "0"} }}, f
}

// die is the end of the host, by its own will or by the core's.
func (f *fake) die() {
	f.once.Do(func() {
		f.conn.Close()
		close(f.done)
	})
}

func (f *fake) read() {
	defer close(f.in)
	var have []byte
	var bodies []*os.File
	buf, oob := make([]byte, 64<<10), make([]byte, 256)
	for {
		n, oobn, _, _, err := f.conn.ReadMsgUnix(buf, oob)
		if err != nil || n == 0 {
			return
		}
		have = append(have, buf[:n]...)
		if oobn > 0 {
			scms, _ := unix.ParseSocketControlMessage(oob[:oobn])
			for _, scm := range scms {
				got, _ := unix.ParseUnixRights(&scm)
				for _, fd := range got {
					var st unix.Stat_t
					if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
						_ = unix.SetNonblock(fd, true) // so that reading can have a deadline
					}
					bodies = append(bodies, os.NewFile(uintptr(fd), "body"))
				}
			}
		}
		for len(have) >= headerSize {
			size := int(binary.LittleEndian.Uint32(have))
			if len(have) < headerSize+size {
				break
			}
			s := sent{kind: kind(have[4]), id: binary.LittleEndian.Uint64(have[8:]), payload: bytes.Clone(have[headerSize : headerSize+size])}
			// Bodies ride on responses with a status of 200 only, in order.
			if s.kind == kindResponse && binary.LittleEndian.Uint16(s.payload) == statusOK && len(bodies) > 0 {
				s.body, bodies = bodies[0], bodies[1:]
			}
			have = have[headerSize+size:]
			f.in <- s
		}
	}
}

// write sends bytes as they are.
func (f *fake) write(b []byte) {
	f.t.Helper()
	if _, err := f.conn.Write(b); err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, net.ErrClosed) {
		f.t.Errorf("write: %v", err)
	}
}

func (f *fake) say(k kind, id uint64, payload []byte) {
	f.t.Helper()
	f.write(appendFrame(nil, k, id, payload))
}

// wait returns the next frame for which want holds; others are kept.
func (f *fake) wait(what string, want func(sent) bool) sent {
	f.t.Helper()
	for i, s := range f.stash {
		if want(s) {
			f.stash = append(f.stash[:i:i], f.stash[i+1:]...)
			return s
		}
	}
	limit := time.After(patience)
	for {
		select {
		case s, ok := <-f.in:
			if !ok {
				f.t.Fatalf("the core went away before %s", what)
			}
			if want(s) {
				return s
			}
			f.stash = append(f.stash, s)
		case <-limit:
			f.t.Fatalf("no %s", what)
		}
	}
}

func (f *fake) waitKind(k kind) sent {
	f.t.Helper()
	return f.wait(fmt.Sprintf("frame of kind %d", k), func(s sent) bool { return s.kind == k })
}

// ended waits for the core to end the host.
func (f *fake) ended() {
	f.t.Helper()
	select {
	case <-f.done:
	case <-time.After(patience):
		f.t.Fatal("the host lives on")
	}
}

// call makes a call and returns the reply.
func (f *fake) call(method uint32, message []byte) *surfacev1.Reply {
	f.t.Helper()
	return f.answer(f.begin(method, message))
}

func (f *fake) begin(method uint32, message []byte) uint64 {
	f.t.Helper()
	b, err := proto.Marshal(&surfacev1.Call{Method: method, Message: message})
	if err != nil {
		f.t.Fatal(err)
	}
	f.next++
	f.say(kindCall, f.next, b)
	return f.next
}

func (f *fake) answer(id uint64) *surfacev1.Reply {
	f.t.Helper()
	s := f.wait("reply", func(s sent) bool { return s.kind == kindReply && s.id == id })
	r := new(surfacev1.Reply)
	if err := rpc.Decode(s.payload, r, limits.WindowFrame); err != nil {
		f.t.Fatal(err)
	}
	return r
}

// get requests a path and returns the status and the body, if there is one.
func (f *fake) get(path string) (int, http, *os.File) {
	f.t.Helper()
	f.next++
	f.say(kindRequest, f.next, []byte(path))
	id := f.next
	s := f.wait("response", func(s sent) bool { return s.kind == kindResponse && s.id == id })
	head := http{}
	for _, line := range strings.Split(strings.TrimSuffix(string(s.payload[2:]), "\n"), "\n") {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			f.t.Fatalf("a header line %q", line)
		}
		head[name] = value
	}
	return int(binary.LittleEndian.Uint16(s.payload)), head, s.body
}

type http map[string]string

// records reads a stream's body to its end.
func records(t *testing.T, body io.Reader) []*surfacev1.StreamRecord {
	t.Helper()
	var out []*surfacev1.StreamRecord
	in := bufio.NewReader(body)
	for {
		r, err := record(in)
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
}

func record(in io.Reader) (*surfacev1.StreamRecord, error) {
	var head [recordHead]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(in, b); err != nil {
		return nil, err
	}
	r := new(surfacev1.StreamRecord)
	return r, rpc.Decode(b, r, limits.WindowFrame)
}

// method is one of a test's own.
func method(number uint32, k policyv1.Kind, streaming bool, surfaces ...policyv1.Surface) *rpc.Method {
	return &rpc.Method{
		Number: number, Name: fmt.Sprintf("test.v1.Service/M%d", number), Kind: k, Surfaces: surfaces, Streaming: streaming,
		MaxRequest: 4096, MaxResponse: limits.SurfaceMessage,
	}
}

// show opens an app in a window whose page is there.
func (b *bench) show(id string) (*Window, *fake) {
	b.t.Helper()
	w, raised, err := b.m.Open(context.Background(), id, "", desktop.Display{X11: ":7", Language: "de_DE.UTF-8"})
	if err != nil || raised {
		b.t.Fatal(raised, err)
	}
	f := <-b.hosts
	f.t = b.t
	f.waitKind(kindConfig)
	f.say(kindDocument, 0, nil)
	return w, f
}

// closed waits for the window's end.
func closed(t *testing.T, w *Window) (string, error) {
	t.Helper()
	select {
	case <-w.Done():
		return w.Why()
	case <-time.After(patience):
		t.Fatal("the window stays")
		return "", nil
	}
}

// until waits for something to become so.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !f(); runtime.Gosched() {
		if time.Now().After(limit) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

func code(r *surfacev1.Reply) errs.Code { return errs.Code(r.GetError().GetCode()) }
