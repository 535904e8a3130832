package peer

import (
	"context"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
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
	if os.Getenv("PEER_TEST_STUBBORN") != "" {
		signal.Ignore(syscall.SIGTERM)
	}
	_, _ = os.Stdout.WriteString("listening\n")
	for {
		if _, _, err := l.Accept(nil); err != nil {
			return
		}
	}
}

// child starts a listening process, and returns it with a connection to it.
func child(t *testing.T, env ...string) (*exec.Cmd, *net.UnixConn) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	cmd := exec.Command("/proc/self/exe", "-test.run=TestEndChild$")
	cmd.Env = append(env, "PEER_TEST_SOCKET="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	if _, err := out.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	c, cred, err := Dial(path)
	if err != nil || cred.PID != cmd.Process.Pid {
		t.Fatalf("%+v %v", cred, err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return cmd, c
}

// ended returns the signal that ended a process.
func ended(cmd *exec.Cmd) syscall.Signal {
	_ = cmd.Wait()
	return cmd.ProcessState.Sys().(syscall.WaitStatus).Signal()
}

func TestEnd(t *testing.T) {
	cmd, c := child(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := End(ctx, c); err != nil {
		t.Error(err)
	}
	if sig := ended(cmd); sig != syscall.SIGTERM {
		t.Errorf("it ended by %v", sig)
	}
	// It is gone: to end it again is no error, and reaches nobody.
	if err := End(ctx, c); err != nil {
		t.Errorf("when it is gone: %v", err)
	}
}

// One that does not listen to SIGTERM is killed when the time is over, and left
// alone when the person changes their mind.
func TestEndStubborn(t *testing.T) {
	cmd, c := child(t, "PEER_TEST_STUBBORN=1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := End(ctx, c); errs.CodeOf(err) != errs.Cancelled {
		t.Errorf("cancelled: %v", err)
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("it is gone: %v", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := End(ctx, c); err != nil {
		t.Errorf("after the deadline: %v", err)
	}
	if sig := ended(cmd); sig != syscall.SIGKILL {
		t.Errorf("it ended by %v", sig)
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

// By its number a process is ended that is said to be the right one, and no other.
func TestEndPID(t *testing.T) {
	cmd, c := child(t)
	_ = c.Close()
	if ended, err := EndPID(t.Context(), cmd.Process.Pid, func() bool { return false }); ended || err != nil {
		t.Errorf("another one: %v %v", ended, err)
	}
	if err := cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("it is gone: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if ended, err := EndPID(ctx, cmd.Process.Pid, func() bool { return true }); !ended || err != nil {
		t.Errorf("%v %v", ended, err)
	}
	if sig := ended(cmd); sig != syscall.SIGTERM {
		t.Errorf("it ended by %v", sig)
	}
	if ended, err := EndPID(ctx, cmd.Process.Pid, func() bool { return true }); ended || err != nil {
		t.Errorf("when it is gone: %v %v", ended, err)
	}
}
