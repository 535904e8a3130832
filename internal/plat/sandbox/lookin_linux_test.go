package sandbox

import (
	"maps"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/testkit/lookin"
)

// closed makes this process non-dumpable, as the core is, until the test ends.
func closed(t *testing.T) {
	t.Helper()
	if err := MakeUndumpable(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
	})
}

// TestStartFromClosedCore: a core that is closed to its own user starts workers, and
// looks at them.
func TestStartFromClosedCore(t *testing.T) {
	closed(t)
	TestStart(t)
}

// sealedForUser is a sealed worker of an ordinary user's.
func sealedForUser(t *testing.T) *running {
	t.Helper()
	if os.Geteuid() == 0 {
		t.Skip("root may look into every process; TestAsOrdinaryUser runs this")
	}
	dir := realDir(t)
	note(t, dir)
	r := start(t, t.Context(), dir)
	r.seal()
	return r
}

// TestLookIn: what the user's other programs can do to a worker, before it is closed
// and after. The first is the control, and the last what SECURITY.md says.
func TestLookIn(t *testing.T) {
	r := sealedForUser(t)
	base, err := lookin.Base(r.PID())
	if err != nil {
		t.Fatal(err)
	}
	if got := lookin.Try(r.PID(), base); !maps.Equal(got, lookin.Open()) {
		t.Errorf("control: before it is closed %v", got)
	}
	var ok string
	r.order('u', &ok)
	if got := lookin.Try(r.PID(), base); !maps.Equal(got, lookin.Owned()) {
		t.Errorf("the worker: %v", got)
	}
}

// TestStandsStill: a worker that stands still for a tracer in the core's own process,
// which waits for its end, has not ended.
func TestStandsStill(t *testing.T) {
	r := sealedForUser(t)
	if err := lookin.Halt(r.PID(), unix.SIGURG); err != nil {
		t.Fatal(err)
	}
	var ok string
	r.order('u', &ok)
}
