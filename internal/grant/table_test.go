package grant

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/capability"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/wire/policyv1"
)

const read = policyv1.Kind_KIND_FILE_READ

type fakeClock struct {
	wall atomic.Int64
	boot atomic.Int64
}

func (c *fakeClock) Wall() time.Time     { return time.Unix(0, c.wall.Load()) }
func (c *fakeClock) Boot() time.Duration { return time.Duration(c.boot.Load()) }

func recorded(capability.Row) error { return nil }

func table(t *testing.T) (*Table, *fakeClock) {
	c := &fakeClock{}
	c.wall.Store(int64(1000 * time.Second))
	tb := NewTable(c)
	t.Cleanup(func() { tb.Close() })
	return tb, c
}

func row(channel uint64) capability.Row {
	return capability.Row{Kind: read, Holder: capability.Holder{App: "cli", Channel: channel, Task: "t"}, Scope: capability.Scope{Path: "/d", Object: capability.Object{Inode: 1}}}
}

func mint(t *testing.T, tb *Table, r capability.Row) (*Grant, capability.Handle) {
	t.Helper()
	g, h, err := tb.Mint(r, recorded)
	if err != nil {
		t.Fatal(err)
	}
	return g, h
}

func is(err error, c errs.Code) bool { return errors.Is(err, errs.New(c, "")) }

// A grant whose record failed does not exist.
func TestNoRecordNoGrant(t *testing.T) {
	tb, _ := table(t)
	fail := errs.New(errs.LogUnwritable, "test")
	var seen capability.Row
	_, h, err := tb.Mint(row(1), func(r capability.Row) error { seen = r; return fail })
	if !errors.Is(err, fail) || seen.ID == "" {
		t.Fatalf("err %v, record saw %+v", err, seen)
	}
	if _, err := tb.Use(read, 1, h[:]); !is(err, errs.GrantMissing) {
		t.Fatalf("the handle of an unrecorded grant gave %v", err)
	}
	if len(tb.List()) != 0 {
		t.Fatal("an unrecorded grant is listed")
	}
}

// Random and bit-flipped handles, and a good one on another channel, are
// all refused with one answer.
func TestForgedHandles(t *testing.T) {
	tb, _ := table(t)
	_, h := mint(t, tb, row(1))
	if _, err := tb.Use(read, 1, h[:]); err != nil {
		t.Fatalf("control: the good handle gave %v", err)
	}
	want := errs.New(errs.GrantMissing, "grant.use").Error()
	refused := func(what string, ch uint64, h []byte) {
		t.Helper()
		if _, err := tb.Use(read, ch, h); err == nil || err.Error() != want {
			t.Fatalf("%s: got %v", what, err)
		}
	}
	refused("another channel", 2, h[:])
	refused("empty", 1, nil)
	refused("short", 1, h[:15])
	refused("long", 1, append(h[:], 0))
	for i := range 128 {
		f := h
		f[i/8] ^= 1 << (i % 8)
		refused("a flipped bit", 1, f[:])
	}
	var r capability.Handle
	for range 1_000_000 {
		_, _ = rand.Read(r[:])
		refused("random", 1, r[:])
	}
	if _, err := tb.Use(policyv1.Kind_KIND_FILE_WRITE, 1, h[:]); !is(err, errs.GrantMissing) {
		t.Fatalf("another kind gave %v", err)
	}
}

// A quota holds under parallel calls.
func TestQuotaUnderParallelCalls(t *testing.T) {
	tb, _ := table(t)
	r := row(1)
	r.MaxCalls = 100
	_, h := mint(t, tb, r)
	var ok, over atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range 10 {
				switch _, err := tb.Use(read, 1, h[:]); {
				case err == nil:
					ok.Add(1)
				case is(err, errs.QuotaUsedUp):
					over.Add(1)
				default:
					t.Errorf("got %v", err)
				}
			}
		})
	}
	wg.Wait()
	if ok.Load() != 100 || over.Load() != 540 {
		t.Fatalf("%d calls passed and %d were refused, want 100 and 540", ok.Load(), over.Load())
	}
}

func TestExpiryOnBothClocks(t *testing.T) {
	for name, move := range map[string]func(*fakeClock){
		"wall":                      func(c *fakeClock) { c.wall.Add(int64(time.Minute)) },
		"boot, wall clock set back": func(c *fakeClock) { c.boot.Add(int64(time.Minute)); c.wall.Add(-int64(time.Hour)) },
	} {
		t.Run(name, func(t *testing.T) {
			tb, c := table(t)
			r := row(1)
			r.Expiry = capability.Expiry{Wall: c.Wall().Add(time.Minute), Boot: c.Boot() + time.Minute}
			g, h := mint(t, tb, r)
			if _, err := tb.Use(read, 1, h[:]); err != nil {
				t.Fatal(err)
			}
			if e := tb.Expire(); len(e) != 0 {
				t.Fatalf("expired too early: %v", e)
			}
			move(c)
			if _, err := tb.Use(read, 1, h[:]); !is(err, errs.GrantExpired) {
				t.Fatalf("use gave %v", err)
			}
			if e := tb.Expire(); len(e) != 1 || e[0].Row.ID != g.Row.ID || e[0].Calls != 1 {
				t.Fatalf("Expire gave %v", e)
			}
			if !is(context.Cause(g.Context()), errs.GrantExpired) {
				t.Fatalf("cause %v", context.Cause(g.Context()))
			}
		})
	}
}

// Revoking a parent ends the subtree, hooks run before Revoke returns, and
// the holder is told why.
func TestRevokeEndsTheSubtree(t *testing.T) {
	tb, _ := table(t)
	p, ph := mint(t, tb, row(1))
	child, err := capability.Attenuate(p.Row, row(1))
	if err != nil {
		t.Fatal(err)
	}
	c, ch := mint(t, tb, child)
	gchild, err := capability.Attenuate(c.Row, row(1))
	if err != nil {
		t.Fatal(err)
	}
	gc, gh := mint(t, tb, gchild)
	_, other := mint(t, tb, row(1))
	killed := map[capability.ID]bool{}
	for _, g := range []*Grant{p, c, gc} {
		g.OnEnd(func() {
			if g.Context().Err() == nil {
				t.Error("a hook ran before the grant was marked")
			}
			killed[g.Row.ID] = true
		})
	}
	ended, err := tb.Revoke(p.Row.ID)
	if err != nil || len(ended) != 3 || len(killed) != 3 {
		t.Fatalf("ended %v, hooks %v, %v", ended, killed, err)
	}
	for _, h := range []capability.Handle{ph, ch, gh} {
		if _, err := tb.Use(read, 1, h[:]); !is(err, errs.GrantRevoked) {
			t.Fatalf("use after revoke gave %v", err)
		}
	}
	if _, err := tb.Use(read, 1, other[:]); err != nil {
		t.Fatalf("another grant suffered: %v", err)
	}
	if _, err := tb.Revoke(p.Row.ID); !is(err, errs.NotFound) {
		t.Fatalf("second revoke gave %v", err)
	}
	ran := false
	p.OnEnd(func() { ran = true })
	if !ran {
		t.Fatal("a hook on an ended grant did not run at once")
	}
	// A child of a grant that is gone cannot be minted.
	if _, _, err := tb.Mint(child, recorded); !is(err, errs.GrantRevoked) {
		t.Fatalf("minting below a revoked grant gave %v", err)
	}
}

func TestTaskAndChannelEnd(t *testing.T) {
	tb, _ := table(t)
	_, a := mint(t, tb, row(1))
	r2 := row(1)
	r2.Holder.Task = "other"
	_, b := mint(t, tb, r2)
	if e := tb.EndTask(1, "t"); len(e) != 1 {
		t.Fatal(e)
	}
	if _, err := tb.Use(read, 1, a[:]); err == nil {
		t.Fatal("a grant outlived its task")
	}
	if _, err := tb.Use(read, 1, b[:]); err != nil {
		t.Fatal(err)
	}
	if e := tb.Close(); len(e) != 1 {
		t.Fatal(e)
	}
	if _, _, err := tb.Mint(row(1), recorded); !is(err, errs.CoreUnavailable) {
		t.Fatalf("mint after close: %v", err)
	}
}

// Whoever holds a grant of a broken table, or wants one, is told why, also
// after the table is closed.
func TestBreak(t *testing.T) {
	tb, _ := table(t)
	g, h := mint(t, tb, row(1))
	if e := tb.Break(errs.New(errs.LogBroken, "test").With("record 7")); len(e) != 1 {
		t.Fatal(e)
	}
	if !is(context.Cause(g.Context()), errs.LogBroken) {
		t.Error(context.Cause(g.Context()))
	}
	for range 2 {
		if _, err := tb.Use(read, 1, h[:]); !is(err, errs.LogBroken) {
			t.Errorf("use: %v", err)
		}
		if _, _, err := tb.Mint(row(1), recorded); !is(err, errs.LogBroken) {
			t.Errorf("mint: %v", err)
		}
		tb.Close()
	}
}

// Neither live grants nor ended ones whose cause is still told let clients grow the
// table together.
func TestTableIsBounded(t *testing.T) {
	tb, _ := table(t)
	for i := range limits.GrantsLive {
		g, _ := mint(t, tb, modelRow(uint64(i/limits.GrantsPerChannel)))
		if i%2 == 0 {
			if _, err := tb.Revoke(g.Row.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, _, err := tb.Mint(modelRow(1000), recorded); !is(err, errs.CoreBusy) {
		t.Fatalf("got %v", err)
	}
	tb.EndTask(1, "t")
	tb.Forget(1)
	mint(t, tb, modelRow(1000))
}

func modelRow(channel uint64) capability.Row {
	r := row(channel)
	r.Kind = policyv1.Kind_KIND_MODEL_RUN
	return r
}

// One channel leaves the others room, and of its own folders each costs a worker.
func TestChannelIsBounded(t *testing.T) {
	tb, _ := table(t)
	busy := func(r capability.Row) {
		t.Helper()
		asked := false
		if _, _, err := tb.Mint(r, func(capability.Row) error { asked = true; return nil }); !is(err, errs.CoreBusy) || asked {
			t.Fatalf("%v, on the record: %v", err, asked)
		}
	}
	var folders []*Grant
	for range limits.FoldersPerChannel {
		g, _ := mint(t, tb, row(1))
		folders = append(folders, g)
	}
	busy(row(1))
	for range limits.GrantsPerChannel - limits.FoldersPerChannel {
		mint(t, tb, modelRow(1))
	}
	busy(modelRow(1))
	mint(t, tb, row(2)) // another has its own
	if tb.Finish(folders[0].Row.ID); len(tb.List()) != limits.GrantsPerChannel {
		t.Fatal("the control: nothing has ended")
	}
	mint(t, tb, row(1))
	busy(row(1))
	// A grant whose record fails takes no place.
	tb.Finish(folders[1].Row.ID)
	fail := errs.New(errs.LogUnwritable, "test")
	if _, _, err := tb.Mint(row(1), func(capability.Row) error { return fail }); !errors.Is(err, fail) {
		t.Fatal(err)
	}
	mint(t, tb, row(1))
}

// A page that lives long is told why its grants ended, of the last ones; those
// before do not stand in its way.
func TestEndedGrantsGiveWay(t *testing.T) {
	tb, _ := table(t)
	_, stays := mint(t, tb, row(1))
	old, first := mint(t, tb, row(1)) // the oldest grant, and the last that ends
	var handles []capability.Handle
	for range 3 * limits.GrantsPerChannel {
		g, h := mint(t, tb, row(1))
		handles = append(handles, h)
		if _, err := tb.Revoke(g.Row.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tb.Revoke(old.Row.ID); err != nil {
		t.Fatal(err)
	}
	mint(t, tb, row(1))
	if _, err := tb.Use(read, 1, stays[:]); err != nil {
		t.Errorf("a live grant gave way: %v", err)
	}
	for what, h := range map[string]capability.Handle{"the last but one": handles[len(handles)-1], "the last": first} {
		if _, err := tb.Use(read, 1, h[:]); !is(err, errs.GrantRevoked) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := tb.Use(read, 1, handles[0][:]); !is(err, errs.GrantMissing) {
		t.Errorf("the first: %v", err)
	}
	if len(tb.keys) > limits.GrantsPerChannel {
		t.Errorf("%d keys", len(tb.keys))
	}
}

func TestWatchingThePersonIsRefused(t *testing.T) {
	tb, _ := table(t)
	r := row(1)
	r.Kind = policyv1.Kind_KIND_SCREEN_CAPTURE
	called := false
	if _, _, err := tb.Mint(r, func(capability.Row) error { called = true; return nil }); !is(err, errs.Denied) || called {
		t.Fatalf("err %v, recorded %v", err, called)
	}
}

// What is given to a program that is run by hand is listed and can be withdrawn, and
// no call goes by it, also with its handle.
func TestRunGrantHasNoCalls(t *testing.T) {
	tb, _ := table(t)
	r := row(1)
	r.Run, r.By = true, capability.ByCommandLine
	g, h := mint(t, tb, r)
	if _, err := tb.Use(read, 1, h[:]); !is(err, errs.GrantMissing) {
		t.Errorf("used: %v", err)
	}
	if len(tb.List()) != 1 {
		t.Error("it is not listed")
	}
	exec := r
	exec.Kind, exec.By = policyv1.Kind_KIND_EXEC_RUN, capability.ByTerminal
	if _, _, err := tb.Mint(exec, recorded); !is(err, errs.Denied) {
		t.Errorf("minted by a person: %v", err)
	}
	child := r
	child.Parent = g.Row.ID
	c, _ := mint(t, tb, child)
	if ended := tb.Finish(g.Row.ID); len(ended) != 2 || !is(context.Cause(c.Context()), errs.Cancelled) {
		t.Errorf("%d ended, %v", len(ended), context.Cause(c.Context()))
	}
	if ended := tb.Finish(g.Row.ID); len(ended) != 0 {
		t.Error("it ended twice")
	}
}
