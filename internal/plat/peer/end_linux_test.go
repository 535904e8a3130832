package peer

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bailey-run/bailey/internal/errs"
)

// TestEndChild is the process that listens; it runs only as a child.
func TestEndChild(t *testing.T) {
	path := os.Getenv("PEER_TEST_SOCKET")
	if path == "" {
		return
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = os.Stdout.WriteString("listening\n")
	for {
		if _, _, err := l.Accept(nil); err != nil {
			return
		}
	}
}

func TestEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	cmd := exec.Command("/proc/self/exe", "-test.run=TestEndChild$")
	cmd.Env = []string{"PEER_TEST_SOCKET=" + path}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	c, cred, err := Dial(path)
	if err != nil || cred.PID != cmd.Process.Pid {
		t.Fatalf("%+v %v", cred, err)
	}
	defer c.Close()
	// A context that is over already: the wait ends, the process was told.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := End(ctx, c); err != nil && errs.CodeOf(err) != errs.Deadline {
		t.Errorf("got %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := End(ctx, c); err != nil {
		t.Errorf("the second time: %v", err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Errorf("it ended with %v, not by a signal", err)
	}
	// It is gone: to end it again is no error, and reaches nobody.
	if err := End(ctx, c); err != nil {
		t.Errorf("when it is gone: %v", err)
	}
}

func TestAbsent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if _, _, err := Dial(path); !Absent(err) {
		t.Errorf("missing: %v", err)
	}
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	l.l.SetUnlinkOnClose(false)
	_ = l.Close()
	if _, _, err := Dial(path); !Absent(err) {
		t.Errorf("stale: %v", err)
	}
	if Absent(nil) || Absent(errs.New(errs.CoreUnavailable, "")) {
		t.Error("other errors are not absence")
	}
}
