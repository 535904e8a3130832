package e2e

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/limits"
	"github.com/bailey-run/bailey/internal/plat/proc"
	"github.com/bailey-run/bailey/internal/wire/grantv1"
)

func (p *place) signal(pid int, s syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(pid, s); err != nil {
		p.t.Fatal(err)
	}
}

// An engine that is killed in the middle of an answer ends that answer with an
// error that says so, its death is on the record, and the next call has an engine
// again. The core and other grants go on.
func TestEngineKilledInMidAnswer(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(talker)
	c := p.connect()
	_, g := p.grant(c, p.wantModel(talker))
	a := p.talk(c, g)
	first := p.engine(c.PID)
	p.signal(first, syscall.SIGKILL)
	if err := a.end(); errs.CodeOf(err) != errs.EngineCrashed {
		t.Fatalf("the answer ended with %v", err)
	}
	p.crashes(1)
	if _, err := says(t.Context(), c, g.Handle); err != nil {
		t.Fatalf("after a crash: %v", err)
	}
	if p.engine(c.PID) == first {
		t.Fatal("it is the same process")
	}
	p.mustAnswer()
	p.verified()
}

// An engine that stands still, as one that hangs does, is ended by the watchdog,
// and the call with it; the next call works.
func TestEngineStopped(t *testing.T) {
	needsEngine(t)
	if testing.Short() {
		t.Skip("the watchdog waits for 20 seconds: make test-full")
	}
	p := newPlace(t)
	p.pull(talker)
	c := p.connect()
	_, g := p.grant(c, p.wantModel(talker))
	a := p.talk(c, g)
	e := p.engine(c.PID)
	p.signal(e, syscall.SIGSTOP)
	begin := time.Now()
	err := a.end()
	took := time.Since(begin)
	if errs.CodeOf(err) != errs.EngineHung {
		t.Errorf("the answer ended with %v", err)
	}
	if took < limits.EngineSilence/2 || took > limits.EngineSilence+wait {
		t.Errorf("it was ended after %v, the watchdog waits for %v", took, limits.EngineSilence)
	}
	p.until(wait, "the engine to be gone", func() bool { return !proc.Alive(e) })
	if _, err := says(t.Context(), c, g.Handle); err != nil {
		t.Fatalf("after it: %v", err)
	}
	p.verified()
}

// kill -9 of the core leaves no engine alive after a second (held at ten), and
// the next core works.
func TestCoreKilledInMidAnswer(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(talker)
	c := p.connect()
	_, g := p.grant(c, p.wantModel(talker))
	a := p.talk(c, g)
	e := p.engine(c.PID)
	p.signal(c.PID, syscall.SIGKILL)
	p.until(10*time.Second, "the engine to be gone", func() bool { return !proc.Alive(e) })
	if err := a.end(); err == nil {
		t.Error("the answer ended in order")
	}
	next := p.connect()
	if n := len(p.engines(next.PID)); n != 0 {
		t.Errorf("the next core has %d engines", n)
	}
	_, h := p.grant(next, p.wantModel(talker))
	if _, err := says(t.Context(), next, h.Handle); err != nil {
		t.Fatal(err)
	}
	p.verified()
}

// Revoking in the middle of a word ends the answer and the engine; the handle is
// worth nothing any more.
func TestRevokeInMidToken(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(talker)
	c := p.connect()
	_, g := p.grant(c, p.wantModel(talker))
	a := p.talk(c, g)
	e := p.engine(c.PID)
	other := p.connect()
	begin := time.Now()
	if r, err := other.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: g.Id}); err != nil || r.Ended != 1 {
		t.Fatal(r, err)
	}
	took := time.Since(begin)
	if took > 10*250*time.Millisecond {
		t.Errorf("it took %v", took)
	}
	if proc.Alive(e) {
		t.Error("the engine was alive when Revoke returned")
	}
	if err := a.end(); errs.CodeOf(err) != errs.GrantRevoked {
		t.Errorf("the answer ended with %v", err)
	}
	if _, err := says(t.Context(), c, g.Handle); errs.CodeOf(err) != errs.GrantRevoked {
		t.Errorf("a call after it gave %v", err)
	}
	p.verified()
}

// Revoking one of two grants of a model ends that one's answer alone.
func TestRevokeOneOfTwo(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(talker)
	c := p.connect()
	_, one := p.grant(c, p.wantModel(talker))
	_, two := p.grant(c, p.wantModel(talker))
	a := p.talk(c, one)
	e := p.engine(c.PID)
	if r, err := c.Grant.Revoke(t.Context(), &grantv1.RevokeRequest{Id: one.Id}); err != nil || r.Ended != 1 {
		t.Fatal(r, err)
	}
	if err := a.end(); errs.CodeOf(err) != errs.GrantRevoked {
		t.Errorf("the answer ended with %v", err)
	}
	if _, err := says(t.Context(), c, two.Handle); err != nil {
		t.Errorf("the other grant: %v", err)
	}
	if p.engine(c.PID) != e {
		t.Error("the engine was ended, though another grant used it")
	}
}

// An engine that nobody uses is kept, is seen, and ends with `bailey stop`.
func TestStopEndsAKeptEngine(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(talker)
	c := p.connect()
	_, g := p.grant(c, p.wantModel(talker))
	if _, err := says(t.Context(), c, g.Handle); err != nil {
		t.Fatal(err)
	}
	core, e := c.PID, p.engine(c.PID)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	p.until(wait, "the grant to have ended", func() bool {
		out, _, _ := p.bailey("grant", "list", "--json")
		return !strings.Contains(out, `"`+g.Id+`"`)
	})
	if !proc.Alive(e) || !proc.Alive(core) {
		t.Fatal("control: the engine was not kept")
	}
	if out, errs, code := p.bailey("stop"); code != 0 {
		t.Fatalf("stop gave %d: %s%s", code, out, errs)
	}
	p.until(10*time.Second, "core and engine to be gone", func() bool { return !proc.Alive(e) && !proc.Alive(core) })
	p.verified()
}

// A model that ends its engine three times in a row is set aside by its digest,
// whatever it is called, and comes back when a person, or the command line, pins
// it again.
func TestQuarantine(t *testing.T) {
	needsEngine(t)
	p := newPlace(t)
	p.pull(talker)
	c := p.connect()
	_, g := p.grant(c, p.wantModel(talker))
	for i := range limits.ModelCrashes {
		a := p.talk(c, g)
		p.signal(p.engine(c.PID), syscall.SIGKILL)
		if err := a.end(); errs.CodeOf(err) != errs.EngineCrashed {
			t.Fatalf("answer %d ended with %v", i, err)
		}
		p.crashes(i + 1)
	}
	if _, err := says(t.Context(), c, g.Handle); errs.CodeOf(err) != errs.ModelQuarantine {
		t.Fatalf("after %d crashes in a row: %v", limits.ModelCrashes, err)
	}
	if n := len(p.engines(c.PID)); n != 0 {
		t.Fatalf("%d engines run", n)
	}
	if out, errs, code := p.bailey("model", "pin", talker, "--allow-model", talker); code != 0 {
		t.Fatalf("pin gave %d: %s%s", code, out, errs)
	}
	_, h := p.grant(c, p.wantModel(talker))
	if _, err := says(t.Context(), c, h.Handle); err != nil {
		t.Fatalf("pinned again: %v", err)
	}
	p.verified()
}
