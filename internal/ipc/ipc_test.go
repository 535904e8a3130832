package ipc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

const (
	core   = policyv1.Caller_CALLER_CORE
	client = policyv1.Caller_CALLER_CLIENT
	relay  = policyv1.Caller_CALLER_CLIENT_TO_WORKER
)

func unary(number uint32, caller policyv1.Caller, f rpc.Unary) rpc.Route {
	return rpc.Route{Unary: f, Method: &rpc.Method{
		Number: number, Name: "test.v1.Test/Unary", Caller: caller,
		MaxRequest: limits.IPCBody, MaxResponse: limits.IPCBody,
	}}
}

func streaming(number uint32, caller policyv1.Caller, f rpc.Stream) rpc.Route {
	return rpc.Route{Stream: f, Method: &rpc.Method{
		Number: number, Name: "test.v1.Test/Stream", Caller: caller, Streaming: true,
		MaxRequest: limits.IPCBody, MaxResponse: limits.IPCBody,
	}}
}

func echo(_ context.Context, b []byte) ([]byte, error) { return b, nil }

// sockets returns both ends of a socketpair.
func sockets(t testing.TB) (*net.UnixConn, *net.UnixConn) {
	t.Helper()
	a, f, err := Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := duplicate(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := FromFD(uintptr(fd))
	if err != nil {
		t.Fatal(err)
	}
	return a, b
}

// pair returns a caller and the server of routes, which takes the caller for
// the core.
func pair(t testing.TB, routes ...rpc.Route) (caller, server *Conn) {
	t.Helper()
	return pairOf(t, Options{Gone: errs.WorkerCrashed}, Options{Mux: rpc.NewMux(routes), Peer: core})
}

func pairOf(t testing.TB, near, far Options) (caller, server *Conn) {
	t.Helper()
	a, b := sockets(t)
	far.Even = true
	for _, o := range []*Options{&near, &far} {
		if o.OnMalformed == nil {
			o.OnMalformed = func(reason string) { t.Errorf("malformed: %s", reason) }
		}
	}
	caller, server = New(a, near), New(b, far)
	t.Cleanup(func() { caller.Close(); server.Close() })
	return caller, server
}

func wantCode(t testing.TB, err error, code errs.Code) *errs.Error {
	t.Helper()
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("error is %v, want code %s", err, code)
	}
	return e
}

func wait(t testing.TB, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
	}
}

func TestUnary(t *testing.T) {
	r := unary(1, core, echo)
	c, _ := pair(t, r)
	for _, n := range []int{0, 1, 200, limits.IPCReadBuffer - headerSize, limits.IPCReadBuffer, limits.IPCBody} {
		want := bytes.Repeat([]byte{byte(n)}, n)
		got, err := c.Invoke(context.Background(), r.Method, want)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes: %d bytes came back, %v", n, len(got), err)
		}
	}
}

func TestStream(t *testing.T) {
	const messages = 10_000
	r := streaming(1, core, func(_ context.Context, req []byte, out rpc.Sender) error {
		for i := range messages {
			if err := out.Send(req[:i%len(req)]); err != nil {
				return err
			}
		}
		return nil
	})
	c, _ := pair(t, r)
	req := bytes.Repeat([]byte("x"), 300)
	in, err := c.Open(context.Background(), r.Method, req)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for i := range messages {
		b, err := in.Recv()
		if err != nil || len(b) != i%len(req) {
			t.Fatalf("message %d: %d bytes, %v", i, len(b), err)
		}
	}
	for range 2 {
		if b, err := in.Recv(); err != io.EOF || b != nil {
			t.Fatalf("after the last message: %v, %v", b, err)
		}
	}
}

func TestPanicIsAnsweredAndTheConnectionLives(t *testing.T) {
	var n atomic.Int32
	r := unary(1, core, func(_ context.Context, b []byte) ([]byte, error) {
		if n.Add(1) == 1 {
			var m map[string]int
			m["x"] = 1 //lint:ignore SA5000 a handler that panics is what is tested
		}
		return b, nil
	})
	c, _ := pair(t, r)
	_, err := c.Invoke(context.Background(), r.Method, nil)
	wantCode(t, err, errs.Internal)
	if _, err := c.Invoke(context.Background(), r.Method, nil); err != nil {
		t.Fatal(err)
	}
}

func TestFromFDRefusesOtherThings(t *testing.T) {
	f, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := duplicate(f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := FromFD(uintptr(fd)); err == nil {
		t.Fatal("took /dev/null for a socket")
	}
}
