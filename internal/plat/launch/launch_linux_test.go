package launch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bailey-run/bailey/internal/errs"
	"github.com/bailey-run/bailey/internal/plat/launch"
)

// TestMain is also the program that is started: what it does is its argument.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "started" {
		os.Exit(started(os.Args[2]))
	}
	os.Exit(m.Run())
}

func started(how string) int {
	ready := os.NewFile(3, "ready")
	switch how {
	case "ready", "taken":
		fmt.Fprintln(ready, how)
	case "fail":
		fmt.Fprintln(os.Stderr, "it went wrong")
		return 7
	case "other":
		fmt.Fprintln(ready, "something that is longer than any word")
	case "look":
		// What it was given, in its last words.
		sid, _ := unix.Getsid(0)
		wd, _ := os.Getwd()
		fds, _ := os.ReadDir("/proc/self/fd")
		open := []string{}
		for _, f := range fds {
			to, err := os.Readlink("/proc/self/fd/" + f.Name())
			// The runtime's own: its poller, its view of the cgroup; and the listing.
			own := strings.Contains(to, "eventpoll") || strings.Contains(to, "eventfd") || strings.HasPrefix(to, "/sys/fs/cgroup/") || strings.HasSuffix(to, "/fd")
			if err == nil && !own {
				open = append(open, f.Name())
			}
		}
		fmt.Fprintf(os.Stderr, "leader=%v wd=%s fds=%v env=%v\n", sid == os.Getpid(), wd, open, os.Environ())
		return 1
	case "hang":
		// Until the starter gives up: POLLERR is always reported.
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(ready.Fd())}}, -1)
	}
	return 0
}

func self(t *testing.T) string {
	t.Helper()
	p, err := launch.Self()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func start(t *testing.T, ctx context.Context, how string) (launch.Outcome, error) {
	t.Helper()
	return launch.Start(ctx, launch.Command{Path: self(t), Args: []string{"started", how}, Env: []string{"ONLY=this"}})
}

func TestOutcomes(t *testing.T) {
	for how, want := range map[string]launch.Outcome{"ready": launch.Ready, "taken": launch.Taken} {
		if got, err := start(t, t.Context(), how); got != want || err != nil {
			t.Errorf("%s: %v, %v", how, got, err)
		}
	}
	for how, exit := range map[string]int{"fail": 7, "other": 0, "nothing": 0} {
		_, err := start(t, t.Context(), how)
		var f *launch.Failed
		if !errors.As(err, &f) || f.Exit != exit || (how == "fail") != strings.HasPrefix(f.Stderr, "it went wrong\n") {
			t.Errorf("%s: %v, %+v", how, err, f)
		}
	}
}

// The core belongs to no terminal, no directory and no pipe of its starter.
func TestDetached(t *testing.T) {
	// A descriptor that would be inherited without care: the control is that a
	// plain exec does pass it on (flag cleared).
	leak, err := unix.Open("/etc/passwd", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(leak)
	if flags, err := unix.FcntlInt(uintptr(leak), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		t.Fatalf("the descriptor would not leak anyway: %v %v", flags, err)
	}
	_, err = start(t, t.Context(), "look")
	var f *launch.Failed
	if !errors.As(err, &f) {
		t.Fatal(err)
	}
	if want := "leader=true wd=/ fds=[0 1 2 3] env=[ONLY=this]\n"; !strings.HasPrefix(f.Stderr, want) {
		t.Errorf("got %q, want %q", f.Stderr, want)
	}
}

func TestContextEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err := start(t, ctx, "hang")
	if errs.CodeOf(err) != errs.CoreUnavailable || time.Since(begin) > 5*time.Second {
		t.Errorf("%v after %v", err, time.Since(begin))
	}
}

func TestNotThere(t *testing.T) {
	if _, err := launch.Start(t.Context(), launch.Command{Path: "/nonexistent/bailey-core"}); errs.CodeOf(err) != errs.CoreUnavailable {
		t.Errorf("got %v", err)
	}
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if launch.Executable(plain) || launch.Executable(dir) || launch.Executable(dir+"/none") || !launch.Executable(self(t)) {
		t.Error("Executable is wrong about one of four")
	}
}
