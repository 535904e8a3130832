package e2e

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/bailey-run/bailey/internal/plat/proc"
)

// progress is how far the vectors of the remembered folder are, from 0 to 1, and
// whether somebody is at it.
func (p *place) progress() (far float64, working bool) {
	p.t.Helper()
	out, errb, code := p.bailey("grant", "list", "--json")
	var l struct {
		Grants []struct {
			Kind, State string
			Progress    *float64
		}
	}
	if err := json.Unmarshal([]byte(out), &l); code != 0 || err != nil {
		p.t.Fatalf("grant list gave %d, %v: %s%s", code, err, out, errb)
	}
	for _, g := range l.Grants {
		if g.Kind == "file.read" && g.State == "remembered" && g.Progress != nil {
			return *g.Progress, true
		}
	}
	return 0, false
}

// far waits until the work is so far, and returns how far it is.
func (p *place) far(least float64) float64 {
	p.t.Helper()
	at := 0.0
	p.until(3*wait, "vectors to be made", func() bool {
		var working bool
		at, working = p.progress()
		return working && at >= least
	})
	return at
}

func (p *place) askByMeaning() string {
	p.t.Helper()
	out, errb, code := p.bailey("ask", p.folder, "how is a release signed?", "--allow-read", p.folder, "--allow-model", finder, "--remember")
	if code != 0 || !strings.Contains(out, "hardware token") {
		p.t.Fatalf("ask gave %d: %s%s", code, out, errb)
	}
	return out
}

// Vectors of a remembered folder are made while nobody waits. An engine that is
// killed in the middle of it is started again and the work goes on; when the core
// is killed nothing is left, and the next command over the folder goes on where
// the work stood but for the last thousand; a question meanwhile is answered.
func TestKilledInMidIndexing(t *testing.T) {
	needsEngine(t)
	if testing.Short() {
		t.Skip("vectors of 300 files take a minute on a busy machine: make test-full")
	}
	p := newPlace(t)
	p.many(300)
	p.pull(finder)
	p.askByMeaning()
	c := p.connect()
	at := p.far(0.02)
	e := p.engine(c.PID)
	p.signal(e, syscall.SIGKILL)
	p.crashes(1)
	p.far(at + 0.02)
	if p.engine(c.PID) == e {
		t.Error("it is the same engine")
	}
	at = p.far(0.25)
	workers := p.workers(c.PID)
	p.signal(c.PID, syscall.SIGKILL)
	for _, w := range workers {
		p.until(wait/2, "worker "+itoa(w)+" to be gone", func() bool { return !proc.Alive(w) })
	}
	if at >= 0.9 {
		t.Fatalf("control: it was all but done (%.2f), so the test shows little", at)
	}
	p.askByMeaning()
	if again := p.far(0.01); again < 0.08 {
		t.Errorf("it stood at %.2f, and begins again at %.2f", at, again)
	}
	p.askByMeaning()
	if out, errb, code := p.bailey("stop"); code != 0 {
		t.Fatalf("stop gave %d: %s%s", code, out, errb)
	}
	p.gone(wait)
	p.verified()
}
