package workerkit

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/rpc"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
)

type fakeClock struct{ wall, boot atomic.Int64 }

func (c *fakeClock) Wall() time.Time     { return time.UnixMilli(c.wall.Load()) }
func (c *fakeClock) Boot() time.Duration { return time.Duration(c.boot.Load()) * time.Millisecond }

// service counts the calls that got through, and waits for its context when
// asked to.
type service struct {
	calls atomic.Int64
	mount atomic.Value
	wait  bool
	began chan struct{}
}

func (s *service) Ask(ctx context.Context, _ *indexv1.AskRequest, _ *indexv1.IndexServiceAskSender) error {
	s.calls.Add(1)
	s.mount.Store(Mount(ctx))
	if s.wait {
		close(s.began)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return nil
}

func (s *service) Summarize(context.Context, *indexv1.SummarizeRequest, *indexv1.IndexServiceSummarizeSender) error {
	s.calls.Add(1)
	return nil
}

func (s *service) Attach(context.Context, *indexv1.AttachRequest) (*indexv1.AttachResponse, error) {
	return &indexv1.AttachResponse{}, nil
}

func (s *service) Vectors(context.Context, *indexv1.VectorsRequest, *indexv1.IndexServiceVectorsSender) error {
	return nil
}

func (s *service) Source(context.Context, *indexv1.SourceRequest, *indexv1.IndexServiceSourceSender) error {
	return nil
}

func (s *service) Readers(context.Context, *indexv1.ReadersRequest, *indexv1.IndexServiceReadersSender) error {
	return nil
}

func (s *service) Reader(context.Context, *indexv1.ReaderRequest) (*indexv1.ReaderResponse, error) {
	return &indexv1.ReaderResponse{}, nil
}

type nowhere struct{}

func (nowhere) Send([]byte) error { return io.ErrClosedPipe }

const ask = 401

var handle = []byte("0123456789abcdef")

func kit(t *testing.T, s *service, seal bool) (*Kit, *rpc.Mux, *fakeClock) {
	t.Helper()
	return kitOf(t, indexv1.IndexServiceRoutes(s), seal)
}

func kitOf(t *testing.T, routes []rpc.Route, seal bool) (*Kit, *rpc.Mux, *fakeClock) {
	t.Helper()
	c := &fakeClock{}
	c.wall.Store(1_000_000)
	k := New(Config{Kind: "index", Release: "r1", Clock: c, Log: slog.New(slog.DiscardHandler), Seal: func() error { return nil },
		Probe: func() []*workerv1.Attempt { return []*workerv1.Attempt{{Name: "x", Held: true}} }})
	mux := k.Mux(routes)
	if seal {
		if _, err := k.Hello(t.Context(), &workerv1.HelloRequest{Release: "r1", Kind: "index", Nonce: handle}); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Seal(t.Context(), &workerv1.SealRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	return k, mux, c
}

func call(t *testing.T, mux *rpc.Mux, h []byte) error {
	t.Helper()
	q, err := proto.Marshal(&indexv1.AskRequest{Grant: h, Question: "why?"})
	if err != nil {
		t.Fatal(err)
	}
	r, ok := mux.Find(ask)
	if !ok {
		t.Fatal("no route")
	}
	return r.Stream(t.Context(), q, nowhere{})
}

func put(t *testing.T, k *Kit, f func(*workerv1.PutGrantRequest)) {
	t.Helper()
	q := &workerv1.PutGrantRequest{Handle: handle, Kind: policyv1.Kind_KIND_FILE_READ, Mount: "/grant"}
	if f != nil {
		f(q)
	}
	if _, err := k.PutGrant(t.Context(), q); err != nil {
		t.Fatal(err)
	}
}

func is(err error, c errs.Code) bool { return errors.Is(err, errs.New(c, "")) }

// What the core never pushed is refused by the worker itself.
func TestCallsNeedARow(t *testing.T) {
	s := &service{}
	k, mux, _ := kit(t, s, true)
	if err := call(t, mux, handle); !is(err, errs.GrantMissing) {
		t.Fatalf("no row: %v", err)
	}
	put(t, k, nil)
	if err := call(t, mux, handle); err != nil || s.mount.Load() != "/grant" {
		t.Fatalf("control: %v, mount %v", err, s.mount.Load())
	}
	if err := call(t, mux, []byte("0123456789abcdeX")); !is(err, errs.GrantMissing) {
		t.Fatalf("another handle: %v", err)
	}
	if _, err := k.DropGrant(t.Context(), &workerv1.DropGrantRequest{Handle: handle}); err != nil {
		t.Fatal(err)
	}
	if err := call(t, mux, handle); !is(err, errs.GrantMissing) {
		t.Fatalf("dropped: %v", err)
	}
	put(t, k, func(q *workerv1.PutGrantRequest) { q.Kind = policyv1.Kind_KIND_FILE_WRITE })
	if err := call(t, mux, handle); !is(err, errs.GrantMissing) {
		t.Fatalf("wrong kind: %v", err)
	}
	if n := s.calls.Load(); n != 1 {
		t.Fatalf("%d calls reached the service, want 1", n)
	}
}

func TestNoWorkBeforeTheSeal(t *testing.T) {
	s := &service{}
	k, mux, _ := kit(t, s, false)
	put(t, k, nil)
	if err := call(t, mux, handle); !is(err, errs.Malformed) || s.calls.Load() != 0 {
		t.Fatalf("got %v", err)
	}
	if _, err := k.Seal(t.Context(), &workerv1.SealRequest{}); !is(err, errs.Malformed) {
		t.Fatalf("seal before hello: %v", err)
	}
}

func TestExpiryOnBothClocks(t *testing.T) {
	for name, move := range map[string]func(*fakeClock){
		"wall":                func(c *fakeClock) { c.wall.Add(1000) },
		"boot, wall set back": func(c *fakeClock) { c.boot.Add(1000); c.wall.Add(-5000) },
	} {
		t.Run(name, func(t *testing.T) {
			k, mux, c := kit(t, &service{}, true)
			put(t, k, func(q *workerv1.PutGrantRequest) { q.ExpiresWallMs = c.wall.Load() + 1000; q.ExpiresInMs = 1000 })
			if err := call(t, mux, handle); err != nil {
				t.Fatal(err)
			}
			move(c)
			if err := call(t, mux, handle); !is(err, errs.GrantExpired) {
				t.Fatalf("got %v", err)
			}
		})
	}
	k, _, _ := kit(t, &service{}, true)
	if _, err := k.PutGrant(t.Context(), &workerv1.PutGrantRequest{Handle: handle, Kind: policyv1.Kind_KIND_FILE_READ, ExpiresInMs: 5}); !is(err, errs.Malformed) {
		t.Fatalf("one clock only: %v", err)
	}
}

func TestQuotaUnderParallelCalls(t *testing.T) {
	s := &service{}
	k, mux, _ := kit(t, s, true)
	put(t, k, func(q *workerv1.PutGrantRequest) { q.MaxCalls = 50 })
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 5 {
				if err := call(t, mux, handle); err != nil && !is(err, errs.QuotaUsedUp) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
	wg.Wait()
	if s.calls.Load() != 50 {
		t.Fatalf("%d calls passed a quota of 50", s.calls.Load())
	}
}

func TestDropCancelsWhatRuns(t *testing.T) {
	s := &service{wait: true, began: make(chan struct{})}
	k, mux, _ := kit(t, s, true)
	put(t, k, nil)
	done := make(chan error)
	go func() { done <- call(t, mux, handle) }()
	<-s.began
	if _, err := k.DropGrant(t.Context(), &workerv1.DropGrantRequest{Handle: handle}); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !is(err, errs.GrantRevoked) {
		t.Fatalf("got %v", err)
	}
}

func TestHello(t *testing.T) {
	for name, q := range map[string]*workerv1.HelloRequest{
		"another release": {Release: "r2", Kind: "index", Nonce: handle},
		"another kind":    {Release: "r1", Kind: "engine", Nonce: handle},
	} {
		k, _, _ := kit(t, &service{}, false)
		if _, err := k.Hello(t.Context(), q); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	k, _, _ := kit(t, &service{}, true)
	if _, err := k.Hello(t.Context(), &workerv1.HelloRequest{Release: "r1", Kind: "index", Nonce: handle}); !is(err, errs.Malformed) {
		t.Errorf("a second hello gave %v", err)
	}
}
