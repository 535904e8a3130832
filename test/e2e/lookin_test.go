package e2e

import (
	"maps"
	"os"
	"os/exec"
	"testing"

	"github.com/bailey-run/bailey/internal/testkit/lookin"
)

// idle is argv[0] of this test binary as a program that waits.
const idle = "bailey-e2e-idle"

// TestLookIn: what another program of the user can do to the core, and to a worker at
// work. The control is an ordinary program of that user.
func TestLookIn(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may look into every process; the turn as an ordinary user runs this")
	}
	control := exec.Command("/proc/self/exe")
	control.Args = []string{idle}
	in, err := control.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := control.StdoutPipe()
	if err == nil {
		err = control.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := control.Wait(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	base, err := lookin.Base(control.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	p := newPlace(t)
	c := p.connect()
	p.grant(c)
	for _, x := range []struct {
		who  string
		pid  int
		want map[string]error
	}{
		{"control", control.Process.Pid, lookin.Open()},
		{"the core", c.PID, lookin.Closed()},
		{"a worker", p.worker(c.PID), lookin.Owned()},
	} {
		if got := lookin.Try(x.pid, base); !maps.Equal(got, x.want) {
			t.Errorf("%s: %v, want %v", x.who, got, x.want)
		}
	}
	p.mustAnswer()
}
