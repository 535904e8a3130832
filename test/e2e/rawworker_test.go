package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/client"
	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
	"github.com/bailey-run/bailey/internal/wire/indexv1"
)

// What a hostile peer may cost.
const (
	// coreGrowth is what the core's memory may grow by at its peak, in kB. One
	// connection may make it hold a frame (1 MiB), a queue and a stream's window;
	// the rest is Go's heap between two collections. What floods sends gigabytes.
	coreGrowth = 24 << 10
	// neighbour is the longest that a call to another worker may take meanwhile:
	// 250 ms, and ten times that on a busy machine.
	neighbour = 2500 * time.Millisecond
)

// peak is the most memory that a process has had, in kB.
func peak(t *testing.T, pid int) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "VmHWM:")
	var kb int
	if _, err := fmt.Sscan(after, &kb); err != nil {
		t.Fatal(err)
	}
	return kb
}

// records are how the workers of each grant ended, by the log.
func (p *place) records() map[string]string {
	p.t.Helper()
	out, said, code := p.bailey("audit", "show", "--json", "--last", "5000")
	if code != 0 {
		p.t.Fatal(said)
	}
	ends := map[string]string{}
	for line := range strings.Lines(out) {
		var r struct {
			Kind, Grant string
			Detail      map[string]string
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			p.t.Fatalf("%v in %s", err, line)
		}
		switch r.Kind {
		case "malformed-peer", "worker-crash":
			ends[r.Grant] = r.Kind + " " + r.Detail["reason"]
			if r.Detail["reason"] == "" {
				ends[r.Grant] += "exit " + r.Detail["exit"]
			}
		}
	}
	return ends
}

// TestHostileWorker has a worker in its sandbox put on its socket whatever the
// core might choke on. It is ended and on the record; one that breaks nothing and
// says nothing ends when its grant does. The core's memory and descriptors do not
// grow, and a worker beside it answers all the while.
func TestHostileWorker(t *testing.T) {
	const (
		broken = "malformed-peer "
		stays  = ""
	)
	orders := []struct{ order, record string }{
		{"random bytes", broken},
		{"zeros", broken + "stream is zero"},
		{"4 GiB", broken + "frame is too long"},
		{"an answer to nobody", broken + "no such stream is open"},
		{"an answer to a call that has ended", broken + "no such stream is open"},
		{"a call of its own", broken + "unknown method"},
		{"a kind that is none", broken + "unknown kind of frame"},
		{"a reserved byte", broken + "reserved byte is set"},
		{"stream zero", broken + "stream is zero"},
		{"credit for nothing", broken + "no such stream was ever open"},
		{"an end with a body", broken + "body where none belongs"},
		{"a message of garbage", broken + "a response broke the schema"},
		{"a message that is too deep", broken + "a response broke the schema"},
		{"a message that is too long", broken + "message is longer than its method allows"},
		{"an error that is too long", broken + "error is too long"},
		{"a flood", broken},
		{"half a head", stays},
		{"half a frame", stays},
		{"half a frame and the end", "worker-crash exit -1"},
		{"no reading", stays},
		{"a directory", broken + "descriptors that no frame named"},
		{"a directory that is said", broken + "descriptors outside a request"},
		{"a file of its own, which it shrinks", broken + "descriptors that no frame named"},
		{"a socket", broken + "a socket among the descriptors"},
		{"253 descriptors", broken + "too many descriptors"},
		{"1000 descriptors", broken + "too many descriptors"},
		{"1000 descriptors by driblets", broken + "descriptors that no frame named"},
	}
	p := newPlace(t)
	beside := p.connectWith("raw")
	_, own := p.grant(beside)
	core, honest := beside.PID, p.worker(beside.PID)
	well := func() error { return p.tell(beside, own.Handle, "well?") }
	if err := well(); err != nil {
		t.Fatal(err)
	}
	before, files := peak(t, core), openFiles(t, core)

	// The neighbour is asked all the while.
	ctx, stop := context.WithCancel(t.Context())
	slowest := make(chan time.Duration, 1)
	go func() {
		worst := time.Duration(0)
		tick := time.NewTicker(10 * time.Millisecond) // the log is read as a whole at the end
		defer tick.Stop()
		for ; ctx.Err() == nil; <-tick.C {
			begin := time.Now()
			if err := well(); err != nil {
				t.Errorf("the worker beside it: %v", err)
				break
			}
			worst = max(worst, time.Since(begin))
		}
		slowest <- worst
	}()

	wants, named := map[string]string{}, map[string]string{}
	for _, o := range orders {
		t.Run(o.order, func(t *testing.T) {
			p := &place{t: t, home: p.home, folder: p.folder}
			c := p.connectWith("raw")
			_, g := p.grant(c)
			w := newest(p, core, honest)
			if err := p.tell(c, g.Handle, "well?"); err != nil || !proc.Alive(w) {
				t.Fatalf("control: %v", err)
			}
			if o.record == stays {
				p.silent(c, g, w, o.order)
				return
			}
			wants[g.Id], named[g.Id] = o.record, o.order
			if err := p.tell(c, g.Handle, o.order); err == nil {
				t.Error("the call succeeded")
			}
			p.until(wait, "the worker to be ended", func() bool { return !proc.Alive(w) })
			c.Close()
		})
	}
	stop()
	worst, grown := <-slowest, peak(t, core)-before
	t.Logf("%d orders; the core grew by %d kB; the worker beside took %v at most", len(orders), grown, worst)
	if worst > neighbour {
		t.Errorf("a call to another worker took %v", worst)
	}
	if grown > coreGrowth {
		t.Errorf("the core grew by %d kB", grown)
	}
	if !proc.Alive(honest) {
		t.Error("the worker beside was ended")
	}
	p.until(wait, "the core to close what it was sent", func() bool { return openFiles(t, core) <= files })
	var got map[string]string
	p.until(wait, "all records", func() bool { got = p.records(); return len(got) >= len(wants) })
	for id, want := range wants {
		// Of random bytes, and of a flood, chance decides what is wrong first.
		if got[id] != want && !(want == broken && strings.HasPrefix(got[id], broken)) {
			t.Errorf("%s: on the record is %q, want %q", named[id], got[id], want)
		}
	}
	p.verified()
}

// newest returns the worker that is not the other one.
func newest(p *place, core, other int) int {
	p.t.Helper()
	for _, pid := range p.workers(core) {
		if pid != other && proc.Alive(pid) {
			return pid
		}
	}
	p.t.Fatal("no worker")
	return 0
}

// openFiles is how many descriptors a process has. Of one that is closed to its user
// the kernel tells the number alone, from 6.2 on.
func openFiles(t *testing.T, pid int) int {
	t.Helper()
	ds, err := proc.Descriptors(pid)
	if errors.Is(err, os.ErrPermission) {
		info, err := os.Stat(fmt.Sprintf("/proc/%d/fd", pid))
		if err != nil {
			t.Fatal(err)
		}
		return int(info.Size())
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(ds)
}

// silent gives an order to a worker that then says nothing whole any more and
// maybe reads nothing, sends it as many calls as the core takes, and withdraws
// its grant.
func (p *place) silent(c *client.Client, g *grantv1.Granted, w int, order string) {
	p.t.Helper()
	const calls = limits.IPCStreams / 2
	ended := make(chan error, calls)
	call := func(text string) {
		in, err := c.Index.Ask(context.Background(), &indexv1.AskRequest{Grant: g.Handle, Question: text})
		if err == nil {
			_, err = in.Recv()
			in.Close()
		}
		ended <- err
	}
	go call(order)
	for range calls - 1 {
		// Together they are more than a socket and the core's queue for it hold.
		go call(strings.Repeat("x", 2000))
	}
	other := p.connectWith("raw")
	begin := time.Now()
	if _, err := other.Grant.Revoke(p.t.Context(), &grantv1.RevokeRequest{Id: g.Id}); err != nil {
		p.t.Fatal(err)
	}
	if d := time.Since(begin); d > neighbour {
		p.t.Errorf("withdrawing its grant took %v", d)
	}
	if proc.Alive(w) {
		p.t.Error("the worker was alive when its grant was gone")
	}
	for range calls {
		select {
		case err := <-ended:
			var e *errs.Error
			if !errors.As(err, &e) {
				p.t.Errorf("a call ended with %v", err)
			}
		case <-time.After(wait):
			p.t.Fatal("a call hangs")
		}
	}
	c.Close()
	other.Close()
}

// What it says in an error in form is not passed on as Bailey's word either.
func TestHostileWorkerSpeaks(t *testing.T) {
	p := newPlace(t)
	c := p.connectWith("raw")
	_, g := p.grant(c)
	err := p.tell(c, g.Handle, "an error with its own code")
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != errs.Internal || strings.ContainsAny(e.Error()+e.Message()+e.HintText(), "\x1b\u202e") || strings.Contains(e.Message(), "disk") {
		t.Errorf("it says %q: %q, %q", err, e.Message(), e.HintText())
	}
}
