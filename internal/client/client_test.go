package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/home"
	"github.com/bailey-run/bailey/internal/plat/peer"
	"github.com/bailey-run/bailey/internal/plat/safefile"
	"github.com/bailey-run/bailey/internal/wire/corev1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

// TestMain is also the core that the client starts: with the core's own
// arguments, and a behaviour that is named in its environment.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "--ready-fd" {
		os.Exit(fakeCore(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

func fakeCore(args []string) int {
	ready := os.NewFile(3, "ready")
	how, release, _ := strings.Cut(os.Getenv("FAKE_CORE"), ":")
	switch how {
	case "says":
		b, _ := json.Marshal(map[string]any{"error": map[string]string{
			"code": "audit-log-broken", "message": "The audit log is damaged: record 7", "hint": "look"}})
		fmt.Fprintln(os.Stderr, string(b))
		return 4
	case "crash":
		fmt.Fprintln(os.Stderr, "panic: BUG\n\ngoroutine 1")
		return 2
	}
	if len(args) != 3 || args[1] != "--home" {
		fmt.Fprintln(os.Stderr, "arguments", args)
		return 2
	}
	h, err := home.Open(home.Options{Dir: args[2]})
	if err != nil {
		return 1
	}
	lock, err := os.OpenFile(h.State+"/lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return 1
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		fmt.Fprintln(ready, "taken")
		return 0
	}
	started, err := os.OpenFile(h.State+"/started", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 1
	}
	fmt.Fprintln(started, os.Getpid())
	if how == "ends" {
		fmt.Fprintln(ready, "ready")
		return 0
	}
	l, err := peer.Listen(h.Socket)
	if err != nil {
		return 1
	}
	fmt.Fprintln(ready, "ready")
	_ = ready.Close()
	for first := true; ; first = false {
		conn, _, err := l.Accept(nil)
		if err != nil {
			return 0
		}
		if how == "drops" && first {
			_ = conn.Close()
			continue
		}
		_ = serve(conn, release)
	}
}

type core struct {
	corev1.CoreServiceServer
	release string
}

func (c core) Hello(context.Context, *corev1.HelloRequest) (*corev1.HelloResponse, error) {
	return &corev1.HelloResponse{Release: c.release, Pid: uint32(os.Getpid())}, nil
}

func serve(conn *net.UnixConn, release string) *ipc.Conn {
	return ipc.New(conn, ipc.Options{Mux: rpc.NewMux(corev1.CoreServiceRoutes(core{release: release})), Peer: policyv1.Caller_CALLER_CLIENT, Even: true})
}

func newHome(t *testing.T) *home.Home {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "bc")
	if err != nil {
		t.Fatal(err)
	}
	h, err := home.Open(home.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if _, err := client.Stop(ctx, h); err != nil {
			t.Errorf("a core was left behind: %v", err)
		}
		_ = os.RemoveAll(dir)
	})
	return h
}

func options(t *testing.T, how string) client.Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return client.Options{Release: "v1", Core: self, Env: []string{"FAKE_CORE=" + how}}
}

func pids(t *testing.T, h *home.Home) []string {
	t.Helper()
	b, err := os.ReadFile(h.State + "/started")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(b))
}

func TestStartsAndFinds(t *testing.T) {
	h := newHome(t)
	if _, err := client.Dial(t.Context(), h, client.Options{Release: "v1"}); !errors.As(err, new(client.NotRunning)) {
		t.Fatalf("without a core to start: %v", err)
	}
	for range 3 {
		c, err := client.Dial(t.Context(), h, options(t, "ok:v1"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strconv.Itoa(c.PID); got != pids(t, h)[0] {
			t.Errorf("process %s, started %v", got, pids(t, h))
		}
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
	}
	if n := len(pids(t, h)); n != 1 {
		t.Errorf("%d cores were started", n)
	}
}

// Many clients at once: one core, and every client reaches it.
func TestStartAtOnce(t *testing.T) {
	h := newHome(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			c, err := client.Dial(t.Context(), h, options(t, "ok:v1"))
			if err != nil {
				t.Error(err)
				return
			}
			_ = c.Close()
		})
	}
	all.Wait()
	if n := len(pids(t, h)); n != 1 {
		t.Errorf("%d cores served", n)
	}
}

func TestStaleSocket(t *testing.T) {
	h := newHome(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: h.Socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	c, err := client.Dial(t.Context(), h, options(t, "ok:v1"))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

// A core that ends while we connect is not an error: the next one answers.
func TestCoreThatWasEnding(t *testing.T) {
	h := newHome(t)
	c, err := client.Dial(t.Context(), h, options(t, "drops:v1"))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestOtherRelease(t *testing.T) {
	h := newHome(t)
	_, err := client.Dial(t.Context(), h, options(t, "ok:v2"))
	e := errs.From(err)
	if e.Code != errs.ReleaseMismatch || !strings.Contains(e.HintText(), "bailey stop") {
		t.Fatalf("got %v", err)
	}
	// and `bailey stop` ends it all the same.
	if ran, err := client.Stop(t.Context(), h); !ran || err != nil {
		t.Fatalf("%v %v", ran, err)
	}
	pid, err := strconv.Atoi(pids(t, h)[0])
	if err != nil {
		t.Fatal(err)
	}
	if state := processState(pid); state != "" && state != "Z" {
		t.Errorf("process %d is in state %q", pid, state)
	}
	if ran, err := client.Stop(t.Context(), h); ran || err != nil {
		t.Fatalf("the second time: %v %v", ran, err)
	}
}

// Who holds the lock and is no core of this home is left alone, and stop does not say
// that nothing was running.
func TestStopMeetsAnotherHolder(t *testing.T) {
	h := newHome(t)
	state, err := safefile.OpenDir(h.State)
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	lock, err := state.Lock(home.LockName)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	ctx, cancel := context.WithTimeout(t.Context(), limits.CoreRetry)
	defer cancel()
	ran, err := client.Stop(ctx, h)
	if e := errs.From(err); !ran || e == nil || e.Code != errs.CoreUnavailable || !strings.Contains(e.Message(), "cannot be ended") {
		t.Errorf("%v %v", ran, err)
	}
}

// processState is the letter of /proc/PID/stat; Z has ended.
func processState(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return rest[:1]
}

func TestCoreThatDoesNotStart(t *testing.T) {
	h := newHome(t)
	_, err := client.Dial(t.Context(), h, options(t, "says"))
	if e := errs.From(err); e.Code != errs.LogBroken || e.Detail != "record 7" || e.HintText() != "look" {
		t.Errorf("its own words: %v, %q, %q", err, e.Detail, e.HintText())
	}
	_, err = client.Dial(t.Context(), h, options(t, "crash"))
	if e := errs.From(err); e.Code != errs.CoreUnavailable || !strings.Contains(e.Message(), "panic: BUG") || strings.Contains(e.Message(), "goroutine") {
		t.Errorf("a crash: %v", e.Message())
	}
}

// A core that says it is ready and ends is not started for ever.
func TestCoreThatEndsAtOnce(t *testing.T) {
	h := newHome(t)
	_, err := client.Dial(t.Context(), h, options(t, "ends"))
	if e := errs.From(err); e.Code != errs.CoreUnavailable || !strings.Contains(e.Message(), "started 3 times") {
		t.Errorf("got %v", err)
	}
	if n := len(pids(t, h)); n != limits.CoreStarts {
		t.Errorf("%d cores were started", n)
	}
}

// Bytes that are no protocol, then a listener that never answers.
func TestNotACore(t *testing.T) {
	h := newHome(t)
	l, err := peer.Listen(h.Socket)
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	var silent atomic.Bool
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, _, err := l.Accept(nil)
			if err != nil {
				return
			}
			if silent.Load() {
				<-over
			} else {
				_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			}
			_ = c.Close()
		}
	})
	// What it sees first is the system's: bytes of no protocol, or the end.
	if _, err := client.Dial(t.Context(), h, client.Options{Release: "v1"}); errs.CodeOf(err) != errs.Malformed && errs.CodeOf(err) != errs.CoreUnavailable {
		t.Errorf("HTTP: %v", err)
	}
	silent.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := client.Dial(ctx, h, client.Options{Release: "v1"}); errs.CodeOf(err) != errs.Cancelled {
		t.Errorf("a silent one: %v", err)
	}
	close(over)
	_ = l.Close()
	all.Wait()
}

func TestFindCore(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "bin", "bailey")
	if _, err := client.FindCore(bin); errs.CodeOf(err) != errs.CoreUnavailable {
		t.Fatalf("got %v", err)
	}
	self, err := exec.LookPath("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{"libexec/bailey/bailey-core", "bin/bailey-core"} {
		p := filepath.Join(dir, at)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.Symlink(self, p)); err != nil {
			t.Fatal(err)
		}
		if got, err := client.FindCore(bin); got != p || err != nil {
			t.Errorf("%s: %s %v", at, got, err)
		}
	}
}
