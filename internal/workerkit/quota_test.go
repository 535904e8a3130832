package workerkit

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/ipc"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/enginev1"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
	"github.com/bailey-run/bailey/internal/wire/workerv1"
)

// engine is a service whose Stats does what the test says.
type engine struct {
	enginev1.EngineServiceServer
	stats func(context.Context) error
	serve func(context.Context, []byte) error
}

func (e *engine) Stats(ctx context.Context, _ *enginev1.StatsRequest) (*enginev1.StatsResponse, error) {
	return &enginev1.StatsResponse{}, e.stats(ctx)
}

func (e *engine) Serve(ctx context.Context, q *enginev1.ServeRequest) (*enginev1.ServeResponse, error) {
	return &enginev1.ServeResponse{}, e.serve(ctx, q.Handle)
}

func row(t *testing.T, q *workerv1.PutGrantRequest) *Row {
	t.Helper()
	c := &fakeClock{}
	c.wall.Store(1_000_000)
	r := &rows{clock: c, m: map[capability.Handle]*held{}}
	q.Handle, q.Kind = handle, policyv1.Kind_KIND_MODEL_RUN
	if err := r.put(q); err != nil {
		t.Fatal(err)
	}
	return &Row{r: r, g: r.m[capability.Handle(handle)]}
}

// 64 calls that each want more than their share never get more than the quota
// together, and lose nothing of it.
func TestTokensUnderParallelCalls(t *testing.T) {
	const quota = 10_000
	q := row(t, &workerv1.PutGrantRequest{MaxTokens: quota})
	var got atomic.Uint64
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for {
				n := q.TakeTokens(uint64(1 + i%3))
				if n == 0 {
					return
				}
				if n > 1 {
					q.GiveTokens(1) // what was taken and not given out
					n--
				}
				got.Add(n)
			}
		})
	}
	wg.Wait()
	if got.Load() != quota {
		t.Fatalf("%d tokens were given out of %d", got.Load(), quota)
	}
	if _, _, err := q.Begin(t.Context()); !is(err, errs.QuotaUsedUp) {
		t.Fatalf("a call began with no token left: %v", err)
	}
	if left, limited := q.Tokens(); left != 0 || !limited {
		t.Fatalf("%d left, limited %v", left, limited)
	}
}

func TestNoQuotaIsNoLimit(t *testing.T) {
	for name, q := range map[string]*Row{"no row": nil, "no quota": row(t, &workerv1.PutGrantRequest{})} {
		if n := q.TakeTokens(1 << 40); n != 1<<40 {
			t.Errorf("%s: %d", name, n)
		}
		if _, limited := q.Tokens(); limited {
			t.Errorf("%s: limited", name)
		}
		for range 100 {
			if _, _, err := q.Begin(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestParallelLimit(t *testing.T) {
	const limit = 3
	q := row(t, &workerv1.PutGrantRequest{MaxParallel: limit})
	var running, most, busy atomic.Int64
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for range 64 {
		wg.Go(func() {
			<-gate
			_, done, err := q.Begin(t.Context())
			if err != nil {
				if !is(err, errs.CoreBusy) {
					t.Errorf("got %v", err)
				}
				busy.Add(1)
				return
			}
			n := running.Add(1)
			for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
			}
			running.Add(-1)
			done(0)
			done(0) // the second end of one call is none
		})
	}
	close(gate)
	wg.Wait()
	if most.Load() > limit {
		t.Fatalf("%d calls ran at once, %d are allowed", most.Load(), limit)
	}
	for range limit {
		if _, _, err := q.Begin(t.Context()); err != nil {
			t.Fatalf("a place was lost: %v", err)
		}
	}
	if _, _, err := q.Begin(t.Context()); !is(err, errs.CoreBusy) {
		t.Fatalf("one more call: %v", err)
	}
}

// The time of a grant is taken in slices before it is used; what a call did not
// use, and what it waited, comes back.
func TestTimeQuota(t *testing.T) {
	q := row(t, &workerv1.PutGrantRequest{MaxMilliseconds: 1000})
	clock := q.r.clock.(*fakeClock)
	_, done, err := q.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if q.g.used.time != limits.WorkerTimeSlice {
		t.Fatalf("%v taken at the start", q.g.used.time)
	}
	clock.boot.Add(200)
	done(150 * time.Millisecond)
	if q.g.used.time != 50*time.Millisecond {
		t.Fatalf("%v used by a call that worked 50 ms", q.g.used.time)
	}

	// Ten calls at once: nobody gets time beyond the quota.
	var ends []func(time.Duration)
	for range 10 {
		_, done, err := q.Begin(t.Context())
		if err != nil && !is(err, errs.QuotaUsedUp) {
			t.Fatal(err)
		}
		if err == nil {
			ends = append(ends, done)
		}
		if q.g.used.time > q.g.quota.time {
			t.Fatalf("%v of %v given out", q.g.used.time, q.g.quota.time)
		}
	}
	if len(ends) != 4 { // 950 ms in slices of 250
		t.Fatalf("%d calls began", len(ends))
	}
	for _, end := range ends {
		end(0)
	}
}

// A call that is at work when the time is used up is ended, and told why.
func TestTimeEndsACall(t *testing.T) {
	q := row(t, &workerv1.PutGrantRequest{MaxMilliseconds: 20})
	ctx, done, err := q.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	if !is(context.Cause(ctx), errs.QuotaUsedUp) {
		t.Fatalf("ended with %v", context.Cause(ctx))
	}
	q.r.clock.(*fakeClock).boot.Add(20)
	done(0)
	if _, _, err := q.Begin(t.Context()); !is(err, errs.QuotaUsedUp) {
		t.Fatalf("another call: %v", err)
	}
}

// A row is usable on one connection: that of the core, or the one it was bound
// to; and the peer's other rows and the core's methods are out of its reach.
func TestPeerHasItsOneRow(t *testing.T) {
	var calls atomic.Int64
	mine, end, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{
		stats: func(context.Context) error { calls.Add(1); return nil },
		serve: func(ctx context.Context, h []byte) error { return ServePeer(ctx, h, end) },
	}
	k, mux, _ := kitOf(t, enginev1.EngineServiceRoutes(e), true)
	peers, cores := []byte("the peer's row.."), []byte("the core's row..")
	for _, h := range [][]byte{peers, cores} {
		if _, err := k.PutGrant(t.Context(), &workerv1.PutGrantRequest{Handle: h, Kind: policyv1.Kind_KIND_MODEL_RUN}); err != nil {
			t.Fatal(err)
		}
	}
	onCore := func(h []byte) error {
		q, err := proto.Marshal(&enginev1.StatsRequest{Grant: h})
		if err != nil {
			t.Fatal(err)
		}
		r, _ := mux.Find(enginev1.EngineServiceStatsMethod().Number)
		_, err = r.Unary(t.Context(), q)
		return err
	}
	q, err := proto.Marshal(&enginev1.ServeRequest{Handle: peers})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := mux.Find(enginev1.EngineServiceServeMethod().Number)
	if _, err := r.Unary(t.Context(), q); err != nil {
		t.Fatal(err)
	}

	peer := ipc.New(mine, ipc.Options{})
	defer peer.Close()
	client := enginev1.NewEngineServiceClient(peer)
	if _, err := client.Stats(t.Context(), &enginev1.StatsRequest{Grant: peers}); err != nil {
		t.Fatalf("control: the peer's row on the peer's socket: %v", err)
	}
	if err := onCore(cores); err != nil {
		t.Fatalf("control: the core's row on the core's: %v", err)
	}
	if _, err := client.Stats(t.Context(), &enginev1.StatsRequest{Grant: cores}); !is(err, errs.GrantMissing) {
		t.Fatalf("the core's row on the peer's socket: %v", err)
	}
	if err := onCore(peers); !is(err, errs.GrantMissing) {
		t.Fatalf("the peer's row on the core's connection: %v", err)
	}
	if n := calls.Load(); n != 2 {
		t.Fatalf("%d calls came through, want 2", n)
	}
	// Bound once, and for good.
	if _, _, err := k.rows.bind(peers); !is(err, errs.GrantMissing) {
		t.Fatalf("bound again: %v", err)
	}
	if _, _, err := k.rows.bind(cores); !is(err, errs.GrantMissing) {
		t.Fatalf("bound after use: %v", err)
	}

	// The row's end is the connection's.
	if _, err := k.DropGrant(t.Context(), &workerv1.DropGrantRequest{Handle: peers}); err != nil {
		t.Fatal(err)
	}
	<-peer.Done()
}

// What is the core's is not served to a peer at all: asking for it ends the
// peer.
func TestPeerCannotDoTheCoresWork(t *testing.T) {
	mine, end, err := ipc.Pair()
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{serve: func(ctx context.Context, h []byte) error { return ServePeer(ctx, h, end) }}
	k, mux, _ := kitOf(t, enginev1.EngineServiceRoutes(e), true)
	if _, err := k.PutGrant(t.Context(), &workerv1.PutGrantRequest{Handle: handle, Kind: policyv1.Kind_KIND_MODEL_RUN}); err != nil {
		t.Fatal(err)
	}
	q, err := proto.Marshal(&enginev1.ServeRequest{Handle: handle})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := mux.Find(enginev1.EngineServiceServeMethod().Number)
	if _, err := r.Unary(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	peer := ipc.New(mine, ipc.Options{})
	defer peer.Close()
	_, err = workerv1.NewWorkerServiceClient(peer).PutGrant(t.Context(), &workerv1.PutGrantRequest{Handle: []byte("one of my own..."), Kind: policyv1.Kind_KIND_MODEL_RUN})
	if err == nil {
		t.Fatal("a peer pushed a row")
	}
	<-peer.Done()
	// The end of the connection is the row's: the handle can be pushed again.
	for errors.Is(k.rows.put(&workerv1.PutGrantRequest{Handle: handle, Kind: policyv1.Kind_KIND_MODEL_RUN}), errs.New(errs.Malformed, "")) {
		if t.Context().Err() != nil {
			t.Fatal("the row outlived its connection")
		}
	}
}
