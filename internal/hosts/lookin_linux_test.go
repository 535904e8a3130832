package hosts

import (
	"maps"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/testkit/lookin"
)

// TestLookIn: what another program of the user can do to a window, which is as open
// as one that is started by itself, and to a prompt, whose files in /proc are closed.
func TestLookIn(t *testing.T) {
	needsWindows(t)
	d := display(t)
	for name, c := range map[string]*core{
		"control": bare(t, d, nil, map[string]string{"/index.html": plainPage}, nil),
		"window":  open(t, d, map[string]string{"/index.html": plainPage}, nil),
	} {
		c.wait("READY", kindOf(frameReady))
		base, err := lookin.Base(c.pid)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := lookin.Try(c.pid, base); !maps.Equal(got, lookin.Open()) {
			t.Errorf("%s: %v", name, got)
		}
	}
	h, answer := ask(t, Prompt, d)
	answered := make(chan struct{})
	go func() { defer close(answered); _, _ = answer() }()
	defer func() { h.Kill(); <-answered }()
	// It closes itself when it has read its sheet.
	var got map[string]error
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for until := time.Now().Add(patience); time.Now().Before(until); <-tick.C {
		if got = lookin.Try(h.PID(), 0); got[lookin.Environ] != nil {
			break
		}
	}
	// Where it lies in memory is not to be seen; what it refuses it refuses before.
	for _, what := range []string{lookin.MemoryFile, lookin.Environ} {
		if want := lookin.Closed()[what]; got[what] != want {
			t.Errorf("a prompt, %s: %v, want %v", what, got[what], want)
		}
	}
	if got[lookin.Trace] != nil || got[lookin.Descriptor] != nil {
		t.Errorf("a prompt: %v: SECURITY.md says otherwise", got)
	}
}
